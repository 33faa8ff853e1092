/**
 * Bytes of MCAP records that writer and repair make alike: a chunk with its indexes, a metadata record, and everything
 * from the end of the data on. Format: mcap.dev/spec, version 0; little endian; a record is opcode, length (u64), body.
 */
import { crc32 } from "node:zlib";
import { McapConstants, McapRecordBuilder, type McapTypes } from "@mcap/core";

const { Opcode } = McapConstants;

export { Opcode };

export const RECORD_HEAD_BYTES = 9;
/** Body of an uncompressed chunk before its records: times, size, CRC, empty name of compression, length. */
export const CHUNK_HEAD_BYTES = 40;
/** From the specification: ours to use, skipped by every reader. A damaged stretch of a file becomes such a record. */
export const LEFT_OUT_OPCODE = 0x80;

/**
 * Metadata record after the declarations, before the first chunk: the CRC of everything before it. Chunks have a CRC of
 * their own, and the end mark one of all data; but a file that a crash cut short has no end mark.
 */
export const HEAD_RECORD = "episode_head";
export const headRecord = (crc: number): Map<string, string> =>
  new Map([["crc32", `0x${crc.toString(16).padStart(8, "0")}`]]);

/** No message of a robot cell is larger; what reads an episode need not believe in larger ones. */
export const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Turns `bytes` of a file (9 at least), of which only these first 9 are replaced, into one record that readers skip. */
export function leftOutHead(bytes: number): Uint8Array {
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head.writeUInt8(LEFT_OUT_OPCODE, 0);
  head.writeBigUInt64LE(BigInt(bytes - RECORD_HEAD_BYTES), 1);
  return head;
}

/** Everything that the end of a file repeats about what came before. */
export interface FileContents {
  readonly schemas: McapTypes.Schema[];
  readonly channels: McapTypes.Channel[];
  readonly chunks: McapTypes.ChunkIndex[];
  readonly metadata: McapTypes.MetadataIndex[];
  /** Messages by channel id. */
  readonly counts: Map<number, number>;
}

export const emptyContents = (): FileContents => ({
  schemas: [],
  channels: [],
  chunks: [],
  metadata: [],
  counts: new Map(),
});

export const messageCount = ({ counts }: FileContents): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0);

/** Least and greatest log time; both 0 without messages. */
export function timeRange({ chunks }: Pick<FileContents, "chunks">): { startNs: bigint; endNs: bigint } {
  const first = chunks[0];
  if (first === undefined) return { startNs: 0n, endNs: 0n };
  let { messageStartTime: startNs, messageEndTime: endNs } = first;
  for (const { messageStartTime, messageEndTime } of chunks) {
    if (messageStartTime < startNs) startNs = messageStartTime;
    if (messageEndTime > endNs) endNs = messageEndTime;
  }
  return { startNs, endNs };
}

export function headerBytes(): Uint8Array {
  const builder = new McapRecordBuilder();
  builder.writeMagic();
  builder.writeHeader({ profile: "ros2", library: "cerebellum" });
  return builder.buffer;
}

/** Also notes it in `contents`. @param position of the record in the file */
export function metadataBytes(
  contents: FileContents,
  position: number,
  name: string,
  metadata: Map<string, string>,
): Uint8Array {
  const builder = new McapRecordBuilder();
  const length = builder.writeMetadata({ name, metadata });
  contents.metadata.push({ name, offset: BigInt(position), length });
  return builder.buffer;
}

export interface ChunkParts {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly records: Uint8Array;
  readonly indexes: Iterable<McapTypes.MessageIndex>;
}

