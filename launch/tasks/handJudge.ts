/** The tasks of a hand that can be tried in the lab: what lies where, for how long, and how it is judged; one row each. */
import {
  FLIP_CUBES,
  FLIP_PATCH,
  type HandObject,
  type PalmPatch,
  REACH_OBJECTS,
  REACH_PATCH,
} from "../../lab/world/handObjects.js";
import { CUBE_FLIP_TRIAL_S, type CubeFlipVerdict, judgeCubeFlip } from "./cubeFlip.js";
import { FINGER_REACH_TRIAL_S, type FingerReachVerdict, judgeFingerReach } from "./fingerReach.js";
import type { HandSample } from "./handTruth.js";

export interface HandJudged {
  readonly verdict: FingerReachVerdict | CubeFlipVerdict;
  /** Whether the object was touched, or the cube turned over, at some moment. */
  readonly cameClose: boolean;
  readonly words: readonly string[];
}

export interface HandTaskRow {
  readonly trialS: number;
  readonly objects: readonly HandObject[];
  readonly patch: PalmPatch;
  readonly cameCloseWord: string;
  /** @param ranToTheEnd false when who moved the hand stopped by itself */
  judge(samples: readonly HandSample[], ranToTheEnd: boolean): HandJudged;
}

const after = (what: string, atS: number | undefined) =>
  atS === undefined ? `never ${what}` : `${what} after ${atS.toFixed(1)} s`;
const centimetres = (m: number) => `${(100 * m).toFixed(1)} cm`;

export const HAND_TASKS = {
  "finger-reach": {
    trialS: FINGER_REACH_TRIAL_S,
    objects: REACH_OBJECTS,
    patch: REACH_PATCH,
    cameCloseWord: "touched the object",
    judge: (samples, ranToTheEnd) => {
      const verdict = judgeFingerReach(samples, ranToTheEnd);
      const { touchedAtS, closestM, finalM } = verdict;
      return {
        verdict,
        cameClose: touchedAtS !== undefined,
        words: [
          after("touched", touchedAtS),
          `closest ${centimetres(closestM)}`,
          `at the end ${centimetres(finalM)}`,
        ],
      };
    },
  },
  "cube-flip": {
    trialS: CUBE_FLIP_TRIAL_S,
    objects: FLIP_CUBES,
    patch: FLIP_PATCH,
    cameCloseWord: "turned the cube over",
    judge: (samples, ranToTheEnd) => {
      const verdict = judgeCubeFlip(samples, ranToTheEnd);
      const { turnedAtS, finalTurnRad, isOpen } = verdict;
      return {
        verdict,
        cameClose: turnedAtS !== undefined,
        words: [
          after("turned over", turnedAtS),
          `at the end turned by ${((finalTurnRad * 180) / Math.PI).toFixed(0)} degrees`,
          isOpen ? "hand open" : "hand closed",
        ],
      };
    },
  },
} as const satisfies Record<string, HandTaskRow>;

export type HandTask = keyof typeof HAND_TASKS;
export const HAND_TASK_NAMES = Object.keys(HAND_TASKS) as HandTask[];
export const isHandTask = (name: string): name is HandTask => Object.hasOwn(HAND_TASKS, name);
