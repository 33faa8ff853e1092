/** `up`: runs a cell until it is interrupted. In the lab it tries its task again and again, so that there is much to see. */
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { NS_PER_S, sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { loadBundle } from "../../policies/bundle.js";
import { policyRobots } from "../../runtime/policy/config.js";
import type { ServoStateName } from "../../runtime/servo/api.js";
import { loadCell } from "../cell/load.js";
import type { Daemon } from "../daemon/daemon.js";
import { QUIET_MS } from "../daemon/teleopSide.js";
import { showOf } from "./labShow.js";
import { enableOrFail, withDaemon } from "./running.js";
import { standInLab } from "./standShow.js";

const SUMMARY_MS = 10_000;
const TRIALS_PLANNED = 1000;
const STATE_POLL_MS = 200;

export async function up(
  cellFile: string,
  options: { policy: boolean; snapshots?: string; logLevel: string },
): Promise<void> {
  const policy = options.policy && loadCell(cellFile).policy !== undefined;
  await withDaemon(
    { cellFile, logLevel: options.logLevel, policy, latchAfterCrash: true, logFile: true },
    async (daemon, signal) => {
      const { cell } = daemon;
      await tellConsole(daemon);
      if (cell.policy === undefined) {
        say(
          "the cell is up; nothing is enabled, and it has no policy. `./cerebellum enable`, then lead it by hand",
        );
        await untilEnded(signal);
        return;
      }
      if (policy && cell.lab?.world === "ground") {
        await standInLab(daemon, signal, say);
        return;
      }
      if (!policy || !cell.policy.autostart) {
        say("the cell is up; nothing is enabled. `./cerebellum enable`, then `./cerebellum policy start`");
        await untilEnded(signal);
        return;
      }
      if (needsPerson(daemon, "connected")) await waitForReset(daemon, signal);
      else await enableOrFail(daemon);
      if (signal.aborted) return;
      reportFirstStep(daemon);
      if (cell.lab === undefined) await runPolicy(daemon, signal);
      else await demonstrateInLab(daemon, signal, options.snapshots);
    },
  );
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Opens paired: whoever can read this line may also run `./cerebellum pair`. */
async function tellConsole({ gateway }: Daemon): Promise<void> {
  if (gateway === undefined) return;
  const pairing = await gateway.pair("operator").catch((thrown: unknown) => errorText(thrown));
  // A gateway that has just died is no reason to end a cell; the daemon starts it again.
  if (typeof pairing === "string") {
    say(`console: ${pairing} Then \`./cerebellum pair\` shows its address`);
    return;
  }
  const { urls } = pairing;
  say(`console: ${urls.at(-1)}`);
  if (urls.length > 1) say("from other devices: `./cerebellum pair` shows addresses and a QR code");
}

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

/** A real cell: one run, a line now and then, until somebody ends it. What ends the policy does not end the daemon. */
async function runPolicy(daemon: Daemon, signal: AbortSignal): Promise<void> {
  await daemon.teleop.untilFree(signal);
  if (signal.aborted) return;
  await daemon.policy!.start();
  while (!signal.aborted) {
    await sleepMs(daemon.clock, SUMMARY_MS, signal);
    if (signal.aborted) return;
    if (daemon.teleop.isTaken) continue;
    const status = daemon.policy?.status();
    if (status === undefined) continue;
    const { phase, statistics, failure } = status;
    say(
      failure === undefined
        ? `policy ${phase} · ${statistics?.commands ?? 0} commands · image to wire p99 ${statistics?.parts.imageToWire.p99Ms.toFixed(0) ?? "-"} ms`
        : `policy failed: ${failure.happened}. ${failure.remedy}; then \`./cerebellum policy start\``,
    );
  }
}

async function demonstrateInLab(
  daemon: Daemon,
  signal: AbortSignal,
  snapshots: string | undefined,
): Promise<void> {
  const { manifest } = await loadBundle(daemon.cell.policy!.bundle);
  const show = showOf(daemon.cell, manifest, signal);
  if (snapshots !== undefined) mkdirSync(snapshots, { recursive: true });
  say(`${show.words}; Ctrl-C ends it`);
  for (let index = 0; index < TRIALS_PLANNED; index++) {
    await waitWhileTaken(daemon, signal);
    if (signal.aborted) return;
    daemon.activity = show.activity;
    const running = show.run(daemon, index);
    if (snapshots !== undefined) void takeSnapshots(daemon, resolve(snapshots), index, signal);
    const result = await running.catch((thrown: unknown) => {
      if (daemon.teleop.isTaken) return undefined;
      if (needsPerson(daemon) || policyFailure(daemon) !== undefined) return undefined;
      throw thrown;
    });
    daemon.activity = "";
    if (signal.aborted) return;
    if (daemon.teleop.isTaken) continue;
    if (needsPerson(daemon)) await waitForReset(daemon, signal);
    else if (policyFailure(daemon) !== undefined) await waitForPolicy(daemon, signal);
    else if (result !== undefined) say(result);
  }
}

/** A person has the robot; some time after it was given back the demonstration goes on. */
async function waitWhileTaken(daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { teleop } = daemon;
  if (teleop.isTaken)
    say(
      `${teleop.operator} has taken teleoperation; the demonstration goes on ${QUIET_MS / 1000} s after it is given back`,
    );
  await teleop.untilFree(signal);
}

/** States out of which only a person leads; a servo process that does not answer comes back stopped, if at all. */
const PERSONS_STATES: readonly ServoStateName[] = [
  "disconnected",
  "connected",
  "stopping",
  "stopped",
  "faulted",
];

const robotState = (daemon: Daemon) => daemon.servo(policyRobots(daemon.cell.policy!)[0]).latest()?.state;
const policyFailure = (daemon: Daemon) => daemon.policy?.status().failure;

function needsPerson(daemon: Daemon, except?: ServoStateName): boolean {
  const state = robotState(daemon);
  return state === undefined || (state !== except && PERSONS_STATES.includes(state));
}

async function waitForReset(daemon: Daemon, signal: AbortSignal): Promise<void> {
  say(
    `${policyRobots(daemon.cell.policy!).join(" and ")} ${robotState(daemon) ?? "without a servo process"} and stays so; \`./cerebellum reset\`, then \`./cerebellum enable\` go on`,
  );
  while (!signal.aborted && robotState(daemon) !== "holding")
    await sleepMs(daemon.clock, STATE_POLL_MS, signal);
}

/** The robot holds, but its policy has failed. Once it runs again by a person's word, the demonstration takes over. */
async function waitForPolicy(daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { happened, remedy } = policyFailure(daemon)!;
  say(`policy failed: ${happened}. ${remedy}; \`./cerebellum policy start\` goes on`);
  while (!signal.aborted && (daemon.policy === undefined || policyFailure(daemon) !== undefined))
    await sleepMs(daemon.clock, STATE_POLL_MS, signal);
  await daemon.policy?.stop();
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
