/** How high Digit's base is over its lower foot, from the joints alone: odometry drifts, and knows of no steps. */
import { ancestors, type Link, linkOf, raise, rotateBy } from "./legChain.js";
import type { DigitObservation } from "./protocol/index.js";

const LEGS: readonly (readonly Link[])[] = ["left", "right"].map((side) =>
  ancestors(`${side}_toe_roll`).map(linkOf),
);
const pointM = new Float64Array(3);

/**
 * Allocates nothing.
 * @returns [m]; NaN when a joint's angle is no number
 */
export function heightOverFeetM(observation: DigitObservation, quatWorldBase: ArrayLike<number>): number {
  let heightM = Number.NEGATIVE_INFINITY;
  for (let side = 0; side < LEGS.length; side++) {
    pointM.fill(0);
    raise(LEGS[side]!, observation, pointM);
    rotateBy(quatWorldBase, pointM);
    // Of NaN and a number this gives NaN.
    heightM = Math.max(heightM, -pointM[2]!);
  }
  return heightM;
}
