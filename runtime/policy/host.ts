/** The daemon's side of a policy worker: starts the thread, passes frames in and steps out, ends it cooperatively. */
import { Worker } from "node:worker_threads";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { VelocityCommand } from "../../core/floatingBase.js";
import type { CameraExpectation } from "../../policies/verify.js";
import { type Failure, toError } from "../failure.js";
import { createFrameSlots, type FrameFormat, FrameWriter } from "./frameSlots.js";
import {
  FromWorker,
  type ToWorker,
  type WorkerPhase,
  type WorkerReady,
  type WorkerSetup,
} from "./messages.js";
import type { StepRecord, StepStatistics } from "./steps.js";

export interface PolicyHostOptions {
  /** The worker's compiled entry. */
  readonly entry: URL;
  readonly clock: Clock;
  /** Shown as the lease's holder. */
  readonly name: string;
  /** Of the robot that it moves, or of several whose joints follow one another in this order. */
  readonly socketPaths: readonly string[];
  readonly bundleDirectory: string;
  /** The cell's camera: what its frames are like and how it is mounted. Left out for a policy without pictures. */
  readonly camera?:
    | (FrameFormat & {
        readonly fovYDeg: number;
        readonly mount: CameraExpectation["mount"];
      })
    | undefined;
  readonly frameAgeMsMax: number;
  readonly approachSpeedScale: number;
  readonly intraOpThreads: number;
  /** A defect that ended the worker, with its stack, for the log. */
  readonly onDefect?: (defect: Error) => void;
}

export interface PolicyStatus {
  readonly phase: "unconfigured" | WorkerPhase | "closed";
  /** Of the loaded bundle, once `configure` has ended. */
  readonly bundle: WorkerReady | undefined;
  /** Of the current or newest run. */
  readonly statistics: StepStatistics | undefined;
  readonly framesWritten: number;
  /** Why the newest run ended by itself. */
  readonly failure: Failure | undefined;
}

/** Models live outside of the heap. A worker that leaks ends alone, long before the machine is out of memory. */
const HEAP_MIB_MAX = 512;
const READY_MS_MAX = 60_000;
const CLOSE_MS_MAX = 15_000;

export class PolicyHost {
  readonly #options: PolicyHostOptions;
  readonly #slots: SharedArrayBuffer | undefined;
  readonly #cancel = new Int32Array(new SharedArrayBuffer(4));
  readonly #stepListeners = new Set<(record: StepRecord) => void>();
  readonly #phaseListeners = new Set<(status: PolicyStatus) => void>();
  readonly #answers = new Map<number, (failure: Failure | undefined) => void>();
  /** Where the main thread puts the camera's images. */
  readonly frames: FrameWriter | undefined;
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #requestId = 0;
  #closing = false;
  #phase: PolicyStatus["phase"] = "unconfigured";
  #bundle: WorkerReady | undefined;
  #statistics: StepStatistics | undefined;
  #failure: Failure | undefined;
  #onReady: ((failure: Failure | undefined) => void) | undefined;

