/** A file seen through a window that moves forward: large reads, no copy where a record lies whole in the window. */
import type { EpisodeHandle } from "./io.js";
import { RECORD_HEAD_BYTES } from "./records.js";

const WINDOW_BYTES = 4 * 1024 * 1024;

export interface RawRecord {
  readonly offset: number;
  readonly opcode: number;
  /** Valid until the window is moved. */
  readonly body: Buffer;
  /** Head and body. */
  readonly bytes: Buffer;
}

export class FileWindow {
  #buffer: Buffer;
  /** Place of the buffer's first byte in the file, and how much of it is filled. */
  #at = 0;
  #filled = 0;

  constructor(
    private readonly handle: EpisodeHandle,
    readonly sizeBytes: number,
    /** No record is longer; whatever claims to be is taken for damage. */
    private readonly recordBytesMax: number,
  ) {
    this.#buffer = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, sizeBytes));
  }

  /** `length` bytes at `offset`, undefined when the file ends before. Valid until the next call. */
  async view(offset: number, length: number): Promise<Buffer | undefined> {
    if (offset + length > this.sizeBytes) return undefined;
    if (offset < this.#at || offset + length > this.#at + this.#filled) {
      await this.#moveTo(offset, length);
      if (length > this.#filled) return undefined;
    }
    return this.#buffer.subarray(offset - this.#at, offset - this.#at + length);
  }

  /** The record at `offset`, or why there is none. */
  async record(offset: number): Promise<RawRecord | string> {
    const head = await this.view(offset, RECORD_HEAD_BYTES);
    if (head === undefined) return `it ends ${this.sizeBytes - offset} bytes into a record`;
    const opcode = head[0]!;
    const length = head.readBigUInt64LE(1);
    if (BigInt(offset + RECORD_HEAD_BYTES) + length > BigInt(this.sizeBytes)) {
      return `it ends within a record of kind ${opcode} that states ${length} bytes`;
    }
    if (length > BigInt(this.recordBytesMax)) {
      return `a record of kind ${opcode} states ${length} bytes, more than any that is written`;
    }
    const bytes = await this.view(offset, RECORD_HEAD_BYTES + Number(length));
    if (bytes === undefined) return "it became shorter while it was read";
    return { offset, opcode, bytes, body: bytes.subarray(RECORD_HEAD_BYTES) };
  }

  async #moveTo(offset: number, length: number): Promise<void> {
    const kept = Math.max(0, this.#at + this.#filled - offset);
    const keepsEnd = offset >= this.#at && kept > 0;
    const old = this.#buffer;
    if (length > old.length) this.#buffer = Buffer.allocUnsafe(length);
    if (keepsEnd) old.copy(this.#buffer, 0, offset - this.#at, this.#filled);
    this.#at = offset;
    this.#filled = keepsEnd ? kept : 0;
    while (this.#filled < length) {
      const wanted = Math.min(this.#buffer.length - this.#filled, this.sizeBytes - offset - this.#filled);
      const got = await this.handle.read(
        this.#buffer.subarray(this.#filled, this.#filled + wanted),
        offset + this.#filled,
      );
      if (got === 0) return;
      this.#filled += got;
    }
  }
}
