/**
 * Where a replay happens: the cell that runs already, as it stands, or one that is brought up for it. A running cell is
 * used through its servo's socket like any other commander: its daemon goes on supervising, nothing of it is changed, and
 * the arm must have been enabled by a person. A cell of its own is enabled here, as `demonstrate` does it.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Clock } from "../../../core/clock.js";
import { CerebellumError } from "../../../core/errors.js";
import { LabClient } from "../../../lab/control/client.js";
import type { LabRequest } from "../../../lab/control/protocol.js";
import type { ServoClient } from "../../../runtime/servo/api.js";
import { connectServo } from "../../../runtime/servo/link/client.js";
import { loadCell } from "../../cell/load.js";
import type { CellConfig } from "../../cell/schema.js";
import { askDaemon } from "../../control/client.js";
import type { ControlRequest } from "../../control/protocol.js";
import { runFolder } from "../../runFolder.js";
import { systemClock } from "../../systemClock.js";
import { enableOrFail, withDaemon } from "../running.js";

export interface ReplayStage {
  readonly cell: CellConfig;
  readonly clock: Clock;
  /** Aborts when the person or the cell wants the end. */
  readonly signal: AbortSignal;
  connectCommander(robot: string): Promise<ServoClient>;
  /** Asks the daemon's control socket. */
  ask(request: ControlRequest): ReturnType<typeof askDaemon>;
  /** Asks the lab; undefined on real robots. */
  readonly lab: ((request: LabRequest) => Promise<unknown>) | undefined;
}

const FINISH_MS = 70_000;
const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function withStage<T>(
  options: { readonly cellFile: string; readonly recordings: string; readonly logToStderr: boolean },
  say: (line: string) => void,
  work: (stage: ReplayStage) => Promise<T>,
): Promise<T> {
  const cell = loadCell(options.cellFile);
  if (await isRunning(cell.name)) {
    say(`Cell ${cell.name} runs already: its robots are used as they stand`);
    return withRunning(cell, work);
  }
  const { cellFile, recordings, logToStderr } = options;
  const adjust = (found: CellConfig): CellConfig =>
    found.recorder === "off"
      ? found
      : { ...found, recorder: { ...found.recorder, folder: resolve(recordings) } };
  const run = { cellFile, logToStderr, logLevel: "warn", policy: false, adjust };
  return withDaemon(run, async (daemon, signal) => {
    await enableOrFail(daemon);
    const { lab } = daemon;
    return work({
      cell: daemon.cell,
      clock: daemon.clock,
      signal,
      connectCommander: (robot) => daemon.connectCommander(robot, "replay"),
      ask: asker(cell.name),
      lab: lab === undefined ? undefined : (request) => lab.ask(request),
    });
  });
}

const asker =
  (cellName: string): ReplayStage["ask"] =>
  (request) =>
    askDaemon(runFolder(cellName).controlSocket, request, systemClock, FINISH_MS);

async function isRunning(cellName: string): Promise<boolean> {
  try {
    await asker(cellName)({ do: "status" });
    return true;
  } catch (thrown) {
    if (thrown instanceof CerebellumError && thrown.code === "NOT_RUNNING") return false;
    throw thrown;
  }
}

async function withRunning<T>(cell: CellConfig, work: (stage: ReplayStage) => Promise<T>): Promise<T> {
  const run = runFolder(cell.name);
  const interrupt = new AbortController();
  const onSignal = () =>
    interrupt.abort(new CerebellumError("COMMAND_REFUSED", "It was interrupted", "None"));
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);
  const lab = existsSync(run.labSocket) ? await LabClient.connect(run.labSocket) : undefined;
  try {
    return await work({
      cell,
      clock: systemClock,
      signal: interrupt.signal,
      connectCommander: (robot) =>
        connectServo(run.servoSocket(robot), { role: "commander", name: "replay", clock: systemClock }),
      ask: asker(cell.name),
      lab: lab === undefined ? undefined : (request) => lab.ask(request),
    });
  } finally {
    lab?.close();
    for (const signal of ENDING_SIGNALS) process.off(signal, onSignal);
  }
}
