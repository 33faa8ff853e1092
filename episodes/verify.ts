/**
 * Looks at every byte of a finished episode: frames, CRCs, sequence numbers, times, indexes, counters, bag metadata. What is
 * wrong becomes text; nothing is thrown, whatever the folder holds, and memory stays bounded.
 */
import { basename, join } from "node:path";
import { McapIndexedReader, type McapTypes } from "@mcap/core";
import { errorText } from "../core/errors.js";
import { ACTIVE_SUFFIX, EpisodeEnd, EpisodeStart, fromRecord } from "./format.js";
import { bagTroubles } from "./verifyBag.js";
import { codeOf, type EpisodeHandle, type EpisodeIo, nodeIo } from "./write/io.js";
import { messageCount, timeRange } from "./write/records.js";
import { type Survey, surveyEpisode } from "./write/survey.js";

export interface Integrity {
  /** Nothing at all is wrong with it. */
  readonly whole: boolean;
  /** Each says what was found and what was expected; at most TROUBLES_MAX. */
  readonly troubles: readonly string[];
  readonly messages: number;
  /** Of each topic: messages, and their own bytes. */
  readonly topics: Readonly<Record<string, { readonly count: number; readonly bytes: number }>>;
  /** Of the .mcap file. */
  readonly bytes: number;
  /** Undefined when it cannot be read. */
  readonly start: EpisodeStart | undefined;
  readonly end: EpisodeEnd | undefined;
}

const TROUBLES_MAX = 50;
/** Largest summary that is looked at: that of a day's recording is smaller. */
const SUMMARY_BYTES_MAX = 256 * 1024 * 1024;

/** @param folder of a finished episode */
export async function verifyEpisode(folder: string, io: EpisodeIo = nodeIo): Promise<Integrity> {
  const found = new Findings();
  if (basename(folder).endsWith(ACTIVE_SUFFIX)) {
    found.add("It is not finished: it is being written, or was left by a crash and waits for repair");
    return found.integrity();
  }
  const file = join(folder, `${basename(folder)}.mcap`);
  let handle: EpisodeHandle;
  try {
    handle = await io.open(file, "read");
  } catch (cause) {
    found.add(
      codeOf(cause) === "ENOENT"
        ? `There is no file ${file}`
        : `${file} cannot be opened: ${errorText(cause)}`,
    );
    return found.integrity();
  }
  try {
    found.bytes = await handle.sizeBytes();
    const survey = await surveyEpisode(handle, found.bytes);
    found.survey(survey, file);
    if (survey.rest.kind === "dataEnd" && survey.damages.length === 0) {
      for (const text of await summaryTroubles(handle, found.bytes, survey)) found.add(text);
    }
    for (const text of await bagTroubles(io, folder, survey.contents)) found.add(text);
  } catch (cause) {
    found.add(`${file} cannot be read: ${errorText(cause)}`);
  } finally {
    await handle.close().catch(() => {});
  }
  return found.integrity();
}

class Findings {
  readonly #troubles: string[] = [];
  #survey: Survey | undefined;
  #start: EpisodeStart | undefined;
  #end: EpisodeEnd | undefined;
  bytes = 0;

  add(text: string): void {
    if (this.#troubles.length < TROUBLES_MAX && !this.#troubles.includes(text)) this.#troubles.push(text);
  }

  survey(survey: Survey, file: string): void {
    this.#survey = survey;
    const { rest, soundBytes, damages, hopeless, leftOutBytes } = survey;
    if (survey.profile !== undefined && survey.profile !== "ros2") {
      this.add(`Its profile is "${survey.profile}", expected "ros2"`);
    }
    for (const { offset, bytes, why } of damages)
      this.add(`${bytes} bytes from byte ${offset} on are damaged: ${why}`);
    if (hopeless !== undefined) this.add(`At byte ${soundBytes}: ${hopeless}`);
    if (rest.kind === "torn") {
      this.add(`Only ${soundBytes} of ${this.bytes} bytes can be read in order: ${rest.why}`);
    } else if (damages.length === 0 && rest.dataCrc !== survey.soundCrc) {
      this.add(`The CRC of its data is ${survey.soundCrc}, its end mark states ${rest.dataCrc}`);
    }
    if (survey.profile !== undefined && survey.head !== "sound") {
      this.add(
        survey.head === "missing"
          ? "Its start record and declarations have no CRC"
          : "Its start record or its declarations are damaged: their CRC does not fit",
      );
    }
    if (leftOutBytes > 0) this.add(`${leftOutBytes} damaged bytes were left out by an earlier repair`);
    this.#sequences(survey);
    this.#start = this.#record(EpisodeStart, survey.start, "start", file);
    this.#end = this.#record(EpisodeEnd, survey.end?.record, "end", file);
    if (this.#end !== undefined) this.#counters(survey, this.#end);
  }

  integrity(): Integrity {
    const survey = this.#survey;
    return {
      whole: this.#troubles.length === 0,
      troubles: this.#troubles,
      messages: survey === undefined ? 0 : messageCount(survey.contents),
      topics: Object.fromEntries(
        survey?.contents.channels.map(({ id, topic }) => {
          const { count, bytes } = survey.channels.get(id)!;
          return [topic, { count, bytes }];
        }) ?? [],
      ),
      bytes: this.bytes,
      start: this.#start,
      end: this.#end,
    };
  }

  #record<T extends EpisodeStart | EpisodeEnd>(
    schema: Parameters<typeof fromRecord<T>>[0],
    record: ReadonlyMap<string, string> | undefined,
    which: string,
    file: string,
  ): T | undefined {
    if (record === undefined) {
      this.add(`It has no ${which} record`);
      return undefined;
    }
    try {
      return fromRecord(schema, record, file);
    } catch (cause) {
      this.add(errorText(cause));
      return undefined;
    }
  }

  #sequences({ contents, channels }: Survey): void {
    for (const { id, topic } of contents.channels) {
      const { missing, outOfOrder } = channels.get(id)!;
      if (missing > 0) this.add(`${topic}: ${missing} sequence numbers are missing`);
      if (outOfOrder > 0) this.add(`${topic}: ${outOfOrder} sequence numbers do not follow the one before`);
    }
  }

