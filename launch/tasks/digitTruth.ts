/** What the lab knows of a Digit's trial: moments of its body, and what its motors got. */

export interface DigitSample {
  /** Since the trial's start. */
  readonly atS: number;
  /** Of the base's origin, world frame; z is its height over the ground's zero. */
  readonly positionM: readonly [number, number, number];
  /** Between the base's z axis and the vertical. */
  readonly tiltRad: number;
  readonly feetDown: readonly [left: boolean, right: boolean];
}

/** `limp`: neither torque nor damping; `damping`: no torque and no velocity wanted; `driven`: anything else. */
export type DriveEffect = "limp" | "damping" | "driven";

/** For as long as the motors got the same kind of thing from the same source; one clock for all of them [ms]. */
export interface DriveSpan {
  readonly fromMs: number;
  /** Absent while it lasts. */
  readonly untilMs?: number | undefined;
  readonly cause: string;
  readonly effect: DriveEffect;
  /** Largest torque that was asked of a motor, and that a motor exerted. */
  readonly askedPeakNm: number;
  readonly exertedPeakNm: number;
}
