/**
 * A page's connection to the gateway: says hello, subscribes, asks and answers, measures round trip and clock offset,
 * and comes back by itself when it was lost. A pose is never kept for later: it is sent now or dropped.
 */
import { type CameraFrame, decodeCameraFrame } from "../../core/gateway/cameraFrame.js";
import { type ClientMessage, GATEWAY_PATH, GATEWAY_PROTOCOL } from "../../core/gateway/client.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import { type Refusal, ServerMessage } from "../../core/gateway/server.js";
import type { PoseMessage } from "../../core/teleop/pose.js";
import type { PageClock } from "./pageClock.js";
import type { OpenSocket, PageSocket } from "./pageSocket.js";

export type Welcome = Extract<ServerMessage, { kind: "welcome" }>;
type Answer = Extract<ServerMessage, { kind: "answer" }>;
export type Subscription = Omit<Extract<ClientMessage, { kind: "subscribe" }>, "kind">;

/** `lost` comes back by itself; `refused` needs a person (another token, a reload). */
export type LinkState = "connecting" | "open" | "lost" | "refused";

export interface LinkOptions {
  /** Origin of the gateway, e.g. "https://robot.local:8443". */
  readonly origin: string;
  readonly token: string;
  readonly client: "console" | "headset" | "program";
  readonly name: string;
  readonly clock: PageClock;
  /** The browser's own, or one of a program that acts as a page. */
  readonly openSocket: OpenSocket;
  /** A message of the gateway that this page does not understand. */
  readonly onMisfit?: (why: string) => void;
}

export class RequestRefused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(`${refusal.happened}. ${refusal.remedy}.`);
    this.name = refusal.code;
    this.refusal = refusal;
  }
}

