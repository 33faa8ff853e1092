/** The real clock: the only file of the product that may read time or set timers. */
import { PerformanceObserver } from "node:perf_hooks";
import { asEpochNs, asMonotonicNs, type Clock, type EpochNs, type MonotonicNs } from "../core/clock.js";
import { REST_MS, type TickClock } from "../runtime/servo/loop.js";

/** Longest single timer; longer waits are cut into several. */
const TIMER_MS_MAX = 2 ** 30;

/** `Date` has only milliseconds; a real step of the clock is larger than this. */
const STEP_MS = 2;
const READINGS_MAX = 5;
let originMs = performance.timeOrigin;

/**
 * Epoch time at which `performance.now` was zero. `performance.timeOrigin` is as precise but read once: a clock that is
 * stepped while the process runs moves it. A pause between two readings is no step, so they must lie close together.
 */
function epochOriginMs(): number {
  for (let reading = 0; reading < READINGS_MAX; reading++) {
    const beforeMs = performance.now();
    const aheadMs = Date.now() + 0.5 - (originMs + beforeMs);
    if (Math.abs(aheadMs) <= STEP_MS) break;
    if (performance.now() - beforeMs < 0.1) {
      originMs += aheadMs;
      break;
    }
  }
  return originMs;
}

/**
 * CLOCK_MONOTONIC [ms]. The pair that `hrtime` answers never reaches the heap once this is compiled, while
 * `performance.now` and `hrtime.bigint` make one object a call: in a spin that is a megabyte a second.
 */
function monotonicMs(): number {
  const time = process.hrtime();
  return time[0] * 1e3 + time[1] / 1e6;
}

export const systemClock: Clock = {
  nowNs: (): MonotonicNs => asMonotonicNs(process.hrtime.bigint()),
  nowMs: monotonicMs,
  epochNs: (): EpochNs => asEpochNs(BigInt(Math.round((epochOriginMs() + performance.now()) * 1000)) * 1000n),
  async sleepUntil(dueNs: MonotonicNs, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const leftNs = dueNs - process.hrtime.bigint();
      if (leftNs <= 0n || signal?.aborted) return;
      const leftMs = Math.min(TIMER_MS_MAX, Math.ceil(Number(leftNs) / 1e6));
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          resolve();
        };
        const timer = setTimeout(done, leftMs);
        signal?.addEventListener("abort", done);
      });
    }
  },
};

/** A timer is late by up to a millisecond; the last stretch of a wait is parked in pieces of this length [ms]. */
const PARK_MS = 0.25;
const PARKED_MS = 4;

/**
 * The same time for the loop of an emulated device, which must be on its grid to a fraction of a millisecond and yet read
 * its port meanwhile: short waits are parked in small pieces, with a turn of the event loop between them.
 */
export function createPacedClock(): Clock {
  const park = new Int32Array(new SharedArrayBuffer(4));
  return {
    ...systemClock,
    async sleepUntil(dueNs: MonotonicNs, signal?: AbortSignal): Promise<void> {
      const parkedFromNs = asMonotonicNs(dueNs - BigInt(PARKED_MS) * 1_000_000n);
      await systemClock.sleepUntil(parkedFromNs, signal);
      while (signal?.aborted !== true) {
        const leftMs = Number(dueNs - process.hrtime.bigint()) / 1e6;
        if (leftMs <= 0) return;
        Atomics.wait(park, 0, 0, Math.min(PARK_MS, leftMs));
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** The same time for a thread that paces itself by blocking. */
export function createTickClock(): TickClock {
  const park = new Int32Array(new SharedArrayBuffer(4));
  const collections = { count: 0, ms: 0 };
  let timer: NodeJS.Timeout | undefined;
  let rested: () => void = () => {};
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      collections.count++;
      collections.ms += entry.duration;
    }
  }).observe({ entryTypes: ["gc"] });
  return {
    nowMs: monotonicMs,
    spinUntilMs: (dueMs) => {
      while (monotonicMs() < dueMs);
    },
    rest: (then) => {
      rested = then;
      if (timer === undefined) timer = setTimeout(() => rested(), REST_MS);
      else timer.refresh();
    },
    parkMs: (durationMs) => void Atomics.wait(park, 0, 0, durationMs),
    collections,
  };
}
