/** The tasks that can be tried in the lab, and how each is judged: one row each. */
import { judgePick, LIFTED_M, PICK_TRIAL_S, type PickVerdict } from "./pickCube.js";
import { judgeTrial, TRIAL_S, type TrialVerdict } from "./reachBlock.js";
import type { TruthSample } from "./truth.js";

export interface Judged {
  readonly verdict: TrialVerdict | PickVerdict;
  /** Whether the block was reached, or the cube lifted, at some moment. */
  readonly cameClose: boolean;
  /** The verdict's figures for people. */
  readonly words: readonly string[];
}

export interface TaskJudge {
  readonly trialS: number;
  /** The task's aim in a word, for what came close to it. */
  readonly cameCloseWord: string;
  /** @param ranToTheEnd false when who moved the arm stopped by itself */
  judge(samples: readonly TruthSample[], ranToTheEnd: boolean): Judged;
}

const centimetres = (m: number) => `${(100 * m).toFixed(1)} cm`;
const after = (what: string, atS: number | undefined) =>
  atS === undefined ? `never ${what}` : `${what} after ${atS.toFixed(1)} s`;

export const TASK_JUDGES = {
  "reach-block": {
    trialS: TRIAL_S,
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
  },
  "pick-cube": {
    trialS: PICK_TRIAL_S,
    cameCloseWord: "lifted the cube",
    judge: (samples, ranToTheEnd) => {
      const verdict = judgePick(samples, ranToTheEnd);
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
    },
  },
} as const satisfies Readonly<Record<string, TaskJudge>>;

export type LabTask = keyof typeof TASK_JUDGES;
export const LAB_TASKS = Object.keys(TASK_JUDGES) as readonly LabTask[];
export const isLabTask = (name: string): name is LabTask => Object.hasOwn(TASK_JUDGES, name);
