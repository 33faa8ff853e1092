/** `evaluate TASK`: a fixed number of trials in the lab, each printed, with a confidence interval. */
import { once } from "node:events";
import { resolve } from "node:path";
import { CerebellumError } from "../../core/errors.js";
import { wilsonInterval } from "../../core/statistics.js";
import { loadBundle } from "../../policies/bundle.js";
import { loadCell } from "../cell/load.js";
import { isLabTask, LAB_TASKS, type LabTask, TASK_JUDGES } from "../tasks/judge.js";
import { LockstepCell } from "../tasks/lockstep.js";
import { describeTrial, planTrials, runTrial, type Trial, type TrialResult } from "../tasks/trial.js";
import { printer, writeJson } from "./output.js";
import { enableOrFail, withDaemon } from "./running.js";

export interface EvaluateOptions {
  readonly cell: string;
  readonly bundle?: string;
  readonly positions: number;
  readonly seed: number;
  readonly light: "training" | "changed";
  readonly clock: "paced" | "lockstep";
  readonly atLeast?: number;
  readonly json?: string;
  readonly logLevel: string;
}

export async function evaluate(task: string, options: EvaluateOptions): Promise<void> {
  if (!isLabTask(task)) {
    throw new CerebellumError(
      "CONFIG_INVALID",
      `Task "${task}" is not known; expected ${LAB_TASKS.join(" or ")}`,
      "Evaluate a task that this version has",
    );
  }
  const print = printer(options.json);
  const done =
    options.clock === "lockstep" ? await lockstep(task, options, print) : await paced(task, options, print);
  const { trials } = done;
  const summary = summarise(task, done.policy, options, trials);
  const { low, high } = summary.interval95;
  print(
    `${summary.successes} of ${trials.length} successes (95 % interval ${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)} %); ${summary.reached} ${TASK_JUDGES[task].cameCloseWord} at some moment`,
  );
  writeJson(options.json, summary);
  if (trials.length < options.positions) {
    throw new CerebellumError(
      "CHECK_FAILED",
      `Only ${trials.length} of ${options.positions} trials ran`,
      "Let the evaluation run to its end",
    );
  }
  if (options.atLeast !== undefined && summary.successes < options.atLeast) {
    throw new CerebellumError(
      "CHECK_FAILED",
      `${summary.successes} successes, expected at least ${options.atLeast}`,
      "Look at the trials above; retrain or correct the cell",
    );
  }
}

interface Done {
  readonly policy: string;
  readonly trials: readonly TrialResult[];
}
type Print = (text: string) => void;

/** The whole cell at real pace: lab, ROS, policy worker, servo process, the vendor's wire. */
function paced(task: LabTask, options: EvaluateOptions, print: Print): Promise<Done> {
  return withDaemon(
    { cellFile: options.cell, logLevel: "warn", policy: true, bundle: options.bundle, logToStderr: true },
    async (daemon, signal) => {
      const folder = options.bundle === undefined ? daemon.cell.policy!.bundle : resolve(options.bundle);
      const { manifest } = await loadBundle(folder);
      announce(task, manifest.name, options, print);
      await enableOrFail(daemon);
      const run = (trial: Trial) => runTrial(daemon, task, trial, manifest.start, signal);
      return { policy: manifest.name, trials: await runAll(options, run, signal, print) };
    },
  );
}

/** The same policy, camera, limiter and physics in simulated time, in this process. */
async function lockstep(task: LabTask, options: EvaluateOptions, print: Print): Promise<Done> {
  const cell = loadCell(options.cell);
  const folder = options.bundle === undefined ? cell.policy?.bundle : resolve(options.bundle);
  const trier = await LockstepCell.open(cell, folder ?? "");
  const interrupt = new AbortController();
  void once(process, "SIGINT", { signal: interrupt.signal }).then(
    () => interrupt.abort(),
    () => {},
  );
  try {
    announce(task, trier.policyName, options, print);
    print("In simulated time: no ROS, no wire, no jitter. `--clock paced` tries the whole cell");
    const run = (trial: Trial) => trier.run(task, trial);
    return { policy: trier.policyName, trials: await runAll(options, run, interrupt.signal, print) };
  } finally {
    interrupt.abort();
    await trier.close();
  }
}

function announce(
  task: LabTask,
  policy: string,
  { positions, light, seed }: EvaluateOptions,
  print: Print,
): void {
  print(`${positions} trials of ${task} with ${policy}, ${light} light, seed ${seed}`);
}

async function runAll(
  { positions, seed, light }: EvaluateOptions,
  run: (trial: Trial) => Promise<TrialResult>,
  signal: AbortSignal,
  print: Print,
): Promise<TrialResult[]> {
  const trials: TrialResult[] = [];
  for (const trial of planTrials(positions, seed, light)) {
    const result = await run(trial);
    if (signal.aborted) break;
    trials.push(result);
    print(`${String(trial.index + 1).padStart(3)}  ${describeTrial(result)}`);
  }
  return trials;
}

function summarise(task: LabTask, policy: string, options: EvaluateOptions, trials: readonly TrialResult[]) {
  const successes = trials.filter(({ verdict }) => verdict.success).length;
  return {
    task,
    policy,
    cell: options.cell,
    seed: options.seed,
    light: options.light,
    clock: options.clock,
    successes,
    reached: trials.filter(({ cameClose }) => cameClose).length,
    interval95: wilsonInterval(successes, trials.length),
    trials: trials.map(({ verdict, cameClose: _, words: __, ...trial }) => ({ ...trial, ...verdict })),
  };
}
