/**
 * What the gateway's thread is made of: a hub that knows its clients, and parts that answer them. A part never waits in
 * a handler, and never throws: it answers with a refusal.
 */

import type { WebSocket } from "ws";
import type { TrackerStore } from "../../calibration/store.js";
import type { Clock, ClockMapping, MonotonicNs } from "../../core/clock.js";
import type { ClientMessage } from "../../core/gateway/client.js";
import type { GatewayRequest, RequestName, Role } from "../../core/gateway/requests.js";
import type { Refusal, ServerMessage, TeleopStatus } from "../../core/gateway/server.js";
import type { PoseMessage } from "../../core/teleop/pose.js";
import type { StopCategory } from "../../drivers/contract.js";
import type { ServoClient } from "../servo/api.js";
import type { Reached } from "./addresses.js";
import type { DeviceStore } from "./devices.js";
import type { EventLog } from "./eventLog.js";
import type { LibrarySetup } from "./library/messages.js";
import type { LibraryWorker } from "./library/thread.js";
import type { FromGateway, GatewaySetup, ToGateway } from "./messages.js";

/** One authenticated connection: a browser, a headset, a program, or a bridge that speaks MQTT. */
export interface GatewayClient {
  /** Rises with each connection, never reused. */
  readonly id: number;
  /** Shown to people, for instance "headset quest3". */
  readonly name: string;
  readonly role: Role;
  readonly kind: "console" | "headset" | "program" | "mqtt" | "ros";
  /** Whose token it has shown; undefined for who came by a door that asks for none. */
  readonly device?: string | undefined;
  /** Bytes that the client has not taken yet; what may be dropped is not sent above `DROP_ABOVE_BYTES`. */
  readonly bufferedBytes: number;
  readonly closed: AbortSignal;
  /** Ordered and never dropped by the hub; a client that does not take it is closed at a stated bound. */
  send(message: ServerMessage): void;
  /**
   * Newest wins: false when it was dropped because the client is slow. Counted by the caller. Messages become text by
   * `messageText`, so that one object for many clients is serialised once.
   */
  offer(message: ServerMessage | Uint8Array): boolean;
}

/** A slow client gets no more of what may be dropped above this. */
export const DROP_ABOVE_BYTES = 65_536;

export interface PoseArrival {
  readonly client: GatewayClient;
  readonly pose: PoseMessage;
  readonly receivedNs: MonotonicNs;
}

export type Answer =
  | { readonly ok: true; readonly message: string; readonly data?: unknown }
  | ({ readonly ok: false } & Refusal);

export type RequestOf<N extends RequestName> = Extract<GatewayRequest, { do: N }>;

/** Answers the requests that it names. The hub has checked the role before. */
export type RequestHandlers = {
  readonly [N in RequestName]?: (request: RequestOf<N>, client: GatewayClient) => Promise<Answer>;
};

export interface GatewayPart {
  readonly requests?: RequestHandlers;
  /** A client has said hello and was welcomed. */
  onClient?(client: GatewayClient): void;
  onClosed?(client: GatewayClient, why: string): void;
  onSubscribe?(client: GatewayClient, wanted: Extract<ClientMessage, { kind: "subscribe" }>): void;
  /** A well-formed pose, from a WebSocket, MQTT or ROS. Called at once when it arrives. */
  onPose?(arrival: PoseArrival): void;
  /** What should have been a pose: whatever this client has engaged must end. */
  onMalformed?(client: GatewayClient, why: string): void;
  /** How fast an operator asks a robot on legs to go. */
  onVelocity?(client: GatewayClient, asked: Extract<ClientMessage, { kind: "velocity" }>): void;
  onLink?(client: GatewayClient, link: Extract<ClientMessage, { kind: "link" }>): void;
  close?(): Promise<void>;
}

/** What parts get from the worker that hosts them. */
export interface PartContext {
  readonly clock: Clock;
  readonly log: (level: "info" | "warn" | "error", event: string, text: string) => void;
  /** Every client that is connected now. */
  readonly clients: () => readonly GatewayClient[];
  /** Tells every client that subscribed to events, and those that connect later. */
  readonly event: (level: "info" | "warn" | "error", source: string, text: string, remedy?: string) => void;
}

