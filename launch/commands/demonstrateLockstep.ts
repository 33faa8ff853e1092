/** `demonstrate TASK --clock lockstep`: an expert's demonstrations in simulated time, in this process. */
import { join } from "node:path";
import { CerebellumError } from "../../core/errors.js";
import { pictureCamera, policyRobots } from "../../runtime/policy/config.js";
import { loadCell } from "../cell/load.js";
import { demonstrateSimulated, EXPERT_RATE_HZ } from "../demonstrator/simulated.js";
import type { SimulatedSet } from "../demonstrator/simulatedEpisode.js";
import { softwareIdentity } from "../software.js";
import { isLabTask, LAB_TASKS, type LabTask } from "../tasks/labTaskNames.js";
import { LAB_TASK_ROWS } from "../tasks/labTasks.js";
import { LockstepArm } from "../tasks/lockstepArm.js";
import {
  ATTEMPT_SEED,
  demonstrateSeeds,
  demonstrationsIn,
  recordingInto,
  SCENE_SEED,
  type SessionOptions,
  say,
} from "./demonstrateSession.js";
import { untilInterrupted } from "./trialSeries.js";

/** @param folder of sets, in place of the one that the cell records into @throws CerebellumError CONFIG_INVALID */
export async function demonstrateLockstep(
  name: string,
  folder: string | undefined,
  options: SessionOptions & { readonly through?: string },
): Promise<void> {
  const task = checked(name, options.through);
  const cell = recordingInto(loadCell(options.cell), folder);
  const arm = await LockstepArm.open(cell, LAB_TASK_ROWS[task].world);
  try {
    const { policy, recorder } = cell;
    if (policy === undefined || recorder === "off") throw noRecorder(cell.name);
    const set: SimulatedSet = {
      cell,
      arm,
      robot: policyRobots(policy)[0],
      camera: pictureCamera(policy),
      folder: recorder.folder,
      rateHz: EXPERT_RATE_HZ,
      software: await softwareIdentity(),
    };
    say("In simulated time: no ROS, no wire, no jitter. `--clock paced` demonstrates in the whole cell");
    const already = await demonstrationsIn(join(set.folder, task), "lockstep");
    await untilInterrupted((signal) =>
      demonstrateSeeds(options, already, (seed, attempt) => demonstrateOne(set, task, seed, attempt), signal),
    );
    say(`Episodes are in ${join(set.folder, task)}`);
  } finally {
    arm.dispose();
  }
}

async function demonstrateOne(set: SimulatedSet, task: LabTask, seed: number, attempt: number) {
  const expertSeed = seed + attempt * ATTEMPT_SEED;
  const scene = { seed: SCENE_SEED + expertSeed, light: "training" } as const;
  const { episode, steps, words } = await demonstrateSimulated(set, task, { seed, expertSeed, scene });
  return `${episode} success, ${steps} steps, ${words.join(", ")}`;
}

function checked(name: string, through: string | undefined): LabTask {
  if (isLabTask(name) && through === undefined) return name;
  throw new CerebellumError(
    "CONFIG_INVALID",
    `${name}${through === undefined ? "" : ` through ${through}`} cannot be demonstrated in simulated time`,
    `Choose ${LAB_TASKS.join(" or ")} without --through, or --clock paced`,
  );
}

const noRecorder = (cell: string) =>
  new CerebellumError(
    "CONFIG_INVALID",
    `Cell ${cell} has no recorder, or no policy`,
    "Use launch/cells/xarm7-lab.yaml",
  );
