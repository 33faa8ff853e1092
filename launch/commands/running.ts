/** What commands that bring a cell up have in common: the interrupt, the start, the orderly end. */
import { join, resolve } from "node:path";
import { sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { loadCell } from "../cell/load.js";
import type { CellConfig } from "../cell/schema.js";
import { whatBecomes } from "../cell/whatBecomes.js";
import { Daemon } from "../daemon/daemon.js";
import { onDefect } from "../lastResort.js";
import { createLog } from "../log.js";
import { LogFile } from "../logFile.js";
import { stateFolder } from "../runFolder.js";
import { systemClock } from "../systemClock.js";

/** SIGHUP is a terminal that has gone; nothing of the daemon is read again on it. */
const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** After a defect the daemon has ended by then, in order or not. */
const DEFECT_MS_MAX = 8000;

const LOG_FLUSH_MS_MAX = 500;

export interface RunOptions {
  readonly cellFile: string;
  readonly logLevel: string;
  readonly policy: boolean;
  readonly bundle?: string | undefined;
  /** See `DaemonOptions.latchAfterCrash`. */
  readonly latchAfterCrash?: boolean;
  /** Keep the log in the cell's state folder too. */
  readonly logFile?: boolean;
  /** Log to standard error, when standard output carries the result. */
  readonly logToStderr?: boolean;
  /** Changes the cell as read, e.g. for a measurement. */
  readonly adjust?: (cell: CellConfig) => CellConfig;
}

/** Brings a cell up, runs `work`, takes it down; the first interrupt ends `work` through its signal. */
export async function withDaemon<T>(
  options: RunOptions,
  work: (daemon: Daemon, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const cell = (options.adjust ?? ((same) => same))(loadCell(options.cellFile));
  const logFile = options.logFile ? openLogFile(cell) : undefined;
  const log = createLog(options.logLevel, options.logToStderr ? 2 : 1, logFile);
  // Nobody reads any more, or the disk behind it is full: no reason to let go of a robot.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => {});
  const interrupt = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    log.info({ event: "ending", signal: name }, `ending; ${whatBecomes(cell.robots)}`);
    interrupt.abort();
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);
  let daemon: Daemon | undefined;
  let defect: CerebellumError | undefined;
  const closed = new AbortController();
  const forgetDefects = onDefect(log, (thrown) => {
    defect = new CerebellumError(
      "CHECK_FAILED",
      `A defect: ${errorText(thrown)}`,
      "Keep the log and report it",
      thrown,
    );
    if (daemon === undefined) interrupt.abort();
    else daemon.fail(defect);
    // Whatever hangs by the defect must not keep the process: without it the servo ends by itself.
    void sleepMs(systemClock, DEFECT_MS_MAX, closed.signal).then(() => {
      if (!closed.signal.aborted) process.exit(1);
    });
  });
  try {
    daemon = await Daemon.start({
      cell,
      cellFile: resolve(options.cellFile),
      clock: systemClock,
      log,
      logLevel: options.logLevel,
      policy: options.policy,
      bundle: options.bundle,
      latchAfterCrash: options.latchAfterCrash,
      logFile,
      signal: interrupt.signal,
    });
    const signal = AbortSignal.any([interrupt.signal, daemon.shutdownRequested.signal]);
    const result = await work(daemon, signal);
    if (daemon.failure !== undefined) throw daemon.failure;
    return result;
  } catch (thrown) {
    const failure = daemon?.failure ?? defect;
    if (failure !== undefined) throw failure;
    // Whatever an interrupted start or step complains about, the person asked for the end.
    if (interrupt.signal.aborted && thrown instanceof CerebellumError) return undefined as T;
    if (thrown instanceof CerebellumError) daemon?.fail(thrown);
    throw thrown;
  } finally {
    await daemon?.close();
    closed.abort();
    const flushed = new AbortController();
    await Promise.race([logFile?.close(), sleepMs(systemClock, LOG_FLUSH_MS_MAX, flushed.signal)]);
    flushed.abort();
    forgetDefects();
    for (const signal of ENDING_SIGNALS) process.off(signal, onSignal);
  }
}

function openLogFile({ name, log }: CellConfig): LogFile {
  const file = new LogFile({
    path: join(stateFolder(name), "daemon.log"),
    fileBytesMax: log.fileMiBMax * 1024 * 1024,
    filesMax: log.filesMax,
  });
  process.once("exit", () => file.flushNow());
  return file;
}

/** Enables the robots or fails with what they said. */
export async function enableOrFail(daemon: Daemon): Promise<void> {
  const enabled = await daemon.supervisor.enable();
  if (!enabled.success) {
    throw new CerebellumError(
      "NOT_ENABLED",
      enabled.message,
      "Remove the cause that it names; `./cerebellum doctor` checks the machine",
    );
  }
}
