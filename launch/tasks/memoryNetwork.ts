/**
 * The computer's side of Digit's network without the operating system, for trials in simulated time: what `node:dgram` makes
 * of datagrams, and the socket under the JSON interface, handed to an emulated robot in the same process and time. The links
 * above are the real ones.
 */
import type { Socket } from "node:dgram";
import { EventEmitter } from "node:events";
import type { JsonSocketEvents, OpenJsonSocket } from "../../drivers/digit/jsonSocket.js";
import type { DigitEmulator, SourceId } from "../../lab/digit/emulator.js";
import type { JsonSession } from "../../lab/digit/jsonApi.js";

/** As `host` of the links: an address, which needs no look-up. */
export const ROBOT_ADDRESS = "127.0.0.1";
const FIRST_SOURCE_PORT = 50_000;
const FIRST_CLIENT_PORT = 40_000;

class MemorySocket extends EventEmitter {
  port = 0;
  readonly #network: MemoryNetwork;

  constructor(network: MemoryNetwork) {
    super();
    this.#network = network;
  }

  bind(port: number, done: () => void): void {
    this.port = this.#network.take(this, port);
    queueMicrotask(done);
  }

  send(datagram: Uint8Array): void {
    if (!this.#network.isCut) this.#network.emulator?.receive(datagram, ROBOT_ADDRESS, this.port);
  }

  setRecvBufferSize(): void {}

  close(done: () => void): void {
    this.#network.give(this);
    queueMicrotask(done);
  }
}

export class MemoryNetwork {
  emulator: DigitEmulator | undefined;
  /** Datagrams get lost, both ways; texts do not. */
  isCut = false;
  readonly #bound = new Map<number, MemorySocket>();
  #nextPort = FIRST_CLIENT_PORT;

  /** As much of a datagram socket as the link uses. */
  readonly openSocket = (): Socket => new MemorySocket(this) as unknown as Socket;

  /** From the robot to the port that the client has opened; gone when nobody has. */
  readonly deliver = (datagram: Uint8Array, port: number, from: SourceId): void => {
    const sender = { address: ROBOT_ADDRESS, port: FIRST_SOURCE_PORT + from, family: "IPv4", size: 0 };
    if (!this.isCut) this.#bound.get(port)?.emit("message", Buffer.from(datagram), sender);
  };

  readonly openJson: OpenJsonSocket = (_url, events) => new MemoryJson(this, events);

  take(socket: MemorySocket, wanted: number): number {
    const port = wanted === 0 ? this.#nextPort++ : wanted;
    this.#bound.set(port, socket);
    return port;
  }

  give(socket: MemorySocket): void {
    this.#bound.delete(socket.port);
  }
}

class MemoryJson {
  readonly #events: JsonSocketEvents;
  #session: JsonSession | undefined;
  #isOver = false;

  constructor({ emulator }: MemoryNetwork, events: JsonSocketEvents) {
    this.#events = events;
    if (emulator === undefined || !emulator.json.accepts) {
      queueMicrotask(() => this.#end("connection refused"));
      return;
    }
    this.#session = emulator.json.connect({
      // In a turn of its own, as a network's texts come, and in order.
      send: (text) => queueMicrotask(() => this.#isOver || events.onText(text)),
      ping: () => this.#session?.heard(),
      close: () => this.#end("the robot closed the connection"),
    });
    queueMicrotask(() => this.#isOver || events.onOpen());
  }

  send(text: string): void {
    if (!this.#isOver) this.#session?.receive(text);
  }

  pong(): void {
    if (!this.#isOver) this.#session?.heard();
  }

  terminate(): void {
    this.#session?.end();
    this.#end("ended here");
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onClosed(reason);
  }
}
