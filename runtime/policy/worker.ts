/**
 * The policy worker's life: connect to the servo, open and verify the bundle, then start and stop runs as told. It
 * ends only when told to close, never in the middle of an inference, which would abort the whole process.
 */
import type { MessagePort } from "node:worker_threads";
import { type Clock, measureMapping, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { engineIdentity } from "../../policies/engine.js";
import { type OpenedPolicy, openPolicy } from "../../policies/verify.js";
import { toFailure } from "../failure.js";
import type { ServoClient } from "../servo/api.js";
import { connectGroup } from "../servo/group.js";
import { PolicyActor } from "./actor.js";
import { FrameReader } from "./frameSlots.js";
import { type FromWorker, ToWorker, WorkerSetup } from "./messages.js";
import { PolicyRunner } from "./runner.js";

export interface WorkerParts {
  readonly port: MessagePort;
  readonly clock: Clock;
  readonly connect: (socketPath: string, name: string) => Promise<ServoClient>;
}

/** Resolves when the worker was told to close and has let go of everything. */
export async function runPolicyWorker(workerData: unknown, parts: WorkerParts): Promise<void> {
  const { port, clock } = parts;
  const post = (message: FromWorker) => port.postMessage(message);
  let session: WorkerSession | undefined;
  let servo: ServoClient | undefined;
  try {
    const startNs = clock.nowNs();
    const setup = WorkerSetup.parse(workerData);
    servo = await connectAll(setup, parts);
    const { widthPx, heightPx } = setup.format;
    const { fovYDeg, ...mount } = setup.camera;
    const opened = await openPolicy(setup.bundleDirectory, {
      intraOpThreads: setup.intraOpThreads,
      jointNames: servo.info.limits.jointNames,
      camera: { widthPx, heightPx, fovYDeg, mount },
    });
    const { manifest, variant } = opened.pipeline;
    session = new WorkerSession(setup, servo, opened, parts);
    post({
      kind: "ready",
      policy: manifest.name,
      task: manifest.task,
      precision: variant.precision,
      rejected: [...opened.rejected],
      rateHz: manifest.rateHz,
      manifestSha256: opened.bundle.manifestSha256,
      engine: engineIdentity(variant.precision, setup.intraOpThreads),
      loadMs: nsToMs(clock.nowNs() - startNs),
    });
    await session.serve(port);
    await opened.pipeline.release();
  } catch (thrown) {
    post({ kind: "unusable", failure: toFailure(thrown) });
  } finally {
    await (session?.servo ?? servo)?.close();
    port.close();
  }
}

const connectAll = ({ socketPaths, name }: WorkerSetup, { connect }: WorkerParts): Promise<ServoClient> =>
  connectGroup(socketPaths, (socketPath) => connect(socketPath, name));

class WorkerSession {
  readonly #setup: WorkerSetup;
  /** Replaced by a new connection when a run starts after the servo has been restarted. */
  servo: ServoClient;
  readonly #parts: WorkerParts;
  readonly #opened: OpenedPolicy;
  readonly #frames: FrameReader;
  readonly #cancel: Int32Array;
  #stop: AbortController | undefined;
  #run: Promise<void> | undefined;

  constructor(setup: WorkerSetup, servo: ServoClient, opened: OpenedPolicy, parts: WorkerParts) {
    this.#setup = setup;
    this.servo = servo;
    this.#opened = opened;
    this.#parts = parts;
    this.#frames = new FrameReader(setup.frames, setup.format);
    this.#cancel = new Int32Array(setup.cancel, 0, 1);
  }

  /** Answers requests in order until `close`. */
  serve(port: MessagePort): Promise<void> {
    return new Promise((resolve) => {
      port.on("message", (message: unknown) => {
        const { requestId, kind } = ToWorker.parse(message);
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
        `Policy ${this.#opened.pipeline.manifest.name} runs already`,
        "Stop it first",
      );
    }
    const stop = new AbortController();
    this.#stop = stop;
    try {
      if (this.servo.closed.aborted) {
        this.servo = await connectAll(this.#setup, this.#parts);
      }
    } catch (thrown) {
      this.#stop = undefined;
      throw thrown;
    }
    await new Promise<void>((resolve, reject) => {
      const runner = this.#newRunner(resolve);
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

  #newRunner(onLease: () => void): PolicyRunner {
    const { manifest } = this.#opened.pipeline;
    const runner = new PolicyRunner({
      clock: this.#parts.clock,
      servo: this.servo,
      frames: this.#frames,
      actor: new PolicyActor(this.#opened.pipeline, this.#parts.clock),
      // Anew for each run: the clock may have been stepped since the last one.
      mapping: measureMapping(this.#parts.clock),
      name: this.#setup.name,
      rateHz: manifest.rateHz,
      expiryMs: manifest.expiryMs,
      clipRad: manifest.action.clipRad,
      frameAgeMsMax: this.#setup.frameAgeMsMax,
      approach: { ...manifest.start, speedScale: this.#setup.approachSpeedScale },
      cancelled: () => Atomics.load(this.#cancel, 0) === 1,
      letInputIn: () => new Promise((resolve) => setImmediate(resolve)),
      onPhase: (phase) => {
        onLease();
        if (phase !== "ended") this.#post({ kind: "phase", phase });
      },
      onStep: (record) => this.#post({ kind: "step", record, statistics: runner.statistics() }),
    });
    return runner;
  }
}
