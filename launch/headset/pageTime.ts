/** A page's time from the daemon's clock, real or simulated. */
import type { PageClock } from "../../console/link/pageClock.js";
import { type Clock, sleepMs } from "../../core/clock.js";

export function createPageClock(clock: Clock): PageClock {
  const repeat = (ms: number, call: () => void, times: number) => {
    const abort = new AbortController();
    void (async () => {
      for (let turn = 0; turn < times; turn++) {
        await sleepMs(clock, ms, abort.signal);
        if (abort.signal.aborted) return;
        call();
      }
    })();
    return () => abort.abort();
  };
  return {
    nowMs: () => clock.nowMs(),
    after: (ms, call) => repeat(ms, call, 1),
    every: (ms, call) => repeat(ms, call, Number.POSITIVE_INFINITY),
  };
}