export const refuse = (code: string, happened: string, remedy: string): Answer => ({
  ok: false,
  code,
  happened,
  remedy,
});
export const done = (message: string, data?: unknown): Answer =>
  data === undefined ? { ok: true, message } : { ok: true, message, data };

/** A request for something below a prefix that a part serves; whoever makes it has shown a token. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD";
  /** Decoded, without the query, e.g. "/api/episodes/reach-block/e1/sheet.png". */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly device: string;
  readonly role: Role;
}

export interface HttpReply {
  readonly status: number;
  /** Media type. */
  readonly type: string;
  readonly body: Uint8Array | string;
}

/** May take its time, but not the thread's. A rejection is answered with 500. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpReply>;

/** Another WebSocket path; Host and Origin are checked, who it is must be found out by whoever takes it. */
export interface UpgradeHandler {
  /** Subprotocols, best first; empty = none is spoken. */
  readonly protocols: readonly string[];
  /** Largest message [bytes]. */
  readonly bytesMax: number;
  readonly accept: (socket: WebSocket, address: string) => void;
}

/** What the worker gives to the makers of its parts, beside the context. */
export interface PartServices extends PartContext {
  readonly setup: GatewaySetup;
  /** Where `event` writes to; the events part gives it to clients. */
  readonly events: EventLog;
  /** By camera: pictures that clients were too slow for. The camera part counts, the telemetry tells; empty at first. */
  readonly skippedPictures: Map<string, number>;
  /** How monotonic times become stamps. */
  readonly mapping: ClockMapping;
  /** A connection of its own, with a role of its own; whoever asks closes it. @throws LINK_CLOSED while nobody listens */
  readonly connectServo: (
    robot: string,
    role: "observer" | "commander",
    name: string,
    snapshotEveryTicks: number,
  ) => Promise<ServoClient>;
  readonly post: (message: FromGateway) => void;
  /** Asks the main thread on behalf of a client. Never rejects. */
  readonly askMain: (request: GatewayRequest, client: GatewayClient) => Promise<Answer>;
  /** Asks whichever part answers it, with this client's rights, as if its message had come. Never rejects. */
  readonly ask: (request: GatewayRequest, client: GatewayClient) => Promise<Answer>;
  /** What the session has told last; undefined before the first time. */
  readonly teleop: () => TeleopStatus | undefined;
  /** Hands a pose to every part that wants poses; for sources other than the WebSocket. */
  readonly deliverPose: (arrival: PoseArrival) => void;
  readonly deliverMalformed: (client: GatewayClient, why: string) => void;
  /** Adds a client that came by another door than the WebSocket (MQTT, ROS); it is told to parts like any other. */
  readonly addClient: (client: Omit<GatewayClient, "id">) => GatewayClient;
  readonly removeClient: (client: GatewayClient, why: string) => void;
  /** Stops every robot by the gateway's own connections, then tells the main thread. Never rejects. */
  readonly stopRobots: (category: StopCategory, reason: string) => Promise<Answer>;
  /** Answers everything below a path, e.g. "/api/episodes/"; a GET or HEAD. */
  readonly serveHttp: (prefix: string, handler: HttpHandler) => void;
  readonly serveUpgrade: (path: string, handler: UpgradeHandler) => void;
  readonly devices: DeviceStore;
  readonly isConnected: (device: string) => boolean;
  /** Closes every connection that was opened with a token of this device. */
  readonly disconnectDevice: (device: string, why: string) => void;
  /** How this gateway is reached, for people and QR codes. */
  readonly reachedAt: () => Reached;
  readonly onMain: (listener: (message: ToGateway) => void) => void;
  readonly trackerFrames: TrackerStore;
  /** Starts the thread that reads episodes and bundles. */
  readonly startLibrary: (setup: LibrarySetup) => LibraryWorker;
  /** Refuses or takes the credentials of somebody who wants to be a client. */
  readonly authenticate: (token: string) => { readonly device: string; readonly role: Role } | undefined;
}

export type PartFactory = (services: PartServices) => GatewayPart | Promise<GatewayPart>;
