/**
 * Judges one trial of FingerReach from what the lab knows: the ball of the index fingertip comes to where it would lie on
 * the middle of the object's upper side, is there for all of the last second, and the object still lies on the hand. The
 * object's places are spread over 36 x 40 mm and its height over 24 mm: always going to the middle is not enough.
 */
import { touchPointM } from "../../lab/experts/fingerReach.js";
import { type HandSample, isOnTheHand } from "./handTruth.js";

/** From the ball's centre to where it would touch: half the breadth of a small object. */
export const TOUCHED_M = 0.015;
/** And no deeper than this below the upper side: beside the object is not on it. */
const BELOW_M = 0.004;
const STAY_S = 1;
export const FINGER_REACH_TRIAL_S = 8;

export interface FingerReachVerdict {
  readonly success: boolean;
  readonly touchedAtS: number | undefined;
  readonly stayed: boolean;
  readonly closestM: number;
  readonly finalM: number;
  readonly endedBecause:
    | "stayed on the object"
    | "left the object"
    | "never touched the object"
    | "the object fell off"
    | "policy stopped"
    | "no ground truth";
}

/** @param ranToTheEnd false when who moved the hand stopped by itself */
export function judgeFingerReach(samples: readonly HandSample[], ranToTheEnd: boolean): FingerReachVerdict {
  const last = samples.at(-1);
  if (last === undefined)
    return {
      success: false,
      touchedAtS: undefined,
      stayed: false,
      closestM: Number.NaN,
      finalM: Number.NaN,
      endedBecause: "no ground truth",
    };
  const touchedAtS = samples.find(isTouched)?.atS;
  const stayed = samples.filter(({ atS }) => atS >= last.atS - STAY_S).every(isTouched);
  const isThere = samples.every(isOnTheHand);
  const success = ranToTheEnd && stayed && isThere;
  return {
    success,
    touchedAtS,
    stayed,
    closestM: Math.min(...samples.map(distanceM)),
    finalM: distanceM(last),
    endedBecause: !ranToTheEnd
      ? "policy stopped"
      : !isThere
        ? "the object fell off"
        : stayed
          ? "stayed on the object"
          : touchedAtS === undefined
            ? "never touched the object"
            : "left the object",
  };
}

/** From the index fingertip's ball to where it would lie on the object [m]. */
function distanceM({ tipsM, topM }: HandSample): number {
  const [x, y, z] = touchPointM(topM);
  const [tipX, tipY, tipZ] = tipsM[0]!;
  return Math.hypot(tipX - x, tipY - y, tipZ - z);
}

const isTouched = (sample: HandSample): boolean =>
  distanceM(sample) <= TOUCHED_M && sample.tipsM[0]![0] > sample.topM[0] - BELOW_M;
