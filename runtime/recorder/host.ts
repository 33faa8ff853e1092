/**
 * The daemon's side of the recorder: passes messages into the ring, and is the one door for whoever starts, stops,
 * discards and labels episodes. Nothing here waits for a disk, and a recorder that fails costs an episode's end, never
 * a robot's motion.
 */
import { Worker } from "node:worker_threads";
import type { z } from "zod";
import {
  asEpochNs,
  asMonotonicNs,
  type Clock,
  type ClockMapping,
  type MonotonicNs,
  nsToMs,
  sleepMs,
} from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { EpisodeStart } from "../../episodes/format.js";
import { POLICY_READING_TOPIC, POLICY_STEP_TOPIC, type PolicyStep } from "../../episodes/messages.js";
import type { RosMessage } from "../../episodes/rosCodec.js";
import { type Failure, toError } from "../failure.js";
import { RecorderFeed } from "./feed.js";
import { EpisodeLife, type LifeAction, type LifeState } from "./life.js";
import {
  type EndCause,
  type Ended,
  FromRecorder,
  LabelRequest,
  type Progress,
  type RecorderSetup,
  type Repaired,
  StartRequest,
  StopRequest,
  type ToRecorder,
} from "./messages.js";

export interface RecorderHostOptions {
  /** The worker's compiled entry. */
  readonly entry: URL;
  readonly clock: Clock;
  readonly setup: Omit<RecorderSetup, "ring">;
  readonly ringBytes: number;
  /** Of the cell, unless a request says otherwise. */
  readonly strict: boolean;
  readonly restart: {
    readonly delayMs: number;
    /** True, and counted, when one more start of the thread is within the rule. */
    take(): boolean;
  };
  /** The policy that is loaded now. */
  readonly bundle: () => EpisodeStart["bundle"];
  /** What computes that policy: software and processor, for a replay to the last bit. */
  readonly engine: () => EpisodeStart["software"];
  /** Calibrations in force now. */
  readonly calibration: () => EpisodeStart["calibration"];
  readonly log: (level: "info" | "warn" | "error", event: string, text: string) => void;
  /** The thread has ended by itself, with what happens now. */
  readonly onFailed?: (text: string) => void;
}

/** An episode that was started. */
export interface StartedEpisode {
  readonly task: string;
  readonly episode: string;
  readonly folder: string;
}

export interface RecorderStatus {
  readonly state: LifeState;
  /** The running episode, or the newest that ended; empty when there was none. */
  readonly task: string;
  readonly episode: string;
  readonly folder: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly messages: number;
  readonly dropped: number;
  readonly lostBefore: number;
  readonly topics: Progress["topics"];
  readonly diskFreeBytes: number;
  readonly queueBytes: number;
  /** Newest trouble; empty when there is none. */
  readonly message: string;
  readonly lastEnded: Ended | undefined;
  readonly repairs: readonly Repaired[];
  readonly restarts: number;
}

const HEAP_MIB_MAX = 768;
/** Finishing syncs what the disk has not taken yet. */
const ANSWER_MS_MAX = 60_000;
const CLOSE_MS_MAX = 15_000;
const READY_LOOK_MS = 50;
/** A thread that is loaded is ready within a second or two; a long repair takes longer, and is told. */
const PREPARING_MS_MAX = 10_000;

const EMPTY: Progress = {
  task: "",
  episode: "",
  seconds: 0,
  bytes: 0,
  messages: 0,
  dropped: 0,
  lostBefore: 0,
  topics: {},
};

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: CerebellumError) => void;
}

export class RecorderHost {
  readonly #options: RecorderHostOptions;
  readonly #feed: RecorderFeed;
  readonly #life: EpisodeLife;
  readonly #listeners = new Set<(status: RecorderStatus) => void>();
  readonly #answers = new Map<number, Waiting>();
  readonly #closing = new AbortController();
  #mapping: ClockMapping | undefined;
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  /** Who waits for the start, and for the end, of the present episode. */
  #onStarted: Waiting | undefined;
  #onEnded: Waiting[] = [];
  #requestId = 0;
  #progress = EMPTY;
  #progressNs: MonotonicNs | undefined;
  #folder = "";
  #lastEnded: Ended | undefined;
  #repairs: readonly Repaired[] = [];
  #diskFreeBytes = 0;
  #message = "";
  #restarts = 0;
  #context: Readonly<Record<string, unknown>> = {};

