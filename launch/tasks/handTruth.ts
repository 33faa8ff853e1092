/** What the lab's ground truth says of one moment of a hand's trial. Palm frame. */
import type { LabHandTruth } from "../../lab/control/protocol.js";

export interface HandSample
  extends Pick<LabHandTruth, "tipsM" | "topM" | "centreM" | "quatXyzw" | "positionRad"> {
  /** Since the start of whoever moves the hand. */
  readonly atS: number;
}

/** The palm faces up, so x is up: what has its middle below the palm has fallen off. */
const ON_THE_HAND_M = 0.005;
export const isOnTheHand = ({ centreM }: Pick<HandSample, "centreM">): boolean => centreM[0] > ON_THE_HAND_M;
