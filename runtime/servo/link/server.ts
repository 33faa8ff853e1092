/**
 * The servo's side of its Unix socket. Reads requests, hands them to the servo, and sends snapshots that a slow reader
 * misses rather than queues. It decides nothing about motion: leases, epochs and refusals are the servo's.
 */
import { createServer, type Server, type Socket } from "node:net";
import { CerebellumError, errorText } from "../../../core/errors.js";
import type { StopCategory } from "../../../drivers/contract.js";
import type { ServoEvent, ServoInfo, ServoRole, ServoStatistics } from "../api.js";
import type { MutableSnapshot } from "../snapshot.js";
import { decodeFromClient, encode, FrameReader } from "./codec.js";
import type { BodyOf, ClientMessage, CommandBody } from "./schema.js";
import { SnapshotFrame } from "./snapshotFrame.js";

const PEERS_MAX = 32;
/** The last places are for supervisors: clients that somebody forgot to close must not keep the daemon out. */
const OTHERS_MAX = 28;
/** Events and results wait for a slow reader up to here; then it is cut off. */
const BACKLOG_BYTES_MAX = 256 * 1024;

/** One connected client; `id` is never used twice. */
export interface Peer {
  readonly id: number;
  readonly name: string;
  readonly role: ServoRole;
}

/** What the servo does with what comes in. Rejections and throws go back to the client as errors. */
export interface LinkHandler {
  info(): ServoInfo;
  statistics(): ServoStatistics;
  /** Any whole frame of this peer: it is alive. */
  heard(peer: Peer): void;
  gone(peer: Peer): void;
  acquireLease(peer: Peer, leaseName: string): { readonly epoch: number; readonly silenceMsMax: number };
  releaseLease(peer: Peer, epoch: number): void;
  command(peer: Peer, command: CommandBody): void;
  setpoints(peer: Peer, batch: BodyOf<"setpoints">): void;
  gripper(peer: Peer, opening: BodyOf<"gripper">): void;
  enable(): Promise<void>;
  /** @param by who asks */
  stop(category: StopCategory, reason: string, by: string): Promise<void>;
  revokeLease(peer: Peer, reason: string): void;
  reset(): Promise<void>;
  teach(on: boolean): Promise<void>;
  /** A peer that was cut off, for the event log. */
  troubled(text: string): void;
}

interface Connection {
  readonly socket: Socket;
  readonly reader: FrameReader<ClientMessage>;
  peer: Peer | undefined;
  snapshotEveryTicks: number;
  snapshotsDropped: number;
}

export class LinkServer {
  readonly #server: Server;
  readonly #handler: LinkHandler;
  readonly #connections = new Map<number, Connection>();
  /** Whoever commands first: his answer is wanted soon, all others look on. */
  #snapshotTakers: Connection[] = [];
  #nextId = 1;
  #snapshotFrame = new SnapshotFrame();

