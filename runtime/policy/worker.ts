/**
 * The policy worker's life: connect to the servo, open and verify the bundle, then start and stop runs as told. It
 * ends only when told to close, never in the middle of an inference, which would abort the whole process.
 */
import type { MessagePort } from "node:worker_threads";
import { nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { engineIdentity } from "../../policies/engine.js";
import { toFailure } from "../failure.js";
import { type LoadedPolicy, type LoadParts, loadPolicy, type Run } from "./loadedPolicy.js";
import { type FromWorker, ToWorker, WorkerSetup } from "./messages.js";
import { VelocityMailbox } from "./velocity.js";

export interface WorkerParts extends LoadParts {
  readonly port: MessagePort;
}

/** Resolves when the worker was told to close and has let go of everything. */
export async function runPolicyWorker(workerData: unknown, parts: WorkerParts): Promise<void> {
  const { port, clock } = parts;
  const post = (message: FromWorker) => port.postMessage(message);
  let policy: LoadedPolicy | undefined;
  try {
    const startNs = clock.nowNs();
    const setup = WorkerSetup.parse(workerData);
    const velocity = new VelocityMailbox();
    policy = await loadPolicy(setup, parts, velocity);
    const { manifest, precision, rejected, manifestSha256, command } = policy;
    const session = new WorkerSession(setup, policy, velocity, parts);
    post({
      kind: "ready",
      policy: manifest.name,
      task: manifest.task,
      precision,
      rejected: [...rejected],
      rateHz: manifest.rateHz,
      manifestSha256,
      engine: engineIdentity(precision, setup.intraOpThreads),
      loadMs: nsToMs(clock.nowNs() - startNs),
      command,
    });
    await session.serve(port);
    await policy.release();
  } catch (thrown) {
    post({ kind: "unusable", failure: toFailure(thrown) });
  } finally {
    await policy?.servo.close();
    port.close();
  }
}

class WorkerSession {
  readonly #policy: LoadedPolicy;
  readonly #velocity: VelocityMailbox;
  readonly #parts: WorkerParts;
  readonly #cancel: Int32Array;
  #stop: AbortController | undefined;
  #run: Promise<void> | undefined;

  constructor(setup: WorkerSetup, policy: LoadedPolicy, velocity: VelocityMailbox, parts: WorkerParts) {
    this.#policy = policy;
    this.#velocity = velocity;
    this.#parts = parts;
    this.#cancel = new Int32Array(setup.cancel, 0, 1);
  }

  /** Answers requests in order until `close`. */
  serve(port: MessagePort): Promise<void> {
    return new Promise((resolve) => {
      port.on("message", (raw: unknown) => {
        const message = ToWorker.parse(raw);
        if (message.kind === "velocity") {
          this.#velocity.put(message, this.#parts.clock.nowNs());
          return;
        }
        const { requestId, kind } = message;
        const work = kind === "start" ? this.#start() : this.#stopRun();
        work.then(
          () => {
            this.#post({ kind: "answer", requestId });
            if (kind === "close") resolve();
          },
          (thrown: unknown) => this.#post({ kind: "answer", requestId, failure: toFailure(thrown) }),
        );
      });
    });
  }

  /** Resolves when the lease is held and the approach has begun. */
  async #start(): Promise<void> {
    if (this.#stop !== undefined) {
      throw new CerebellumError(
        "ALREADY_RUNNING",
        `Policy ${this.#policy.manifest.name} runs already`,
        "Stop it first",
      );
    }
    const stop = new AbortController();
    this.#stop = stop;
    try {
      if (this.#policy.servo.closed.aborted) await this.#policy.reconnect();
    } catch (thrown) {
      this.#stop = undefined;
      throw thrown;
    }
    await new Promise<void>((resolve, reject) => {
      const runner = this.#newRun(resolve);
      this.#run = runner.run(stop.signal).then(
        () => this.#endRun({ kind: "phase", phase: "ready" }),
        (thrown: unknown) => {
          this.#endRun({ kind: "phase", phase: "failed", failure: toFailure(thrown) });
          reject(thrown);
        },
      );
    });
  }

  #post(message: FromWorker): void {
    this.#parts.port.postMessage(message);
  }

  #endRun(message: FromWorker): void {
    this.#run = undefined;
    this.#stop = undefined;
    this.#post(message);
  }

  async #stopRun(): Promise<void> {
    this.#stop?.abort();
    await this.#run;
  }

  #newRun(onLease: () => void): Run {
    const runner = this.#policy.newRun({
      cancelled: () => Atomics.load(this.#cancel, 0) === 1,
      onPhase: (phase) => {
        onLease();
        if (phase !== "ended") this.#post({ kind: "phase", phase });
      },
      onStep: (record) => this.#post({ kind: "step", record, statistics: runner.statistics() }),
    });
    return runner;
  }
}
