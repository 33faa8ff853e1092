/**
 * How a robot on legs was let go of, by the record of its motors: when they stopped being driven after something had
 * happened, and whether they stayed so.
 */
import type { DriveSpan } from "./digitTruth.js";

export interface SafeEnd {
  /** From the moment until no motor was driven any more, for good [ms]; undefined where one still was at the end. */
  readonly quietAfterMs: number | undefined;
  /** What the motors got first when they were no longer driven. */
  readonly by: "damping" | "limp" | undefined;
  /** Who decided that: the commands, or the robot itself. */
  readonly cause: string | undefined;
  /** Largest torque that was asked of a motor after the moment [N m]. */
  readonly askedPeakNm: number;
  /** Motors were driven again after they had been let go of. */
  readonly droveAgain: boolean;
}

/**
 * @param spans in order of time
 * @param momentMs when it happened, by the clock of the spans
 */
export function safeEnd(spans: readonly DriveSpan[], momentMs: number): SafeEnd {
  const after = spans.filter(({ untilMs }) => untilMs === undefined || untilMs > momentMs);
  const lastDriven = after.findLastIndex(({ effect }) => effect === "driven");
  const firstQuiet = after.findIndex(({ effect }) => effect !== "driven");
  const quiet = after[lastDriven + 1];
  return {
    quietAfterMs: quiet && Math.max(0, quiet.fromMs - momentMs),
    by: quiet?.effect === "driven" ? undefined : quiet?.effect,
    cause: quiet?.cause,
    askedPeakNm: Math.max(
      0,
      ...after.filter(({ effect }) => effect === "driven").map(({ askedPeakNm }) => askedPeakNm),
    ),
    droveAgain: firstQuiet >= 0 && firstQuiet < lastDriven,
  };
}

/** Within which a robot damps by itself when nothing comes any more: nobody may take longer to make it so [ms]. */
export const LET_GO_MS_MAX = 50;

export const isSafe = ({ quietAfterMs, droveAgain }: SafeEnd): boolean =>
  quietAfterMs !== undefined && quietAfterMs <= LET_GO_MS_MAX && !droveAgain;
