/**
 * Whether the servo's timing has become worse than it was: its lateness is compared with that of a C loop that ran
 * beside it, because this computer may be slower or busier today; and that ratio with the one that was recorded.
 */
import { z } from "zod";
import type { ServoBenchResult } from "../../launch/commands/benchServo.js";
import type { LoopPass } from "../../launch/commands/loopPass.js";

/** So much more than recorded is worse, not noise. */
const TOLERANCE = 1.2;
/** Below these [us] nothing is worse: beside a reference of a few microseconds any figure has a large ratio. */
export const FLOOR_US = { p99: 100, p999: 500 } as const;
export const SERVO_RSS_BYTES_MAX = 120e6;

const SHARES = ["p99", "p999"] as const;
const Ratio = z.strictObject({ p99: z.number().positive(), p999: z.number().positive() });
/** Servo's lateness as a multiple of the reference's, by scheduling class; test/bench/recorded.json. */
export const Recorded = z.strictObject({
  /** Where and when, for people. */
  machine: z.string(),
  date: z.string(),
  fifo: Ratio.optional(),
  normal: Ratio.optional(),
});
export type Recorded = z.infer<typeof Recorded>;

type Passes = Pick<ServoBenchResult, "realtimePriority" | "latenessUs" | "reference" | "ratio" | "memory"> & {
  readonly normalPriority?: Pick<LoopPass, "latenessUs" | "reference" | "ratio" | "memory">;
};

/** The passes of one run by scheduling class. */
function byClass(result: Passes): Partial<Record<"fifo" | "normal", Omit<Passes, "normalPriority">>> {
  if (result.realtimePriority === 0) return { normal: result };
  const { normalPriority } = result;
  return {
    fifo: result,
    ...(normalPriority === undefined ? {} : { normal: { realtimePriority: 0, ...normalPriority } }),
  };
}

export function record(result: Passes, machine: string, date: string): Recorded {
  const { fifo, normal } = byClass(result);
  return {
    machine,
    date,
    ...(fifo === undefined ? {} : { fifo: fifo.ratio }),
    ...(normal === undefined ? {} : { normal: normal.ratio }),
  };
}

/** What is worse than recorded, in words; empty when nothing is. */
export function findRegressions(result: Passes, recorded: Recorded | undefined): string[] {
  const found: string[] = [];
  for (const [name, pass] of Object.entries(byClass(result)) as ["fifo" | "normal", Passes][]) {
    for (const share of SHARES) {
      const ratio = recorded?.[name]?.[share];
      if (ratio === undefined) continue;
      const limitUs = Math.max(FLOOR_US[share], TOLERANCE * ratio * pass.reference[share]);
      const us = pass.latenessUs[share];
      if (us > limitUs)
        found.push(
          `servo (${name}) is ${us.toFixed(0)} us late at ${share}, limit ${limitUs.toFixed(0)} us: ` +
            `${TOLERANCE} x recorded ratio ${ratio.toFixed(2)} x C loop's ${pass.reference[share].toFixed(0)} us`,
        );
    }
    if (pass.memory.rssBytesMax > SERVO_RSS_BYTES_MAX)
      found.push(
        `servo process (${name}) holds ${(pass.memory.rssBytesMax / 1e6).toFixed(0)} MB, limit ${SERVO_RSS_BYTES_MAX / 1e6} MB`,
      );
  }
  return found;
}
