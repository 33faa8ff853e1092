/** The controller's sockets: one command port for several clients, four report ports that only send. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { addNs, type Clock, type MonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import {
  bytesOfFrame,
  COMMAND_FRAME_BYTES_MAX,
  commandFrameBytes,
  decodeRequest,
  FrameBuffer,
  HEADER_BYTES,
  PROTOCOL_ID,
  type ReportKind,
} from "../../drivers/xarm7/protocol/index.js";
import { answer, answerMalformed } from "./commands.js";
import type { Controller } from "./controller.js";
import type { SetpointMonitor } from "./setpointMonitor.js";
import { type EmulatorCounters, isTaken, type WireLog, type WireRecord } from "./wireLog.js";

/** A client that does not read for so long is cut off. */
const UNREAD_BYTES_MAX = 256 * 1024;
const MODBUS_ILLEGAL_FUNCTION = 1;

/** Listens on a port (0: any free one) and returns the one in use. */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (thrown) {
    const busy = (thrown as NodeJS.ErrnoException).code === "EADDRINUSE";
    throw new CerebellumError(
      busy ? "PORT_IN_USE" : "LAB_REFUSED",
      `The emulated controller cannot listen on ${host}:${port}`,
      "Choose another port in the cell file, or end the process that holds it",
      thrown,
    );
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

export class CommandServer {
  readonly server: Server;
  readonly #controller: Controller;
  readonly #clock: Clock;
  readonly #counters: EmulatorCounters;
  readonly #log: WireLog;
  readonly #monitor: SetpointMonitor;
  readonly #sockets = new Set<Socket>();
  #clientId = 0;

  constructor(
    controller: Controller,
    clock: Clock,
    counters: EmulatorCounters,
    log: WireLog,
    monitor: SetpointMonitor,
  ) {
    this.#controller = controller;
    this.#clock = clock;
    this.#counters = counters;
    this.#log = log;
    this.#monitor = monitor;
    this.server = createServer((socket) => this.#accept(socket));
  }

  get clientCount(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await closeServer(this.server);
  }

  /** Cuts every connection, as a pulled cable does after a while. */
  dropClients(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    const client = ++this.#clientId;
    const buffer = new FrameBuffer(COMMAND_FRAME_BYTES_MAX, commandFrameBytes);
    this.#counters.connections += 1;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk) => {
      const lost = buffer.push(chunk, (view, offset, length) =>
        this.#frame(socket, client, bytesOfFrame(view, offset, length)),
      );
      if (lost === "") return;
      this.#counters.malformedFrames += 1;
      socket.destroy();
    });
  }

  #frame(socket: Socket, client: number, bytes: Uint8Array): void {
    const receivedNs = this.#clock.nowNs();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [transactionId, protocolId] = [view.getUint16(0), view.getUint16(2)];
    if (protocolId === PROTOCOL_ID.heartbeat) {
      this.#counters.heartbeats += 1;
      return;
    }
    if (protocolId === PROTOCOL_ID.modbus) {
      this.#counters.modbusRequests += 1;
      send(socket, modbusException(bytes));
      return;
    }
    this.#counters.requests += 1;
    const register = bytes[HEADER_BYTES]!;
    const logged = this.#log.note(receivedNs, client, bytes);
    // Feedback that arises while the request is executed follows its reply.
    let held: Uint8Array[] | undefined = [];
    const later = (frame: Uint8Array): void => {
      if (held === undefined) send(socket, frame);
      else held.push(frame);
    };
    const decoded = decodeRequest(bytes);
    if (decoded.kind !== "frame") this.#counters.badParameters += 1;
    const reply =
      decoded.kind === "frame"
        ? answer(this.#controller, decoded.value, later)
        : answerMalformed(this.#controller, transactionId, protocolId, register);
    send(socket, reply);
    if (logged !== undefined) {
      logged.stateByte = reply[HEADER_BYTES + 1]!;
      this.#watch(logged);
    }
    for (const frame of held) send(socket, frame);
    held = undefined;
  }

  #watch(record: WireRecord): void {
    const { atNs, client, positionRad } = record;
    if (positionRad === undefined) return;
    const { plant, state } = this.#controller;
    if (isTaken(record) && positionRad.every(Number.isFinite))
      this.#monitor.accepted(atNs, client, state.readyCount, positionRad, plant.positionRad);
    else this.#monitor.refused();
  }
}

export class ReportServer {
  readonly kind: ReportKind;
  readonly server: Server;
  /** Frames sent, over all clients. */
  sentCount = 0;
  readonly #periodNs: bigint;
  readonly #build: () => Uint8Array;
  readonly #counters: EmulatorCounters;
  readonly #sockets = new Set<Socket>();
  #frozen = false;

  constructor(kind: ReportKind, periodNs: bigint, build: () => Uint8Array, counters: EmulatorCounters) {
    this.kind = kind;
    this.#periodNs = periodNs;
    this.#build = build;
    this.#counters = counters;
    this.server = createServer((socket) => this.#accept(socket));
  }

  dueNs: MonotonicNs = 0n as MonotonicNs;

  get clientCount(): number {
    return this.#sockets.size;
  }

  /** Silent but connected, as a hung controller is. */
  freeze(on: boolean): void {
    this.#frozen = on;
  }

  /** Sends when due; frames missed by a late caller are not made up. */
  sendDue(nowNs: MonotonicNs): void {
    if (nowNs < this.dueNs) return;
    const missed = (nowNs - this.dueNs) / this.#periodNs;
    this.dueNs = addNs(this.dueNs, (missed + 1n) * this.#periodNs);
    if (this.#sockets.size === 0 || this.#frozen) return;
    const frame = this.#build();
    for (const socket of this.#sockets) this.#push(socket, frame);
  }

  async close(): Promise<void> {
    this.dropClients();
    await closeServer(this.server);
  }

  dropClients(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    // Clients have nothing to say here, but unread bytes would keep the connection from closing.
    socket.resume();
    if (!this.#frozen) this.#push(socket, this.#build());
  }

  #push(socket: Socket, frame: Uint8Array): void {
    if (socket.writableLength > UNREAD_BYTES_MAX) {
      this.#counters.slowClients += 1;
      socket.destroy();
      return;
    }
    send(socket, frame);
    this.sentCount += 1;
  }
}

function send(socket: Socket, frame: Uint8Array): void {
  if (!socket.destroyed) socket.write(frame);
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** Standard Modbus shares the port, but none of its functions are served here. */
function modbusException(request: Uint8Array): Uint8Array {
  const reply = Uint8Array.of(0, 0, 0, 0, 0, 3, 0, 0x80, MODBUS_ILLEGAL_FUNCTION);
  reply.set(request.subarray(0, 2));
  reply[6] = request[6]!;
  reply[7] = (request[7] ?? 0) | 0x80;
  return reply;
}
