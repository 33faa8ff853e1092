/**
 * A cable between a client and one port of the controller, on which things go wrong on purpose. Frames pass whole and at
 * once until a treatment is set; the emulated controller behind it stays honest.
 *
 * A pulled cable is told neither to the client nor to the controller: bytes written meanwhile wait, as they do in the
 * kernel that goes on retransmitting them, and arrive when it is plugged in again. Only a connection that its owner has
 * reset takes its bytes with it.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { type Clock, sleepMs } from "../../core/clock.js";
import {
  COMMAND_FRAME_BYTES_MAX,
  commandFrameBytes,
  FrameBuffer,
  type MeasureFrame,
  REPORT_BYTES_MAX,
  type ReportKind,
} from "../../drivers/xarm7/protocol/index.js";
import { listen } from "./servers.js";

export type PortName = "command" | ReportKind;
export type Side = "requests" | "replies";

/** What to do with each whole frame: others go instead of it, none swallows it. */
export type Change = (frame: Uint8Array) => readonly Uint8Array[];

export type Treatment =
  | { readonly do: "pass" }
  /** Keeps everything until another treatment lets it go, in order. */
  | { readonly do: "hold" }
  /** Cuts frames into parts of so many bytes with a pause after each. */
  | { readonly do: "pieces"; readonly bytes: number; readonly gapMs: number }
  /** Sends so many frames as one segment, or what there is after `BATCH_MS`. */
  | { readonly do: "batch"; readonly frames: number }
  | { readonly do: "change"; readonly change: Change };

/** `silent`: a connection is taken and nothing more happens; `refuse`: nobody listens. */
export type Welcome = "serve" | "silent" | "refuse";

const BATCH_MS = 20;
const PASS: Treatment = { do: "pass" };

/** One direction of one connection. */
class Pipe {
  readonly #clock: Clock;
  readonly #frames: FrameBuffer;
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #write: (bytes: Uint8Array) => void;
  #treatment: Treatment;
  #waiting: Uint8Array[] = [];
  #ended: (() => void) | undefined;
  #isCutting = false;

  constructor(
    clock: Clock,
    port: PortName,
    treatment: Treatment,
    onFrame: (frame: Uint8Array) => void,
    write: (bytes: Uint8Array) => void,
  ) {
    this.#onFrame = onFrame;
    this.#clock = clock;
    this.#frames = new FrameBuffer(frameBytesMax(port), measureOf(port));
    this.#treatment = treatment;
    this.#write = write;
  }

