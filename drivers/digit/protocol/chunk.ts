/**
 * Chunks: every datagram of either direction is one. u32 length of the data, four letters, the data, CRC-32C over letters
 * and data; little-endian, no padding. What follows the checksum in a datagram does not count.
 */
import { crc32c } from "./crc32c.js";

/** By its letters in any case; `unknown` is everything else. */
export type ChunkKind = "STRT" | "ENUM" | "DESC" | "CMNT" | "DEND" | "UDAT" | "CDAT" | "unknown";
/** Why a datagram holds no chunk: less than the smallest, less than it declares, or damaged. */
export type ChunkFault = "short" | "cut" | "checksum";

/** Length and letters before the data, checksum after them. */
export const CHUNK_HEADER_BYTES = 8;
export const CHUNK_BYTES_MIN = 12;
/** What fits into an IPv4 datagram. */
export const DATAGRAM_BYTES_MAX = 65_507;

/** Case is the bit 0x20 of a letter, and of no other two bytes that would be equal without it. */
const LOWER = 0x20202020;
const wordOf = (letters: string): number =>
  [...letters].reduce((word, letter, at) => word + letter.toLowerCase().charCodeAt(0) * 2 ** (8 * at), 0);
const KINDS = (["STRT", "ENUM", "DESC", "CMNT", "DEND", "UDAT", "CDAT"] as const).map(
  (kind) => [wordOf(kind), kind] as const,
);
const KIND_OF: ReadonlyMap<number, ChunkKind> = new Map(KINDS);

/** @param type four letters as they are to be sent */
export function encodeChunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(CHUNK_BYTES_MIN + data.length);
  bytes.writeUInt32LE(data.length, 0);
  bytes.write(type, 4, 4, "latin1");
  bytes.set(data, CHUNK_HEADER_BYTES);
  sealChunk(bytes);
  return bytes;
}

/** Writes the checksum of a chunk that is complete but for that. */
export function sealChunk(bytes: Buffer): void {
  const end = bytes.length - 4;
  bytes.writeUInt32LE(crc32c(bytes, 4, end), end);
}

/**
 * Holds the newest chunk. A datagram is copied into memory that is there, so that reading numbers out of it allocates
 * nothing; what is to outlive the next `read` must be copied.
 */
export class ChunkReader {
  readonly #bytes = new Uint8Array(DATAGRAM_BYTES_MAX);
  readonly view = new DataView(this.#bytes.buffer);
  kind: ChunkKind = "unknown";
  /** Data begin in `view` at `dataStart`. */
  readonly dataStart = CHUNK_HEADER_BYTES;
  dataBytes = 0;

  /** @returns what is wrong with the datagram, or undefined */
  read(datagram: Uint8Array): ChunkFault | undefined {
    if (datagram.length < CHUNK_BYTES_MIN) return "short";
    if (datagram.length > DATAGRAM_BYTES_MAX) return "cut";
    this.#bytes.set(datagram);
    const dataBytes = this.view.getUint32(0, true);
    if (dataBytes > datagram.length - CHUNK_BYTES_MIN) return "cut";
    const end = CHUNK_HEADER_BYTES + dataBytes;
    if (crc32c(this.#bytes, 4, end) !== this.view.getUint32(end, true)) return "checksum";
    this.kind = KIND_OF.get((this.view.getUint32(4, true) | LOWER) >>> 0) ?? "unknown";
    this.dataBytes = dataBytes;
    return undefined;
  }

  /** The four letters as they were sent. */
  get letters(): string {
    return String.fromCharCode(...this.#bytes.subarray(4, CHUNK_HEADER_BYTES));
  }

  /** Of the same memory: valid until the next `read`. */
  get data(): Uint8Array {
    return this.#bytes.subarray(CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + this.dataBytes);
  }

  /** Whether a description's checksum covers this chunk: its known parts, and unknown ones whose last letter is small. */
  get isDescribed(): boolean {
    if (this.kind === "unknown") {
      const last = this.view.getUint8(7);
      return last >= 0x61 && last <= 0x7a;
    }
    return this.kind === "ENUM" || this.kind === "DESC" || this.kind === "CMNT";
  }

  /** Checksum of letters and data, after those of the chunks before it. */
  continueChecksum(previous: number): number {
    return crc32c(this.#bytes, 4, CHUNK_HEADER_BYTES + this.dataBytes, previous);
  }
}