/** One uncompressed chunk and its message indexes. Also notes it, and its messages, in `contents`. */
export function chunkBytes(contents: FileContents, position: number, chunk: ChunkParts): Uint8Array {
  const { startNs, endNs, records } = chunk;
  const builder = new McapRecordBuilder();
  const chunkLength = RECORD_HEAD_BYTES + CHUNK_HEAD_BYTES + records.length;
  const messageIndexOffsets = new Map<number, bigint>();
  for (const index of chunk.indexes) {
    messageIndexOffsets.set(index.channelId, BigInt(position + chunkLength + builder.length));
    builder.writeMessageIndex(index);
    contents.counts.set(index.channelId, (contents.counts.get(index.channelId) ?? 0) + index.records.length);
  }
  const indexes = builder.buffer;
  const bytes = Buffer.allocUnsafe(chunkLength + indexes.length);
  let at = bytes.writeUInt8(Opcode.CHUNK, 0);
  at = bytes.writeBigUInt64LE(BigInt(CHUNK_HEAD_BYTES + records.length), at);
  at = bytes.writeBigUInt64LE(startNs, at);
  at = bytes.writeBigUInt64LE(endNs, at);
  at = bytes.writeBigUInt64LE(BigInt(records.length), at);
  at = bytes.writeUInt32LE(crc32(records), at);
  at = bytes.writeUInt32LE(0, at);
  at = bytes.writeBigUInt64LE(BigInt(records.length), at);
  bytes.set(records, at);
  bytes.set(indexes, chunkLength);
  contents.chunks.push({
    messageStartTime: startNs,
    messageEndTime: endNs,
    chunkStartOffset: BigInt(position),
    chunkLength: BigInt(chunkLength),
    messageIndexOffsets,
    messageIndexLength: BigInt(indexes.length),
    compression: "",
    compressedSize: BigInt(records.length),
    uncompressedSize: BigInt(records.length),
  });
  return bytes;
}

/** Everything after the last record of the data: its end mark, the summary, the footer. */
export function endBytes(contents: FileContents, position: number, dataSectionCrc: number): Uint8Array {
  const builder = new McapRecordBuilder();
  builder.writeDataEnd({ dataSectionCrc });
  const summaryAt = builder.length;
  const groups: McapTypes.SummaryOffset[] = [];
  const group = <T>(opcode: number, items: Iterable<T>, write: (item: T) => unknown) => {
    const startAt = builder.length;
    for (const item of items) write(item);
    if (builder.length === startAt) return;
    groups.push({
      groupOpcode: opcode,
      groupStart: BigInt(position + startAt),
      groupLength: BigInt(builder.length - startAt),
    });
  };
  const { startNs, endNs } = timeRange(contents);
  group(Opcode.SCHEMA, contents.schemas, (schema) => builder.writeSchema(schema));
  group(Opcode.CHANNEL, contents.channels, (channel) => builder.writeChannel(channel));
  group(Opcode.STATISTICS, [contents], ({ schemas, channels, chunks, metadata, counts }) =>
    builder.writeStatistics({
      messageCount: BigInt(messageCount(contents)),
      schemaCount: schemas.length,
      channelCount: channels.length,
      attachmentCount: 0,
      metadataCount: metadata.length,
      chunkCount: chunks.length,
      messageStartTime: startNs,
      messageEndTime: endNs,
      channelMessageCounts: new Map([...counts].map(([id, count]) => [id, BigInt(count)])),
    }),
  );
  group(Opcode.METADATA_INDEX, contents.metadata, (index) => builder.writeMetadataIndex(index));
  group(Opcode.CHUNK_INDEX, contents.chunks, (index) => builder.writeChunkIndex(index));
  const offsetsAt = builder.length;
  for (const offset of groups) builder.writeSummaryOffset(offset);
  const footer = {
    summaryStart: BigInt(position + summaryAt),
    summaryOffsetStart: BigInt(position + offsetsAt),
  };
  // The summary's CRC reaches into the footer, up to the CRC itself (its last field, 4 bytes).
  const crcAt = builder.length + RECORD_HEAD_BYTES + 16;
  builder.writeFooter({ ...footer, summaryCrc: 0 });
  builder.writeMagic();
  const bytes = Buffer.from(builder.buffer);
  bytes.writeUInt32LE(crc32(bytes.subarray(summaryAt, crcAt)), crcAt);
  return bytes;
}
