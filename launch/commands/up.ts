/** `up`: runs a cell until it is interrupted. In the lab it goes on from block to block, so that there is much to see. */
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { NS_PER_S, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { loadBundle } from "../../policies/bundle.js";
import type { Daemon } from "../daemon/daemon.js";
import { describeTrial, planTrials, runTrial } from "../tasks/trial.js";
import { enableOrFail, withDaemon } from "./running.js";

const SUMMARY_MS = 10_000;
const TRIALS_PLANNED = 1000;
const STATE_POLL_MS = 200;

export async function up(
  cellFile: string,
  options: { policy: boolean; snapshots?: string; logLevel: string },
): Promise<void> {
  await withDaemon(
    { cellFile, logLevel: options.logLevel, policy: options.policy },
    async (daemon, signal) => {
      const { cell } = daemon;
      if (!options.policy || cell.policy?.autostart !== true) {
        say("the cell is up; nothing is enabled. `./cerebellum enable`, then `./cerebellum policy start`");
        await untilEnded(signal);
        return;
      }
      await enableOrFail(daemon);
      reportFirstStep(daemon);
      if (cell.lab === undefined) await runPolicy(daemon, signal);
      else await demonstrateInLab(daemon, signal, options.snapshots);
    },
  );
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

const untilEnded = (signal: AbortSignal) =>
  new Promise<void>((done) => {
    if (signal.aborted) done();
    else signal.addEventListener("abort", () => done());
  });

/** The figure that people judge a start by. */
function reportFirstStep(daemon: Daemon): void {
  const stop = daemon.policy!.onStep((record) => {
    if (record.commandSeq === undefined) return;
    stop();
    const sinceS = Number(record.startNs - daemon.mapping.monotonicNs) / Number(NS_PER_S);
    say(`first policy step ${sinceS.toFixed(1)} s after the start of the daemon`);
  });
}

/** A real cell: one run, a line now and then, until somebody ends it or the policy fails. */
async function runPolicy(daemon: Daemon, signal: AbortSignal): Promise<void> {
  await daemon.policy!.start();
  while (!signal.aborted) {
    await sleepMs(daemon.clock, SUMMARY_MS, signal);
    const { phase, statistics, failure } = daemon.policy!.status();
    if (failure !== undefined) throw new CerebellumError(failure.code, failure.happened, failure.remedy);
    say(
      `policy ${phase} · ${statistics?.commands ?? 0} commands · image to wire p99 ${statistics?.parts.imageToWire.p99Ms.toFixed(0) ?? "-"} ms`,
    );
  }
}

async function demonstrateInLab(
  daemon: Daemon,
  signal: AbortSignal,
  snapshots: string | undefined,
): Promise<void> {
  const { manifest } = await loadBundle(daemon.cell.policy!.bundle);
  if (snapshots !== undefined) mkdirSync(snapshots, { recursive: true });
  say("the arm now goes to one red block after another, seen by its wrist camera only; Ctrl-C ends it");
  for (const trial of planTrials(TRIALS_PLANNED, daemon.cell.lab!.seed, "training")) {
    const running = runTrial(daemon, trial, manifest.start, signal);
    if (snapshots !== undefined) void takeSnapshots(daemon, resolve(snapshots), trial.index, signal);
    const result = await running.catch((thrown: unknown) => {
      if (isStopped(daemon)) return undefined;
      throw thrown;
    });
    if (signal.aborted) return;
    if (isStopped(daemon)) await waitForReset(daemon, signal);
    else {
      if (result !== undefined) say(describeTrial(result));
      const { failure } = daemon.policy!.status();
      if (failure !== undefined) throw new CerebellumError(failure.code, failure.happened, failure.remedy);
    }
  }
}

const robotState = (daemon: Daemon) => daemon.servo(daemon.cell.policy!.robot).latest()?.state;
const isStopped = (daemon: Daemon) => ["stopping", "stopped"].includes(robotState(daemon) ?? "");

/** A stop is latched: only a person leads out of it. */
async function waitForReset(daemon: Daemon, signal: AbortSignal): Promise<void> {
  say("the arm is stopped and stays so; `./cerebellum reset`, then `./cerebellum enable` go on");
  while (!signal.aborted && robotState(daemon) !== "holding")
    await sleepMs(daemon.clock, STATE_POLL_MS, signal);
}

const SNAPSHOT_MS = 500;

async function takeSnapshots(
  daemon: Daemon,
  folder: string,
  index: number,
  signal: AbortSignal,
): Promise<void> {
  for (let count = 0; count < 20 && !signal.aborted; count++) {
    const name = `${String(index).padStart(3, "0")}-${String(count).padStart(2, "0")}`;
    for (const camera of ["wrist", "scene"] as const) {
      await daemon.lab
        ?.ask({ do: "snapshot", camera, file: resolve(folder, `${name}-${camera}.png`) })
        .catch(() => {});
    }
    await sleepMs(daemon.clock, SNAPSHOT_MS, signal);
  }
}
