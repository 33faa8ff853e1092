/**
 * Writes one episode: its folder has the ending `.active` while it is written; finishing syncs and renames it, so that
 * an episode's folder without the ending is always whole. What a crash leaves is for `repair.ts`.
 */
import { dirname, join } from "node:path";
import type { Clock, EpochNs } from "../core/clock.js";
import { type CerebellumError, invariant } from "../core/errors.js";
import {
  ACTIVE_SUFFIX,
  END_RECORD,
  type EpisodeEnd,
  type EpisodeStart,
  START_RECORD,
  toRecord,
} from "./format.js";
import { channelMetadata } from "./metadataYaml.js";
import { recordingFailed } from "./write/failure.js";
import { giveName, refuseExisting, writeBagMetadata } from "./write/finish.js";
import { codeOf, type EpisodeHandle, type EpisodeIo, nodeIo } from "./write/io.js";
import { type EpisodeLock, takeLock } from "./write/lock.js";
import { MESSAGE_BYTES_MAX } from "./write/records.js";
import { McapStream } from "./write/stream.js";

export interface EpisodeTopic {
  readonly topic: string;
  /** e.g. "sensor_msgs/msg/JointState" */
  readonly type: string;
  /** Message definition text with its dependencies, as `ros2msg` readers expect it. */
  readonly definition: string;
}

export interface EpisodeFileOptions {
  /** Without one, chunks close by size alone and nothing is synced before the end: for imports and tests. */
  readonly clock?: Clock;
  readonly io?: EpisodeIo;
  /** Longest time that a message waits before it goes to the disk [ms]. */
  readonly flushMs?: number;
  /** Time between two syncs [ms]. */
  readonly syncMs?: number;
  /** Most that may wait for the disk [bytes]; `write` refuses what would exceed it. */
  readonly backlogBytesMax?: number;
}

/** A killed process may lose 0.3 s: more than half of that is left for a busy machine to be late in. */
const FLUSH_MS = 125;
/** With the time that a sync takes, a power cut loses little more than a second. */
const SYNC_MS = 800;
const BACKLOG_BYTES_MAX = 128 * 1024 * 1024;

export class EpisodeFile {
  readonly #channels = new Map<string, { id: number; count: number }>();
  #failure: CerebellumError | undefined;
  #ended = false;

  private constructor(
    /** Where the finished episode will be. */
    readonly folder: string,
    private readonly name: string,
    private readonly io: EpisodeIo,
    private readonly lock: EpisodeLock,
    private readonly handle: EpisodeHandle,
    private readonly stream: McapStream,
  ) {}

  /**
   * The episode's start record is on the disk when this resolves.
   * @param set folder of the episode's set; made when it is not there
   * @throws CerebellumError RECORDING_FAILED when it cannot be made, or is there already
   */
  static async create(
    set: string,
    start: EpisodeStart,
    topics: readonly EpisodeTopic[],
    options: EpisodeFileOptions = {},
  ): Promise<EpisodeFile> {
    const { io = nodeIo } = options;
    const folder = join(set, start.name);
    const active = `${folder}${ACTIVE_SUFFIX}`;
    let lock: EpisodeLock | undefined;
    let handle: EpisodeHandle | undefined;
    try {
      if (await io.makeFolders(set)) await io.syncFolder(dirname(set));
      await refuseExisting(io, folder);
      await io.makeFolder(active);
      lock = await takeLock(await io.identity(active));
      if (lock === undefined) throw new Error("another process has taken it for repair");
      handle = await io.open(join(active, `${start.name}.mcap`), "create");
      const stream = new McapStream(handle, {
        clock: options.clock,
        flushMs: options.flushMs ?? FLUSH_MS,
        syncMs: options.syncMs ?? SYNC_MS,
        backlogBytesMax: options.backlogBytesMax ?? BACKLOG_BYTES_MAX,
      });
      const episode = new EpisodeFile(folder, start.name, io, lock, handle, stream);
      stream.metadata(START_RECORD, toRecord(start));
      episode.#declare(topics);
      stream.head();
      await stream.synced();
      if (stream.failure) throw stream.failure.cause;
      for (const path of [active, set]) await io.syncFolder(path);
      stream.start();
      return episode;
    } catch (cause) {
      await handle?.close().catch(() => {});
      // Nothing was recorded yet. Only what was made here goes, and only if the disk still lets it.
      if (lock !== undefined) await removePart(io, active, start.name).catch(() => {});
      await lock?.release();
      throw recordingFailed(folder, "cannot be begun", cause);
    }
  }

