/**
 * The receiving side of a stream, of either direction, without socket or clock. As the vendor's client does it:
 *
 * - It keeps to the sender of the first STRT that it accepts and hears no other.
 * - Data count once the description is whole, from STRT to a DEND whose checksum matches. Until then they only show that
 *   the sender lives.
 * - While data count, the description that is sent over and over is looked at for one thing: a DEND with another checksum
 *   ends the connection, and so does silence: 100 ms without a valid chunk. The next STRT, from whomever, begins anew.
 * - A message of another size than described is thrown away; the connection stays.
 */
import { type ChunkFault, ChunkReader } from "./chunk.js";
import { checksumOf, type Description, DescriptionBuilder } from "./description.js";

export type StreamState = "silent" | "describing" | "live";

/** Without a valid chunk for so long, the connection is over [ms]. */
export const STREAM_SILENCE_MS = 100;
/** Between two looks for silence, more means that this process was held up [ms]. */
const LATE_LOOK_MS = 60;

/** @throws RangeError for what is no Zstandard frame, or one that would become larger than `bytesMax` */
export type Inflate = (frame: Uint8Array, bytesMax: number) => Uint8Array;

export interface StreamEvents {
  /** The description is whole; messages follow. */
  onDescription(description: Description): void;
  /** One message, `description.messageBytes` long, at `start` in `view`: valid during the call only. */
  onMessage(view: DataView, start: number): void;
  /** Messages count no more, or a description came to nothing. */
  onLost(reason: string): void;
}

export class StreamCounters {
  /** Messages handed over. */
  messages = 0;
  /** Datagrams that are no chunk: too short, cut off, damaged. */
  readonly broken: Record<ChunkFault, number> = { short: 0, cut: 0, checksum: 0 };
  /** From another sender than the one that is listened to. */
  foreign = 0;
  /** Messages of another size than described. */
  wrongSize = 0;
  /** Compressed messages that cannot be read. */
  uncompressible = 0;
  /** Chunks of a kind that nobody knows. */
  unknown = 0;
  /** Descriptions that were complete. */
  descriptions = 0;
  /** Descriptions whose checksum or content was wrong. */
  refused = 0;
}

export class StreamReader {
  state: StreamState = "silent";
  description: Description | undefined;
  readonly counters = new StreamCounters();
  readonly #events: StreamEvents;
  readonly #inflate: Inflate | undefined;
  readonly #chunk = new ChunkReader();
  readonly #builder = new DescriptionBuilder();
  #address = "";
  #port = 0;
  #validMs = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;

  /** @param inflate for compressed messages; without it they count as uncompressible */
  constructor(events: StreamEvents, inflate?: Inflate) {
    this.#events = events;
    this.#inflate = inflate;
  }

  /** "address:port" of the sender that is listened to, empty without one. */
  get sender(): string {
    return this.#port === 0 ? "" : `${this.#address}:${this.#port}`;
  }

  /** When the newest valid chunk of that sender came [ms]. */
  get validMs(): number {
    return this.#validMs;
  }

  /** What of a description has come since its STRT, for whoever wonders why it never ends. */
  get partsSeen(): readonly string[] {
    return this.#builder.kinds;
  }

  push(datagram: Uint8Array, address: string, port: number, nowMs: number): void {
    const chunk = this.#chunk;
    const isOurs = port === this.#port && address === this.#address;
    if (this.#port !== 0 && !isOurs) {
      this.counters.foreign++;
      return;
    }
    const fault = chunk.read(datagram);
    if (fault !== undefined) {
      this.counters.broken[fault]++;
      return;
    }
    if (this.#port === 0) {
      if (chunk.kind !== "STRT") return;
      this.#address = address;
      this.#port = port;
    }
    this.#validMs = nowMs;
    this.#take();
  }

  /**
   * Ends a connection that has been silent. To be called every 25 ms or so; a call that comes late decides nothing, because
   * what waits in the kernel while this process was held up is no silence, and is read before the next call.
   */
  expire(nowMs: number): void {
    const isLate = nowMs - this.#lookedMs > LATE_LOOK_MS;
    this.#lookedMs = nowMs;
    const silentMs = nowMs - this.#validMs;
    if (this.#port === 0 || isLate || silentMs < STREAM_SILENCE_MS) return;
    this.#lose(`no valid datagram for ${Math.round(silentMs)} ms`);
  }

  /** Forgets the sender, without an event. */
  reset(): void {
    this.#address = "";
    this.#port = 0;
    this.#builder.isBuilding = false;
    this.state = "silent";
    this.description = undefined;
  }

  #take(): void {
    const chunk = this.#chunk;
    switch (chunk.kind) {
      case "UDAT":
        this.#message(chunk.view, chunk.dataStart, chunk.dataBytes);
        return;
      case "CDAT":
        this.#compressed();
        return;
      case "STRT":
        if (this.state === "live") return;
        this.state = "describing";
        this.#builder.start();
        return;
      case "DEND":
        this.#end();
        return;
      case "unknown":
        this.counters.unknown++;
    }
    if (this.state === "describing") this.#builder.add(chunk);
  }

  #end(): void {
    if (this.state === "live") {
      if (checksumOf(this.#chunk) !== this.description?.checksum)
        this.#lose("the sender describes its messages in another way now");
      return;
    }
    // A repeated DEND, whose STRT was lost, ends nothing.
    if (!this.#builder.isBuilding) return;
    const described = this.#builder.finish(this.#chunk);
    if (described.kind === "refused") {
      this.counters.refused++;
      this.#events.onLost(described.reason);
      return;
    }
    this.counters.descriptions++;
    this.description = described.description;
    this.state = "live";
    this.#events.onDescription(described.description);
  }

  #message(view: DataView, start: number, bytes: number): void {
    const { description } = this;
    if (description === undefined) return;
    if (bytes !== description.messageBytes) {
      this.counters.wrongSize++;
      return;
    }
    this.counters.messages++;
    this.#events.onMessage(view, start);
  }

  #compressed(): void {
    const { description } = this;
    if (description === undefined) return;
    let message: Uint8Array | undefined;
    try {
      message = this.#inflate?.(this.#chunk.data, description.messageBytes);
    } catch {
      // Counted below; the decompressor has no better words than "is broken".
    }
    if (message === undefined) {
      this.counters.uncompressible++;
      return;
    }
    this.#message(new DataView(message.buffer, message.byteOffset, message.byteLength), 0, message.length);
  }

  #lose(reason: string): void {
    this.reset();
    this.#events.onLost(reason);
  }
}
