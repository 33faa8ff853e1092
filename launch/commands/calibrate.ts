/**
 * `calibrate tracker`: the guided motion as questions and answers at a terminal, one line each, so that it also works
 * through a pipe. `calibrate list`: what is in force, from the files, with or without a daemon.
 */
import { createInterface } from "node:readline";
import { type IndexLine, openTrackerStore, type TrackerStore } from "../../calibration/store.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { CalibrationStatus } from "../../core/gateway/library.js";
import { loadCell } from "../cell/load.js";
import { calibrationFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";
import { type AskGateway, openGatewayProgram } from "./gatewayProgram.js";
import { printer, writeJson } from "./output.js";

const PROGRESS_MS = 200;
/** Strokes that are no good are repeated; so often in a row somebody should look at the set-up first. */
const TRIES_MAX = 20;

export interface DialogueParts {
  readonly ask: AskGateway;
  /** The next line that a person has entered; undefined when there is no more. */
  readonly line: () => Promise<string | undefined>;
  readonly print: (text: string) => void;
  /** Overwrites itself; nothing where that is not possible. */
  readonly progress: (text: string) => void;
  readonly clock: Clock;
}

export interface Calibrated {
  readonly device: string;
  readonly sha256: string;
  readonly residualDeg: number;
  readonly tiltDeg: number;
  readonly kept: boolean;
}

/**
 * Leads a person through the three strokes. Refused strokes are said and repeated.
 * @throws CerebellumError CALIBRATION_INVALID when it is given up, and what the gateway refuses with otherwise
 */
export async function calibrationDialogue(device: string, parts: DialogueParts): Promise<Calibrated> {
  const { ask, line, print } = parts;
  const status = async (request: Parameters<AskGateway>[0]) =>
    runningOf(CalibrationStatus.parse((await ask(request)).data));
  let running = await status({ do: "calibrationStart", device });
  print(`Calibrating ${device}. The robot does not move; keep the clutch (grip button) open.`);
  print("Stand where you will stand later. Directions are the robot's own: forward is away from its base.");
  for (let tries = 0; running.stroke !== null; tries++) {
    if (tries >= TRIES_MAX) throw givenUp(`${TRIES_MAX} strokes were tried`);
    print(`${running.stroke.toUpperCase()}: ${running.instruction}`);
    try {
      print("  Enter begins the stroke");
      await enter(line);
      running = await status({ do: "calibrationStroke", phase: "begin" });
      print("  moving: Enter ends the stroke");
      await whileProgress(parts, () => enter(line));
      running = await status({ do: "calibrationStroke", phase: "end" });
      print("  good");
    } catch (thrown) {
      if (!isStrokeRefused(thrown)) throw thrown;
      print(`  ${thrown.message}`);
      running = await status({ do: "calibrationStatus" });
    }
  }
  const { residualDeg, tiltDeg } = running.result ?? { residualDeg: Number.NaN, tiltDeg: Number.NaN };
  print(`Found: residual ${residualDeg.toFixed(1)}°, tilt ${tiltDeg.toFixed(1)}°. Keep it? [Y/n]`);
  const keep = !/^\s*n/i.test((await line()) ?? "n");
  const answer = await ask({ do: "calibrationFinish", keep });
  print(answer.message);
  const known = CalibrationStatus.parse(answer.data).known.find((one) => one.device === device);
  if (keep)
    print("Check it: hold the clutch and move the hand forward a little. The tool must go forward too.");
  return { device, sha256: keep ? (known?.sha256 ?? "") : "", residualDeg, tiltDeg, kept: keep };
}

/** @throws CerebellumError NOT_RUNNING, LINK_CLOSED, and what the dialogue throws */
export async function calibrateTracker(options: {
  readonly cell: string;
  readonly device: string;
  readonly json?: string;
}): Promise<void> {
  const program = await openGatewayProgram(options.cell, "calibrate", systemClock);
  const lines = readLines();
  const isTerminal = process.stdout.isTTY && options.json !== "-";
  try {
    const result = await calibrationDialogue(options.device, {
      ask: program.ask,
      line: lines.next,
      print: printer(options.json),
      progress: (text) => void (isTerminal && process.stdout.write(`\r\u001b[K${text}`)),
      clock: systemClock,
    });
    writeJson(options.json, result);
    if (!result.kept) process.exitCode = 1;
  } finally {
    lines.close();
    await program.close();
  }
}

/** Exits non-zero when something is damaged. */
export async function calibrateList(options: {
  readonly cell: string;
  readonly history?: boolean;
  readonly json?: string;
}): Promise<void> {
  const store = openTrackerStore(calibrationFolder(loadCell(options.cell).name));
  const nowEpochMs = Number(systemClock.epochNs()) / 1e6;
  const print = printer(options.json);
  for (const text of describeStore(store, nowEpochMs, options.history ?? false)) print(text);
  writeJson(options.json, {
    folder: store.folder,
    inForce: store.inForce(),
    history: store.history(),
    problems: store
      .problems()
      .map(({ device, error }) => ({ device, happened: error.happened, remedy: error.remedy })),
  });
  if (store.problems().length > 0) process.exitCode = 1;
}

export function describeStore(store: TrackerStore, nowEpochMs: number, withHistory: boolean): string[] {
  const inForce = store.inForce();
  const age = (epochMs: number) => `${((nowEpochMs - epochMs) / 86_400_000).toFixed(1)} days ago`;
  const entry = ({ device, sha256, sinceEpochMs, by }: IndexLine) =>
    `${device}  ${sha256.slice(0, 12)}  ${age(sinceEpochMs)} by ${by}`;
  return [
    ...(inForce.length === 0 ? [`no tracker is calibrated (${store.folder})`] : []),
    ...inForce.map(
      ({ frame, sha256, sinceEpochMs, by }) =>
        `${frame.device}  ${frame.space}  ${sha256.slice(0, 12)}  residual ${frame.residualDeg.toFixed(1)}°  ` +
        `tilt ${frame.tiltDeg.toFixed(1)}°  ${age(sinceEpochMs)} by ${by}`,
    ),
    ...(withHistory
      ? ["every calibration, oldest first:", ...store.history().map((one) => `  ${entry(one)}`)]
      : []),
    ...store.problems().map(({ error }) => `DAMAGED: ${error.message}`),
  ];
}

function runningOf({ running }: CalibrationStatus): NonNullable<CalibrationStatus["running"]> {
  if (running === null) throw givenUp("somebody else has ended it");
  return running;
}

/** What only this stroke suffers from; anything else ends the dialogue. */
const isStrokeRefused = (thrown: unknown): thrown is CerebellumError =>
  thrown instanceof CerebellumError && thrown.code === "CALIBRATION_INVALID" && thrown.happened !== GIVEN_UP;

const GIVEN_UP = "The calibration was given up";
const givenUp = (why: string) =>
  new CerebellumError("CALIBRATION_INVALID", GIVEN_UP, `Nothing has changed (${why}); start it again`);

async function enter(line: DialogueParts["line"]): Promise<void> {
  if ((await line()) === undefined) throw givenUp("the input has ended");
}

async function whileProgress(
  { ask, progress, clock }: DialogueParts,
  work: () => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const showing = (async () => {
    while (!ended.signal.aborted) {
      await sleepMs(clock, PROGRESS_MS, ended.signal);
      if (ended.signal.aborted) return;
      const answer = await ask({ do: "calibrationStatus" }).catch(() => undefined);
      const running = answer === undefined ? null : CalibrationStatus.parse(answer.data).running;
      if (running !== null && !ended.signal.aborted)
        progress(
          running.isMoving ? `  ${(100 * running.lengthM).toFixed(0)} cm` : `  ${running.instruction}`,
        );
    }
  })();
  try {
    await work();
  } finally {
    ended.abort();
    await showing;
    progress("");
  }
}

function readLines(): { readonly next: () => Promise<string | undefined>; close(): void } {
  const reader = createInterface({ input: process.stdin });
  const lines = reader[Symbol.asyncIterator]();
  return {
    next: async () => {
      const { value, done } = await lines.next();
      return done === true ? undefined : value;
    },
    close: () => reader.close(),
  };
}
