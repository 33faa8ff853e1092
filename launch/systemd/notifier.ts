/**
 * Tells systemd how the daemon is (sd_notify): ready, alive, stopping. Without NOTIFY_SOCKET in the environment, that
 * is outside of a unit with Type=notify, nothing is done. A daemon that is not well says nothing, so that systemd ends
 * and restarts it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { type Clock, sleepMs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";

export interface NotifierOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
  /** Why the daemon must not be taken for alive now; undefined while all is well. Asked once before each ping. */
  readonly whyNotAlive: () => string | undefined;
}

/** systemd asks for at least two pings within its limit. */
const PINGS_PER_LIMIT = 3;

export class SystemdNotifier {
  readonly #options: NotifierOptions;
  readonly #ended = new AbortController();
  readonly #child: ChildProcess;

  private constructor(options: NotifierOptions) {
    this.#options = options;
    const script = fileURLToPath(new URL("launch/systemd/notify.py", repositoryRootUrl()));
    this.#child = spawn("python3", [script], { env: options.env, stdio: ["pipe", "ignore", "pipe"] });
    const lose = (why: string) => options.log.warn({ event: "systemdNotify" }, `systemd is not told: ${why}`);
    this.#child.once("error", (error) => lose(error.message));
    this.#child.stdin!.on("error", () => {});
    this.#child.stderr!.on("data", (text: Buffer) => lose(text.toString("utf8").trim().slice(-300)));
  }

  static start(options: NotifierOptions): SystemdNotifier | undefined {
    return options.env.NOTIFY_SOCKET ? new SystemdNotifier(options) : undefined;
  }

  ready(): void {
    this.#send("READY=1");
    const limitMs = Number(this.#options.env.WATCHDOG_USEC ?? 0) / 1000;
    const isMeant = [undefined, String(process.pid)].includes(this.#options.env.WATCHDOG_PID);
    if (limitMs > 0 && isMeant) void this.#ping(limitMs / PINGS_PER_LIMIT);
  }

  /** Further pings would only say that the end is not hung, which TimeoutStopSec watches. */
  stopping(): void {
    this.#ended.abort();
    this.#send("STOPPING=1");
  }

  close(): void {
    this.#ended.abort();
    this.#child.stdin!.end();
  }

  async #ping(periodMs: number): Promise<void> {
    const { clock, log, whyNotAlive } = this.#options;
    const { signal } = this.#ended;
    let silentBecause: string | undefined;
    while (!signal.aborted) {
      const why = whyNotAlive();
      if (why === undefined) this.#send("WATCHDOG=1");
      else if (silentBecause === undefined)
        log.error({ event: "watchdogSilent" }, `systemd is not pinged: ${why}`);
      silentBecause = why;
      await sleepMs(clock, periodMs, signal);
    }
  }

  #send(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }
}