  /** Why it cannot be written any more. What is written so far can be repaired. */
  get failure(): CerebellumError | undefined {
    const { failure } = this.stream;
    if (failure) this.#failure ??= recordingFailed(this.folder, "cannot be written", failure.cause);
    return this.#failure;
  }

  /** What the disk has not taken yet. */
  get backlogBytes(): number {
    return this.stream.backlogBytes;
  }

  /** What the disk has taken. */
  get bytesWritten(): number {
    return this.stream.writtenBytes;
  }

  /**
   * Takes one message; its bytes are copied before this returns.
   * @param publishNs when it was captured or made
   * @param logNs when it was received, on the episode's clock
   * @returns false when it is dropped: the backlog is full (`ready` waits until it is not), the message exceeds
   * MESSAGE_BYTES_MAX, or there is a `failure`
   */
  write(topic: string, publishNs: EpochNs, logNs: EpochNs, cdr: Uint8Array): boolean {
    const channel = this.#channels.get(topic);
    invariant(channel !== undefined, `topic ${topic} was declared`);
    invariant(!this.#ended, "nothing is written to an episode that has ended");
    const isTaken =
      cdr.length <= MESSAGE_BYTES_MAX &&
      this.stream.message({
        channelId: channel.id,
        sequence: channel.count,
        logTime: logNs,
        publishTime: publishNs,
        data: cdr,
      });
    if (isTaken) channel.count++;
    return isTaken;
  }

  /** For whoever can wait, such as an import: resolves when the disk has caught up, or there is a `failure`. */
  ready(): Promise<void> {
    return this.stream.drained(BACKLOG_BYTES_MAX / 8);
  }

  /**
   * Closes, syncs and gives the episode its final name.
   * @throws CerebellumError RECORDING_FAILED; the part stays for repair
   */
  async finish(end: EpisodeEnd): Promise<void> {
    const active = this.#end();
    try {
      this.stream.metadata(END_RECORD, toRecord(end));
      await this.stream.end();
      if (this.stream.failure) throw this.stream.failure.cause;
      await this.handle.sync();
      await writeBagMetadata(this.io, active, this.name, this.stream.contents);
      await giveName(this.io, active, this.folder);
    } catch (cause) {
      this.#failure ??= recordingFailed(this.folder, "cannot be finished", cause);
      throw this.#failure;
    } finally {
      await this.#release();
    }
  }

  /** Removes everything of it. @throws CerebellumError RECORDING_FAILED when something stays */
  async discard(): Promise<void> {
    const active = this.#end();
    await this.stream.stop();
    try {
      await removePart(this.io, active, this.name);
    } catch (cause) {
      throw recordingFailed(this.folder, "cannot be discarded", cause);
    } finally {
      await this.#release();
    }
  }

  #end(): string {
    invariant(!this.#ended, "an episode ends once");
    this.#ended = true;
    return `${this.folder}${ACTIVE_SUFFIX}`;
  }

  async #release(): Promise<void> {
    // Everything that had to reach the disk was synced before; nothing is left that closing could lose.
    await this.handle.close().catch(() => {});
    await this.lock.release();
  }

  #declare(topics: readonly EpisodeTopic[]): void {
    const schemaIds = new Map<string, number>();
    for (const { topic, type, definition } of topics) {
      let schemaId = schemaIds.get(type);
      if (schemaId === undefined) {
        schemaId = schemaIds.size + 1;
        schemaIds.set(type, schemaId);
        const data = Buffer.from(definition, "utf8");
        this.stream.schema({ id: schemaId, name: type, encoding: "ros2msg", data });
      }
      const id = this.#channels.size + 1;
      this.#channels.set(topic, { id, count: 0 });
      this.stream.channel({ id, schemaId, topic, messageEncoding: "cdr", metadata: channelMetadata(topic) });
    }
  }
}

/** The file first: what is left by a crash between the two is an empty folder, which repair removes. */
async function removePart(io: EpisodeIo, active: string, name: string): Promise<void> {
  await io.removeFile(join(active, `${name}.mcap`)).catch((cause: unknown) => {
    if (codeOf(cause) !== "ENOENT") throw cause;
  });
  await io.removeFolder(active);
}
