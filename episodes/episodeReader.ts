/** Opens a finished episode: its two records at once, its messages in order of log time when asked for. */
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { McapIndexedReader, type McapTypes } from "@mcap/core";
import { loadDecompressHandlers } from "@mcap/support";
import { asEpochNs, type EpochNs } from "../core/clock.js";
import { CerebellumError, errorText } from "../core/errors.js";
import { END_RECORD, EpisodeEnd, EpisodeStart, fromRecord, START_RECORD } from "./format.js";
import { type RosCodec, type RosMessage, rosCodec } from "./rosCodec.js";

export interface EpisodeMessage {
  readonly topic: string;
  readonly type: string;
  readonly sequence: number;
  /** When it was received, on the episode's clock. */
  readonly logNs: EpochNs;
  /** When it was captured or made. */
  readonly publishNs: EpochNs;
  /** CDR as received. */
  readonly data: Uint8Array;
}

export interface ReadOptions {
  readonly topics?: readonly string[];
  /** First and last log time, both included. */
  readonly fromNs?: bigint;
  readonly toNs?: bigint;
}

export interface TopicInfo {
  readonly topic: string;
  readonly type: string;
  readonly count: number;
}

export class EpisodeReader {
  readonly #codecs = new Map<string, RosCodec>();
  private constructor(
    readonly file: string,
    readonly start: EpisodeStart,
    readonly end: EpisodeEnd,
    private readonly handle: FileHandle,
    private readonly mcap: McapIndexedReader,
  ) {}

  /**
   * @param path an episode's folder, or its .mcap file
   * @throws CerebellumError EPISODE_INVALID, FILE_UNREADABLE
   */
  static async open(path: string): Promise<EpisodeReader> {
    const file = await mcapFile(path);
    const handle = await open(file, "r").catch((cause: unknown) => {
      throw new CerebellumError(
        "FILE_UNREADABLE",
        `${file} cannot be opened: ${errorText(cause)}`,
        "Name an episode's folder or its .mcap file",
        cause,
      );
    });
    try {
      await requireEndMark(handle, file);
      const fileBytes = BigInt((await handle.stat()).size);
      const mcap = await McapIndexedReader.Initialize({
        readable: {
          size: async () => fileBytes,
          read: async (offset, size) => {
            // A damaged index must not make us reserve what no file of this length can give.
            if (offset < 0n || size < 0n || offset + size > fileBytes) {
              throw new Error(`ends at ${fileBytes} bytes, its index names byte ${offset + size}`);
            }
            const bytes = new Uint8Array(Number(size));
            const { bytesRead } = await handle.read(bytes, 0, bytes.length, Number(offset));
            if (bytesRead < bytes.length) throw new Error(`ends at ${Number(offset) + bytesRead} bytes`);
            return bytes;
          },
        },
        decompressHandlers: await loadDecompressHandlers(),
      });
      const start = fromRecord(EpisodeStart, await record(mcap, START_RECORD, file), file);
      const end = fromRecord(EpisodeEnd, await record(mcap, END_RECORD, file), file);
      return new EpisodeReader(file, start, end, handle, mcap);
    } catch (cause) {
      await handle.close();
      if (cause instanceof CerebellumError) throw cause;
      throw invalid(file, `is no whole episode: ${errorText(cause)}`, cause);
    }
  }

  get topics(): TopicInfo[] {
    return [...this.mcap.channelsById.values()].map(({ id, topic, schemaId }) => ({
      topic,
      type: this.mcap.schemasById.get(schemaId)?.name ?? "",
      count: Number(this.mcap.statistics?.channelMessageCounts.get(id) ?? 0n),
    }));
  }

  /** In order of log time. @throws CerebellumError EPISODE_INVALID where the file is damaged */
  async *messages({ topics, fromNs, toNs }: ReadOptions = {}): AsyncGenerator<EpisodeMessage, void, void> {
    const range = {
      ...(topics === undefined ? {} : { topics }),
      ...(fromNs === undefined ? {} : { startTime: fromNs }),
      ...(toNs === undefined ? {} : { endTime: toNs }),
    };
    try {
      for await (const message of this.mcap.readMessages({ ...range, validateCrcs: true })) {
        const channel = this.mcap.channelsById.get(message.channelId)!;
        yield {
          topic: channel.topic,
          type: this.mcap.schemasById.get(channel.schemaId)?.name ?? "",
          sequence: message.sequence,
          logNs: asEpochNs(message.logTime),
          publishNs: asEpochNs(message.publishTime),
          data: message.data,
        };
      }
    } catch (cause) {
      if (cause instanceof CerebellumError) throw cause;
      throw invalid(this.file, `is damaged: ${errorText(cause)}`, cause);
    }
  }

  /** @throws CerebellumError EPISODE_INVALID */
  decode(message: EpisodeMessage): RosMessage {
    let codec = this.#codecs.get(message.type);
    if (codec === undefined) {
      const schema = [...this.mcap.schemasById.values()].find(({ name }) => name === message.type);
      codec = rosCodec(message.type, Buffer.from(schema?.data ?? []).toString("utf8"));
      this.#codecs.set(message.type, codec);
    }
    return codec.decode(message.data);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** The .mcap file of an episode's folder, or the file itself. */
export async function mcapFile(path: string): Promise<string> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isFolder ? join(path, `${basename(path)}.mcap`) : path;
}

/** Folder of the episode that a file belongs to. */
export const episodeFolder = (file: string): string => dirname(file);

/** MCAP files begin and end with these bytes (mcap.dev/spec). */
const MAGIC = Buffer.from([0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a]);

async function requireEndMark(handle: FileHandle, file: string): Promise<void> {
  const { size } = await handle.stat();
  const end = Buffer.alloc(MAGIC.length);
  await handle.read(end, 0, end.length, Math.max(0, size - end.length));
  if (!end.equals(MAGIC)) throw invalid(file, `is cut short: it ends at ${size} bytes without its end mark`);
}

async function record(mcap: McapIndexedReader, name: string, file: string): Promise<Map<string, string>> {
  for await (const found of mcap.readMetadata({ name }) as AsyncGenerator<McapTypes.Metadata>)
    return found.metadata;
  throw invalid(file, `has no metadata record "${name}"`);
}

const invalid = (file: string, what: string, cause?: unknown) =>
  new CerebellumError(
    "EPISODE_INVALID",
    `${file} ${what}`,
    "`./cerebellum episodes verify` shows what can be read of it; take it from a copy, or leave it out",
    cause,
  );
