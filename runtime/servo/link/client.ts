/**
 * A thread's connection to a servo process; implements `ServoClient`. Reconnecting is the caller's decision: after
 * `closed` nothing of the old connection may run on, so a new client starts from a new lease.
 */
import { createConnection, type Socket } from "node:net";
import { addNs, type Clock, type MonotonicNs, msToNs, sleepMs } from "../../../core/clock.js";
import { CerebellumError, type ErrorCode, errorText } from "../../../core/errors.js";
import type { StopCategory } from "../../../drivers/contract.js";
import type {
  Lease,
  ServoClient,
  ServoEvent,
  ServoInfo,
  ServoRole,
  ServoSnapshot,
  ServoStatistics,
} from "../api.js";
import { decodeFromServo, encode, FrameReader } from "./codec.js";
import { PositionHistory } from "./history.js";
import { leaseGone, SocketLease } from "./lease.js";
import type { ServoMessage } from "./schema.js";

const CONNECT_MS_MAX = 5_000;
/** Enabling and resetting talk to the device; a stop ends within the braking time. */
const ANSWER_MS_MAX = 20_000;
/** A lease holder or supervisor shows that it lives this many times within the silence that would cost it the lease. */
const HEARTBEATS_PER_SILENCE = 4;

export interface ConnectOptions {
  readonly role: ServoRole;
  /** Shown to people and in recordings, at most 64 bytes. */
  readonly name: string;
  readonly clock: Clock;
  /** One snapshot in so many servo ticks; 0 = none, default every tick. */
  readonly snapshotEveryTicks?: number;
}

/** @throws CerebellumError LINK_CLOSED when nobody listens, WIRE_CORRUPT for another version, TIMED_OUT */
export async function connectServo(socketPath: string, options: ConnectOptions): Promise<ServoClient> {
  const socket = createConnection(socketPath);
  const client = new SocketServoClient(socket, socketPath, options);
  await client.start();
  return client;
}

interface Pending {
  readonly resolve: (answer: ServoMessage) => void;
  readonly reject: (error: CerebellumError) => void;
}

class SocketServoClient implements ServoClient {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #options: ConnectOptions;
  readonly #reader = new FrameReader(decodeFromServo);
  readonly #pending = new Map<number, Pending>();
  readonly #snapshotListeners = new Set<(snapshot: ServoSnapshot) => void>();
  readonly #eventListeners = new Set<(event: ServoEvent) => void>();
  readonly #ended = new AbortController();
  #info: ServoInfo | undefined;
  #onInfo: Pending | undefined;
  #newest: ServoSnapshot | undefined;
  #history: PositionHistory | undefined;
  #lease: SocketLease | undefined;
  #nextRequestId = 1;
  #closedWhy = "the servo closed the connection";

  constructor(socket: Socket, path: string, options: ConnectOptions) {
    this.#socket = socket;
    this.#path = path;
    this.#options = options;
  }

