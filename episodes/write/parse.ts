/**
 * Reads the MCAP records that an episode has outside the end of its file. Bytes may be anything: a record that is not what
 * it claims to be gives a text that says why. Lengths are checked before anything is made of them.
 */
import { crc32 } from "node:zlib";
import type { McapTypes } from "@mcap/core";
import { errorText } from "../../core/errors.js";
import { CHUNK_HEAD_BYTES, Opcode, RECORD_HEAD_BYTES } from "./records.js";

/** Walks over bytes; every read beyond their end throws a RangeError. */
class Cursor {
  #at = 0;
  constructor(private readonly bytes: Buffer) {}

  u16(): number {
    const value = this.bytes.readUInt16LE(this.#at);
    this.#at += 2;
    return value;
  }
  blob(): Buffer {
    const length = this.bytes.readUInt32LE(this.#at);
    this.#at += 4;
    if (length > this.bytes.length - this.#at) {
      throw new RangeError(`a field of ${length} bytes in ${this.bytes.length - this.#at}`);
    }
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }
  text(): string {
    return this.blob().toString("utf8");
  }
  texts(): Map<string, string> {
    const inner = new Cursor(this.blob());
    const found = new Map<string, string>();
    while (!inner.isAtEnd) found.set(inner.text(), inner.text());
    return found;
  }
  get isAtEnd(): boolean {
    return this.#at >= this.bytes.length;
  }
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string };

const parsing =
  <T>(read: (cursor: Cursor) => T) =>
  (body: Buffer): Parsed<T> => {
    try {
      return { ok: true, value: read(new Cursor(body)) };
    } catch (cause) {
      return { ok: false, why: errorText(cause) };
    }
  };

export const parseHeader = parsing((cursor) => ({ profile: cursor.text(), library: cursor.text() }));
export const parseSchema = parsing(
  (cursor): McapTypes.Schema => ({
    id: cursor.u16(),
    name: cursor.text(),
    encoding: cursor.text(),
    // Copied: the bytes below are a window that moves on.
    data: Uint8Array.from(cursor.blob()),
  }),
);
export const parseChannel = parsing(
  (cursor): McapTypes.Channel => ({
    id: cursor.u16(),
    schemaId: cursor.u16(),
    topic: cursor.text(),
    messageEncoding: cursor.text(),
    metadata: cursor.texts(),
  }),
);
export const parseMetadata = parsing(
  (cursor): McapTypes.Metadata => ({ name: cursor.text(), metadata: cursor.texts() }),
);

/** What one chunk says of a channel. */
export interface ChunkChannel {
  count: number;
  firstSequence: number;
  lastSequence: number;
  /** Of the messages' own bytes. */
  bytes: number;
  /** Sequence numbers that are missing, or come twice, between the first and the last. */
  outOfOrder: number;
  /** Log time (low, high 32 bits) and offset of each message: three numbers a message. */
  readonly entries: number[];
}

export interface ParsedChunk {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly recordsBytes: number;
  /** By id, in order of their first message: the order in which the indexes follow the chunk. */
  readonly channels: ReadonlyMap<number, ChunkChannel>;
}

const MESSAGE_HEAD_BYTES = 22;

/** An uncompressed chunk, as our writer makes them: frame, CRC, each message's frame, times. */
export function parseChunk(body: Buffer): Parsed<ParsedChunk> {
  const frame = chunkFrame(body, body.length);
  if (!frame.ok) return frame;
  const records = body.subarray(CHUNK_HEAD_BYTES);
  const stated = body.readUInt32LE(24);
  const actual = crc32(records);
  if (stated !== actual) return no(`its CRC is ${hex(actual)}, it states ${hex(stated)}`);
  const channels = new Map<number, ChunkChannel>();
  const range = { minLow: 0xffffffff, minHigh: 0xffffffff, maxLow: 0, maxHigh: 0 };
  for (let at = 0; at < records.length; ) {
    if (records.length - at < RECORD_HEAD_BYTES + MESSAGE_HEAD_BYTES) {
      return no(`${records.length - at} bytes are left, too few for a message`);
    }
    const opcode = records[at]!;
    if (opcode !== Opcode.MESSAGE) return no(`it holds a record of kind ${opcode}, expected messages only`);
    const length = records.readUInt32LE(at + 1);
    const next = at + RECORD_HEAD_BYTES + length;
    if (records.readUInt32LE(at + 5) !== 0 || length < MESSAGE_HEAD_BYTES || next > records.length) {
      return no(`a message of ${length} bytes does not fit`);
    }
    addMessage(channels, range, records, at, length - MESSAGE_HEAD_BYTES);
    at = next;
  }
  const { startNs, endNs } = { startNs: body.readBigUInt64LE(0), endNs: body.readBigUInt64LE(8) };
  if (channels.size > 0) {
    const low = (BigInt(range.minHigh) << 32n) | BigInt(range.minLow);
    const high = (BigInt(range.maxHigh) << 32n) | BigInt(range.maxLow);
    if (low !== startNs || high !== endNs) {
      return no(`its messages span ${low} to ${high} ns, it states ${startNs} to ${endNs}`);
    }
  }
  return { ok: true, value: { startNs, endNs, recordsBytes: records.length, channels } };
}

/** Whether the lengths in a chunk's head agree, before its contents are looked at. @param head its first 40 bytes or more */
export function chunkFrame(head: Buffer, bodyBytes: number): Parsed<undefined> {
  if (bodyBytes < CHUNK_HEAD_BYTES) return no(`it is ${bodyBytes} bytes, too few for a chunk`);
  if (head.readUInt32LE(28) !== 0) return no("it is compressed, which this program never does");
  const recordsBytes = BigInt(bodyBytes - CHUNK_HEAD_BYTES);
  if (head.readBigUInt64LE(16) !== recordsBytes || head.readBigUInt64LE(32) !== recordsBytes) {
    return no(`it states ${head.readBigUInt64LE(32)} bytes of records and has ${recordsBytes}`);
  }
  return { ok: true, value: undefined };
}

interface TimeRange {
  minLow: number;
  minHigh: number;
  maxLow: number;
  maxHigh: number;
}

/** The hot path of repair and verification: numbers only, no bigint. */
function addMessage(
  channels: Map<number, ChunkChannel>,
  range: TimeRange,
  records: Buffer,
  at: number,
  dataBytes: number,
): void {
  const id = records.readUInt16LE(at + 9);
  const sequence = records.readUInt32LE(at + 11);
  const low = records.readUInt32LE(at + 15);
  const high = records.readUInt32LE(at + 19);
  if (high < range.minHigh || (high === range.minHigh && low < range.minLow)) {
    range.minHigh = high;
    range.minLow = low;
  }
  if (high > range.maxHigh || (high === range.maxHigh && low > range.maxLow)) {
    range.maxHigh = high;
    range.maxLow = low;
  }
  let channel = channels.get(id);
  if (channel === undefined) {
    channel = {
      count: 0,
      firstSequence: sequence,
      lastSequence: sequence - 1,
      bytes: 0,
      outOfOrder: 0,
      entries: [],
    };
    channels.set(id, channel);
  }
  if (sequence !== channel.lastSequence + 1) channel.outOfOrder++;
  channel.lastSequence = sequence;
  channel.count++;
  channel.bytes += dataBytes;
  channel.entries.push(low, high, at);
}

const MESSAGE_INDEX_HEAD_BYTES = 6;

/** The message indexes that belong after a chunk, with the offset of each in them. */
export function indexBytes({ channels }: ParsedChunk): { bytes: Buffer; offsets: Map<number, number> } {
  let length = 0;
  for (const { count } of channels.values())
    length += RECORD_HEAD_BYTES + MESSAGE_INDEX_HEAD_BYTES + 16 * count;
  const bytes = Buffer.alloc(length);
  const offsets = new Map<number, number>();
  let at = 0;
  for (const [id, { count, entries }] of channels) {
    offsets.set(id, at);
    at = bytes.writeUInt8(Opcode.MESSAGE_INDEX, at);
    at = bytes.writeUInt32LE(MESSAGE_INDEX_HEAD_BYTES + 16 * count, at) + 4;
    at = bytes.writeUInt16LE(id, at);
    at = bytes.writeUInt32LE(16 * count, at);
    for (let entry = 0; entry < entries.length; entry += 3) {
      at = bytes.writeUInt32LE(entries[entry]!, at);
      at = bytes.writeUInt32LE(entries[entry + 1]!, at);
      at = bytes.writeUInt32LE(entries[entry + 2]!, at) + 4;
    }
  }
  return { bytes, offsets };
}

const no = (why: string) => ({ ok: false, why }) as const;
const hex = (value: number) => `0x${value.toString(16).padStart(8, "0")}`;