  constructor(options: PolicyHostOptions) {
    this.#options = options;
    if (options.camera === undefined) return;
    this.#slots = createFrameSlots(options.camera);
    this.frames = new FrameWriter(this.#slots, options.camera);
  }

  /** True once the worker has ended by itself: only a new host runs this bundle again. */
  get crashed(): boolean {
    return this.#phase === "failed" && this.#worker === undefined;
  }

  status(): PolicyStatus {
    return {
      phase: this.#phase,
      bundle: this.#bundle,
      statistics: this.#statistics,
      framesWritten: this.frames?.writtenCount ?? 0,
      failure: this.#failure,
    };
  }

  /**
   * Starts the worker; resolves when its bundle is loaded, verified and fits robot and camera.
   *
   * @throws the worker's own BUNDLE_INVALID, BUNDLE_MISMATCH, LINK_CLOSED, ...; TIMED_OUT
   */
  async configure(): Promise<void> {
    const worker = new Worker(this.#options.entry, {
      workerData: this.#setup(),
      name: this.#options.name,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    const ready = new Promise<Failure | undefined>((resolve) => {
      this.#onReady = resolve;
    });
    worker.on("message", (message: unknown) => this.#take(FromWorker.parse(message)));
    worker.on("error", (error) => {
      this.#options.onDefect?.(error);
      this.#fail(crashed(`Policy worker failed: ${errorText(error)}`));
    });
    worker.once("exit", () => {
      if (this.#worker !== undefined && !this.#closing) this.#fail(crashed("Policy worker ended by itself"));
    });
    const failure = await this.#within(ready, READY_MS_MAX, "load its bundle");
    if (failure !== undefined) {
      await this.#exited;
      throw toError(failure);
    }
  }

  /** Resolves when the guarded approach to the start pose has begun. @throws LEASE_REFUSED, ALREADY_RUNNING, ... */
  async start(): Promise<void> {
    Atomics.store(this.#cancel, 0, 0);
    if (this.#phase !== "approaching" && this.#phase !== "running") this.#statistics = undefined;
    await this.#request("start");
  }

  /** Holds back the next command at once; resolves when the run has ended. Without a run it does nothing. */
  async stop(): Promise<void> {
    Atomics.store(this.#cancel, 0, 1);
    if (this.#isAlive()) await this.#request("stop");
  }

  /** How fast a walking robot is to go. It counts for as long as the bundle says; then it stands. */
  setVelocity(command: VelocityCommand): void {
    const { forwardMPerS, leftMPerS, yawRateRadPerS } = command;
    this.#worker?.postMessage({
      kind: "velocity",
      forwardMPerS,
      leftMPerS,
      yawRateRadPerS,
    } satisfies ToWorker);
  }

  onStep(listener: (record: StepRecord) => void): () => void {
    this.#stepListeners.add(listener);
    return () => this.#stepListeners.delete(listener);
  }

  /** Called on every change of phase, with the failure when a run ended by itself. */
  onPhase(listener: (status: PolicyStatus) => void): () => void {
    this.#phaseListeners.add(listener);
    return () => this.#phaseListeners.delete(listener);
  }

  /** Ends the worker after its current inference; it is never ended by force. @throws TIMED_OUT */
  async close(): Promise<void> {
    this.#closing = true;
    Atomics.store(this.#cancel, 0, 1);
    if (this.#isAlive()) await this.#request("close").catch(() => {});
    const exited = this.#exited.then(() => undefined);
    await this.#within(exited, CLOSE_MS_MAX, "end");
    this.#setPhase("closed");
  }

  #isAlive(): boolean {
    return (
      this.#phase === "ready" ||
      this.#phase === "approaching" ||
      this.#phase === "running" ||
      (this.#phase === "failed" && this.#worker !== undefined)
    );
  }

  #setup(): WorkerSetup {
    const { name, socketPaths, bundleDirectory } = this.#options;
    return {
      name,
      socketPaths: [...socketPaths],
      bundleDirectory,
      cancel: this.#cancel.buffer as SharedArrayBuffer,
      frameAgeMsMax: this.#options.frameAgeMsMax,
      approachSpeedScale: this.#options.approachSpeedScale,
      intraOpThreads: this.#options.intraOpThreads,
      view: this.#view(),
    };
  }

  #view(): WorkerSetup["view"] {
    const { camera } = this.#options;
    if (camera === undefined || this.#slots === undefined) return undefined;
    const { widthPx, heightPx, encoding, fovYDeg, mount } = camera;
    return {
      frames: this.#slots,
      format: { widthPx, heightPx, encoding },
      camera: {
        fovYDeg,
        parentFrame: mount.parentFrame,
        positionM: [...mount.positionM],
        quatXyzw: [...mount.quatXyzw],
      },
    };
  }

  async #request(kind: "start" | "stop" | "close"): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined || !this.#isAlive()) {
      throw new CerebellumError(
        "NOT_RUNNING",
        `Policy worker is ${this.#phase}`,
        "Configure the policy first",
      );
    }
    const requestId = ++this.#requestId;
    const answered = new Promise<Failure | undefined>((resolve) => this.#answers.set(requestId, resolve));
    worker.postMessage({ requestId, kind });
    const failure = await answered;
    if (failure !== undefined) throw toError(failure);
  }

  #take(message: FromWorker): void {
    if (message.kind === "step") {
      this.#statistics = message.statistics;
      for (const listener of this.#stepListeners) listener(message.record);
    } else if (message.kind === "phase") {
      this.#failure = message.failure;
      this.#setPhase(message.phase);
    } else if (message.kind === "answer") {
      this.#answers.get(message.requestId)?.(message.failure);
      this.#answers.delete(message.requestId);
    } else if (message.kind === "ready") {
      this.#bundle = message;
      this.#setPhase("ready");
      this.#onReady?.(undefined);
    } else this.#fail(message.failure);
  }

  /** The worker is gone or of no use: everybody who waits for it hears why. */
  #fail(failure: Failure): void {
    this.#failure = failure;
    this.#worker = undefined;
    this.#onReady?.(failure);
    for (const answer of this.#answers.values()) answer(failure);
    this.#answers.clear();
    this.#setPhase("failed");
  }

  #setPhase(phase: PolicyStatus["phase"]): void {
    this.#phase = phase;
    for (const listener of this.#phaseListeners) listener(this.status());
  }

  async #within<T>(work: Promise<T>, msMax: number, what: string): Promise<T> {
    const settled = new AbortController();
    const late = sleepMs(this.#options.clock, msMax, settled.signal).then((): T => {
      throw new CerebellumError(
        "TIMED_OUT",
        `Policy worker ${this.#options.name} did not ${what} within ${msMax} ms`,
        "The machine may be overloaded; see the log",
      );
    });
    late.catch(() => {});
    try {
      return await Promise.race([work, late]);
    } finally {
      settled.abort();
    }
  }
}

const crashed = (happened: string): Failure => ({
  code: "NOT_RUNNING",
  happened,
  remedy: "`./cerebellum policy start` loads it into a fresh worker; keep the log and report the defect",
});
