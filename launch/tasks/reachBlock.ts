/**
 * ReachBlock: the tool point within 4 cm of a red block that lies somewhere on the table, seen by the wrist camera
 * only, and staying there. This file judges one trial from the lab's ground truth; it neither moves nor sees anything.
 */
import { planReach, ReachBlockExpert } from "../../lab/experts/reachBlock.js";
import { after, BLOCK_TRIAL_PATCH_M, centimetres, type Demonstrator, type LabTaskRow } from "./labTask.js";
import type { TruthSample } from "./truth.js";

export const REACHED_M = 0.04;
export const TRIAL_S = 12;
/** The arm must be at the block during all of the end of the trial: passing by is no success. */
export const STAY_S = 2;

export interface TrialVerdict {
  readonly success: boolean;
  /** First time within reach; undefined when never. */
  readonly reachedAtS: number | undefined;
  readonly stayed: boolean;
  readonly closestM: number;
  readonly finalM: number;
  readonly endedBecause:
    | "stayed at the block"
    | "left the block"
    | "never reached the block"
    | "policy stopped"
    | "no ground truth";
}

/** @param policyRanToTheEnd false when the policy stopped by itself, e.g. for a stale camera */
export function judgeTrial(
  samples: readonly Pick<TruthSample, "atS" | "distanceM">[],
  policyRanToTheEnd: boolean,
): TrialVerdict {
  const last = samples.at(-1);
  if (last === undefined) {
    return {
      success: false,
      reachedAtS: undefined,
      stayed: false,
      closestM: Number.NaN,
      finalM: Number.NaN,
      endedBecause: "no ground truth",
    };
  }
  const reachedAtS = samples.find((sample) => sample.distanceM <= REACHED_M)?.atS;
  const stayed = samples
    .filter((sample) => sample.atS >= last.atS - STAY_S)
    .every((sample) => sample.distanceM <= REACHED_M);
  const success = policyRanToTheEnd && reachedAtS !== undefined && stayed;
  return {
    success,
    reachedAtS,
    stayed,
    closestM: Math.min(...samples.map((sample) => sample.distanceM)),
    finalM: last.distanceM,
    endedBecause: !policyRanToTheEnd
      ? "policy stopped"
      : success
        ? "stayed at the block"
        : reachedAtS === undefined
          ? "never reached the block"
          : "left the block",
  };
}

/** From here on a demonstration teaches staying [m]. */
const ARRIVED_M = 0.028;
/** The judge wants the last 2 s at the block, from 4 cm on: 8 steps would be a pass. */
const STAY_STEPS = 13;

function demonstrator(seed: number): Demonstrator {
  const expert = new ReachBlockExpert(seed);
  let isThere = false;
  return {
    source: "lab/experts/reachBlock",
    startRad: expert.spreadStartRad(),
    holdSteps: STAY_STEPS,
    answer: ({ positionRad }, { blockM }) => {
      const { cleanRad, executedRad, distanceM } = expert.step(positionRad, blockM);
      isThere ||= distanceM < ARRIVED_M;
      return { cleanRad, executedRad, phase: isThere ? "hold" : "reach" };
    },
  };
}

export const REACH_BLOCK: LabTaskRow = {
  world: "reach-block",
  thing: "block",
  patchM: BLOCK_TRIAL_PATCH_M,
  trialS: TRIAL_S,
  startOpeningM: 0.08,
  cameCloseWord: "reached the block",
  judge: (samples, ranToTheEnd) => {
    const verdict = judgeTrial(samples, ranToTheEnd);
    const { reachedAtS, closestM, finalM } = verdict;
    return {
      verdict,
      cameClose: reachedAtS !== undefined,
      words: [
        after("reached", reachedAtS),
        `closest ${centimetres(closestM)}`,
        `at the end ${centimetres(finalM)}`,
      ],
    };
  },
  demonstrator,
  plan: ({ blockM }) => planReach(blockM),
};