  #counters({ contents, channels }: Survey, end: EpisodeEnd): void {
    for (const { id, topic } of contents.channels) {
      const { count, bytes } = channels.get(id)!;
      const stated = end.topics[topic];
      if (stated === undefined) this.add(`${topic}: its end record has no counters for it`);
      else if (stated.written !== count || stated.bytes !== bytes) {
        this.add(
          `${topic}: ${count} messages of ${bytes} bytes, its end record states ${stated.written} of ${stated.bytes}`,
        );
      }
    }
    for (const topic of Object.keys(end.topics))
      if (!contents.channels.some((channel) => channel.topic === topic)) {
        this.add(`${topic}: its end record counts messages of it, the file has no such topic`);
      }
  }
}

/** The end of the file, read as stock readers do, against what the data says. */
async function summaryTroubles(handle: EpisodeHandle, bytes: number, survey: Survey): Promise<string[]> {
  let reader: McapIndexedReader;
  try {
    reader = await McapIndexedReader.Initialize({
      readable: {
        size: async () => BigInt(bytes),
        read: async (offset, size) => {
          if (size > SUMMARY_BYTES_MAX || size < 0n || offset < 0n || offset + size > BigInt(bytes)) {
            throw new Error(`it states ${size} bytes at byte ${offset}`);
          }
          const found = Buffer.alloc(Number(size));
          const got = await handle.read(found, Number(offset));
          if (got < found.length) throw new Error(`it ends at byte ${Number(offset) + got}`);
          return found;
        },
      },
    });
  } catch (cause) {
    return [`Its summary cannot be read: ${errorText(cause)}`];
  }
  const { contents, soundBytes } = survey;
  const troubles: string[] = [];
  const compare = (what: string, found: unknown, expected: unknown) => {
    if (text(found) !== text(expected)) {
      troubles.push(
        `Its summary states ${what} ${short(text(found))}, the data says ${short(text(expected))}`,
      );
    }
  };
  compare("the end of the data at byte", Number(reader.dataEndOffset ?? -1), soundBytes);
  const { startNs, endNs } = timeRange(contents);
  const { statistics } = reader;
  compare("as number of messages", statistics?.messageCount, BigInt(messageCount(contents)));
  compare("as first log time", statistics?.messageStartTime, startNs);
  compare("as last log time", statistics?.messageEndTime, endNs);
  compare(
    "as numbers of records",
    [statistics?.schemaCount, statistics?.channelCount, statistics?.chunkCount, statistics?.metadataCount],
    [contents.schemas.length, contents.channels.length, contents.chunks.length, contents.metadata.length],
  );
  compare(
    "as messages of each channel",
    pairs(statistics?.channelMessageCounts ?? new Map()),
    pairs(new Map([...contents.counts].map(([id, count]) => [id, BigInt(count)]))),
  );
  compare("as channels", channelsOf(reader.channelsById), channelsOf(byId(contents.channels)));
  compare("as schemas", schemasOf(reader.schemasById), schemasOf(byId(contents.schemas)));
  compare("as metadata", reader.metadataIndexes.map(metadataOf), contents.metadata.map(metadataOf));
  const differing = contents.chunks.findIndex(
    (chunk, index) => text(chunkOf(reader.chunkIndexes[index])) !== text(chunkOf(chunk)),
  );
  if (differing >= 0 || reader.chunkIndexes.length !== contents.chunks.length) {
    compare(
      `of its ${reader.chunkIndexes.length} chunks`,
      chunkOf(reader.chunkIndexes[Math.max(differing, 0)]),
      chunkOf(contents.chunks[Math.max(differing, 0)]),
    );
  }
  return troubles;
}

const pairs = <T>(map: ReadonlyMap<number, T>): [number, T][] => [...map].sort(([a], [b]) => a - b);
const byId = <T extends { readonly id: number }>(items: readonly T[]): Map<number, T> =>
  new Map(items.map((item) => [item.id, item]));
const channelsOf = (channels: ReadonlyMap<number, McapTypes.Channel>) =>
  pairs(channels).map(([id, { schemaId, topic, messageEncoding, metadata }]) => [
    id,
    schemaId,
    topic,
    messageEncoding,
    [...metadata],
  ]);
const schemasOf = (schemas: ReadonlyMap<number, McapTypes.Schema>) =>
  pairs(schemas).map(([id, { name, encoding, data }]) => [
    id,
    name,
    encoding,
    Buffer.from(data).toString("latin1"),
  ]);
const metadataOf = ({ name, offset, length }: McapTypes.MetadataIndex) => [name, offset, length];
const chunkOf = (chunk: McapTypes.ChunkIndex | undefined) =>
  chunk && [
    chunk.messageStartTime,
    chunk.messageEndTime,
    chunk.chunkStartOffset,
    chunk.chunkLength,
    pairs(chunk.messageIndexOffsets),
    chunk.messageIndexLength,
    chunk.compression,
    chunk.compressedSize,
    chunk.uncompressedSize,
  ];
const text = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner)) ?? "none";
const short = (value: string): string => (value.length > 120 ? `${value.slice(0, 120)}…` : value);