const PING_MS = 1000;
const REQUEST_MS_MAX = 70_000;
/** A network that is gone closes nothing: whoever says nothing for so long, not even a pong, is not there. */
const SILENT_MS_MAX = 3500;
const WELCOME_MS_MAX = 8000;
const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 4000;
/** A pose is dropped rather than queued behind so many bytes. */
const POSE_BUFFER_BYTES_MAX = 65_536;
/** Round trips of which the smallest tells the clock offset best. */
const ROUND_TRIPS_KEPT = 16;

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class GatewayLink {
  readonly #options: LinkOptions;
  readonly #messageListeners = new Set<(message: ServerMessage) => void>();
  readonly #frameListeners = new Set<(frame: CameraFrame) => void>();
  readonly #stateListeners = new Set<(state: LinkState) => void>();
  readonly #pending = new Map<number, Pending>();
  readonly #roundTrips: { ms: number; offsetMs: number }[] = [];
  #socket: PageSocket | undefined;
  #state: LinkState = "connecting";
  #welcome: Welcome | undefined;
  #refusal: Refusal | undefined;
  #subscription: Subscription | undefined;
  #requestId = 0;
  #pingId = 0;
  #waitMs = RECONNECT_MS_MIN;
  #closed = false;
  #stopPings: (() => void) | undefined;
  #stopWaiting: (() => void) | undefined;
  /** Since when a ping waits for any sign of life; timers of a page in the background may rest for a minute. */
  #askedMs: number | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  /** Why the gateway refused this page; undefined unless `refused`. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Smallest of the newest round trips [ms], and the daemon's monotonic clock minus the page's [ms]; undefined before. */
  get timing(): { readonly roundTripMs: number; readonly clockOffsetMs: number } | undefined {
    const best = this.#roundTrips.reduce<{ ms: number; offsetMs: number } | undefined>(
      (found, one) => (found === undefined || one.ms < found.ms ? one : found),
      undefined,
    );
    return best === undefined ? undefined : { roundTripMs: best.ms, clockOffsetMs: best.offsetMs };
  }

  connect(): void {
    if (this.#closed) return;
    this.#setState("connecting");
    const url = `${this.#options.origin.replace(/^http/, "ws")}${GATEWAY_PATH}`;
    const socket: PageSocket = this.#options.openSocket(url, {
      onOpen: () => {
        const { token, client, name } = this.#options;
        this.#write({ kind: "hello", protocol: GATEWAY_PROTOCOL, token, client, name });
      },
      onText: (text) => this.#take(text),
      onBytes: (bytes) => this.#takeBytes(bytes),
      onClose: () => this.#onClose(socket),
    });
    this.#socket = socket;
    this.#stopWaiting = this.#options.clock.after(WELCOME_MS_MAX, () => {
      if (this.#welcome === undefined) this.#giveUp(socket);
    });
  }

  close(): void {
    this.#closed = true;
    this.#socket?.close();
  }

  onMessage(listener: (message: ServerMessage) => void): () => void {
    this.#messageListeners.add(listener);
    return () => this.#messageListeners.delete(listener);
  }

  onFrame(listener: (frame: CameraFrame) => void): () => void {
    this.#frameListeners.add(listener);
    return () => this.#frameListeners.delete(listener);
  }

  onState(listener: (state: LinkState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Kept, and said again after every reconnection. */
  subscribe(subscription: Subscription): void {
    this.#subscription = subscription;
    if (this.#welcome !== undefined) this.#write({ kind: "subscribe", ...subscription });
  }

  /** False when it was dropped: there is no connection, or it does not take more. */
  sendPose(pose: PoseMessage): boolean {
    return this.#sendNow({ kind: "pose", pose });
  }

  /** As `sendPose`. */
  sendVelocity(asked: Omit<Extract<ClientMessage, { kind: "velocity" }>, "kind">): boolean {
    return this.#sendNow({ kind: "velocity", ...asked });
  }

  /** False when there is no connection to say it on. */
  stop(reason: string): boolean {
    if (this.#socket?.isOpen !== true) return false;
    this.#write({ kind: "stop", reason });
    return true;
  }

  /** @throws RequestRefused with the gateway's words, or when the connection ends first */
  request(request: GatewayRequest): Promise<Answer> {
    const id = ++this.#requestId;
    return new Promise((resolve, reject) => {
      if (this.#welcome === undefined) {
        reject(new RequestRefused(NOT_CONNECTED));
        return;
      }
      const late = this.#options.clock.after(REQUEST_MS_MAX, () => {
        this.#pending.delete(id);
        reject(new RequestRefused({ ...NOT_CONNECTED, happened: "The daemon has not answered" }));
      });
      this.#pending.set(id, {
        resolve: (answer) => {
          late();
          resolve(answer);
        },
        reject: (error) => {
          late();
          reject(error);
        },
      });
      this.#write({ kind: "request", id, request });
    });
  }

  #sendNow(message: ClientMessage): boolean {
    const socket = this.#socket;
    if (this.#welcome === undefined || socket?.isOpen !== true) return false;
    if (socket.bufferedBytes > POSE_BUFFER_BYTES_MAX) return false;
    this.#write(message);
    return true;
  }

  /** A socket on a dead network may take minutes to close. */
  #giveUp(socket: PageSocket): void {
    if (socket !== this.#socket) return;
    this.#onClose(socket);
    socket.close();
  }

  #write(message: ClientMessage): void {
    if (this.#socket?.isOpen === true) this.#socket.send(JSON.stringify(message));
  }

  #takeBytes(bytes: Uint8Array): void {
    this.#askedMs = undefined;
    const frame = decodeCameraFrame(bytes);
    if (frame !== undefined) for (const listener of this.#frameListeners) listener(frame);
  }

  #take(text: string): void {
    this.#askedMs = undefined;
    const parsed = ServerMessage.safeParse(JSON.parse(text));
    if (!parsed.success) {
      this.#options.onMisfit?.(`reload the page after an update: ${parsed.error.message}`);
      return;
    }
    this.#handle(parsed.data);
    for (const listener of this.#messageListeners) listener(parsed.data);
  }

  #handle(message: ServerMessage): void {
    if (message.kind === "welcome") {
      this.#welcome = message;
      this.#waitMs = RECONNECT_MS_MIN;
      this.#setState("open");
      if (this.#subscription !== undefined) this.#write({ kind: "subscribe", ...this.#subscription });
      this.#ping();
      this.#stopPings = this.#options.clock.every(PING_MS, () => this.#ping());
    } else if (message.kind === "refused") {
      const { code, happened, remedy } = message;
      this.#refusal = { code, happened, remedy };
      this.#setState("refused");
    } else if (message.kind === "pong") this.#learn(message);
    else if (message.kind === "answer") {
      this.#pending.get(message.id)?.resolve(message);
      this.#pending.delete(message.id);
    } else if (message.kind === "refusal") {
      const { code, happened, remedy } = message;
      this.#pending.get(message.id)?.reject(new RequestRefused({ code, happened, remedy }));
      this.#pending.delete(message.id);
    }
  }

  #ping(): void {
    const socket = this.#socket;
    const nowMs = this.#options.clock.nowMs();
    if (socket !== undefined && nowMs - (this.#askedMs ?? nowMs) > SILENT_MS_MAX) {
      this.#giveUp(socket);
      return;
    }
    this.#askedMs ??= nowMs;
    this.#write({ kind: "ping", id: ++this.#pingId, clientTimeMs: nowMs });
  }

  /** Half the round trip each way is the best that two clocks can be compared by (RFC 5905, section 8). */
  #learn({ clientTimeMs, serverTimeMs }: Extract<ServerMessage, { kind: "pong" }>): void {
    const nowMs = this.#options.clock.nowMs();
    const ms = nowMs - clientTimeMs;
    this.#roundTrips.push({ ms, offsetMs: serverTimeMs - (clientTimeMs + ms / 2) });
    if (this.#roundTrips.length > ROUND_TRIPS_KEPT) this.#roundTrips.shift();
    const timing = this.timing;
    if (timing !== undefined) this.#write({ kind: "link", ...timing });
  }

  #onClose(socket: PageSocket): void {
    if (socket !== this.#socket) return;
    this.#stopPings?.();
    this.#stopPings = undefined;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    this.#askedMs = undefined;
    this.#socket = undefined;
    this.#welcome = undefined;
    this.#roundTrips.length = 0;
    for (const pending of this.#pending.values()) pending.reject(new RequestRefused(NOT_CONNECTED));
    this.#pending.clear();
    if (this.#closed || this.#state === "refused") return;
    this.#setState("lost");
    this.#options.clock.after(this.#waitMs, () => this.connect());
    this.#waitMs = Math.min(RECONNECT_MS_MAX, 2 * this.#waitMs);
  }

  #setState(state: LinkState): void {
    this.#state = state;
    for (const listener of this.#stateListeners) listener(state);
  }
}

const NOT_CONNECTED: Refusal = {
  code: "LINK_CLOSED",
  happened: "This page is not connected to the daemon",
  remedy: "Wait until it is connected again, then repeat",
};
