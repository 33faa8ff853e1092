/** What makes a task of the arm in the lab: what is on the table, how a trial is judged, and who demonstrates it. */
import type { LabTruth } from "../../lab/control/protocol.js";
import type { ToolGoal } from "../../lab/experts/toolGoal.js";
import type { TableName } from "../../lab/world/scene.js";
import type { Seen } from "./lockstepArm.js";
import type { TruthSample } from "./truth.js";

export interface Verdict {
  readonly success: boolean;
  readonly endedBecause: string;
}

export interface Judged {
  readonly verdict: Verdict;
  /** Whether the task's aim was reached at some moment. */
  readonly cameClose: boolean;
  /** The verdict's figures for people. */
  readonly words: readonly string[];
}

/** What an expert wants at one step. */
export interface ExpertAnswer {
  readonly cleanRad: Float64Array;
  readonly executedRad: Float64Array;
  /** "hold" once there is nothing left to do. */
  readonly phase: string;
  /** Left out by an expert that leaves the gripper alone. */
  readonly cleanOpeningM?: number;
  readonly executedOpeningM?: number;
}

/** An expert that sees the lab's truth, for one demonstration. */
export interface Demonstrator {
  /** Where the lab's sources are, for the episode's context. */
  readonly source: string;
  readonly startRad: Float64Array;
  /** So many steps of holding end it. */
  readonly holdSteps: number;
  answer(seen: Seen, truth: LabTruth): ExpertAnswer;
}

export interface LabTaskRow {
  readonly world: TableName;
  /** What lies or stands there, in a word, and where it is put in trials [m]. */
  readonly thing: string;
  readonly patchM: { readonly x: readonly [number, number]; readonly y: readonly [number, number] };
  /** Things of which one lies there, those that demonstrations are made with and others. */
  readonly objects?: readonly { readonly name: string; readonly seen: boolean }[];
  readonly trialS: number;
  /** Of the gripper, as a demonstration begins [m]. */
  readonly startOpeningM: number;
  /** The task's aim in a word, for what came close to it. */
  readonly cameCloseWord: string;
  /** @param ranToTheEnd false when who moved the arm stopped by itself */
  judge(samples: readonly TruthSample[], ranToTheEnd: boolean): Judged;
  /** @param seed of start and tremor */
  demonstrator(seed: number): Demonstrator;
  /** What a person does who moves the tool by hand. */
  plan(truth: LabTruth): readonly ToolGoal[];
}

/** Blocks are put here in trials [m]: 1 cm inside the patch that demonstrations cover. */
export const BLOCK_TRIAL_PATCH_M = { x: [0.29, 0.63], y: [-0.19, 0.19] } as const;

export const centimetres = (m: number): string => `${(100 * m).toFixed(1)} cm`;
export const degrees = (rad: number): string => `${((180 / Math.PI) * rad).toFixed(1)}°`;
export const after = (what: string, atS: number | undefined): string =>
  atS === undefined ? `never ${what}` : `${what} after ${atS.toFixed(1)} s`;
