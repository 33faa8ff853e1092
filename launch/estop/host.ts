/** The daemon's side of the e-stop worker: knows the state of each stop source, and whether anything may be enabled. */
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import { type Clock, sleepMs } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { DiagnosticItem } from "../../runtime/supervisor.js";
import { TELL_MS } from "./desk.js";
import { type EstopSetup, FromEstopWorker, type SourceStatus, type StopReport } from "./messages.js";

export interface EstopHostOptions {
  readonly setup: EstopSetup;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onStop: (report: StopReport) => void;
  /** The worker ended by itself: no source is heard any more. */
  readonly onGone: (why: string) => void;
}

const READY_MS_MAX = 10_000;
/** So many looks in a row without a word from the worker: it hangs. A pause of the whole machine is one look. */
const SILENT_LOOKS_MAX = 5;
const CLOSE_MS_MAX = 1000;

export class EstopHost {
  readonly #options: EstopHostOptions;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #sources: readonly SourceStatus[] = [];
  readonly #ended = new AbortController();
  #silentLooks = 0;
  #closing = false;

  private constructor(options: EstopHostOptions, onFirst: () => void) {
    this.#options = options;
    const entry = entryUrl("../processes/estopWorker.js", import.meta.url);
    this.#worker = new Worker(entry, { workerData: options.setup, name: "estop" });
    this.#exited = new Promise((resolve) => this.#worker.once("exit", () => resolve()));
    this.#worker.on("message", (raw: unknown) => {
      this.#take(FromEstopWorker.parse(raw));
      onFirst();
    });
    let why = "it ended by itself";
    this.#worker.on("error", (defect) => {
      why = errorText(defect);
      options.log.error({ event: "defect", kind: "e-stop worker", stack: defect.stack }, why);
    });
    this.#worker.once("exit", () => {
      this.#ended.abort();
      if (!this.#closing) options.onGone(why);
    });
  }

  /** Resolves when the worker listens for the cell's sources, whether or not they are there. @throws TIMED_OUT */
  static async start(options: EstopHostOptions): Promise<EstopHost> {
    let onFirst = () => {};
    const first = new Promise<void>((resolve) => {
      onFirst = resolve;
    });
    const host = new EstopHost(options, () => onFirst());
    const settled = new AbortController();
    const late = sleepMs(options.clock, READY_MS_MAX, settled.signal).then(() => "late" as const);
    const outcome = await Promise.race([first, host.#exited, late]);
    settled.abort();
    if (host.#sources.length > 0) {
      void host.#watch();
      return host;
    }
    await host.close();
    throw new CerebellumError(
      "TIMED_OUT",
      outcome === "late"
        ? `The e-stop worker was not ready after ${READY_MS_MAX} ms`
        : "The e-stop worker did not start",
      "Read the log lines above",
    );
  }

  /** Undefined when every required source is heard and no button is held down. */
  whyNotEnable(): string | undefined {
    const against = this.#sources.filter(
      ({ state, required }) => state === "held" || (state === "absent" && required),
    );
    if (against.length === 0) return undefined;
    const reasons = against.map(({ name, message }) => `stop source ${name}: ${message}`);
    return `Nothing is enabled: ${reasons.join("; ")}. Bring it back or release it, then reset and enable.`;
  }

  diagnostics(): DiagnosticItem[] {
    return this.#sources.map(({ name, required, state, message }) => ({
      name: `estop: ${name}`,
      hardwareId: name,
      level: state === "live" ? "ok" : state === "absent" && required ? "error" : "warn",
      message: state === "absent" ? `not heard: ${message}` : message,
      values: { state, required: required ? "yes" : "no" },
    }));
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#ended.abort();
    this.#worker.postMessage("close");
    const settled = new AbortController();
    await Promise.race([this.#exited, sleepMs(this.#options.clock, CLOSE_MS_MAX, settled.signal)]);
    settled.abort();
    await this.#worker.terminate();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await sleepMs(this.#options.clock, TELL_MS, signal);
      if (signal.aborted) return;
      // Let in what has arrived while this thread was busy.
      await new Promise((resolve) => setImmediate(resolve));
      if (++this.#silentLooks < SILENT_LOOKS_MAX) continue;
      this.#options.onGone(`it said nothing for ${(SILENT_LOOKS_MAX * TELL_MS) / 1000} s`);
      return;
    }
  }

  #take(message: FromEstopWorker): void {
    this.#silentLooks = 0;
    const { log, onStop } = this.#options;
    if (message.kind === "stop") {
      const { kind: _kind, ...report } = message;
      log.warn({ event: "estop", source: report.source, category: report.category }, report.reason);
      if (report.failures.length > 0)
        log.error(
          { event: "estopFailed", source: report.source },
          `NOT STOPPED: ${report.failures.join("; ")}`,
        );
      onStop(report);
      return;
    }
    for (const source of message.sources) {
      const before = this.#sources.find(({ name }) => name === source.name);
      if (before?.state !== source.state) {
        const level = source.state === "live" ? "info" : "warn";
        log[level]({ event: "stopSource", source: source.name, state: source.state }, source.message);
      }
    }
    this.#sources = message.sources;
  }
}
