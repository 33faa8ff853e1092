/** What the lab knows of a Digit's trial: moments of its body, and what its motors got. */
import { z } from "zod";

export interface DigitSample {
  /** Since the trial's start. */
  readonly atS: number;
  /** Of the base's origin, world frame; z is its height over the ground's zero. */
  readonly positionM: readonly [number, number, number];
  /** Between the base's z axis and the vertical. */
  readonly tiltRad: number;
  readonly feetDown: readonly [left: boolean, right: boolean];
}

/** For as long as the motors got the same kind of thing from the same source; one clock for all of them [ms]. */
export const DriveSpan = z.object({
  fromMs: z.number(),
  untilMs: z.number().optional().describe("Absent while it lasts"),
  cause: z.string().describe("Who decided: the commands, or a mode of the robot's own"),
  effect: z
    .enum(["limp", "damping", "driven"])
    .describe("Neither torque nor damping; no torque and no velocity wanted; anything else"),
  askedPeakNm: z.number().describe("Largest torque that was asked of a motor"),
  exertedPeakNm: z.number().describe("Largest torque that a motor exerted"),
});
export type DriveSpan = z.infer<typeof DriveSpan>;
export type DriveEffect = DriveSpan["effect"];

/** Of the lab's answer to `digitTruth`, what a trial needs; lab/digit/report.ts. */
export const DigitTruthReport = z.object({
  positionM: z.tuple([z.number(), z.number(), z.number()]),
  tiltRad: z.number(),
  footContact: z.tuple([z.boolean(), z.boolean()]),
});
export type DigitTruthReport = z.infer<typeof DigitTruthReport>;

/** Of the lab's answer to `digitWire`. */
export const DigitWireReport = z.object({
  /** The robot's clock: the monotonic one of this computer where it keeps real time [ms]. */
  nowMs: z.number(),
  /** When the newest command came to the robot [ms]; null before the first. */
  lastCommandMs: z.number().nullable(),
  spans: z.array(DriveSpan),
});
export type DigitWireReport = z.infer<typeof DigitWireReport>;

export const toDigitSample = (
  { positionM, tiltRad, footContact }: DigitTruthReport,
  atS: number,
): DigitSample => ({ atS, positionM, tiltRad, feetDown: footContact });
