/** `evaluate TASK`: a fixed number of trials in the lab, each printed, with a confidence interval. */
import { resolve } from "node:path";
import { CerebellumError } from "../../core/errors.js";
import { wilsonInterval } from "../../core/statistics.js";
import { loadBundle } from "../../policies/bundle.js";
import { isLabTask, LAB_TASKS, TASK_JUDGES } from "../tasks/judge.js";
import { describeTrial, planTrials, runTrial, type TrialResult } from "../tasks/trial.js";
import { printer, writeJson } from "./output.js";
import { enableOrFail, withDaemon } from "./running.js";

export interface EvaluateOptions {
  readonly cell: string;
  readonly bundle?: string;
  readonly positions: number;
  readonly seed: number;
  readonly light: "training" | "changed";
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
  await withDaemon(
    { cellFile: options.cell, logLevel: "warn", policy: true, bundle: options.bundle, logToStderr: true },
    async (daemon, signal) => {
      const folder = options.bundle === undefined ? daemon.cell.policy!.bundle : resolve(options.bundle);
      const { manifest } = await loadBundle(folder);
      print(
        `${options.positions} trials of ${task} with ${manifest.name}, ${options.light} light, seed ${options.seed}`,
      );
      await enableOrFail(daemon);
      const trials: TrialResult[] = [];
      for (const trial of planTrials(options.positions, options.seed, options.light)) {
        const result = await runTrial(daemon, task, trial, manifest.start, signal);
        if (signal.aborted) break;
        trials.push(result);
        print(`${String(trial.index + 1).padStart(3)}  ${describeTrial(result)}`);
      }
      const summary = summarise(task, manifest.name, options, trials);
      print(
        `${summary.successes} of ${trials.length} successes (95 % interval ${(100 * summary.interval95.low).toFixed(0)} to ${(100 * summary.interval95.high).toFixed(0)} %); ${summary.reached} ${TASK_JUDGES[task].cameCloseWord} at some moment`,
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
    },
  );
}

function summarise(task: string, policy: string, options: EvaluateOptions, trials: readonly TrialResult[]) {
  const successes = trials.filter(({ verdict }) => verdict.success).length;
  return {
    task,
    policy,
    cell: options.cell,
    seed: options.seed,
    light: options.light,
    successes,
    reached: trials.filter(({ cameClose }) => cameClose).length,
    interval95: wilsonInterval(successes, trials.length),
    trials: trials.map(({ verdict, cameClose: _, words: __, ...trial }) => ({ ...trial, ...verdict })),
  };
}
