/** The far end of a page's socket, in memory: what a headset sends is kept, requests are answered as told. */
import type { OpenSocket, SocketEvents } from "../../console/link/pageSocket.js";
import type { ClientMessage } from "../../core/gateway/client.js";
import type { GatewayRequest } from "../../core/gateway/requests.js";
import type { Refusal, ServerMessage, Telemetry, TeleopStatus } from "../../core/gateway/server.js";
import type { PoseMessage } from "../../core/teleop/pose.js";

export const WELCOME: Extract<ServerMessage, { kind: "welcome" }> = {
  kind: "welcome",
  protocol: 1,
  client: "headset quest3",
  role: "operator",
  cell: "test-cell",
  software: "test",
  serverTimeMs: 5000,
  robots: [
    {
      robot: "xarm7",
      device: "xArm7",
      rateHz: 250,
      jointNames: ["j1"],
      positionMinRad: [-1],
      positionMaxRad: [1],
      velocityMaxRadPerS: [1],
      workspaceMinM: [0, 0, 0],
      workspaceMaxM: [1, 1, 1],
      tableM: 0,
      urdf: "<robot/>",
      hasGripper: true,
    },
  ],
  cameras: [{ camera: "wrist", index: 0, widthPx: 320, heightPx: 240, ageMsMax: 200 }],
  hasPolicy: true,
  hasRecorder: true,
  hasLab: true,
  defaultTask: "demonstrations",
};

export const TELEOP: TeleopStatus = {
  state: "ready",
  robot: "xarm7",
  operator: WELCOME.client,
  source: "webxr",
  device: "quest3",
  hand: "right",
  leads: "tool",
  carriesHand: false,
  why: null,
  limitedBy: [],
  warning: "",
  rateHz: 72,
  lost: 0,
  poseAgeMs: 8,
  target: null,
  leashM: null,
  translationScale: 1,
  rotationScale: 1,
  alignment: "recentred",
  handSize: null,
  latency: {
    transportMs: 3,
    mappingMs: 0.6,
    toWireMs: 7,
    toWireP50Ms: 7,
    toWireP99Ms: 14,
    filterMs: 20,
    roundTripMs: 6,
  },
  recording: "",
};

/** Of a robot's hand that the person's right hand leads. */
export const FINGERS: Partial<TeleopStatus> & { readonly handSize: NonNullable<TeleopStatus["handSize"]> } = {
  leads: "fingers",
  alignment: "unneeded",
  handSize: { scale: 1.3, measuredEpochMs: null, measuring: null, problem: "" },
};

export const RECORDER: NonNullable<Telemetry["recorder"]> = {
  state: "idle",
  task: "",
  episode: "",
  seconds: 0,
  bytes: 0,
  dropped: 0,
  lostBefore: 0,
  diskFreeBytes: 1e11,
  message: "",
  lastOutcome: "",
  lastFlags: [],
};

export const TELEMETRY: Telemetry = {
  kind: "telemetry",
  epochMs: 1.7e12,
  robots: {},
  policy: null,
  recorder: RECORDER,
  cameras: {},
  activity: "",
};

/** Undefined = done; a refusal = no. */
export type Answerer = (request: GatewayRequest) => Refusal | undefined;

export class HeadsetWire {
  readonly said: ClientMessage[] = [];
  answerer: Answerer = () => undefined;
  welcome: ServerMessage = WELCOME;
  bufferedBytes = 0;
  /** Every address that was opened. */
  readonly urls: string[] = [];
  isReachable = true;
  /** Hears, and says nothing. */
  isMute = false;
  /** One way of a message, with `sleep` [ms]. */
  wayMs = 0;
  sleep: (ms: number) => Promise<unknown> = () => Promise.resolve();
  serverNowMs: () => number = () => 5000;
  #events: SocketEvents | undefined;
  #isOpen = false;

  readonly openSocket: OpenSocket = (url, events) => {
    this.urls.push(url);
    this.#events = events;
    this.#isOpen = this.isReachable;
    const isReachable = this.isReachable;
    queueMicrotask(() => (isReachable ? events.onOpen() : events.onClose()));
    const isOpen = () => this.#isOpen;
    const buffered = () => this.bufferedBytes;
    return {
      get isOpen() {
        return isOpen();
      },
      get bufferedBytes() {
        return buffered();
      },
      send: (text) => this.#hear(JSON.parse(text)),
      close: () => this.drop(),
    };
  };

  get poses(): PoseMessage[] {
    return this.said.flatMap((message) => (message.kind === "pose" ? [message.pose] : []));
  }
  get requests(): GatewayRequest[] {
    return this.said.flatMap((message) => (message.kind === "request" ? [message.request] : []));
  }

  tell(message: ServerMessage): void {
    if (this.#isOpen && !this.isMute) this.#events?.onText(JSON.stringify(message));
  }

  tellBytes(bytes: Uint8Array): void {
    if (this.#isOpen) this.#events?.onBytes(bytes);
  }

  tellTeleop(status: Partial<TeleopStatus>): void {
    this.tell({ kind: "teleop", status: { ...TELEOP, ...status } });
  }

  tellRecorder(recorder: Partial<NonNullable<Telemetry["recorder"]>>): void {
    this.tell({ ...TELEMETRY, recorder: { ...RECORDER, ...recorder } });
  }

  /** The network goes. */
  drop(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#events?.onClose();
  }

  #hear(message: ClientMessage): void {
    this.said.push(message);
    if (message.kind === "hello") queueMicrotask(() => this.tell(this.welcome));
    if (message.kind === "ping") void this.#pong(message.id, message.clientTimeMs);
    if (message.kind !== "request") return;
    const refusal = this.answerer(message.request);
    queueMicrotask(() =>
      this.tell(
        refusal === undefined
          ? { kind: "answer", id: message.id, ok: true, message: "done" }
          : { kind: "refusal", id: message.id, ok: false, ...refusal },
      ),
    );
  }

  async #pong(id: number, clientTimeMs: number): Promise<void> {
    await this.sleep(this.wayMs);
    const serverTimeMs = this.serverNowMs();
    await this.sleep(this.wayMs);
    this.tell({ kind: "pong", id, clientTimeMs, serverTimeMs });
  }
}
