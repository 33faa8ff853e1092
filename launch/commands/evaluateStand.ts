/**
 * `evaluate stand`: a Digit of the lab stands on several grounds and with several loads, is pushed, drawn and made to fall;
 * each trial is a row. By the servo's own stand, or by a bundle.
 */
import { CerebellumError } from "../../core/errors.js";
import { loadCell } from "../cell/load.js";
import { LockstepStand } from "../tasks/lockstepStand.js";
import { PacedStand } from "../tasks/pacedStand.js";
import { runStandTrial, type StandStage } from "../tasks/standRun.js";
import {
  isStandScenario,
  STAND_SCENARIO_NAMES,
  STAND_SCENARIOS,
  type StandScenarioName,
} from "../tasks/standScenarios.js";
import {
  describeStandTrial,
  planStandTrials,
  type StandTrial,
  type StandTrialResult,
} from "../tasks/standTrials.js";
import type { EvaluateOptions } from "./evaluate.js";
import { printer, writeJson } from "./output.js";
import { withDaemon } from "./running.js";
import { checkScore, runAll, type Score, scoreOf, scoreText, untilInterrupted } from "./trialSeries.js";

export const STAND_TASK = "stand";
/** One scenario is tried so often; all of them, each once. */
const POSITIONS_OF_ONE = 5;
const OWN_STAND = "the servo's stand";

type Options = Omit<EvaluateOptions, "positions"> & { readonly positions?: number | undefined };
type Print = (text: string) => void;

/** @throws CerebellumError CONFIG_INVALID, CHECK_FAILED, and what a trial's stage throws */
export async function evaluateStand(options: Options): Promise<void> {
  const scenarios = scenariosOf(options);
  const count = options.positions ?? (scenarios.length === 1 ? POSITIONS_OF_ONE : scenarios.length);
  const trials = planStandTrials({ count, seed: options.seed, scenarios });
  const print = printer(options.json);
  const ran = await (options.clock === "lockstep" ? lockstep : paced)(trials, options, print);
  const score = scoreOf(ran.results);
  for (const line of scenarioScores(ran.results)) print(line);
  print(`${scoreText(score, ran.results.length)}, all scenarios together`);
  writeJson(options.json, summarise(ran, options, score));
  checkScore(score, ran.results.length, count, options.atLeast);
}

function scenariosOf({ scenario, objects, light, camera }: Options): readonly StandScenarioName[] {
  if (objects !== "seen" || light !== "training" || camera !== undefined)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `${STAND_TASK} has neither objects nor a camera`,
      "Leave out --objects, --light and --camera",
    );
  if (scenario === undefined) return STAND_SCENARIO_NAMES;
  if (isStandScenario(scenario)) return [scenario];
  throw new CerebellumError(
    "CONFIG_INVALID",
    `Scenario "${scenario}" is not known; expected ${STAND_SCENARIO_NAMES.join(", ")}`,
    "Name one of them, or leave --scenario out to try each",
  );
}

interface Ran {
  readonly controller: string;
  readonly results: readonly StandTrialResult[];
}

/** The whole cell at real pace: lab, ROS, servo process, both wires. */
function paced(trials: readonly StandTrial[], options: Options, print: Print): Promise<Ran> {
  const { cell: cellFile, bundle } = options;
  const byPolicy = bundle !== undefined;
  return withDaemon(
    { cellFile, logLevel: "warn", policy: byPolicy, bundle, logToStderr: true },
    async (daemon, signal) => {
      const controller = bundle ?? OWN_STAND;
      announce(trials, controller, options, print);
      const stage = new PacedStand(daemon, { byPolicy });
      return { controller, results: await series(stage, trials, signal, print) };
    },
  );
}

/** The robot, its driver and the servo in simulated time, in this process. */
async function lockstep(trials: readonly StandTrial[], options: Options, print: Print): Promise<Ran> {
  if (options.bundle !== undefined)
    throw new CerebellumError(
      "CONFIG_INVALID",
      "In simulated time only the servo's own stand is tried",
      "Leave out --bundle, or try it with --clock paced",
    );
  const stage = new LockstepStand(loadCell(options.cell));
  try {
    announce(trials, OWN_STAND, options, print);
    print("In simulated time: no sockets, no ROS, no jitter. `--clock paced` tries the whole cell");
    const results = await untilInterrupted((signal) => series(stage, trials, signal, print));
    return { controller: OWN_STAND, results };
  } finally {
    await stage.close();
  }
}

const series = (stage: StandStage, trials: readonly StandTrial[], signal: AbortSignal, print: Print) =>
  runAll(trials, (trial) => runStandTrial(stage, trial, signal), describeStandTrial, signal, print);

function announce(trials: readonly StandTrial[], controller: string, { seed }: Options, print: Print): void {
  print(`${trials.length} trials of ${STAND_TASK} by ${controller}, seed ${seed}`);
  for (const name of new Set(trials.map(({ scenario }) => scenario)))
    print(`  ${name}: ${STAND_SCENARIOS[name].words}`);
}

/** Where a scenario was tried more than once. */
function scenarioScores(results: readonly StandTrialResult[]): string[] {
  return STAND_SCENARIO_NAMES.flatMap((name) => {
    const own = results.filter(({ scenario }) => scenario === name);
    return own.length < 2 ? [] : [`${name}: ${scoreText(scoreOf(own), own.length)}`];
  });
}

function summarise({ controller, results }: Ran, { cell, seed, clock }: Options, score: Score) {
  return {
    task: STAND_TASK,
    controller,
    cell,
    seed,
    clock,
    ...score,
    trials: results.map(({ verdict, ...trial }) => ({ ...trial, ...verdict })),
  };
}
