/**
 * Walks over an episode's file from the start, whole or not, and says what of it is sound. Shared by repair and
 * verification. It reads each byte once, checks every frame and CRC, and builds what the indexes and the summary must say;
 * no message is decoded.
 */
import { crc32 } from "node:zlib";
import { McapConstants } from "@mcap/core";
import { END_RECORD, START_RECORD } from "../format.js";
import type { EpisodeHandle } from "./io.js";
import { indexBytes, parseChannel, parseChunk, parseHeader, parseMetadata, parseSchema } from "./parse.js";
import {
  emptyContents,
  type FileContents,
  HEAD_RECORD,
  headRecord,
  LEFT_OUT_OPCODE,
  leftOutHead,
  MESSAGE_BYTES_MAX,
  Opcode,
} from "./records.js";
import { nextSound } from "./resync.js";
import { FileWindow, type RawRecord } from "./window.js";

/** A chunk closes at 1 MiB, so it is at most that and one message more. */
const RECORD_BYTES_MAX = MESSAGE_BYTES_MAX + 2 * 1024 * 1024;

/** A stretch of the file that is not sound, with sound records after it. */
export interface Damage {
  readonly offset: number;
  readonly bytes: number;
  /** How many of them nothing can bring back; the others are indexes that follow from their chunk. */
  readonly lostBytes: number;
  readonly why: string;
  /** What makes the file sound again when written at `offset`: lost bytes become a record that every reader skips. */
  readonly mend: Uint8Array;
  /** Latest log time before it, 0 when there is none. */
  readonly afterNs: bigint;
}

export interface ChannelSurvey {
  count: number;
  bytes: number;
  nextSequence: number;
  /** Sequence numbers that no message has. */
  missing: number;
  /** Places where a sequence number does not follow the one before, or comes again. */
  outOfOrder: number;
}

export interface Survey {
  readonly contents: FileContents;
  readonly channels: ReadonlyMap<number, ChannelSurvey>;
  /** Of the header; undefined when that is not readable. */
  readonly profile: string | undefined;
  readonly start: ReadonlyMap<string, string> | undefined;
  /** Whether the CRC of everything before the first message fits; "missing" where the file ends or is damaged before. */
  readonly head: "sound" | "damaged" | "missing";
  /** The end record, where it begins, and the CRC of everything before it. */
  readonly end:
    | { readonly record: ReadonlyMap<string, string>; readonly offset: number; readonly crcBefore: number }
    | undefined;
  /** Empty in a sound file; else the walk went on behind each of them, and `soundCrc` means nothing. */
  readonly damages: readonly Damage[];
  /** Stretches that an earlier repair has left out. */
  readonly leftOutBytes: number;
  /** Why no repair in place can make the file sound again, though sound records follow; undefined when it can. */
  readonly hopeless: string | undefined;
  /** End of the last sound record of the data, and the CRC of everything up to it. */
  readonly soundBytes: number;
  readonly soundCrc: number;
  /** Indexes of the last chunk, where the file lacks them: they belong at `soundBytes`. */
  readonly missingIndexes: Uint8Array;
  /** Latest log time, 0 without messages. */
  readonly lastNs: bigint;
  /** What comes after `soundBytes`: the mark of the data's end, or why the walk stopped. */
  readonly rest:
    | { readonly kind: "dataEnd"; readonly dataCrc: number }
    | { readonly kind: "torn"; readonly why: string };
}

/**
 * @param sizeBytes how much of the file to look at
 * @param onProgress is told how far it has come
 */
export async function surveyEpisode(
  handle: EpisodeHandle,
  sizeBytes: number,
  onProgress?: (doneBytes: number) => void,
): Promise<Survey> {
  const walk = new Walk(new FileWindow(handle, sizeBytes, RECORD_BYTES_MAX));
  await walk.run(onProgress);
  return walk;
}

class Walk implements Survey {
  readonly contents = emptyContents();
  readonly channels = new Map<number, ChannelSurvey>();
  profile: string | undefined;
  start: ReadonlyMap<string, string> | undefined;
  head: Survey["head"] = "missing";
  end: Survey["end"];
  readonly damages: Damage[] = [];
  leftOutBytes = 0;
  hopeless: string | undefined;
  soundBytes = 0;
  soundCrc = 0;
  missingIndexes: Uint8Array = new Uint8Array(0);
  lastNs = 0n;
  rest: Survey["rest"] = { kind: "torn", why: "it is empty" };

  /** Channels of which the schema is known too. */
  readonly #declared = new Set<number>();

  constructor(private readonly window: FileWindow) {}

