/** Runs trials of a task on a running daemon in the lab: scene, start pose, policy, ground truth, verdict. */
import { addNs, msToNs, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { LabRequest, LabTruth } from "../../lab/control/protocol.js";
import { Random } from "../../lab/world/random.js";
import { approachPose } from "../../runtime/policy/approach.js";
import { policyRobots } from "../../runtime/policy/config.js";
import type { Daemon } from "../daemon/daemon.js";
import type { LabProcess } from "../daemon/labProcess.js";
import type { ObjectChoice } from "./handTrials.js";
import { BLOCK_TRIAL_PATCH_M, type Judged, type LabTaskRow } from "./labTask.js";
import type { LabTask } from "./labTaskNames.js";
import { LAB_TASK_ROWS } from "./labTasks.js";
import { toSample } from "./truth.js";

/** Scenes of trials have seeds that neither demonstrations nor the pre-training corpus use. */
const TRIAL_SCENE_SEED = 1_000_000_000;
const SAMPLE_MS = 50;
const START_MS_MAX = 30_000;
/** Time for the block to settle and for a fresh frame to arrive after a scene was set. */
const SCENE_SETTLE_MS = 300;

export interface Trial {
  readonly index: number;
  readonly seed: number;
  /** Where the block, or whatever the task is about, is put. */
  readonly blockM: readonly [number, number];
  /** Name of what lies there, where the task has several. */
  readonly object?: string;
  readonly light: "training" | "changed";
}

export interface TrialResult extends Judged {
  readonly index: number;
  readonly seed: number;
  readonly blockM: readonly [number, number];
  readonly object?: string;
  readonly steps: number;
  readonly heldSteps: number;
}

/**
 * The same seed gives the same positions and scenes.
 * @param of where the task's thing is put, and of which one lies there, in turn
 * @param choice those that policies are trained with, or others
 */
export function planTrials(
  count: number,
  seed: number,
  light: Trial["light"],
  of: Pick<LabTaskRow, "patchM" | "objects"> = { patchM: BLOCK_TRIAL_PATCH_M },
  choice: ObjectChoice = "seen",
): Trial[] {
  const random = new Random(seed);
  const { patchM, objects = [] } = of;
  const chosen = objects.filter(({ seen }) => seen === (choice === "seen"));
  return Array.from({ length: count }, (_, index) => ({
    index,
    seed: TRIAL_SCENE_SEED + ((seed * 1009 + index) % 1_000_000_000),
    blockM: [random.uniform(...patchM.x), random.uniform(...patchM.y)],
    ...(chosen.length === 0 ? {} : { object: chosen[index % chosen.length]!.name }),
    light,
  }));
}

export interface StartPose {
  readonly positionRad: readonly number[];
  /** Absent without a gripper. */
  readonly gripperOpeningM?: number | undefined;
}

/** Slow guarded move to a pose, with a lease of its own; of several robots together, as a policy moves them. */
export async function goTo(
  daemon: Daemon,
  robots: string | readonly string[],
  start: StartPose,
  speedScale: number,
  signal: AbortSignal,
) {
  const servo = await daemon.connectCommander(robots, "approach");
  try {
    const lease = await servo.acquireLease("approach");
    const ended = AbortSignal.any([signal, lease.lost]);
    await approachPose(daemon.clock, servo, lease, { ...start, speedScale }, ended);
    lease.release();
  } finally {
    await servo.close();
  }
}

export async function runTrial(
  daemon: Daemon,
  task: LabTask,
  trial: Trial,
  start: StartPose,
  signal: AbortSignal,
): Promise<TrialResult> {
  const { trialS, judge } = LAB_TASK_ROWS[task];
  const ran = await runInLab(daemon, start, signal, trialS, {
    scene: {
      do: "scene",
      seed: trial.seed,
      blockM: [...trial.blockM],
      object: trial.object,
      light: trial.light,
    },
    sample: async (lab, atS) => toSample((await lab.ask({ do: "truth" })).truth as LabTruth, atS),
  });
  const { samples, ranToTheEnd, steps, heldSteps } = ran;
  const { light: _, ...what } = trial;
  return { ...what, ...judge(samples, ranToTheEnd), steps, heldSteps };
}

/** What differs between a table with blocks and an object on a palm. */
export interface LabScene<Sample> {
  readonly scene: LabRequest;
  readonly sample: (lab: LabProcess, atS: number) => Promise<Sample>;
}

export interface LabRun<Sample> {
  readonly samples: readonly Sample[];
  /** False when the policy ended by itself. */
  readonly ranToTheEnd: boolean;
  readonly steps: number;
  readonly heldSteps: number;
}

/**
 * Start pose, scene, then the policy for so long while the lab's truth is sampled.
 * @throws CerebellumError LAB_REFUSED for a cell without `lab` and `policy`, TELEOP_REFUSED when a person takes a robot
 */
export async function runInLab<Sample>(
  daemon: Daemon,
  start: StartPose,
  signal: AbortSignal,
  trialS: number,
  { scene, sample }: LabScene<Sample>,
): Promise<LabRun<Sample>> {
  const { clock, lab, policy, cell, teleop } = daemon;
  if (lab === undefined || policy === undefined || cell.policy === undefined) {
    throw new CerebellumError(
      "LAB_REFUSED",
      "Trials need a cell with `lab` and `policy`",
      "Use launch/cells/xarm7-lab.yaml or allegro-lab.yaml",
    );
  }
  await teleop.untilFree(signal);
  const ended = AbortSignal.any([signal, teleop.taken]);
  await goTo(daemon, policyRobots(cell.policy), start, cell.policy.approachSpeedScale, ended);
  refuseWhenTaken(daemon);
  await lab.ask(scene);
  await clock.sleepUntil(addNs(clock.nowNs(), msToNs(SCENE_SETTLE_MS)), ended);
  refuseWhenTaken(daemon);
  await startRunning(daemon, ended);
  const samples: Sample[] = [];
  const startNs = clock.nowNs();
  while (!ended.aborted) {
    const atS = nsToMs(clock.nowNs() - startNs) / 1000;
    samples.push(await sample(lab, atS));
    if (atS >= trialS || policy.status().phase !== "running") break;
    await clock.sleepUntil(addNs(clock.nowNs(), msToNs(SAMPLE_MS)), signal);
  }
  const ranToTheEnd = policy.status().phase === "running";
  await policy.stop();
  refuseWhenTaken(daemon);
  const statistics = policy.status().statistics;
  const steps = statistics?.steps ?? 0;
  return { samples, ranToTheEnd, steps, heldSteps: steps - (statistics?.commands ?? 0) };
}

/** A trial that a person has taken the robot from says nothing about the policy. @throws CerebellumError TELEOP_REFUSED */
function refuseWhenTaken({ teleop }: Daemon): void {
  if (!teleop.isTaken) return;
  throw new CerebellumError(
    "TELEOP_REFUSED",
    `${teleop.operator} has taken teleoperation during the trial`,
    "Give it back, then run the trial again",
  );
}

/**
 * For a series of trials that nobody watches: a simulated device that fell out during one, as it may on a computer that was
 * held up, has lost that trial and no more. What somebody has stopped stays stopped.
 * @throws CerebellumError NOT_ENABLED when it cannot be enabled again
 */
export async function leadOutOfFault(
  daemon: Pick<Daemon, "servo" | "supervisor">,
  robots: readonly string[],
): Promise<void> {
  const states = robots.map((robot) => daemon.servo(robot).latest()?.state);
  if (!states.includes("faulted") || states.includes("stopped")) return;
  for (const { success, message } of [await daemon.supervisor.reset(), await daemon.supervisor.enable()]) {
    if (success) continue;
    throw new CerebellumError(
      "NOT_ENABLED",
      `After a trial that ended in a fault: ${message}`,
      "`./cerebellum why` names its cause; repeat the trials when that is removed",
    );
  }
}

/** Starts the policy and waits until its approach has ended. */
async function startRunning(daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { clock } = daemon;
  const policy = daemon.policy!;
  await policy.start();
  const limitNs = addNs(clock.nowNs(), msToNs(START_MS_MAX));
  while (policy.status().phase === "approaching" && clock.nowNs() < limitNs && !signal.aborted) {
    await clock.sleepUntil(addNs(clock.nowNs(), msToNs(SAMPLE_MS)), signal);
  }
}

/** @param thing what was put there */
export function describeTrial(result: TrialResult, thing = "block"): string {
  const [x, y] = result.blockM;
  return [
    result.verdict.success ? "success" : "FAILED ",
    `${result.object ?? thing} at (${x.toFixed(3)}, ${y.toFixed(3)}) m`,
    ...result.words,
    result.verdict.endedBecause,
  ].join(" · ");
}
