/**
 * One episode as one MCAP file in the ROS 2 profile: CDR bytes as they came, message definitions beside them, so that
 * stock readers open it. The file has the ending `.mcap.active` while it is written; closing syncs and renames it, so
 * a `.mcap` file is always whole.
 */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { McapWriter } from "@mcap/core";
import type { EpochNs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";

export interface EpisodeTopic {
  readonly topic: string;
  /** e.g. "sensor_msgs/msg/JointState" */
  readonly type: string;
  /** Message definition text with its dependencies, as `ros2msg` readers expect it. */
  readonly definition: string;
}

const CHUNK_BYTES = 1024 * 1024;

export class EpisodeWriter {
  readonly #writer: McapWriter;
  readonly #channels = new Map<string, { id: number; count: number }>();
  /** Writes must not overlap: each waits for the one before it. */
  #tail: Promise<void> = Promise.resolve();
  #failure: CerebellumError | undefined;

  private constructor(
    readonly file: string,
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

  /** @throws CerebellumError RECORDING_FAILED when the file cannot be made */
  static async create(file: string, topics: readonly EpisodeTopic[]): Promise<EpisodeWriter> {
    try {
      await mkdir(dirname(file), { recursive: true });
      const episode = new EpisodeWriter(file, await open(`${file}.active`, "wx"));
      await episode.#writer.start({ profile: "ros2", library: "cerebellum" });
      for (const { topic, type, definition } of topics) {
        const schemaId = await episode.#writer.registerSchema({
          name: type,
          encoding: "ros2msg",
          data: Buffer.from(definition, "utf8"),
        });
        const id = await episode.#writer.registerChannel({
          schemaId,
          topic,
          messageEncoding: "cdr",
          metadata: new Map(),
        });
        episode.#channels.set(topic, { id, count: 0 });
      }
      return episode;
    } catch (cause) {
      throw failed(file, cause);
    }
  }

  /** Queues one message; a failure shows at `finish`, so a recording never slows the one who calls. */
  write(topic: string, stampNs: EpochNs, receivedNs: EpochNs, cdr: Uint8Array): void {
    this.writeLater(topic, stampNs, receivedNs, cdr);
  }

  /** Also takes a message that is still being made, e.g. an image under compression; the order of calls is kept. */
  writeLater(
    topic: string,
    stampNs: EpochNs,
    receivedNs: EpochNs,
    cdr: Uint8Array | Promise<Uint8Array>,
  ): void {
    const channel = this.#channels.get(topic);
    if (channel === undefined) throw new Error(`Broken invariant: topic ${topic} was not declared`);
    const sequence = channel.count++;
    this.#append(async () =>
      this.#writer.addMessage({
        channelId: channel.id,
        sequence,
        publishTime: stampNs,
        logTime: receivedNs,
        data: await cdr,
      }),
    );
  }

  count(topic: string): number {
    return this.#channels.get(topic)?.count ?? 0;
  }

  /** Closes, syncs and gives the file its final name. @throws CerebellumError RECORDING_FAILED; the part file stays */
  async finish(metadata: Readonly<Record<string, string>>): Promise<void> {
    this.#append(() =>
      this.#writer.addMetadata({ name: "episode", metadata: new Map(Object.entries(metadata)) }),
    );
    this.#append(() => this.#writer.end());
    await this.#tail;
    await this.handle.sync().catch((cause) => this.#fail(cause));
    await this.handle.close();
    if (this.#failure) throw this.#failure;
    await rename(`${this.file}.active`, this.file);
  }

  /** Removes the part file. */
  async discard(): Promise<void> {
    await this.#tail;
    await this.handle.close();
    await rm(`${this.file}.active`, { force: true });
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
    this.#failure ??= failed(this.file, cause);
  }
}

const failed = (file: string, cause: unknown) =>
  new CerebellumError(
    "RECORDING_FAILED",
    `Episode ${file} cannot be written: ${errorText(cause)}`,
    "Check the folder, its permissions and the free disk space",
    cause,
  );
