/**
 * Who is connected, and what they may say. Every message is counted, measured, parsed and held against the role of its
 * client before any part hears of it; what is ill-formed reaches parts only as the news that it was.
 */
import type { Clock, MonotonicNs } from "../../core/clock.js";
import { sleepMs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { ClientMessage, GATEWAY_PROTOCOL } from "../../core/gateway/client.js";
import { type GatewayRequest, OBSERVERS_REQUESTS, type Role } from "../../core/gateway/requests.js";
import type { ServerMessage } from "../../core/gateway/server.js";
import { firstIssue, kindOf, requestIdOf } from "./badMessage.js";
import { ClientLimits, ForeignClient, type HubSocket, SocketClient } from "./hubClient.js";
import { lookAt, newPeer, type Peer, whyNotAccept } from "./hubPeer.js";
import { limitedLog } from "./limitedLog.js";
import type { GatewayCounts } from "./messages.js";
import type { Answer, GatewayClient, GatewayPart, PartContext, PoseArrival } from "./part.js";
import {
  CLIENTS_MAX,
  DISMISSALS,
  type Dismissal,
  defect as defectOf,
  notHello,
  notUnderstood,
  observersMayNot,
  REQUESTS_OPEN_MAX,
  revoked,
  TOO_MANY,
  TOO_MANY_OPEN,
  unanswered,
} from "./refusals.js";

export type Hello = Extract<ClientMessage, { kind: "hello" }>;
type Welcome = Omit<
  Extract<ServerMessage, { kind: "welcome" }>,
  "kind" | "protocol" | "client" | "role" | "serverTimeMs"
>;

export interface HubOptions {
  readonly clock: Clock;
  readonly log: PartContext["log"];
  /** What every client is told at first. */
  readonly welcome: Welcome;
  readonly authenticate: (token: string) => { readonly device: string; readonly role: Role } | undefined;
  /** Whether a device that has shown its token still may be here. */
  readonly isPaired: (device: string) => boolean;
  /** Stops every robot now. */
  readonly stop: (reason: string) => void;
  readonly onClients: (clients: readonly GatewayClient[]) => void;
}

const LOOK_MS = 250;

/** The server's side of one WebSocket: what it reports to the hub. */
export interface HubConnection {
  text(text: string): void;
  /** A binary message: no client sends any. */
  binary(): void;
  /** Any other sign of life; it counts like a message. */
  alive(): void;
  closed(why: string): void;
}

export class Hub {
  readonly #options: HubOptions;
  readonly #peers = new Set<Peer>();
  readonly #clients = new Map<GatewayClient, ClientLimits>();
  readonly #peerOf = new Map<GatewayClient, Peer>();
  readonly #closing = new AbortController();
  /** For what those cause who have not said who they are. */
  readonly #strangersLog: PartContext["log"];
  #parts: readonly GatewayPart[] = [];
  #nextId = 1;
  /** Since it began, of all clients. */
  readonly counts: GatewayCounts = { poses: 0, droppedPoses: 0, malformed: 0, refused: 0, closed: 0 };

  constructor(options: HubOptions) {
    this.#options = options;
    this.#strangersLog = limitedLog(options.log, options.clock);
  }

  /** @param parts in the order in which they hear of everything */
  setParts(parts: readonly GatewayPart[]): void {
    this.#parts = parts;
  }

  get clients(): readonly GatewayClient[] {
    return [...this.#clients.keys()];
  }

  /** Watches for peers that say no hello, or nothing at all any more, until `close`. */
  async watch(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#look(clock.nowMs());
      await sleepMs(clock, LOOK_MS, signal);
    }
  }

  /** A WebSocket whose Host and Origin are as they should be. */
  accept(socket: HubSocket, address: string): HubConnection {
    const nowMs = this.#options.clock.nowMs();
    const peer = newPeer(socket, address, nowMs);
    const against = whyNotAccept(this.#peers, address);
    this.#peers.add(peer);
    if (this.#closing.signal.aborted) this.#dismiss(peer, DISMISSALS.leaving, false);
    else if (against !== undefined) this.#dismiss(peer, against);
    return {
      text: (text) => this.#receive(peer, text),
      binary: () => {
        if (this.#hear(peer)) this.#malformed(peer, undefined, "a binary message; clients send text");
      },
      alive: () => void this.#hear(peer),
      closed: (why) => {
        this.#leave(peer, why);
        this.#peers.delete(peer);
      },
    };
  }

  /** @see PartServices.addClient */
  addClient(inner: Omit<GatewayClient, "id">): GatewayClient {
    const client = new ForeignClient(this.#nextId++, inner);
    // Whatever it engaged now, nobody would end.
    if (this.#closing.signal.aborted) return client;
    this.#clients.set(client, new ClientLimits());
    this.#tell("onClient", (part) => part.onClient?.(client));
    this.#options.onClients(this.clients);
    return client;
  }

  removeClient(client: GatewayClient, why: string): void {
    const peer = this.#peerOf.get(client);
    if (peer !== undefined) this.#dismiss(peer, revoked(why));
    else this.#forget(client, why);
  }

  /** Whoever has come with a token of this device goes. */
  removeDevice(device: string, why: string): void {
    for (const client of this.clients) if (client.device === device) this.removeClient(client, why);
  }

  isConnected(device: string): boolean {
    return this.clients.some((client) => client.device === device);
  }

  deliverPose(arrival: PoseArrival): void {
    const { client } = arrival;
    const limits = this.#clients.get(client);
    if (limits === undefined) return;
    if (!limits.poses.take(this.#options.clock.nowMs())) {
      this.counts.droppedPoses++;
      return;
    }
    if (client.role !== "operator") {
      this.counts.refused++;
      return;
    }
    this.counts.poses++;
    this.#tell("onPose", (part) => part.onPose?.(arrival), client);
  }

  deliverMalformed(client: GatewayClient, why: string): void {
    if (!this.#clients.has(client)) return;
    this.counts.malformed++;
    this.#tell("onMalformed", (part) => part.onMalformed?.(client, why));
  }

  /** Says goodbye to everybody, and lets nobody in any more. */
  close(): void {
    this.#closing.abort();
    for (const peer of this.#peers) this.#dismiss(peer, DISMISSALS.leaving, false);
    for (const client of this.clients) this.#forget(client, DISMISSALS.leaving.happened);
  }

  #look(nowMs: number): void {
    for (const peer of this.#peers) {
      const { dismissal, ends, pings } = lookAt(peer, nowMs, this.#options.isPaired);
      if (dismissal !== undefined) this.#dismiss(peer, dismissal);
      if (ends === true) peer.socket.terminate();
      if (pings === true) {
        peer.pingedMs = nowMs;
        peer.socket.ping();
      }
    }
  }

  /** False when nothing more of this peer is heard. */
  #hear(peer: Peer): boolean {
    if (peer.goneMs !== undefined) return false;
    const nowMs = this.#options.clock.nowMs();
    peer.heardMs = nowMs;
    if (peer.flood.take(nowMs)) return true;
    this.#dismiss(peer, DISMISSALS.flood);
    return false;
  }

  #receive(peer: Peer, text: string): void {
    const receivedNs = this.#options.clock.nowNs();
    if (!this.#hear(peer)) return;
    let raw: unknown;
    try {
      raw = JSON.parse(text);
    } catch {
      this.#malformed(peer, undefined, "it is not JSON");
      return;
    }
    if (peer.client === undefined) this.#greet(peer, raw);
    else this.#read(peer, peer.client, raw, receivedNs);
  }

  #read(peer: Peer, client: SocketClient, raw: unknown, receivedNs: MonotonicNs): void {
    const kind = kindOf(raw);
    const limits = this.#clients.get(client)!;
    if (kind === "stop") this.#stop(client, limits, raw);
    else if (kind !== "pose" && !limits.others.take(this.#options.clock.nowMs())) this.#tooMany(client, raw);
    else {
      const parsed = ClientMessage.safeParse(raw);
      if (parsed.success) this.#dispatch(client, limits, parsed.data, receivedNs);
      else this.#malformed(peer, raw, firstIssue(parsed.error));
    }
  }

  #dispatch(
    client: SocketClient,
    limits: ClientLimits,
    message: ClientMessage,
    receivedNs: MonotonicNs,
  ): void {
    switch (message.kind) {
      case "pose":
        this.deliverPose({ client, pose: message.pose, receivedNs });
        return;
      case "velocity":
        if (client.role === "operator")
          this.#tell("onVelocity", (part) => part.onVelocity?.(client, message), client);
        else this.counts.refused++;
        return;
      case "ping":
        client.send({
          kind: "pong",
          id: message.id,
          clientTimeMs: message.clientTimeMs,
          serverTimeMs: this.#options.clock.nowMs(),
        });
        return;
      case "subscribe":
        this.#tell("onSubscribe", (part) => part.onSubscribe?.(client, message), client);
        return;
      case "link":
        this.#tell("onLink", (part) => part.onLink?.(client, message), client);
        return;
      case "request":
        void this.#answer(client, limits, message.id, message.request);
        return;
      case "hello":
        this.#malformed(this.#peerOf.get(client)!, undefined, "a second hello");
        return;
      case "stop":
        this.#stop(client, limits, message);
    }
  }

  #greet(peer: Peer, raw: unknown): void {
    const parsed = ClientMessage.safeParse(raw);
    if (!parsed.success || parsed.data.kind !== "hello") {
      const why = parsed.success ? `"${parsed.data.kind}" came before hello` : firstIssue(parsed.error);
      this.#dismiss(peer, notHello(why));
      return;
    }
    const hello = parsed.data;
    const known = this.#options.authenticate(hello.token);
    if (known === undefined) {
      this.#dismiss(peer, DISMISSALS.badToken);
      return;
    }
    const identity = `${known.device}\n${nameOf(hello)}`;
    const same = [...this.#peers].find((other) => other.goneMs === undefined && other.identity === identity);
    if (same !== undefined) this.#dismiss(same, DISMISSALS.superseded);
    if (this.#peerOf.size >= CLIENTS_MAX) {
      this.#dismiss(peer, DISMISSALS.full);
      return;
    }
    peer.identity = identity;
    this.#welcome(peer, hello, known);
  }

  #welcome(peer: Peer, hello: Hello, { device, role }: { device: string; role: Role }): void {
    const client = new SocketClient({
      id: this.#nextId++,
      name: this.#uniqueName(nameOf(hello)),
      role,
      kind: hello.client,
      device,
      socket: peer.socket,
      onSlow: () => this.#tooSlow(peer),
    });
    peer.client = client;
    this.#clients.set(client, new ClientLimits());
    this.#peerOf.set(client, peer);
    const { welcome, clock, log, onClients } = this.#options;
    client.send({
      kind: "welcome",
      protocol: GATEWAY_PROTOCOL,
      client: client.name,
      role,
      serverTimeMs: clock.nowMs(),
      ...welcome,
    });
    log("info", "clientConnected", `${client.name} (${role}) from ${peer.address}`);
    this.#tell("onClient", (part) => part.onClient?.(client), client);
    onClients(this.clients);
  }

  #uniqueName(name: string): string {
    const taken = new Set(this.clients.map((client) => client.name));
    let unique = name;
    for (let count = 2; taken.has(unique); count++) unique = `${name} (${count})`;
    return unique;
  }

  /** Whatever else is wrong with the message: somebody wants everything to stop. */
  #stop(client: SocketClient, limits: ClientLimits, raw: unknown): void {
    if (!limits.stops.take(this.#options.clock.nowMs())) return;
    const parsed = ClientMessage.safeParse(raw);
    const reason = parsed.success && parsed.data.kind === "stop" ? parsed.data.reason : "no readable reason";
    this.#options.stop(`${client.name}: ${reason}`);
  }

  async #answer(
    client: SocketClient,
    limits: ClientLimits,
    id: number,
    request: GatewayRequest,
  ): Promise<void> {
    let answer: Answer = { ok: false, ...TOO_MANY_OPEN };
    if (limits.openRequests < REQUESTS_OPEN_MAX) {
      limits.openRequests++;
      answer = await this.ask(client, request);
      limits.openRequests--;
    }
    if (!answer.ok) this.counts.refused++;
    client.send(answer.ok ? { kind: "answer", id, ...answer } : { kind: "refusal", id, ...answer });
  }

  /** Asks the part that answers this. Never rejects. */
  async ask(client: GatewayClient, request: GatewayRequest): Promise<Answer> {
    if (client.role !== "operator" && !OBSERVERS_REQUESTS.includes(request.do))
      return { ok: false, ...observersMayNot(client.name, request.do) };
    const handlers = this.#parts.find(({ requests }) => requests?.[request.do] !== undefined)?.requests;
    if (handlers === undefined) return { ok: false, ...unanswered(request.do) };
    try {
      const handler = handlers[request.do] as (
        request: GatewayRequest,
        client: GatewayClient,
      ) => Promise<Answer>;
      return await handler.call(handlers, request, client);
    } catch (thrown) {
      this.#options.log("error", "defect", `request ${request.do}: ${defectText(thrown)}`);
      const { closeCode: _closeCode, ...told } = defectOf(errorText(thrown));
      return { ok: false, ...told };
    }
  }

  #tooMany(client: SocketClient, raw: unknown): void {
    this.counts.refused++;
    const id = requestIdOf(raw);
    if (id !== undefined) client.send({ kind: "refusal", id, ok: false, ...TOO_MANY });
  }

  /** What it engaged ends; a request is answered; anything else, or too much of it, ends the connection. */
  #malformed(peer: Peer, raw: unknown, why: string): void {
    const { client } = peer;
    const dismissal = notUnderstood(why);
    if (client === undefined) {
      this.#dismiss(peer, dismissal);
      return;
    }
    this.deliverMalformed(client, why);
    const isFew = this.#clients.get(client)?.malformed.take(this.#options.clock.nowMs()) === true;
    const id = requestIdOf(raw);
    const { closeCode: _closeCode, ...told } = dismissal;
    if (isFew && id !== undefined) client.send({ kind: "refusal", id, ok: false, ...told });
    else if (!isFew || kindOf(raw) !== "pose") this.#dismiss(peer, dismissal);
  }

  #tooSlow(peer: Peer): void {
    this.#dismiss(peer, DISMISSALS.slow);
    // The refusal would stand behind everything that was not taken.
    peer.socket.terminate();
  }

  #dismiss(peer: Peer, { closeCode, mayReturn, ...told }: Dismissal, logs = true): void {
    if (peer.goneMs !== undefined) return;
    this.counts.closed++;
    if (mayReturn !== true)
      peer.socket.sendText(JSON.stringify({ kind: "refused", ...told } satisfies ServerMessage));
    peer.socket.close(closeCode, told.happened.slice(0, 100));
    const log = peer.client === undefined ? this.#strangersLog : this.#options.log;
    if (logs) log("warn", "clientDismissed", `${peer.client?.name ?? peer.address}: ${told.happened}`);
    this.#leave(peer, told.happened);
  }

  #leave(peer: Peer, why: string): void {
    if (peer.goneMs !== undefined) return;
    peer.goneMs = this.#options.clock.nowMs();
    if (peer.client !== undefined) this.#forget(peer.client, why);
  }

  #forget(client: GatewayClient, why: string): void {
    if (!this.#clients.delete(client)) return;
    this.#peerOf.delete(client);
    if (client instanceof SocketClient) client.end();
    this.#options.log("info", "clientGone", `${client.name}: ${why}`);
    this.#tell("onClosed", (part) => part.onClosed?.(client, why));
    this.#options.onClients(this.clients);
  }

  /** A part that throws is a defect: the others still hear, and whoever has caused it holds and goes. */
  #tell(what: string, tell: (part: GatewayPart) => void, cause?: GatewayClient): void {
    let first: unknown;
    for (const part of this.#parts) {
      try {
        tell(part);
      } catch (thrown) {
        first ??= thrown;
        this.#options.log("error", "defect", `${what}: ${defectText(thrown)}`);
      }
    }
    if (first === undefined || cause === undefined) return;
    this.deliverMalformed(cause, errorText(first));
    const peer = this.#peerOf.get(cause);
    if (peer !== undefined) this.#dismiss(peer, defectOf(errorText(first)));
  }
}

const nameOf = ({ client, name }: Hello): string => `${client} ${name}`;

const defectText = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message).slice(0, 2000) : errorText(thrown);
