/**
 * The daemon's side of the gateway: starts its thread, answers what clients ask of the daemon, and tells it what only
 * the main thread knows. A gateway that dies moves and stops nothing: what its clients had engaged ends with their
 * connections, and the thread is started again within its rule.
 */
import { Worker } from "node:worker_threads";
import { asMonotonicNs, type Clock, type MonotonicNs, sleepMs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { Pairing } from "../../core/gateway/library.js";
import type { GatewayRequest, Role } from "../../core/gateway/requests.js";
import type { TeleopStatus } from "../../core/gateway/server.js";
import type { PoseMessage } from "../../core/teleop/pose.js";
import { toError, toFailure } from "../failure.js";
import type { DiagnosticItem } from "../supervisor.js";
import { ALIVE_MS, FromGateway, type GatewaySetup, MISFITS, type ToGateway } from "./messages.js";
import { RateLimit } from "./rateLimit.js";

type Message<K extends FromGateway["kind"]> = Omit<Extract<FromGateway, { kind: K }>, "kind">;
export type StoppedByGateway = Message<"stopped">;
export type GatewayRecord = Message<"record">;
export type GatewayVelocity = Message<"velocity">;
export type GatewayState = Omit<Extract<ToGateway, { kind: "state" }>, "kind">;
export type GatewayEvent = Extract<ToGateway, { kind: "event" }>["event"];

export interface GatewayHostOptions {
  /** The worker's compiled entry. */
  readonly entry: URL;
  readonly clock: Clock;
  readonly setup: GatewaySetup;
  readonly restart: {
    readonly delayMs: number;
    /** True, and counted, when one more start of the thread is within the rule. */
    take(): boolean;
  };
  readonly log: (level: "info" | "warn" | "error", event: string, text: string) => void;
  /** A request of the control group. @returns what was done. @throws CerebellumError that the client is told */
  readonly answer: (request: GatewayRequest, client: string) => Promise<string>;
  /** The servos have been told; policies and whatever else moves robots have not. */
  readonly onStopped: (stop: StoppedByGateway) => void;
  /** A message for the recording; the bytes are the listener's. */
  readonly onRecord: (record: GatewayRecord) => void;
  /** How fast whoever steers a robot on legs wants it to go. */
  readonly onVelocity: (velocity: GatewayVelocity) => void;
}

export interface GatewayStatus {
  readonly state: "starting" | "up" | "restarting" | "down";
  readonly port: number;
  readonly addresses: readonly string[];
  readonly fingerprint: string | null;
  readonly certificateDaysLeft: number | null;
  readonly clients: Message<"clients">["clients"];
  readonly restarts: number;
  /** Newest trouble; empty when there is none. */
  readonly message: string;
}

const HEAP_MIB_MAX = 512;
const READY_MS_MAX = 30_000;
const ANSWER_MS_MAX = 5000;
const CLOSE_MS_MAX = 3000;
/** A thread that was not heard in so many looks has hung. Looks, not time: this thread may have been held up itself. */
const SILENT_LOOKS_MAX = 10;
/** A certificate of its own is renewed before; one of this age has not been. */
const CERTIFICATE_DAYS_WARN = 3;

export class GatewayHost {
  readonly #options: GatewayHostOptions;
  readonly #teleopListeners = new Set<(status: TeleopStatus | undefined) => void>();
  readonly #watchListeners = new Set<(watch: Message<"watch">) => void>();
  readonly #pairings = new Map<
    number,
    { resolve: (value: Pairing) => void; reject: (error: Error) => void }
  >();
  readonly #closing = new AbortController();
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #onReady: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #ready: Message<"ready"> | undefined;
  #failure: CerebellumError | undefined;
  #state: GatewayStatus["state"] = "starting";
  #clients: GatewayStatus["clients"] = [];
  readonly #misfits = new RateLimit(MISFITS.perS, MISFITS.burst);
  #teleop: TeleopStatus | undefined;
  #watchedCameras: ReadonlyMap<string, number> = new Map();
  #watchedTopics: ReadonlySet<number> = new Set();
  #message = "";
  #counts: Message<"alive">["counts"] | undefined;
  /** Since the last look. */
  #isHeard = false;
  #restarts = 0;
  #requestId = 0;

  constructor(options: GatewayHostOptions) {
    this.#options = options;
  }

  /**
   * Resolves when it listens.
   * @throws CerebellumError PORT_IN_USE, CONFIG_INVALID and whatever else the thread found; TIMED_OUT
   */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#onReady = { resolve, reject };
    });
    this.#launch();
    const settled = new AbortController();
    const late = sleepMs(this.#options.clock, READY_MS_MAX, settled.signal).then(() => {
      throw new CerebellumError(
        "TIMED_OUT",
        `The gateway was not ready after ${READY_MS_MAX / 1000} s`,
        "Read the log lines above",
      );
    });
    late.catch(() => {});
    try {
      await Promise.race([ready, late]);
    } finally {
      settled.abort();
    }
  }

  /** Newest; undefined before anybody has taken it, and when the thread has died. */
  get teleop(): TeleopStatus | undefined {
    return this.#teleop;
  }

  /** Cameras whose frames somebody looks at, and how many a second [Hz]. */
  get watchedCameras(): ReadonlyMap<string, number> {
    return this.#watchedCameras;
  }

  /** Numbers of the setup's topics that somebody has subscribed to. */
  get watchedTopics(): ReadonlySet<number> {
    return this.#watchedTopics;
  }

  /** On every change of who teleoperates and how; undefined when the thread has died. Returns its own undo. */
  onTeleop(listener: (status: TeleopStatus | undefined) => void): () => void {
    this.#teleopListeners.add(listener);
    return () => this.#teleopListeners.delete(listener);
  }

  onWatch(listener: (watch: Message<"watch">) => void): () => void {
    this.#watchListeners.add(listener);
    return () => this.#watchListeners.delete(listener);
  }

  /** A few times a second. */
  state(state: GatewayState): void {
    this.#post({ kind: "state", ...state });
  }

  event(event: GatewayEvent): void {
    this.#post({ kind: "event", event });
  }

  /** A pose that came over ROS; checked already. */
  pose(pose: PoseMessage, receivedNs: MonotonicNs): void {
    this.#post({ kind: "pose", pose, receivedNs });
  }

  malformedPose(device: string, why: string): void {
    this.#post({ kind: "malformedPose", device, why });
  }

  /** A code for one new device, and where it is shown. @throws CerebellumError NOT_RUNNING, TIMED_OUT */
  async pair(role: Role): Promise<Pairing> {
    if (this.#state !== "up")
      throw new CerebellumError(
        "NOT_RUNNING",
        `The gateway is ${this.#state}`,
        "`./cerebellum status` says why",
      );
    const requestId = ++this.#requestId;
    const made = new Promise<Pairing>((resolve, reject) =>
      this.#pairings.set(requestId, { resolve, reject }),
    );
    this.#post({ kind: "pair", requestId, role });
    const settled = new AbortController();
    const late = sleepMs(this.#options.clock, ANSWER_MS_MAX, settled.signal).then((): Pairing => {
      throw new CerebellumError("TIMED_OUT", "The gateway made no pairing code", "Read the daemon's log");
    });
    late.catch(() => {});
    try {
      return await Promise.race([made, late]);
    } finally {
      settled.abort();
      this.#pairings.delete(requestId);
    }
  }

  status(): GatewayStatus {
    return {
      state: this.#state,
      port: this.#ready?.port ?? 0,
      addresses: this.#ready?.addresses ?? [],
      fingerprint: this.#ready?.fingerprint ?? null,
      certificateDaysLeft: this.#ready?.certificateDaysLeft ?? null,
      clients: this.#clients,
      restarts: this.#restarts,
      message: this.#message,
    };
  }

  /** One line of the operator's picture. */
  diagnostics(): DiagnosticItem[] {
    const { state, addresses, clients, certificateDaysLeft, restarts, message } = this.status();
    const isUp = state === "up";
    const isOld = certificateDaysLeft !== null && certificateDaysLeft < CERTIFICATE_DAYS_WARN;
    const who = clients.length === 0 ? "nobody is connected" : clients.map(({ name }) => name).join(", ");
    return [
      {
        name: "gateway: console",
        hardwareId: "",
        level: isUp ? (isOld ? "warn" : "ok") : state === "down" ? "error" : "warn",
        message: isUp ? `${addresses[0] ?? ""}; ${who}` : `${state}: ${message}`,
        values: {
          state,
          addresses: addresses.join(" "),
          clients: clients.length,
          operators: clients.filter(({ role }) => role === "operator").length,
          certificateDaysLeft: certificateDaysLeft ?? "none",
          teleop: this.#teleop?.state ?? "off",
          operator: this.#teleop?.operator ?? "",
          restarts,
          ...this.#counts,
        },
      },
    ];
  }

  /** Ends the thread in order. */
  async close(): Promise<void> {
    this.#closing.abort();
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    worker.postMessage({ kind: "close" } satisfies ToGateway);
    const settled = new AbortController();
    await Promise.race([this.#exited, sleepMs(this.#options.clock, CLOSE_MS_MAX, settled.signal)]);
    settled.abort();
    await worker.terminate();
  }

  #launch(): void {
    const worker = new Worker(this.#options.entry, {
      workerData: this.#options.setup,
      name: "gateway",
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    this.#worker = worker;
    this.#failure = undefined;
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    let why = "it ended by itself";
    worker.on("message", (raw: unknown) => {
      if (this.#worker !== worker) return;
      const parsed = FromGateway.safeParse(raw);
      if (parsed.success) this.#take(parsed.data);
      else this.#onMisfit(raw, parsed.error);
    });
    worker.on("error", (defect) => {
      why = errorText(defect);
      this.#options.log("error", "defect", `gateway worker: ${defect.stack ?? why}`);
    });
    worker.once("exit", () => {
      if (this.#worker === worker) void this.#onGone(why);
    });
    void this.#watchOver(worker);
  }

  /** Nobody could stop a robot from a page of a thread that hangs, and what it is told would pile up. */
  async #watchOver(worker: Worker): Promise<void> {
    const { clock } = this.#options;
    let silentLooks = 0;
    while (silentLooks < SILENT_LOOKS_MAX) {
      await sleepMs(clock, ALIVE_MS, this.#closing.signal);
      if (this.#worker !== worker) return;
      // Whoever starts it has a limit of his own.
      silentLooks = this.#isHeard || this.#onReady !== undefined ? 0 : silentLooks + 1;
      this.#isHeard = false;
    }
    this.#failure = new CerebellumError(
      "NOT_RUNNING",
      `The gateway's thread said nothing for ${(SILENT_LOOKS_MAX * ALIVE_MS) / 1000} s and was ended`,
      "It is started again; keep the log and report it",
    );
    await worker.terminate();
  }

  #post(message: ToGateway): void {
    this.#worker?.postMessage(message);
  }

  #take(message: FromGateway): void {
    this.#isHeard = true;
    const { log, onStopped, onRecord, onVelocity } = this.#options;
    switch (message.kind) {
      case "ready":
        this.#ready = message;
        this.#state = "up";
        this.#message = "";
        this.#onReady?.resolve();
        this.#onReady = undefined;
        return;
      case "unusable":
        this.#failure = toError(toFailureOf(message.failure));
        return;
      case "alive":
        this.#counts = message.counts;
        return;
      case "request":
        void this.#answer(message);
        return;
      case "stopped":
        onStopped(message);
        return;
      case "teleop":
        this.#tellTeleop(message.status);
        return;
      case "velocity":
        onVelocity(message);
        return;
      case "record":
        onRecord({ ...message, receivedNs: asMonotonicNs(message.receivedNs) });
        return;
      case "watch":
        this.#tellWatch(message);
        return;
      case "paired":
        this.#takePairing(message);
        return;
      case "log":
        log(message.level, message.event, message.text);
        return;
      case "clients":
        this.#clients = message.clients;
    }
  }

  /** A defect of the gateway's must not end the daemon, which would end what the robots do. */
  #onMisfit(raw: unknown, error: Error): void {
    if (!this.#misfits.take(this.#options.clock.nowMs())) return;
    const kind = String((raw as { kind?: unknown } | null)?.kind).slice(0, 40);
    this.#options.log("error", "defect", `the gateway said a "${kind}" that is none: ${errorText(error)}`);
  }

  async #answer({ requestId, request, client }: Message<"request">): Promise<void> {
    try {
      this.#post({
        kind: "answer",
        requestId,
        ok: true,
        message: await this.#options.answer(request, client),
      });
    } catch (thrown) {
      this.#post({ kind: "refusal", requestId, ...toFailure(thrown) });
    }
  }

  #takePairing({ requestId, pairing }: Message<"paired">): void {
    const waiting = this.#pairings.get(requestId);
    const parsed = Pairing.safeParse(pairing);
    if (parsed.success) waiting?.resolve(parsed.data);
    else waiting?.reject(parsed.error);
  }

  #tellTeleop(status: TeleopStatus | undefined): void {
    this.#teleop = status;
    for (const listener of this.#teleopListeners) listener(status);
  }

  #tellWatch(watch: Message<"watch">): void {
    if (watch.cameras !== undefined)
      this.#watchedCameras = new Map(watch.cameras.map(({ camera, rateHz }) => [camera, rateHz]));
    if (watch.topics !== undefined) this.#watchedTopics = new Set(watch.topics);
    for (const listener of this.#watchListeners) listener(watch);
  }

  async #onGone(why: string): Promise<void> {
    const { restart, log, clock } = this.#options;
    const failure =
      this.#failure ??
      new CerebellumError(
        "NOT_RUNNING",
        `The gateway's thread failed: ${why}`,
        "It is started again; see the log",
      );
    this.#worker = undefined;
    this.#message = `${failure.happened}. ${failure.remedy}.`;
    this.#clients = [];
    this.#tellWatch({ cameras: [], topics: [] });
    if (this.#teleop !== undefined) this.#tellTeleop(undefined);
    for (const { reject } of this.#pairings.values()) reject(failure);
    if (this.#onReady !== undefined) {
      // It never was there: whoever starts it decides.
      this.#state = "down";
      this.#onReady.reject(failure);
      this.#onReady = undefined;
      return;
    }
    log("error", "gatewayDied", this.#message);
    const goesOn = restart.take();
    this.#state = goesOn ? "restarting" : "down";
    if (!goesOn) {
      log("error", "gatewayDown", "the gateway failed too often and stays down");
      return;
    }
    await sleepMs(clock, restart.delayMs, this.#closing.signal);
    if (this.#closing.signal.aborted) return;
    this.#restarts++;
    this.#launch();
  }
}

const toFailureOf = (refusal: Message<"unusable">["failure"]) => ({
  ...refusal,
  code: refusal.code as CerebellumError["code"],
});
