/**
 * A child process of the daemon: configuration as one JSON line on its standard input, one JSON ready line on its
 * standard output, log lines on standard error. Its standard input stays open: the end of it tells the child that the
 * parent is gone.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { type Clock, sleepMs } from "../core/clock.js";
import { CerebellumError, errorText } from "../core/errors.js";

export interface ChildOptions {
  readonly name: string;
  readonly entry: URL;
  readonly config: unknown;
  readonly clock: Clock;
  readonly log: Logger;
  readonly readyWithinMs: number;
  readonly nodeOptions?: readonly string[];
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Holds the child's process id while it lives, for a daemon that comes after a killed one. */
  readonly pidFile?: string | undefined;
}

/** What a failed child prints on standard output instead of its ready line. */
interface FailureLine {
  error: { code: CerebellumError["code"]; happened: string; remedy: string };
}

export class Child {
  readonly #process: ChildProcess;
  readonly #options: ChildOptions;
  readonly exited: Promise<number | null>;
  #exitCode: number | null | undefined;
  #exitText = "running";

  private constructor(process: ChildProcess, options: ChildOptions) {
    this.#process = process;
    this.#options = options;
    this.exited = new Promise((resolve) => {
      process.once("exit", (code, signal) => {
        this.#exitCode = code;
        this.#exitText = signal === null ? `exit code ${code}` : `signal ${signal}`;
        if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true });
        resolve(code);
      });
    });
  }

  /** @throws the child's own CerebellumError, or TIMED_OUT when it says nothing in time */
  static async start<Ready>(options: ChildOptions): Promise<{ child: Child; ready: Ready }> {
    const spawned = spawn(process.execPath, [...(options.nodeOptions ?? []), fileURLToPath(options.entry)], {
      stdio: ["pipe", "pipe", "pipe"],
      // Ctrl-C reaches the whole foreground group; children must wait for the daemon to stop them in order.
      detached: true,
    });
    const child = new Child(spawned, options);
    if (options.pidFile !== undefined) writeFileSync(options.pidFile, `${spawned.pid}\n`);
    spawned.stdin!.on("error", () => {});
    spawned.stdin!.write(`${JSON.stringify(options.config)}\n`);
    child.#forwardLogs();
    const timeout = new AbortController();
    try {
      const first = await Promise.race([
        child.#firstLine(),
        child.exited.then(() => {
          throw new CerebellumError(
            "NOT_RUNNING",
            `${options.name} ended with ${child.exitText} before it was ready`,
            "Read its log lines above; `./cerebellum doctor` checks the machine",
          );
        }),
        sleepMs(options.clock, options.readyWithinMs, timeout.signal).then(() => {
          throw new CerebellumError(
            "TIMED_OUT",
            `${options.name} was not ready after ${options.readyWithinMs} ms`,
            "Read its log lines above; the machine may be overloaded",
          );
        }),
        interrupted(options.signal),
      ]);
      const parsed = JSON.parse(first) as Ready | FailureLine;
      if (typeof parsed === "object" && parsed !== null && "error" in parsed) {
        const { code, happened, remedy } = parsed.error;
        throw new CerebellumError(code, happened, remedy);
      }
      return { child, ready: parsed as Ready };
    } catch (thrown) {
      await child.stop(500);
      throw thrown;
    } finally {
      timeout.abort();
    }
  }

  get processId(): number | undefined {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#exitCode === undefined;
  }

  /** "exit code 1", "signal SIGKILL", or "running". */
  get exitText(): string {
    return this.#exitText;
  }

  /** For a child that does not react any more. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Asks it to end, and ends it by force when it does not within `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (!this.running) return;
    this.#process.kill("SIGTERM");
    const waited = new AbortController();
    await Promise.race([this.exited, sleepMs(this.#options.clock, graceMs, waited.signal)]);
    waited.abort();
    if (this.running) {
      this.#options.log.warn({ event: "childKilled", child: this.#options.name, graceMs });
      this.#process.kill("SIGKILL");
      await this.exited;
    }
  }

  #firstLine(): Promise<string> {
    return new Promise((resolve) => {
      const lines = createInterface({ input: this.#process.stdout! });
      lines.once("line", resolve);
      lines.on("line", () => {});
    });
  }

  #forwardLogs(): void {
    const log = this.#options.log.child({ process: this.#options.name });
    createInterface({ input: this.#process.stderr! }).on("line", (line) => {
      const record = parseLogLine(line);
      if (record === undefined) log.warn({ event: "childOutput" }, line.slice(0, 1000));
      else log[record.level](record.fields, record.message);
    });
  }
}

/** Rejects when the start is no longer wanted; never resolves. */
function interrupted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const refuse = () =>
      reject(new CerebellumError("NOT_RUNNING", "The start was interrupted", "Start again"));
    if (signal?.aborted) refuse();
    else signal?.addEventListener("abort", refuse, { once: true });
  });
}

const LEVELS = new Map([
  [10, "trace"],
  [20, "debug"],
  [30, "info"],
  [40, "warn"],
  [50, "error"],
  [60, "fatal"],
] as const);

function parseLogLine(line: string) {
  if (!line.startsWith("{")) return undefined;
  try {
    const { level, time: _time, pid: _pid, hostname: _host, msg, ...fields } = JSON.parse(line);
    const name = LEVELS.get(level);
    return name === undefined ? undefined : { level: name, fields, message: msg as string };
  } catch {
    return undefined;
  }
}

/** Reads the one configuration line of a child and calls `onParentGone` when the parent's end of the pipe closes. */
export function readChildConfig(onParentGone: () => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: process.stdin });
    lines.once("line", (line) => {
      try {
        resolve(JSON.parse(line));
      } catch (cause) {
        reject(
          new CerebellumError(
            "CONFIG_INVALID",
            `Configuration line is not JSON: ${errorText(cause)}`,
            "Start this process through ./cerebellum",
            cause,
          ),
        );
      }
    });
    process.stdin.on("end", onParentGone);
  });
}

export const printReady = (ready: unknown): void => void process.stdout.write(`${JSON.stringify(ready)}\n`);

export function printFailure(thrown: unknown): void {
  const error =
    thrown instanceof CerebellumError
      ? { code: thrown.code, happened: thrown.happened, remedy: thrown.remedy }
      : {
          code: "CHECK_FAILED",
          happened: errorText(thrown),
          remedy: "This is a defect; keep the log and report it",
        };
  printReady({ error });
}