  get info(): ServoInfo {
    if (this.#info === undefined) throw new Error("Broken invariant: info is known after start");
    return this.#info;
  }

  get closed(): AbortSignal {
    return this.#ended.signal;
  }

  async start(): Promise<void> {
    this.#socket.on("data", (chunk: Buffer) => {
      this.#reader.push(chunk, (message) => this.#take(message));
      if (this.#reader.failure === undefined) return;
      this.#closedWhy = this.#reader.failure;
      this.#socket.destroy();
    });
    this.#socket.on("error", (error) => {
      this.#closedWhy = errorText(error);
    });
    this.#socket.on("close", () => this.#end());
    const answered = new Promise<ServoMessage>((resolve, reject) => {
      this.#onInfo = { resolve, reject };
    });
    const { role, name, snapshotEveryTicks = 1 } = this.#options;
    this.#write(encode("hello", { role, name, snapshotEveryTicks }));
    try {
      await this.#within(answered, CONNECT_MS_MAX, "connecting");
    } catch (error) {
      this.#socket.destroy();
      throw error;
    }
  }

  latest(): ServoSnapshot | undefined {
    return this.#newest;
  }

  positionAt(atNs: MonotonicNs): Float64Array | undefined {
    return this.#history?.at(atNs);
  }

  onSnapshot(listener: (snapshot: ServoSnapshot) => void): () => void {
    this.#snapshotListeners.add(listener);
    return () => this.#snapshotListeners.delete(listener);
  }

  onEvent(listener: (event: ServoEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  async acquireLease(name: string): Promise<Lease> {
    const answer = await this.#request("a lease", (requestId) => encode("leaseRequest", { requestId, name }));
    if (answer.type !== "leaseGranted") throw unexpected(answer);
    // A loss that was read together with the grant has ended the lease already.
    if (this.#lease?.epoch !== answer.epoch) throw leaseGone("it was lost at once");
    return this.#lease;
  }

  async enable(): Promise<void> {
    await this.#request("enabling", (requestId) => encode("enable", { requestId }));
  }

  async stop(category: StopCategory, reason: string): Promise<void> {
    await this.#request("stopping", (requestId) => encode("stop", { requestId, category, reason }));
  }

  async revokeLease(reason: string): Promise<void> {
    await this.#request("revoking the lease", (requestId) => encode("leaseRevoke", { requestId, reason }));
  }

  async reset(): Promise<void> {
    await this.#request("resetting", (requestId) => encode("reset", { requestId }));
  }

  async teach(on: boolean): Promise<void> {
    const what = on ? "setting the arm free" : "holding the arm again";
    await this.#request(what, (requestId) => encode("teach", { requestId, on }));
  }

  async statistics(): Promise<ServoStatistics> {
    const answer = await this.#request("statistics", (requestId) =>
      encode("statisticsRequest", { requestId }),
    );
    if (answer.type !== "statistics") throw unexpected(answer);
    return answer.statistics;
  }

  async close(): Promise<void> {
    if (this.closed.aborted) return;
    this.#closedWhy = "this client closed it";
    const ended = new Promise<void>((resolve) =>
      this.closed.addEventListener("abort", () => resolve(), { once: true }),
    );
    this.#lease?.release();
    this.#socket.end();
    this.#socket.destroySoon();
    await ended;
  }

  #take(message: ServoMessage): void {
    switch (message.type) {
      case "snapshot":
        this.#takeSnapshot(message);
        return;
      case "event": {
        const { atNs, kind, text, trigger, fault } = message;
        const event: ServoEvent = {
          atNs,
          kind,
          text,
          ...(trigger === "" ? {} : { trigger }),
          ...(fault === null ? {} : { fault }),
        };
        for (const listener of this.#eventListeners) listener(event);
        return;
      }
      case "info":
        if (this.#info === undefined && this.#options.role === "supervisor")
          void this.#showLife(this.closed, message.info.supervisorSilenceMsMax / HEARTBEATS_PER_SILENCE);
        this.#info = message.info;
        this.#onInfo?.resolve(message);
        this.#onInfo = undefined;
        return;
      case "leaseLost":
        if (this.#lease?.epoch === message.epoch) this.#dropLease(message.reason);
        return;
      case "leaseGranted":
        this.#lease = new SocketLease(message.epoch, this.#options.clock, (bytes) => this.#write(bytes));
        void this.#showLife(this.#lease.lost, message.silenceMsMax / HEARTBEATS_PER_SILENCE);
        this.#settle(message.requestId, message);
        return;
      case "result":
      case "statistics":
        this.#settle(message.requestId, message);
        return;
    }
  }

  #takeSnapshot(snapshot: ServoSnapshot): void {
    this.#newest = snapshot;
    this.#history ??= new PositionHistory(snapshot.positionRad.length);
    if (snapshot.stateSequence > 0) this.#history.add(snapshot.stateNs, snapshot.positionRad);
    for (const listener of this.#snapshotListeners) listener(snapshot);
  }

  #settle(requestId: number, answer: ServoMessage): void {
    const pending = this.#pending.get(requestId);
    this.#pending.delete(requestId);
    if (answer.type === "result" && !answer.ok)
      pending?.reject(new CerebellumError(answer.code as ErrorCode, answer.happened, answer.remedy));
    else pending?.resolve(answer);
  }

  async #request(what: string, frame: (requestId: number) => Buffer): Promise<ServoMessage> {
    if (this.closed.aborted) throw this.#closedError();
    const requestId = this.#nextRequestId++;
    const answered = new Promise<ServoMessage>((resolve, reject) =>
      this.#pending.set(requestId, { resolve, reject }),
    );
    this.#write(frame(requestId));
    try {
      return await this.#within(answered, ANSWER_MS_MAX, what);
    } finally {
      this.#pending.delete(requestId);
    }
  }

  async #within<T>(work: Promise<T>, msMax: number, what: string): Promise<T> {
    const settled = new AbortController();
    const late = sleepMs(this.#options.clock, msMax, settled.signal).then(() => {
      if (settled.signal.aborted) return work;
      throw new CerebellumError(
        "TIMED_OUT",
        `The servo at ${this.#path} did not answer within ${msMax} ms (${what})`,
        "See the servo's log; it may be waiting for its device",
      );
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      settled.abort();
      late.catch(() => {});
    }
  }

  async #showLife(ended: AbortSignal, periodMs: number): Promise<void> {
    while (!ended.aborted) {
      await sleepMs(this.#options.clock, periodMs, ended);
      if (!ended.aborted) this.#write(encode("heartbeat", {}));
    }
  }

  #dropLease(reason: string): void {
    this.#lease?.lose(reason);
    this.#lease = undefined;
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  #end(): void {
    this.#ended.abort(this.#closedError());
    this.#dropLease(this.#closedWhy);
    for (const pending of this.#pending.values()) pending.reject(this.#closedError());
    this.#pending.clear();
    this.#onInfo?.reject(this.#closedError());
    this.#onInfo = undefined;
  }

  #closedError(): CerebellumError {
    return new CerebellumError(
      "LINK_CLOSED",
      `The connection to the servo at ${this.#path} is closed: ${this.#closedWhy}`,
      "Start the servo, or read its log to see why it ended",
    );
  }
}

const unexpected = (answer: ServoMessage) =>
  new CerebellumError("WIRE_CORRUPT", `The servo answered with ${answer.type}`, "Update both sides together");

/** Expiry moment of a command given now that is good for `validMs`. */
export const expiresIn = (clock: Clock, validMs: number): MonotonicNs =>
  addNs(clock.nowNs(), msToNs(validMs));
