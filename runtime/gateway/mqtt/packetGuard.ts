/**
 * Stands between a connection and the broker and counts the bytes that each MQTT packet announces, before anything is
 * kept of it: the protocol allows 256 MiB, and a parser that waits for them holds them in memory.
 */
import { Duplex } from "node:stream";

/** Longest form of a packet's remaining length (MQTT 3.1.1, section 2.2.3). */
const LENGTH_BYTES_MAX = 4;

/** Follows the framing of one direction of one connection. */
export class PacketGuard {
  readonly #bytesMax: number;
  /** Bytes of the present packet's body that have not come yet. */
  #left = 0;
  /** Bytes of its length that have come; undefined while its first byte has not. */
  #lengthBytes: number | undefined;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** @returns what is wrong with the stream, undefined when it may go on */
  take(chunk: Uint8Array): string | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - at);
        this.#left -= step;
        at += step;
        continue;
      }
      const byte = chunk[at++]!;
      if (this.#lengthBytes === undefined) {
        this.#lengthBytes = 0;
        this.#length = 0;
        continue;
      }
      this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
      this.#lengthBytes++;
      if (this.#length > this.#bytesMax)
        return `a packet of at least ${this.#length} bytes, at most ${this.#bytesMax} are taken`;
      if ((byte & 0x80) === 0) {
        this.#left = this.#length;
        this.#lengthBytes = undefined;
      } else if (this.#lengthBytes >= LENGTH_BYTES_MAX) return "a packet whose length does not end";
    }
    return undefined;
  }
}

/** The connection as the broker sees it: ends at the first packet that is too large. */
export class GuardedConnection extends Duplex {
  readonly #inner: Duplex;

  constructor(inner: Duplex, bytesMax: number) {
    super({ allowHalfOpen: false });
    this.#inner = inner;
    const guard = new PacketGuard(bytesMax);
    inner.on("data", (chunk: Buffer) => {
      const wrong = guard.take(chunk);
      if (wrong !== undefined) this.destroy(new Error(wrong));
      else if (!this.push(chunk)) inner.pause();
    });
    inner.once("end", () => this.push(null));
    inner.on("error", (error) => this.destroy(error));
    inner.once("close", () => this.destroy());
  }

  /** What the peer has not taken yet. */
  get untakenBytes(): number {
    return this.writableLength + this.#inner.writableLength;
  }

  override _read(): void {
    this.#inner.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#inner.destroyed) done(new Error("the connection is closed"));
    else this.#inner.write(chunk, (error) => done(error));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }
}
