/**
 * Judges one trial of CubeFlip from what the lab knows: at the end another face of the cube is up than at the beginning,
 * it has been at rest on the hand for the last second, and the fingers are open again. Opening is asked for because
 * closing fingers turn a cube over wherever it is: what needs the picture is which fingers, and when they have done it.
 */
import { faceUp, turnedRad } from "../../lab/experts/cubeFlip.js";
import { type HandSample, isOnTheHand } from "./handTruth.js";

/** About a quarter turn: a cube that leans on something has not turned over. */
export const TURNED_OVER_RAD = 1.25;
const REST_S = 1;
/** Of the cube within the last second. */
const MOVED_M_MAX = 0.004;
const TURNED_RAD_MAX = 0.06;
/** Flexion of the first joints of index, middle and ring finger in an open hand [rad]. */
const OPEN_RAD_MAX = 0.5;
const FIRST_FLEXIONS = [1, 5, 9] as const;
export const CUBE_FLIP_TRIAL_S = 10;

export interface CubeFlipVerdict {
  readonly success: boolean;
  /** When another face was up for the first time. */
  readonly turnedAtS: number | undefined;
  /** How far the first face has turned away in the end. */
  readonly finalTurnRad: number;
  readonly isOpen: boolean;
  readonly endedBecause:
    | "turned over"
    | "never turned over"
    | "turned back"
    | "not at rest"
    | "the hand stayed closed"
    | "the cube fell off"
    | "policy stopped"
    | "no ground truth";
}

/** @param ranToTheEnd false when who moved the hand stopped by itself */
export function judgeCubeFlip(samples: readonly HandSample[], ranToTheEnd: boolean): CubeFlipVerdict {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined)
    return {
      success: false,
      turnedAtS: undefined,
      finalTurnRad: Number.NaN,
      isOpen: false,
      endedBecause: "no ground truth",
    };
  const face = faceUp(first.quatXyzw);
  const turnOf = ({ quatXyzw }: HandSample) => turnedRad(face, quatXyzw);
  const turnedAtS = samples.find((sample) => turnOf(sample) >= TURNED_OVER_RAD)?.atS;
  const lately = samples.filter(({ atS }) => atS >= last.atS - REST_S);
  const isResting = lately.every(
    ({ centreM, quatXyzw }) =>
      Math.hypot(...centreM.map((at, axis) => at - last.centreM[axis]!)) <= MOVED_M_MAX &&
      Math.abs(turnedRad(face, quatXyzw) - turnOf(last)) <= TURNED_RAD_MAX,
  );
  const isOpen = FIRST_FLEXIONS.every((joint) => last.positionRad[joint]! <= OPEN_RAD_MAX);
  const wrongs: readonly [boolean, CubeFlipVerdict["endedBecause"]][] = [
    [!ranToTheEnd, "policy stopped"],
    [!samples.every(isOnTheHand), "the cube fell off"],
    [turnedAtS === undefined, "never turned over"],
    [turnOf(last) < TURNED_OVER_RAD, "turned back"],
    [!isOpen, "the hand stayed closed"],
    [!isResting, "not at rest"],
  ];
  const wrong = wrongs.find(([isSo]) => isSo)?.[1];
  return {
    success: wrong === undefined,
    turnedAtS,
    finalTurnRad: turnOf(last),
    isOpen,
    endedBecause: wrong ?? "turned over",
  };
}