  async run(onProgress?: (doneBytes: number) => void): Promise<void> {
    const { window } = this;
    const magic = await window.view(0, McapConstants.MCAP_MAGIC.length);
    if (magic === undefined || !magic.equals(Uint8Array.from(McapConstants.MCAP_MAGIC))) {
      const why = window.sizeBytes === 0 ? "it is empty" : "it does not begin as an MCAP file";
      this.rest = { kind: "torn", why };
      return;
    }
    this.#accept(magic);
    while (this.soundBytes < window.sizeBytes) {
      onProgress?.(this.soundBytes);
      const record = await window.record(this.soundBytes);
      if (typeof record !== "string" && record.opcode === Opcode.DATA_END && record.body.length === 4) {
        this.rest = { kind: "dataEnd", dataCrc: record.body.readUInt32LE(0) };
        return;
      }
      const why = typeof record === "string" ? record : await this.#take(record);
      if (why === undefined) continue;
      this.rest = { kind: "torn", why };
      if (this.hopeless !== undefined || this.missingIndexes.length > 0) return;
      if (!(await this.#pass(why, new Uint8Array(0)))) return;
    }
    this.rest = { kind: "torn", why: "it has no mark of its end" };
  }

  #accept(bytes: Uint8Array): void {
    this.soundCrc = crc32(bytes, this.soundCrc);
    this.soundBytes += bytes.length;
  }

  /** Takes a record that is sound, or says why it is not. */
  #take(record: RawRecord): Promise<string | undefined> | string | undefined {
    const { opcode, body, bytes } = record;
    if (opcode === Opcode.CHUNK) return this.#takeChunk(record);
    if (opcode === Opcode.METADATA) return this.#takeMetadata(record);
    if (opcode === LEFT_OUT_OPCODE) {
      this.leftOutBytes += bytes.length;
    } else if (opcode === Opcode.HEADER && this.profile === undefined) {
      const header = parseHeader(body);
      if (!header.ok) return `its header is damaged: ${header.why}`;
      this.profile = header.value.profile;
    } else if (opcode === Opcode.SCHEMA) {
      const schema = parseSchema(body);
      if (!schema.ok) return `a schema is damaged: ${schema.why}`;
      this.contents.schemas.push(schema.value);
    } else if (opcode === Opcode.CHANNEL) {
      const channel = parseChannel(body);
      if (!channel.ok) return `a channel is damaged: ${channel.why}`;
      this.contents.channels.push(channel.value);
      const { id, schemaId } = channel.value;
      if (this.contents.schemas.some((schema) => schema.id === schemaId)) this.#declared.add(id);
      this.channels.set(id, {
        count: 0,
        bytes: 0,
        nextSequence: 0,
        missing: 0,
        outOfOrder: 0,
      });
    } else {
      return `a record of kind ${opcode} is out of place`;
    }
    this.#accept(bytes);
    return undefined;
  }

  #takeMetadata({ offset, body, bytes }: RawRecord): string | undefined {
    const metadata = parseMetadata(body);
    if (!metadata.ok) return `a metadata record is damaged: ${metadata.why}`;
    const { name, metadata: record } = metadata.value;
    if (name === START_RECORD) this.start ??= record;
    if (name === HEAD_RECORD) {
      this.head = record.get("crc32") === headRecord(this.soundCrc).get("crc32") ? "sound" : "damaged";
    }
    if (name === END_RECORD) this.end = { record, offset, crcBefore: this.soundCrc };
    this.contents.metadata.push({ name, offset: BigInt(offset), length: BigInt(bytes.length) });
    this.#accept(bytes);
    return undefined;
  }

  async #takeChunk({ offset, bytes, body }: RawRecord): Promise<string | undefined> {
    const parsed = parseChunk(body);
    if (!parsed.ok) return `a chunk is damaged: ${parsed.why}`;
    const chunk = parsed.value;
    const undeclared = [...chunk.channels.keys()].find((id) => !this.#declared.has(id));
    if (undeclared !== undefined) {
      this.hopeless = `a chunk has messages of channel ${undeclared}, which is not declared before it`;
      return this.hopeless;
    }
    this.#accept(bytes);
    for (const [id, found] of chunk.channels) {
      const channel = this.channels.get(id)!;
      const gap = found.firstSequence - channel.nextSequence;
      if (gap > 0) channel.missing += gap;
      channel.outOfOrder += found.outOfOrder + (gap < 0 ? 1 : 0);
      channel.nextSequence = found.lastSequence + 1;
      channel.count += found.count;
      channel.bytes += found.bytes;
      this.contents.counts.set(id, channel.count);
    }
    if (chunk.endNs > this.lastNs) this.lastNs = chunk.endNs;
    const { bytes: indexes, offsets } = indexBytes(chunk);
    const indexAt = this.soundBytes;
    this.contents.chunks.push({
      messageStartTime: chunk.startNs,
      messageEndTime: chunk.endNs,
      chunkStartOffset: BigInt(offset),
      chunkLength: BigInt(indexAt - offset),
      messageIndexOffsets: new Map([...offsets].map(([id, at]) => [id, BigInt(indexAt + at)])),
      messageIndexLength: BigInt(indexes.length),
      compression: "",
      compressedSize: BigInt(chunk.recordsBytes),
      uncompressedSize: BigInt(chunk.recordsBytes),
    });
    return this.#takeIndexes(indexes);
  }

  /** The indexes of a chunk follow it, and follow from it. */
  async #takeIndexes(expected: Buffer): Promise<string | undefined> {
    const found = await this.window.view(this.soundBytes, expected.length);
    if (found?.equals(expected)) {
      this.#accept(found);
      return undefined;
    }
    const why = "the indexes after a chunk are not those of its messages";
    if (await this.#pass(why, expected)) return undefined;
    if ((await nextSound(this.window, this.soundBytes, this.soundBytes)) !== undefined) {
      this.hopeless = `${why}, and bytes after it are missing`;
    }
    this.missingIndexes = expected;
    return why;
  }

  /** Goes on behind what is damaged. @param known what must stand at its beginning. @returns false if nothing sound follows */
  async #pass(why: string, known: Uint8Array): Promise<boolean> {
    const offset = this.soundBytes;
    const next = await nextSound(this.window, offset, offset + known.length);
    if (next === undefined) return false;
    const lostBytes = next - offset - known.length;
    this.damages.push({
      offset,
      bytes: next - offset,
      lostBytes,
      why,
      mend: Buffer.concat([known, lostBytes === 0 ? new Uint8Array(0) : leftOutHead(lostBytes)]),
      afterNs: this.lastNs,
    });
    this.soundBytes = next;
    return true;
  }
}
