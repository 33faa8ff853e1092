/** `demonstrate TASK --clock lockstep`: an expert's demonstrations in simulated time, in this process. */
import { join } from "node:path";
import { CerebellumError } from "../../core/errors.js";
import { openPolicy } from "../../policies/verify.js";
import { pictureCamera, policyRobots } from "../../runtime/policy/config.js";
import { loadCell } from "../cell/load.js";
import type { CellConfig } from "../cell/schema.js";
import type { Leader } from "../demonstrator/ledBy.js";
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

export interface LockstepOptions extends SessionOptions {
  readonly through?: string;
  /** Folder of a bundle whose policy leads a part of each demonstration, and the part [0..1]. */
  readonly ledBy?: string;
  readonly ledShare?: number;
}

const LED_SHARE = 0.7;

/** @param folder of sets, in place of the one that the cell records into @throws CerebellumError CONFIG_INVALID */
export async function demonstrateLockstep(
  name: string,
  folder: string | undefined,
  options: LockstepOptions,
): Promise<void> {
  const task = checked(name, options.through);
  if (options.ledShare !== undefined && options.ledBy === undefined) throw nobodyLeads();
  const cell = recordingInto(loadCell(options.cell), folder);
  const arm = await LockstepArm.open(cell, LAB_TASK_ROWS[task].world, "all");
  let leader: Leader | undefined;
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
    leader = await openLeader(cell, task, arm, options);
    const already = await demonstrationsIn(join(set.folder, task), "lockstep");
    await untilInterrupted((signal) =>
      demonstrateSeeds(
        options,
        already,
        (seed, attempt) => demonstrateOne(set, task, leader, seed, attempt),
        signal,
      ),
    );
    say(`Episodes are in ${join(set.folder, task)}`);
  } finally {
    await leader?.pipeline.release();
    arm.dispose();
  }
}

/** @throws CerebellumError what opening the bundle throws */
async function openLeader(
  { policy, cameras }: CellConfig,
  task: LabTask,
  { limits }: LockstepArm,
  { ledBy, ledShare = LED_SHARE }: LockstepOptions,
): Promise<Leader | undefined> {
  if (ledBy === undefined) return undefined;
  const camera = cameras[pictureCamera(policy!)]!;
  const { pipeline } = await openPolicy(ledBy, { jointNames: limits.jointNames, camera });
  say(`${pipeline.manifest.name} of ${ledBy} leads in ${Math.round(100 * ledShare)} % of the stretches`);
  const madeFor = pipeline.manifest.task;
  if (madeFor !== task)
    say(`It was made for ${madeFor}: --led-by names another one, as policies/bundles/${task}`);
  return { pipeline, share: ledShare };
}

async function demonstrateOne(
  set: SimulatedSet,
  task: LabTask,
  leader: Leader | undefined,
  seed: number,
  attempt: number,
) {
  const expertSeed = seed + attempt * ATTEMPT_SEED;
  const scene = { seed: SCENE_SEED + expertSeed, light: "training" } as const;
  const { episode, steps, words } = await demonstrateSimulated(set, task, {
    seed,
    expertSeed,
    scene,
    leader,
  });
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

const nobodyLeads = () =>
  new CerebellumError(
    "CONFIG_INVALID",
    "--led-share says how much a policy leads, and none is named",
    "Add --led-by BUNDLE",
  );
