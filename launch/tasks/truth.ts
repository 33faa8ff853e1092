/** What the lab's ground truth says of one moment of a trial. */
import type { LabTruth } from "../../lab/control/protocol.js";

export interface TruthSample {
  /** Since the start of whoever moves the arm. */
  readonly atS: number;
  /** From the tool point to the red block's centre. */
  readonly distanceM: number;
  readonly blockM: readonly [number, number, number];
}

export const toSample = ({ distanceM, blockM }: LabTruth, atS: number): TruthSample => ({
  atS,
  distanceM,
  blockM,
});
