/** What commands that bring a cell up have in common: the interrupt, the start, the orderly end. */
import { CerebellumError } from "../../core/errors.js";
import { loadCell } from "../cell/load.js";
import type { CellConfig } from "../cell/schema.js";
import { Daemon } from "../daemon/daemon.js";
import { createLog } from "../log.js";
import { systemClock } from "../systemClock.js";

export interface RunOptions {
  readonly cellFile: string;
  readonly logLevel: string;
  readonly policy: boolean;
  readonly bundle?: string | undefined;
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
  const log = createLog(options.logLevel, options.logToStderr ? 2 : 1);
  const interrupt = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    log.info({ event: "ending", signal: name }, "ending; the arm is left holding");
    interrupt.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  let daemon: Daemon | undefined;
  try {
    daemon = await Daemon.start({
      cell,
      clock: systemClock,
      log,
      logLevel: options.logLevel,
      policy: options.policy,
      bundle: options.bundle,
      signal: interrupt.signal,
    });
    const signal = AbortSignal.any([interrupt.signal, daemon.shutdownRequested.signal]);
    return await work(daemon, signal);
  } catch (thrown) {
    // Whatever an interrupted start or step complains about, the person asked for the end.
    if (interrupt.signal.aborted && thrown instanceof CerebellumError) return undefined as T;
    throw thrown;
  } finally {
    await daemon?.close();
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
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
