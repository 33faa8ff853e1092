/** `evaluate TASK`: a fixed number of trials in the lab, each printed, with a confidence interval. */
import { resolve } from "node:path";
import { CerebellumError } from "../../core/errors.js";
import type { HandSide } from "../../kinematics/allegro/hand.js";
import { loadBundle } from "../../policies/bundle.js";
import type { PolicyManifest } from "../../policies/manifest.js";
import { policyRobots } from "../../runtime/policy/config.js";
import { loadCell } from "../cell/load.js";
import { handsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import { HAND_TASK_NAMES, HAND_TASKS, type HandTask, isHandTask } from "../tasks/handJudge.js";
import { LockstepHandCell } from "../tasks/handLockstep.js";
import { runHandTrial } from "../tasks/handTrial.js";
import {
  describeHandTrial,
  type HandTrial,
  type HandTrialResult,
  type ObjectChoice,
  planHandTrials,
} from "../tasks/handTrials.js";
import { isLabTask, LAB_TASKS, type LabTask } from "../tasks/labTaskNames.js";
import { inWorldOf, LAB_TASK_ROWS } from "../tasks/labTasks.js";
import { LockstepCell } from "../tasks/lockstep.js";
import { seenThrough } from "../tasks/seenThrough.js";
import {
  describeTrial,
  leadOutOfFault,
  planTrials,
  runTrial,
  type Trial,
  type TrialResult,
} from "../tasks/trial.js";
import { evaluateStand, STAND_TASK } from "./evaluateStand.js";
import { printer, writeJson } from "./output.js";
import { enableOrFail, withDaemon } from "./running.js";
import { checkScore, runAll, scoreOf, scoreText, untilInterrupted } from "./trialSeries.js";

export interface EvaluateOptions {
  readonly cell: string;
  readonly bundle?: string;
  /** The camera that the policy looks through, in place of the cell's own choice. */
  readonly camera?: string;
  readonly positions: number;
  readonly seed: number;
  readonly light: "training" | "changed";
  readonly clock: "paced" | "lockstep";
  /** What lies on a hand: objects that its policy was trained with, or others. */
  readonly objects: ObjectChoice;
  /** Of `stand`: this one only. */
  readonly scenario?: string;
  readonly atLeast?: number;
  readonly json?: string;
  readonly logLevel: string;
}

const POSITIONS = 16;

type Task = LabTask | HandTask;
type Result = TrialResult | HandTrialResult;

export async function evaluate(
  task: string,
  given: Omit<EvaluateOptions, "positions"> & { positions?: number },
): Promise<void> {
  if (task === STAND_TASK) return evaluateStand(given);
  const options: EvaluateOptions = { ...given, positions: given.positions ?? POSITIONS };
  if (!isLabTask(task) && !isHandTask(task)) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `Task "${task}" is not known; expected ${[...LAB_TASKS, ...HAND_TASK_NAMES, STAND_TASK].join(" or ")}`,
      "Evaluate a task that this version has",
    );
  }
  refuseUnknownObjects(task, options);
  const print = printer(options.json);
  const done =
    options.clock === "lockstep" ? await lockstep(task, options, print) : await paced(task, options, print);
  const { trials } = done;
  const summary = summarise(task, done.policy, options, trials);
  print(
    `${scoreText(summary, trials.length)}; ${summary.reached} ${(isHandTask(task) ? HAND_TASKS[task] : LAB_TASK_ROWS[task]).cameCloseWord} at some moment`,
  );
  writeJson(options.json, summary);
  checkScore(summary, trials.length, options.positions, options.atLeast);
}

/** @throws CerebellumError CONFIG_INVALID */
function refuseUnknownObjects(task: Task, { objects }: EvaluateOptions): void {
  const things = objectsOf(task);
  if (things.some(({ seen }) => seen === (objects === "seen")) || (things.length === 0 && objects === "seen"))
    return;
  throw new CerebellumError(
    "CONFIG_INVALID",
    `${task} has no ${objects} objects`,
    "Choose --objects seen, or evaluate finger-reach or pick-fruit",
  );
}

const objectsOf = (task: Task): readonly { readonly seen: boolean }[] =>
  isHandTask(task) ? HAND_TASKS[task].objects : (LAB_TASK_ROWS[task].objects ?? []);

interface Done {
  readonly policy: string;
  readonly trials: readonly Result[];
}
type Print = (text: string) => void;
/** Runs all trials of a task, one after another, and prints each. */
type Series = (signal: AbortSignal) => Promise<Result[]>;

