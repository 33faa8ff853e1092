/** Log lines that strangers, or a device gone wild, can cause: they must not fill the disk that episodes go to. */
import type { Clock } from "../../core/clock.js";
import { RateLimit } from "./rateLimit.js";

const LINES = { perS: 1, burst: 20 } as const;

type Log<L extends string> = (level: L, event: string, text: string) => void;

/** The same log with fewer lines: what was left out is counted, and told with the next line that is not. */
export function limitedLog<L extends string>(log: Log<L>, clock: Clock): Log<L> {
  const limit = new RateLimit(LINES.perS, LINES.burst);
  let leftOut = 0;
  return (level, event, text) => {
    if (!limit.take(clock.nowMs())) {
      leftOut++;
      return;
    }
    log(level, event, leftOut === 0 ? text : `${text} (${leftOut} more lines were left out before)`);
    leftOut = 0;
  };
}