  constructor(options: RecorderHostOptions) {
    this.#options = options;
    this.#feed = new RecorderFeed(options.ringBytes, options.setup.inputs, options.setup.prefixes);
    this.#life = new EpisodeLife(() => this.#tell());
  }

  /** Starts the thread; it is `idle` once it has repaired what a crash has left. */
  launch(): void {
    const worker = new Worker(this.#options.entry, {
      workerData: { ...this.#options.setup, ring: this.#feed.ring } satisfies RecorderSetup,
      name: "recorder",
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    let why = "it ended by itself";
    worker.on("message", (raw: unknown) => this.#take(FromRecorder.parse(raw)));
    worker.on("error", (defect) => {
      why = errorText(defect);
      this.#options.log("error", "defect", `recorder worker: ${defect.stack ?? why}`);
    });
    worker.once("exit", () => {
      if (this.#worker === worker) void this.#onGone(why);
    });
  }

  /** Resolves when the thread takes requests, or will never. */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.#life.state === "preparing" && !signal.aborted)
      await sleepMs(this.#options.clock, READY_LOOK_MS, signal);
  }

  /** One message of a topic; copied before this returns. Outside of an episode only latched ones are kept. */
  write(topic: string, receivedNs: MonotonicNs, cdr: Uint8Array): void {
    this.#feed.write(topic, receivedNs, cdr, this.#life.state === "recording");
  }

  /** How monotonic times become the running episode's stamps; undefined while none is recorded. */
  get mapping(): ClockMapping | undefined {
    return this.#life.state === "recording" ? this.#mapping : undefined;
  }

  /** What the step that is told next was given, as `toPolicyReading` has it. */
  policyReading(reading: RosMessage): void {
    if (this.#life.state !== "recording") return;
    this.write(POLICY_READING_TOPIC, this.#options.clock.nowNs(), this.#feed.encodeReading(reading));
  }

  /** @param step with the stamps of `mapping` */
  policyStep(step: PolicyStep): void {
    if (this.#life.state !== "recording") return;
    this.write(POLICY_STEP_TOPIC, this.#options.clock.nowNs(), this.#feed.encodeStep(step));
  }

  /** Of the scene or the study: joins what each episode that starts from now on is started with. */
  setContext(context: Readonly<Record<string, unknown>>): void {
    this.#context = context;
  }

  /**
   * Resolves when messages are being recorded. While the thread is still preparing it is waited for, for a while.
   * @throws CerebellumError CONFIG_INVALID for a request that cannot be meant, ALREADY_RUNNING, NOT_RUNNING,
   *   RECORDING_FAILED, or what the servos said
   */
  async start(raw: StartRequest): Promise<StartedEpisode> {
    const request = checked(StartRequest, raw);
    await this.#soonReady();
    this.#ask("start");
    const strict = request.strict ?? this.#options.strict;
    const started = new Promise((resolve, reject) => {
      this.#onStarted = { resolve, reject };
    });
    const { bundle, engine, calibration } = this.#options;
    this.#post({
      kind: "start",
      request: { ...request, context: { ...this.#context, ...request.context }, strict },
      bundle: bundle(),
      engine: engine(),
      calibration: calibration(),
    });
    return (await this.#within(started, "start the episode")) as StartedEpisode;
  }

  /** Resolves when the episode is whole on the disk. @throws NOT_RUNNING, RECORDING_FAILED; ALREADY_RUNNING */
  async stop(raw: StopRequest, because: EndCause = "stopped"): Promise<Ended> {
    const { outcome, note } = checked(StopRequest, raw);
    this.#ask("stop");
    // A label that was given while it ran stays, unless the stop says another.
    if (outcome !== "unlabelled" || note !== "") this.#post({ kind: "label", outcome, note });
    return this.#end({ kind: "stop", because, detail: "" });
  }

  /** Resolves when nothing is left of the running episode. */
  async discard(): Promise<Ended> {
    this.#ask("discard");
    return this.#end({ kind: "discard" });
  }

  /** Labels the running episode, or else one that has ended: the newest when none is named. @returns its name */
  async label(raw: LabelRequest, by: string): Promise<string> {
    const request = checked(LabelRequest, raw);
    const { outcome, note } = request;
    const isRunning = request.episode === undefined || request.episode === this.#progress.episode;
    const action = this.#ask("label");
    if (action === "labelRunning" && isRunning) {
      this.#post({ kind: "label", outcome, note });
      return this.#progress.episode;
    }
    const task = request.task ?? this.#progress.task;
    const episode = request.episode ?? this.#lastEnded?.episode;
    if (
      task === "" ||
      episode === undefined ||
      (this.#lastEnded?.discarded === true && episode === this.#lastEnded.episode)
    ) {
      throw new CerebellumError(
        "NOT_RUNNING",
        "No episode has ended since the daemon started",
        "Name the task and the episode; `./cerebellum episodes label` labels any episode",
      );
    }
    const requestId = ++this.#requestId;
    const answered = new Promise((resolve, reject) => this.#answers.set(requestId, { resolve, reject }));
    this.#post({ kind: "labelEnded", requestId, by, request: { outcome, note, task, episode } });
    await this.#within(answered, "label the episode");
    return episode;
  }

  status(): RecorderStatus {
    const { state } = this.#life;
    const sinceMs =
      state === "recording" && this.#progressNs !== undefined
        ? nsToMs(this.#options.clock.nowNs() - this.#progressNs)
        : 0;
    return {
      state,
      ...this.#progress,
      seconds: this.#progress.seconds + sinceMs / 1000,
      folder: this.#folder,
      diskFreeBytes: this.#diskFreeBytes,
      queueBytes: this.#feed.usedBytes,
      message: this.#message,
      lastEnded: this.#lastEnded,
      repairs: this.#repairs,
      restarts: this.#restarts,
    };
  }

  /** On every change of state, and about twice a second while recording. Returns its own undo. */
  onStatus(listener: (status: RecorderStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Finishes a running episode because the daemon ends. Never rejects. */
  async finishForEnd(): Promise<void> {
    try {
      if (this.#life.state === "recording")
        await this.stop({ outcome: "unlabelled", note: "" }, "daemonEnded");
    } catch (thrown) {
      this.#options.log("error", "recorderEnd", errorText(thrown));
    }
  }

  /** Ends the thread in order, after the running episode. */
  async close(): Promise<void> {
    this.#closing.abort();
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    worker.postMessage({ kind: "close" } satisfies ToRecorder);
    const settled = new AbortController();
    await Promise.race([this.#exited, sleepMs(this.#options.clock, CLOSE_MS_MAX, settled.signal)]);
    settled.abort();
    await worker.terminate();
  }

  /** A refusal also tells that the newest episode has ended by itself, when it has: who stops it wants to know. */
  #ask(request: "start" | "stop" | "discard" | "label"): LifeAction | undefined {
    try {
      return this.#life.handle(request);
    } catch (thrown) {
      const last = this.#lastEnded;
      if (!(thrown instanceof CerebellumError) || this.#life.state !== "idle" || last === undefined)
        throw thrown;
      if (last.because === "stopped") throw thrown;
      const { task, episode, because, detail } = last;
      throw new CerebellumError(
        thrown.code,
        `${thrown.happened}; ${task}/${episode} has ended by itself (${because}${detail === "" ? "" : `: ${detail}`})`,
        thrown.remedy,
      );
    }
  }

  async #soonReady(): Promise<void> {
    if (this.#life.state !== "preparing") return;
    const late = new AbortController();
    const settled = new AbortController();
    void sleepMs(this.#options.clock, PREPARING_MS_MAX, settled.signal).then(() => late.abort());
    await this.ready(AbortSignal.any([late.signal, this.#closing.signal]));
    settled.abort();
  }

  #end(message: ToRecorder): Promise<Ended> {
    const ended = new Promise((resolve, reject) => this.#onEnded.push({ resolve, reject }));
    this.#post(message);
    return this.#within(ended, "finish the episode") as Promise<Ended>;
  }

  #post(message: ToRecorder): void {
    this.#worker?.postMessage(message);
  }

  #take(message: FromRecorder): void {
    switch (message.kind) {
      case "ready":
        this.#repairs = [...this.#repairs, ...message.repairs];
        this.#diskFreeBytes = message.diskFreeBytes;
        for (const { ok, text } of message.repairs)
          this.#options.log(ok ? "warn" : "error", "episodeRepaired", text);
        this.#life.handle("ready");
        return;
      case "started":
        this.#takeStarted(message);
        return;
      case "startFailed":
        this.#note(message.failure);
        this.#life.handle("startFailed");
        this.#onStarted?.reject(toError(message.failure));
        this.#onStarted = undefined;
        return;
      case "progress":
        this.#progress = message.progress;
        this.#progressNs = this.#options.clock.nowNs();
        this.#diskFreeBytes = message.diskFreeBytes;
        this.#tell();
        return;
      case "ending":
        this.#message = message.detail;
        this.#options.log("error", "episodeEnding", `the episode ends by itself: ${message.detail}`);
        this.#life.handle("ending");
        return;
      case "ended":
        this.#takeEnded(message.ended);
        return;
      case "answer":
        if (message.failure === undefined) this.#answers.get(message.requestId)?.resolve(undefined);
        else this.#answers.get(message.requestId)?.reject(toError(message.failure));
        this.#answers.delete(message.requestId);
        return;
      case "trouble":
        this.#message = message.text;
        this.#options.log("warn", "recorderTrouble", message.text);
        this.#tell();
    }
  }

  #takeStarted({ task, episode, folder, mapping }: Extract<FromRecorder, { kind: "started" }>): void {
    this.#mapping = { monotonicNs: asMonotonicNs(mapping.monotonicNs), epochNs: asEpochNs(mapping.epochNs) };
    this.#progress = { ...EMPTY, task, episode };
    this.#progressNs = this.#options.clock.nowNs();
    this.#folder = folder;
    this.#message = "";
    this.#life.handle("started");
    this.#feed.giveLatched();
    this.#options.log("info", "episodeStarted", `recording ${task}/${episode}`);
    this.#onStarted?.resolve({ task, episode, folder } satisfies StartedEpisode);
    this.#onStarted = undefined;
  }

  #takeEnded(ended: Ended): void {
    const { task, episode, because, seconds, dropped, lostBefore, failure, discarded } = ended;
    this.#progress = ended;
    this.#lastEnded = ended;
    if (failure !== undefined) this.#note(failure);
    const how = discarded ? "discarded" : `ended (${because})`;
    const lost = dropped + lostBefore === 0 ? "" : `, ${dropped} messages dropped, ${lostBefore} lost before`;
    this.#options.log(
      failure === undefined ? "info" : "error",
      "episodeEnded",
      failure === undefined
        ? `${task}/${episode} ${how} after ${seconds.toFixed(1)} s${lost}`
        : `${task}/${episode}: ${failure.happened}. ${failure.remedy}`,
    );
    this.#life.handle("ended");
    for (const { resolve, reject } of this.#onEnded.splice(0)) {
      if (failure === undefined) resolve(ended);
      else reject(toError(failure));
    }
  }

  /** Everybody who waits hears why; the thread is started again within its rule. */
  async #onGone(why: string): Promise<void> {
    const { restart, log, clock, onFailed } = this.#options;
    this.#worker = undefined;
    const during =
      this.#life.state === "recording" || this.#life.state === "finishing"
        ? `; ${this.#progress.task}/${this.#progress.episode} ends where it was and is repaired`
        : "";
    this.#message = `the recorder's thread failed: ${why}${during}`;
    const gone = new CerebellumError("NOT_RUNNING", this.#message, "It is started again; see the log");
    log("error", "recorderDied", this.#message);
    this.#onStarted?.reject(gone);
    this.#onStarted = undefined;
    for (const { reject } of [...this.#onEnded.splice(0), ...this.#answers.values()]) reject(gone);
    this.#answers.clear();
    const goesOn = restart.take();
    this.#life.handle(goesOn ? "crashed" : "gaveUp");
    onFailed?.(this.#message);
    if (!goesOn) {
      log("error", "recorderDown", "the recorder's thread failed too often and stays down");
      return;
    }
    await sleepMs(clock, restart.delayMs, this.#closing.signal);
    if (this.#closing.signal.aborted) return;
    this.#restarts++;
    this.launch();
  }

  #note({ happened, remedy }: Failure): void {
    this.#message = `${happened}. ${remedy}.`;
  }

  #tell(): void {
    const status = this.status();
    for (const listener of this.#listeners) listener(status);
  }

  async #within<T>(work: Promise<T>, what: string): Promise<T> {
    const settled = new AbortController();
    const late = sleepMs(this.#options.clock, ANSWER_MS_MAX, settled.signal).then((): T => {
      throw new CerebellumError(
        "TIMED_OUT",
        `The recorder did not ${what} within ${ANSWER_MS_MAX / 1000} s`,
        "The disk may hang; `./cerebellum record status` shows how it goes on",
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

/** @throws CerebellumError CONFIG_INVALID naming the field, e.g. a task name that is none */
function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.map(String).join(".");
  const found = (value as Record<string, unknown>)[field];
  throw new CerebellumError(
    "CONFIG_INVALID",
    `${field || "The request"} ${issue.message}${typeof found === "string" ? `; found "${found.slice(0, 80)}"` : ""}`,
    "Correct the request; a task's name becomes a folder's name",
  );
}
