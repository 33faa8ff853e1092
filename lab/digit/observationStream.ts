/**
 * The robot's observations on their way to one client: the description at first and then piece by piece, a message a
 * period. It has no time of its own and knows no sockets.
 */
import {
  CHUNK_HEADER_BYTES,
  DescriptionCycle,
  type EncodedStream,
  encodeChunk,
  ObservationWriter,
} from "../../drivers/digit/protocol/index.js";
import type { ConditionName, DigitFaults } from "./digitFaults.js";
import { describeObservations } from "./layout.js";
import { rawZstdFrame } from "./rawZstd.js";
import type { Readings } from "./readings.js";

/** On which the description depends. */
const DESCRIBING: readonly ConditionName[] = ["laysOut", "misses", "claims"];
const CHECKSUM_BYTES = 4;

export class ObservationStream {
  readonly #readings: Readings;
  readonly #faults: DigitFaults;
  readonly #send: (datagram: Uint8Array) => void;
  #cycle: DescriptionCycle;
  #writer: ObservationWriter;
  #newest: Uint8Array | undefined;
  sentCount = 0;

  constructor(readings: Readings, faults: DigitFaults, send: (datagram: Uint8Array) => void) {
    this.#readings = readings;
    this.#faults = faults;
    this.#send = send;
    const stream = describeObservations(faults);
    this.#cycle = new DescriptionCycle(stream.chunks);
    this.#writer = new ObservationWriter(stream.description);
  }

  /** Whether a change of this condition changes what is described. */
  static isDescribed(name: ConditionName): boolean {
    return DESCRIBING.includes(name);
  }

  /** The layout is another from now on; clients learn it as the description comes round. */
  redescribe(nowMs: number): void {
    const stream: EncodedStream = describeObservations(this.#faults);
    this.#cycle = new DescriptionCycle(stream.chunks);
    // It comes piece by piece: nothing tells a robot's program that its client has to learn anew.
    this.#cycle.due(nowMs);
    this.#writer = new ObservationWriter(stream.description);
    this.#newest = undefined;
  }

  /** A client has appeared: the whole description at once. */
  begin(): void {
    this.#cycle.restart();
  }

  send(nowMs: number): void {
    this.sentCount++;
    const chunks = this.#cycle.due(nowMs);
    if (!this.#faults.has("stopsDescribing")) for (const chunk of chunks) this.#send(chunk);
    this.#send(this.#observation());
  }

  #observation(): Uint8Array {
    if (this.#newest !== undefined && this.#faults.has("freezes")) return this.#newest;
    this.#readings.update();
    // A copy, which a Buffer's own `slice` is not: a socket may take it later, and a frozen one is sent again.
    this.#newest = new Uint8Array(this.#changed(this.#writer.write(this.#readings.observation)));
    return this.#newest;
  }

  #changed(datagram: Buffer): Uint8Array {
    const message = datagram.subarray(CHUNK_HEADER_BYTES, -CHECKSUM_BYTES);
    if (this.#faults.get("laysOut")?.as === "compressed") return encodeChunk("CDAT", rawZstdFrame(message));
    const bytes = this.#faults.get("missizes")?.bytes ?? 0;
    if (bytes === 0) return datagram;
    const resized = new Uint8Array(message.length + bytes);
    resized.set(message.subarray(0, resized.length));
    return encodeChunk("UDAT", resized);
  }
}
