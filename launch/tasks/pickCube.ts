/**
 * PickCube: the red cube lifted 10 cm off where it lay and held there for a second. This file judges one trial from the
 * lab's ground truth; it neither moves nor sees anything.
 */
import { planPick } from "../../lab/experts/pickCube.js";
import { OPEN_M, PickCubeExpert } from "../../lab/experts/pickCubeExpert.js";
import {
  after,
  BLOCK_TRIAL_PATCH_M,
  centimetres,
  type Demonstrator,
  type Judged,
  type LabTaskRow,
} from "./labTask.js";
import type { TruthSample } from "./truth.js";

/** Of the cube's centre above where it lay [m]. */
export const LIFTED_M = 0.1;
export const HELD_S = 1;
export const PICK_TRIAL_S = 20;

export type PickSample = Pick<TruthSample, "atS" | "blockM">;

export interface PickVerdict {
  readonly success: boolean;
  /** First time that it was so high; undefined when never. */
  readonly liftedAtS: number | undefined;
  readonly highestM: number;
  readonly finalM: number;
  readonly endedBecause:
    | `held the ${string}`
    | `lost the ${string}`
    | `never lifted the ${string}`
    | "policy stopped"
    | "no ground truth";
}

/**
 * @param samples of the whole trial, the first one before anything moves
 * @param ranToTheEnd false when who moved the arm stopped by itself
 * @param thing that was to be picked up, in a word
 */
export function judgePick(samples: readonly PickSample[], ranToTheEnd: boolean, thing = "cube"): PickVerdict {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) {
    const nothing = { liftedAtS: undefined, highestM: Number.NaN, finalM: Number.NaN };
    return { success: false, ...nothing, endedBecause: "no ground truth" };
  }
  const heightsM = samples.map(({ blockM }) => blockM[2] - first.blockM[2]);
  const liftedAtS = samples.find((_, index) => heightsM[index]! >= LIFTED_M)?.atS;
  const held = isHeldAtTheEnd(samples, heightsM);
  return {
    success: ranToTheEnd && held,
    liftedAtS,
    highestM: Math.max(...heightsM),
    finalM: heightsM.at(-1)!,
    endedBecause: !ranToTheEnd
      ? "policy stopped"
      : held
        ? `held the ${thing}`
        : liftedAtS === undefined
          ? `never lifted the ${thing}`
          : `lost the ${thing}`,
  };
}

/** Up during all of the last second, which the trial must have. */
function isHeldAtTheEnd(samples: readonly PickSample[], heightsM: readonly number[]): boolean {
  const fromS = samples.at(-1)!.atS - HELD_S;
  if (samples[0]!.atS > fromS) return false;
  // The newest sample that is no younger than the span counts too: what was between two samples was up as well.
  const begin = samples.findLastIndex(({ atS }) => atS <= fromS);
  return heightsM.slice(begin).every((heightM) => heightM >= LIFTED_M);
}

/** The verdict and its figures for people. */
export function judgedPick(verdict: PickVerdict): Judged {
  const { liftedAtS, highestM, finalM } = verdict;
  return {
    verdict,
    cameClose: highestM >= LIFTED_M,
    words: [
      after("lifted", liftedAtS),
      `highest ${centimetres(highestM)}`,
      `at the end ${centimetres(finalM)}`,
    ],
  };
}

export const HOLD_STEPS = 8;

function demonstrator(seed: number): Demonstrator {
  const expert = new PickCubeExpert(seed, false);
  return {
    source: "lab/experts/pickCubeExpert",
    startRad: expert.spreadStartRad(),
    holdSteps: HOLD_STEPS,
    answer: ({ positionRad, openingM, askedM }, { blockM, blockYawRad, othersM }) =>
      expert.step({ positionRad, openingM, askedM, cubeM: blockM, cubeYawRad: blockYawRad, othersM }),
  };
}

export const PICK_CUBE: LabTaskRow = {
  world: "reach-block",
  thing: "block",
  patchM: BLOCK_TRIAL_PATCH_M,
  trialS: PICK_TRIAL_S,
  startOpeningM: OPEN_M,
  cameCloseWord: "lifted the cube",
  judge: (samples, ranToTheEnd) => judgedPick(judgePick(samples, ranToTheEnd)),
  demonstrator,
  plan: ({ blockM, blockYawRad, othersM }) => planPick({ cubeM: blockM, cubeYawRad: blockYawRad, othersM }),
};