/** The whole cell at real pace: lab, ROS, policy worker, servo process, the device's wire. */
function paced(task: Task, options: EvaluateOptions, print: Print): Promise<Done> {
  const adjust = (cell: CellConfig) =>
    seenThrough(options.camera, isLabTask(task) ? inWorldOf(task, cell) : cell);
  return withDaemon(
    {
      cellFile: options.cell,
      logLevel: "warn",
      policy: true,
      bundle: options.bundle,
      logToStderr: true,
      adjust,
    },
    async (daemon, signal) => {
      const folder = options.bundle === undefined ? daemon.cell.policy!.bundle : resolve(options.bundle);
      const { manifest } = await loadBundle(folder);
      announce(task, manifest, options, print);
      await enableOrFail(daemon);
      const { start } = manifest;
      // Between two trials nobody is there to lead a device out of a fault that the one before has ended in.
      const ready = () => leadOutOfFault(daemon, policyRobots(daemon.cell.policy!));
      const series: Series = isHandTask(task)
        ? (ended) => {
            const run = async (trial: HandTrial) => {
              await ready();
              return runHandTrial(daemon, task, trial, start, ended);
            };
            return runAll(
              handTrials(task, sideOf(daemon.cell), options),
              run,
              describeHandTrial,
              ended,
              print,
            );
          }
        : (ended) => {
            const run = async (trial: Trial) => {
              await ready();
              return runTrial(daemon, task, trial, start, ended);
            };
            return runAll(armTrials(task, options), run, describer(task), ended, print);
          };
      return { policy: manifest.name, trials: await series(signal) };
    },
  );
}

/** The same policy, camera, limiter and physics in simulated time, in this process. */
async function lockstep(task: Task, options: EvaluateOptions, print: Print): Promise<Done> {
  const cell = seenThrough(options.camera, loadCell(options.cell));
  const folder = (options.bundle === undefined ? cell.policy?.bundle : resolve(options.bundle)) ?? "";
  const { trier, series } = isHandTask(task)
    ? await openHand(task, cell, folder, options, print)
    : await openArm(task, cell, folder, options, print);
  try {
    announce(task, (await loadBundle(folder)).manifest, options, print);
    print("In simulated time: no ROS, no wire, no jitter. `--clock paced` tries the whole cell");
    return { policy: trier.policyName, trials: await untilInterrupted(series) };
  } finally {
    await trier.close();
  }
}

interface Opened {
  readonly trier: { readonly policyName: string; close(): Promise<void> };
  readonly series: Series;
}

async function openArm(
  task: LabTask,
  cell: CellConfig,
  bundle: string,
  options: EvaluateOptions,
  print: Print,
): Promise<Opened> {
  const trier = await LockstepCell.open(cell, bundle, LAB_TASK_ROWS[task].world);
  const run = (trial: Trial) => trier.run(task, trial);
  return { trier, series: (signal) => runAll(armTrials(task, options), run, describer(task), signal, print) };
}

async function openHand(
  task: HandTask,
  cell: CellConfig,
  bundle: string,
  options: EvaluateOptions,
  print: Print,
): Promise<Opened> {
  const trier = await LockstepHandCell.open(cell, bundle);
  const trials = handTrials(task, trier.side, options);
  const run = (trial: HandTrial) => trier.run(task, trial);
  return { trier, series: (signal) => runAll(trials, run, describeHandTrial, signal, print) };
}

const armTrials = (task: LabTask, { positions, seed, light, objects }: EvaluateOptions) =>
  planTrials(positions, seed, light, LAB_TASK_ROWS[task], objects);
const describer = (task: LabTask) => (result: TrialResult) =>
  describeTrial(result, LAB_TASK_ROWS[task].thing);
const handTrials = (task: HandTask, side: HandSide, { positions, seed, light, objects }: EvaluateOptions) =>
  planHandTrials(task, { count: positions, seed, light, objects, side });
const sideOf = (cell: CellConfig): HandSide => handsOf(cell.robots)[0]?.[1].allegro.side ?? "right";

function announce(
  task: Task,
  policy: Pick<PolicyManifest, "name" | "task">,
  { positions, light, seed, objects, camera }: EvaluateOptions,
  print: Print,
): void {
  const things = objectsOf(task).length > 0 ? `, ${objects} objects` : "";
  const eye = camera === undefined ? "" : `, through camera ${camera}`;
  print(`${positions} trials of ${task} with ${policy.name}${eye}, ${light} light${things}, seed ${seed}`);
  if (policy.task !== task)
    print(`This policy was made for ${policy.task}: --bundle names another one, as policies/bundles/${task}`);
}

function summarise(task: Task, policy: string, options: EvaluateOptions, trials: readonly Result[]) {
  return {
    task,
    policy,
    cell: options.cell,
    ...(options.camera === undefined ? {} : { camera: options.camera }),
    seed: options.seed,
    light: options.light,
    ...(objectsOf(task).length > 0 ? { objects: options.objects } : {}),
    clock: options.clock,
    ...scoreOf(trials),
    reached: trials.filter(({ cameClose }) => cameClose).length,
    trials: trials.map(({ verdict, cameClose: _, words: __, ...trial }) => ({ ...trial, ...verdict })),
  };
}