  push(chunk: Uint8Array): void {
    const lost = this.#frames.push(chunk, (view, offset, frameBytes) =>
      this.#take(new Uint8Array(view.buffer, view.byteOffset + offset, frameBytes).slice()),
    );
    // What is no frame passes as it is: it is not this cable's business.
    if (lost !== "") this.#take(Uint8Array.from(chunk));
  }

  /** Writes bytes that nobody sent. */
  inject(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  treat(treatment: Treatment): void {
    this.#treatment = treatment;
    if (treatment.do === "hold" || this.#isCutting) return;
    // What a stalled network lets go comes at once.
    this.#flush();
  }

  /** Calls `then` once all bytes have gone. */
  end(then: () => void): void {
    this.#ended = then;
    this.#endIfEmpty();
  }

  drop(): void {
    this.#waiting = [];
  }

  #take(frame: Uint8Array): void {
    this.#onFrame(frame);
    const treatment = this.#treatment;
    switch (treatment.do) {
      case "pass":
        if (this.#isCutting) this.#waiting.push(frame);
        else this.#write(frame);
        return;
      case "hold":
        this.#waiting.push(frame);
        return;
      case "change":
        for (const bytes of treatment.change(frame)) this.#write(bytes);
        return;
      case "batch":
        this.#waiting.push(frame);
        if (this.#waiting.length >= treatment.frames) this.#flush();
        else if (this.#waiting.length === 1) void this.#flushSoon();
        return;
      case "pieces":
        this.#waiting.push(frame);
        void this.#cut(treatment.bytes, treatment.gapMs);
        return;
    }
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length > 0) this.#write(Buffer.concat(waiting));
    this.#endIfEmpty();
  }

  async #flushSoon(): Promise<void> {
    await sleepMs(this.#clock, BATCH_MS);
    if (this.#treatment.do === "batch") this.#flush();
  }

  async #cut(bytes: number, gapMs: number): Promise<void> {
    if (this.#isCutting) return;
    this.#isCutting = true;
    for (let frame = this.#waiting.shift(); frame !== undefined; frame = this.#waiting.shift())
      for (let from = 0; from < frame.length; from += bytes) {
        this.#write(frame.subarray(from, from + bytes));
        await sleepMs(this.#clock, gapMs);
      }
    this.#isCutting = false;
    this.#endIfEmpty();
  }

  #endIfEmpty(): void {
    if (this.#waiting.length > 0 || this.#isCutting || this.#treatment.do === "hold") return;
    this.#ended?.();
    this.#ended = undefined;
  }
}

interface Connection {
  readonly client: Socket;
  device: Socket | undefined;
  readonly pipes: Readonly<Record<Side, Pipe>>;
}

export class FaultProxy {
  readonly #clock: Clock;
  readonly #connections = new Set<Connection>();
  readonly #treatments: Record<Side, Treatment> = { requests: PASS, replies: PASS };
  #server: Server | undefined;
  #welcome: Welcome = "serve";
  #isReading = true;
  #port = 0;
  /** Sees each whole request of a client before it goes on. */
  onRequest: (frame: Uint8Array) => void = () => {};
  /** Where the controller's port is; may change when another controller takes its place. */
  targetPort = 0;

  constructor(
    readonly name: PortName,
    clock: Clock,
  ) {
    this.#clock = clock;
  }

  /** Port for the client, the same through everything that follows. */
  get port(): number {
    return this.#port;
  }

  get clientCount(): number {
    return this.#connections.size;
  }

  async start(targetPort: number): Promise<void> {
    this.targetPort = targetPort;
    await this.#listen();
  }

  async close(): Promise<void> {
    this.disconnect("reset");
    await this.#stopListening();
  }

  treat(side: Side, treatment: Treatment): void {
    this.#treatments[side] = treatment;
    for (const { pipes } of this.#connections) pipes[side].treat(treatment);
  }

  /** Connections that come from now on; those that were taken silently are served when service begins. */
  async welcome(how: Welcome): Promise<void> {
    this.#welcome = how;
    if (how === "refuse") await this.#stopListening();
    else if (this.#server === undefined) await this.#listen();
    if (how !== "serve") return;
    for (const connection of this.#connections) this.#connectDevice(connection);
  }

  /** `false`: the controller's side reads nothing, so that the client's bytes pile up in the kernel. */
  read(isReading: boolean): void {
    this.#isReading = isReading;
    for (const { client } of this.#connections) isReading ? client.resume() : client.pause();
  }

  inject(side: Side, bytes: Uint8Array): void {
    for (const { pipes } of this.#connections) pipes[side].inject(bytes);
  }

  /** Ends all connections: `end` as an orderly close does, `reset` as a reboot does. */
  disconnect(how: "end" | "reset"): void {
    for (const { client, device, pipes } of this.#connections) {
      pipes.requests.drop();
      pipes.replies.drop();
      if (how === "end") client.end();
      else client.resetAndDestroy();
      device?.destroy();
    }
    this.#connections.clear();
  }

  async #listen(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    this.#port = await listen(server, "127.0.0.1", this.#port);
  }

  async #stopListening(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    // Connections that stand keep `close` from ending; nobody can connect from here on all the same.
    server?.close();
  }

  #accept(client: Socket): void {
    const pipe = (side: Side, to: () => Socket | undefined) =>
      new Pipe(
        this.#clock,
        this.name,
        this.#treatments[side],
        (frame) => side === "requests" && this.onRequest(frame),
        (bytes) => {
          const socket = to();
          if (socket !== undefined && !socket.destroyed) socket.write(bytes);
        },
      );
    const connection: Connection = {
      client,
      device: undefined,
      pipes: { requests: pipe("requests", () => connection.device), replies: pipe("replies", () => client) },
    };
    this.#connections.add(connection);
    client.setNoDelay(true);
    client.on("error", () => connection.pipes.requests.drop());
    client.on("data", (chunk) => connection.pipes.requests.push(chunk));
    client.on("close", () =>
      connection.pipes.requests.end(() => {
        connection.device?.end();
        this.#connections.delete(connection);
      }),
    );
    if (!this.#isReading) client.pause();
    if (this.#welcome === "serve") this.#connectDevice(connection);
    else connection.pipes.requests.treat({ do: "hold" });
  }

  #connectDevice(connection: Connection): void {
    if (connection.device !== undefined || connection.client.destroyed) return;
    const { client, pipes } = connection;
    const device = connect(this.targetPort, "127.0.0.1");
    connection.device = device;
    device.setNoDelay(true);
    device.on("error", () => device.destroy());
    device.on("data", (chunk) => pipes.replies.push(chunk));
    device.on("close", () => pipes.replies.end(() => client.end()));
    pipes.requests.treat(this.#treatments.requests);
  }
}

const frameBytesMax = (port: PortName): number =>
  port === "command" ? COMMAND_FRAME_BYTES_MAX : REPORT_BYTES_MAX;

/** Reports begin with their own length; requests and replies of the command port carry theirs in the header. */
const measureOf = (port: PortName): MeasureFrame =>
  port === "command"
    ? commandFrameBytes
    : (view, offset, available) => (available < 4 ? 0 : view.getUint32(offset));
