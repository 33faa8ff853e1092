/** Clients as parts see them: those of the WebSocket, and those that came by another door. */
import type { Role } from "../../core/gateway/requests.js";
import type { ServerMessage } from "../../core/gateway/server.js";
import { messageText } from "./messageText.js";
import { DROP_ABOVE_BYTES, type GatewayClient } from "./part.js";
import { RateLimit } from "./rateLimit.js";

/** A client that leaves so much untaken is closed. */
export const UNTAKEN_BYTES_MAX = 4 * 2 ** 20;

/** Per client, whatever door it came by. More poses are dropped and counted. */
export const POSES = { perS: 200, burst: 200 } as const;
/** Per client. More are answered with a refusal, or dropped when they have no answer. */
export const OTHER_MESSAGES = { perS: 50, burst: 50 } as const;
/** Messages that are none; more closes the connection. */
export const MALFORMED = { perS: 1, burst: 20 } as const;
/** The first has done its work; the rest only costs the servos time. */
export const STOPS = { perS: 10, burst: 10 } as const;

/** What the hub needs of a WebSocket. */
export interface HubSocket {
  readonly bufferedBytes: number;
  sendText(text: string): void;
  sendBytes(bytes: Uint8Array): void;
  ping(): void;
  /** In order; what was sent before still arrives. @param reason at most 123 bytes */
  close(code: number, reason: string): void;
  terminate(): void;
}

/** Limits and counts that the hub keeps for each client. */
export class ClientLimits {
  readonly poses = new RateLimit(POSES.perS, POSES.burst);
  readonly others = new RateLimit(OTHER_MESSAGES.perS, OTHER_MESSAGES.burst);
  readonly stops = new RateLimit(STOPS.perS, STOPS.burst);
  readonly malformed = new RateLimit(MALFORMED.perS, MALFORMED.burst);
  openRequests = 0;
}

interface ClientOptions {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly kind: GatewayClient["kind"];
  readonly device: string;
  readonly socket: HubSocket;
  /** It does not take what it is sent. */
  readonly onSlow: () => void;
}

export class SocketClient implements GatewayClient {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly kind: GatewayClient["kind"];
  readonly device: string;
  readonly #socket: HubSocket;
  readonly #onSlow: () => void;
  readonly #ended = new AbortController();

  constructor({ id, name, role, kind, device, socket, onSlow }: ClientOptions) {
    this.id = id;
    this.name = name;
    this.role = role;
    this.kind = kind;
    this.device = device;
    this.#socket = socket;
    this.#onSlow = onSlow;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  get closed(): AbortSignal {
    return this.#ended.signal;
  }

  send(message: ServerMessage): void {
    if (this.#ended.signal.aborted) return;
    this.#socket.sendText(messageText(message));
    if (this.#socket.bufferedBytes > UNTAKEN_BYTES_MAX) this.#onSlow();
  }

  offer(message: ServerMessage | Uint8Array): boolean {
    if (this.#ended.signal.aborted || this.#socket.bufferedBytes > DROP_ABOVE_BYTES) return false;
    if (message instanceof Uint8Array) this.#socket.sendBytes(message);
    else this.#socket.sendText(messageText(message));
    return true;
  }

  end(): void {
    this.#ended.abort();
  }
}

/** A client of another door, with a number from here. */
export class ForeignClient implements GatewayClient {
  readonly id: number;
  readonly #inner: Omit<GatewayClient, "id">;

  constructor(id: number, inner: Omit<GatewayClient, "id">) {
    this.id = id;
    this.#inner = inner;
  }

  get name(): string {
    return this.#inner.name;
  }
  get role(): Role {
    return this.#inner.role;
  }
  get kind(): GatewayClient["kind"] {
    return this.#inner.kind;
  }
  get device(): string | undefined {
    return this.#inner.device;
  }
  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }
  get closed(): AbortSignal {
    return this.#inner.closed;
  }
  send(message: ServerMessage): void {
    this.#inner.send(message);
  }
  offer(message: ServerMessage | Uint8Array): boolean {
    return this.#inner.offer(message);
  }
}
