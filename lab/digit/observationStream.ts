/**
 * The robot's observations on their way to one client: the description at first and then piece by piece, a message a
 * period. It has no time of its own and knows no sockets.
 */
import {
  type EncodedStream,
  encodeChunk,
  mapNumbers,
  OBSERVATION_FIELDS,
  writeNumbers,
} from "../../drivers/digit/protocol/index.js";
import type { ConditionName, DigitFaults } from "./digitFaults.js";
import { describeObservations } from "./layout.js";
import { rawZstdFrame } from "./rawZstd.js";
import type { Readings } from "./readings.js";

/** One chunk of the description so often [ms], in turn. */
const DESCRIBE_EVERY_MS = 100;
/** On which the description depends. */
const DESCRIBING: readonly ConditionName[] = ["laysOut", "misses", "claims"];

export class ObservationStream {
  readonly #readings: Readings;
  readonly #faults: DigitFaults;
  readonly #send: (datagram: Uint8Array) => void;
  #layout: ReturnType<typeof layOut>;
  #datagram: Buffer | undefined;
  #nextChunk = 0;
  #describedMs = Number.NEGATIVE_INFINITY;
  sentCount = 0;

  constructor(readings: Readings, faults: DigitFaults, send: (datagram: Uint8Array) => void) {
    this.#readings = readings;
    this.#faults = faults;
    this.#send = send;
    this.#layout = layOut(describeObservations(faults));
  }

  /** Whether a change of this condition changes what is described. */
  static isDescribed(name: ConditionName): boolean {
    return DESCRIBING.includes(name);
  }

  /** The layout is another from now on; clients learn it as the description comes round. */
  redescribe(): void {
    this.#layout = layOut(describeObservations(this.#faults));
    this.#datagram = undefined;
  }

  /** A client has appeared: the whole description at once. */
  begin(nowMs: number): void {
    this.#nextChunk = 0;
    this.#describedMs = nowMs;
    if (this.#faults.has("stopsDescribing")) return;
    for (const chunk of this.#layout.chunks) this.#send(chunk);
  }

  send(nowMs: number): void {
    this.sentCount++;
    this.#send(this.#observation());
    if (nowMs - this.#describedMs < DESCRIBE_EVERY_MS || this.#faults.has("stopsDescribing")) return;
    this.#describedMs = nowMs;
    const { chunks } = this.#layout;
    this.#send(chunks[this.#nextChunk % chunks.length]!);
    this.#nextChunk++;
  }

  #observation(): Buffer {
    if (this.#datagram !== undefined && this.#faults.has("freezes")) return this.#datagram;
    this.#readings.update();
    const { numbers, message, view } = this.#layout;
    writeNumbers(numbers, this.#readings.values, view, 0);
    const isCompressed = this.#faults.get("laysOut")?.as === "compressed";
    this.#datagram = isCompressed
      ? encodeChunk("CDAT", rawZstdFrame(message))
      : encodeChunk("UDAT", this.#resized(message));
    return this.#datagram;
  }

  #resized(message: Uint8Array): Uint8Array {
    const bytes = this.#faults.get("missizes")?.bytes ?? 0;
    if (bytes === 0) return message;
    const resized = new Uint8Array(message.length + bytes);
    resized.set(message.subarray(0, resized.length));
    return resized;
  }
}

function layOut({ chunks, description }: EncodedStream) {
  const message = new Uint8Array(description.messageBytes);
  return {
    chunks,
    numbers: mapNumbers(description, OBSERVATION_FIELDS),
    message,
    view: new DataView(message.buffer),
  };
}
