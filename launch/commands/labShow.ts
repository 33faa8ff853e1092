/** What a lab's cell shows by itself under `up`: trials of the task that its policy has learned, one after the other. */
import type { PolicyManifest } from "../../policies/manifest.js";
import { handsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import type { Daemon } from "../daemon/daemon.js";
import { type HandTask, isHandTask } from "../tasks/handJudge.js";
import { runHandTrial } from "../tasks/handTrial.js";
import { describeHandTrial, planHandTrials } from "../tasks/handTrials.js";
import { isLabTask, LAB_TASKS, type LabTask } from "../tasks/labTaskNames.js";
import { LAB_TASK_ROWS } from "../tasks/labTasks.js";
import { describeTrial, planTrials, runTrial } from "../tasks/trial.js";

export interface LabShow {
  /** What will be seen, for people. */
  readonly words: string;
  /** The daemon's own, while it goes on. */
  readonly activity: string;
  /** One trial, told in a line. @throws what ended it */
  readonly run: (daemon: Daemon, index: number) => Promise<string>;
}

const PLANNED = 1000;

type Shown = Pick<PolicyManifest, "task" | "start">;

/** Of the policy's own task; a task that the lab does not know is shown as that of its robot. */
export function showOf(cell: CellConfig, { task, start }: Shown, signal: AbortSignal): LabShow {
  const [hand] = handsOf(cell.robots);
  if (cell.lab?.world === "palm" && hand !== undefined) {
    const shown: HandTask = isHandTask(task) ? task : "finger-reach";
    const trials = planHandTrials(shown, {
      count: PLANNED,
      seed: cell.lab.seed,
      light: "training",
      objects: "seen",
      side: hand[1].allegro.side,
    });
    return {
      words: `the hand now does ${shown} with one object after another, seen by its camera only`,
      activity: `does ${shown} with object after object by itself`,
      run: async (daemon, index) =>
        describeHandTrial(await runHandTrial(daemon, shown, trials[index % trials.length]!, start, signal)),
    };
  }
  const shown = armTask(task, cell.lab?.world);
  const row = LAB_TASK_ROWS[shown];
  const { thing } = row;
  const trials = planTrials(PLANNED, cell.lab?.seed ?? 1, "training", row);
  const named = thing === "block" ? "red block" : thing;
  return {
    words: `the arm now goes to one ${named} after another, seen by its wrist camera only`,
    activity: `goes from ${thing} to ${thing} by itself`,
    run: async (daemon, index) =>
      describeTrial(await runTrial(daemon, shown, trials[index % trials.length]!, start, signal), thing),
  };
}

/** The policy's own task where the lab's table is that task's; else the first task of that table. */
function armTask(task: string, world: string | undefined): LabTask {
  const ofWorld = LAB_TASKS.filter((name) => LAB_TASK_ROWS[name].world === world);
  return isLabTask(task) && ofWorld.includes(task) ? task : (ofWorld[0] ?? "reach-block");
}