  constructor(handler: LinkHandler) {
    this.#handler = handler;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** @throws CerebellumError PORT_IN_USE, DEVICE_UNREACHABLE */
  listen(socketPath: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error) =>
        reject(
          new CerebellumError(
            "PORT_IN_USE",
            `Servo socket ${socketPath} cannot be opened: ${errorText(error)}`,
            "Choose another socket path, or end whatever listens there",
            error,
          ),
        ),
      );
      this.#server.listen(socketPath, resolve);
    });
  }

  get peerCount(): number {
    return this.#connections.size;
  }

  hasSupervisor(): boolean {
    for (const connection of this.#connections.values())
      if (connection.peer?.role === "supervisor") return true;
    return false;
  }

  /** Snapshots that slow readers missed, all peers together. */
  snapshotsDropped(): number {
    let sum = 0;
    for (const connection of this.#connections.values()) sum += connection.snapshotsDropped;
    return sum;
  }

  /** Encodes once and writes to everybody whose turn it is. A reader with bytes still queued misses this one. */
  broadcastSnapshot(snapshot: MutableSnapshot): void {
    let frame: Buffer | undefined;
    let bufferIsHeld = false;
    for (const connection of this.#snapshotTakers) {
      const every = connection.snapshotEveryTicks;
      if (every === 0 || snapshot.tick % every !== 0) continue;
      if (connection.socket.writableLength > 0) {
        connection.snapshotsDropped++;
        continue;
      }
      frame ??= this.#snapshotFrame.write(snapshot);
      connection.socket.write(frame);
      // Not all of it left at once: the socket keeps the buffer, so the next tick needs another.
      bufferIsHeld ||= connection.socket.writableLength > 0;
    }
    if (bufferIsHeld) this.#snapshotFrame = new SnapshotFrame();
  }

  broadcastEvent(event: ServoEvent): void {
    const bytes = encode("event", { ...event, trigger: event.trigger ?? "", fault: event.fault ?? null });
    for (const [id, connection] of this.#connections) if (connection.peer) this.#send(id, bytes);
  }

  broadcastInfo(): void {
    const bytes = encode("info", { info: this.#handler.info() });
    for (const [id, connection] of this.#connections) if (connection.peer) this.#send(id, bytes);
  }

  leaseLost(peerId: number, epoch: number, reason: string): void {
    this.#send(peerId, encode("leaseLost", { epoch, reason }));
  }

  async close(): Promise<void> {
    for (const connection of this.#connections.values()) connection.socket.destroySoon();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= PEERS_MAX) this.#makeRoom();
    if (this.#connections.size >= PEERS_MAX) {
      socket.destroy();
      this.#handler.troubled(`connection refused: ${PEERS_MAX} clients are connected already`);
      return;
    }
    const id = this.#nextId++;
    const connection: Connection = {
      socket,
      reader: new FrameReader(decodeFromClient),
      peer: undefined,
      snapshotEveryTicks: 0,
      snapshotsDropped: 0,
    };
    this.#connections.set(id, connection);
    socket.on("data", (chunk: Buffer) => {
      connection.reader.push(chunk, (message) => this.#take(id, connection, message));
      if (connection.reader.failure !== undefined) this.#cutOff(id, connection.reader.failure);
    });
    // A reset connection is a closed one; "close" follows.
    socket.on("error", () => {});
    socket.on("close", () => this.#forget(id));
  }

  /** Who never said who it is gives its place up first: nobody may be shut out of a stop by half-open connections. */
  #makeRoom(): void {
    for (const [id, { peer }] of this.#connections)
      if (peer === undefined) {
        this.#cutOff(id, "no hello, and its place is needed");
        return;
      }
  }

  #otherCount(): number {
    let count = 0;
    for (const { peer } of this.#connections.values())
      if (peer !== undefined && peer.role !== "supervisor") count++;
    return count;
  }

  #take(id: number, connection: Connection, message: ClientMessage): void {
    if (!this.#connections.has(id)) return;
    if (message.type === "hello") {
      if (connection.peer !== undefined) {
        this.#cutOff(id, "second hello");
        return;
      }
      if (message.role !== "supervisor" && this.#otherCount() >= OTHERS_MAX) {
        this.#cutOff(id, `${OTHERS_MAX} clients are connected already; the last places are for supervisors`);
        return;
      }
      connection.peer = { id, name: message.name, role: message.role };
      connection.snapshotEveryTicks = message.snapshotEveryTicks;
      this.#orderTakers();
      this.#handler.heard(connection.peer);
      this.#send(id, encode("info", { info: this.#handler.info() }));
      return;
    }
    const peer = connection.peer;
    if (peer === undefined) {
      this.#cutOff(id, `${message.type} before hello`);
      return;
    }
    this.#handler.heard(peer);
    this.#serve(peer, message);
  }

  #serve(peer: Peer, message: Exclude<ClientMessage, { type: "hello" }>): void {
    const { id } = peer;
    switch (message.type) {
      case "heartbeat":
        break;
      case "command":
      case "impedance":
        this.#handler.command(peer, message);
        break;
      case "setpoints":
        this.#handler.setpoints(peer, message);
        break;
      case "gripper":
        this.#handler.gripper(peer, message);
        break;
      case "leaseRelease":
        this.#handler.releaseLease(peer, message.epoch);
        break;
      case "leaseRequest":
        this.#grant(peer, message.requestId, message.name);
        break;
      case "statisticsRequest": {
        const statistics = this.#handler.statistics();
        this.#send(id, encode("statistics", { requestId: message.requestId, statistics }));
        break;
      }
      case "stop":
        // Whoever asks, a stop is never refused.
        this.#answer(id, message.requestId, this.#handler.stop(message.category, message.reason, peer.name));
        break;
      case "enable":
      case "reset":
        this.#answer(
          id,
          message.requestId,
          this.#supervise(peer, message.type, () => this.#handler[message.type]()),
        );
        break;
      case "teach":
        this.#answer(
          id,
          message.requestId,
          this.#supervise(peer, "teach mode", () => this.#handler.teach(message.on)),
        );
        break;
      case "leaseRevoke":
        this.#answer(
          id,
          message.requestId,
          this.#supervise(peer, "the lease's end", () => this.#handler.revokeLease(peer, message.reason)),
        );
    }
  }

  async #supervise(peer: Peer, request: string, act: () => Promise<void> | void): Promise<void> {
    if (peer.role !== "supervisor")
      throw new CerebellumError(
        "COMMAND_REFUSED",
        `${peer.name} asked for ${request} as ${peer.role}`,
        "Connect as supervisor",
      );
    await act();
  }

  #grant(peer: Peer, requestId: number, leaseName: string): void {
    try {
      this.#send(
        peer.id,
        encode("leaseGranted", { requestId, ...this.#handler.acquireLease(peer, leaseName) }),
      );
    } catch (error) {
      this.#refuse(peer.id, requestId, error);
    }
  }

  #answer(id: number, requestId: number, work: Promise<void>): void {
    work.then(
      () => this.#send(id, encode("result", { requestId, ok: true, code: "", happened: "", remedy: "" })),
      (error: unknown) => this.#refuse(id, requestId, error),
    );
  }

  #refuse(id: number, requestId: number, error: unknown): void {
    const known = error instanceof CerebellumError;
    const code = known ? error.code : "CHECK_FAILED";
    const happened = known ? error.happened : errorText(error);
    const remedy = known ? error.remedy : "This is a defect of the servo: see its log";
    this.#send(id, encode("result", { requestId, ok: false, code, happened, remedy }));
  }

  #send(id: number, bytes: Buffer): void {
    const socket = this.#connections.get(id)?.socket;
    if (socket === undefined || !socket.writable) return;
    if (socket.writableLength > BACKLOG_BYTES_MAX) this.#cutOff(id, "reads too slowly");
    else socket.write(bytes);
  }

  #cutOff(id: number, reason: string): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#forget(id);
    connection.socket.destroy();
    this.#handler.troubled(`client ${connection.peer?.name ?? id} cut off: ${reason}`);
  }

  #orderTakers(): void {
    const takers = [...this.#connections.values()].filter(({ snapshotEveryTicks }) => snapshotEveryTicks > 0);
    const isCommander = ({ peer }: Connection) => peer?.role === "commander";
    this.#snapshotTakers = [...takers.filter(isCommander), ...takers.filter((taker) => !isCommander(taker))];
  }

  #forget(id: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#connections.delete(id);
    this.#orderTakers();
    if (connection.peer !== undefined) this.#handler.gone(connection.peer);
  }
}
