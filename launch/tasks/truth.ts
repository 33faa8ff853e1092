/** What the lab's ground truth says of one moment of a trial. */
import type { LabTruth } from "../../lab/control/protocol.js";

export interface TruthSample {
  /** Since the start of whoever moves the arm. */
  readonly atS: number;
  /** From the tool point to `blockM`, which the task is about. */
  readonly distanceM: number;
  readonly blockM: readonly [number, number, number];
  /** Of the joint that is farthest from its setpoint. */
  readonly lagRad: number;
  /** How far a fridge's door is open; NaN without a fridge. */
  readonly doorRad: number;
}

export const toSample = ({ distanceM, blockM, lagRad, fridge }: LabTruth, atS: number): TruthSample => ({
  atS,
  distanceM,
  blockM,
  lagRad,
  doorRad: fridge?.doorRad ?? Number.NaN,
});
