/**
 * Writes one episode: its folder has the ending `.active` while it is written; finishing syncs and renames it, so that
 * an episode's folder without the ending is always whole.
 */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { McapWriter } from "@mcap/core";
import type { EpochNs } from "../core/clock.js";
import { CerebellumError, errorText, invariant } from "../core/errors.js";
import {
  ACTIVE_SUFFIX,
  END_RECORD,
  type EpisodeEnd,
  type EpisodeStart,
  START_RECORD,
  toRecord,
} from "./format.js";

export interface EpisodeTopic {
  readonly topic: string;
  /** e.g. "sensor_msgs/msg/JointState" */
  readonly type: string;
  /** Message definition text with its dependencies, as `ros2msg` readers expect it. */
  readonly definition: string;
}

const CHUNK_BYTES = 1024 * 1024;

export class EpisodeFile {
  readonly #writer: McapWriter;
  readonly #channels = new Map<string, { id: number; count: number }>();
  /** Writes must not overlap: each waits for the one before it. */
  #tail: Promise<void> = Promise.resolve();
  #failure: CerebellumError | undefined;

  private constructor(
    /** Where the finished episode will be. */
    readonly folder: string,
    private readonly handle: Awaited<ReturnType<typeof open>>,
  ) {
    let position = 0n;
    this.#writer = new McapWriter({
      writable: {
        position: () => position,
        write: async (bytes: Uint8Array) => {
          await this.handle.write(bytes);
          position += BigInt(bytes.length);
        },
      },
      chunkSize: CHUNK_BYTES,
    });
  }

  /**
   * @param set folder of the episode's set
   * @throws CerebellumError RECORDING_FAILED when it cannot be made, or is there already
   */
  static async create(
    set: string,
    start: EpisodeStart,
    topics: readonly EpisodeTopic[],
  ): Promise<EpisodeFile> {
    const folder = join(set, start.name);
    try {
      await mkdir(set, { recursive: true });
      await mkdir(`${folder}${ACTIVE_SUFFIX}`);
      const episode = new EpisodeFile(
        folder,
        await open(join(`${folder}${ACTIVE_SUFFIX}`, `${start.name}.mcap`), "wx"),
      );
      await episode.#writer.start({ profile: "ros2", library: "cerebellum" });
      await episode.#writer.addMetadata({ name: START_RECORD, metadata: toRecord(start) });
      for (const topic of topics) await episode.#register(topic);
      return episode;
    } catch (cause) {
      throw failed(folder, cause);
    }
  }

  get failure(): CerebellumError | undefined {
    return this.#failure;
  }

  /**
   * Queues one message; the bytes are taken before it returns. A failure shows in `failure` and at `finish`.
   * @param publishNs when it was captured or made
   * @param logNs when it was received, on the episode's clock
   */
  write(topic: string, publishNs: EpochNs, logNs: EpochNs, cdr: Uint8Array): void {
    const channel = this.#channels.get(topic);
    invariant(channel !== undefined, `topic ${topic} was declared`);
    const sequence = channel.count++;
    const data = cdr.slice();
    this.#append(async () =>
      this.#writer.addMessage({
        channelId: channel.id,
        sequence,
        publishTime: publishNs,
        logTime: logNs,
        data,
      }),
    );
  }

  /** Closes, syncs and gives the episode its final name. @throws CerebellumError RECORDING_FAILED; the part stays */
  async finish(end: EpisodeEnd): Promise<void> {
    this.#append(() => this.#writer.addMetadata({ name: END_RECORD, metadata: toRecord(end) }));
    this.#append(() => this.#writer.end());
    await this.#tail;
    await this.handle.sync().catch((cause) => this.#fail(cause));
    await this.handle.close();
    if (this.#failure) throw this.#failure;
    await rename(`${this.folder}${ACTIVE_SUFFIX}`, this.folder);
  }

  /** Removes everything of it. */
  async discard(): Promise<void> {
    await this.#tail;
    await this.handle.close();
    await rm(`${this.folder}${ACTIVE_SUFFIX}`, { force: true, recursive: true });
  }

  async #register({ topic, type, definition }: EpisodeTopic): Promise<void> {
    const schemaId = await this.#writer.registerSchema({
      name: type,
      encoding: "ros2msg",
      data: Buffer.from(definition, "utf8"),
    });
    const id = await this.#writer.registerChannel({
      schemaId,
      topic,
      messageEncoding: "cdr",
      metadata: new Map(),
    });
    this.#channels.set(topic, { id, count: 0 });
  }

  #append(work: () => Promise<unknown>): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#failure) return;
      try {
        await work();
      } catch (cause) {
        this.#fail(cause);
      }
    });
  }

  #fail(cause: unknown): void {
    this.#failure ??= failed(this.folder, cause);
  }
}

const failed = (folder: string, cause: unknown) =>
  new CerebellumError(
    "RECORDING_FAILED",
    `Episode ${folder} cannot be written: ${errorText(cause)}`,
    "Check the folder, its permissions and the free disk space",
    cause,
  );
