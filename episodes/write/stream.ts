/**
 * Writes an MCAP file so that a crash costs little: messages gather in a chunk that closes when it is large or old,
 * closed chunks go to the disk one at a time, and what the system holds is pushed to the disk about once a second.
 * Nothing here waits for the disk except `drained`; a failure is kept, not thrown, and everything after it is dropped.
 */
import { crc32 } from "node:zlib";
import { McapChunkBuilder, McapRecordBuilder, type McapTypes } from "@mcap/core";
import { addNs, type Clock, msToNs } from "../../core/clock.js";
import type { EpisodeHandle } from "./io.js";
import { writeAll } from "./io.js";
import {
  chunkBytes,
  emptyContents,
  endBytes,
  HEAD_RECORD,
  headerBytes,
  headRecord,
  metadataBytes,
} from "./records.js";

export interface StreamOptions {
  /** Without one, chunks close by size alone and nothing is synced before the end: for imports and tests. */
  readonly clock?: Clock | undefined;
  /** Longest time that a message waits in an open chunk [ms]. */
  readonly flushMs: number;
  /** Time between two syncs [ms]. */
  readonly syncMs: number;
  /** Most that may wait for the disk [bytes]. */
  readonly backlogBytesMax: number;
}

const CHUNK_BYTES = 1024 * 1024;

export class McapStream {
  readonly contents = emptyContents();
  readonly #chunk = new McapChunkBuilder({ useMessageIndex: true });
  readonly #queue: Uint8Array[] = [];
  readonly #ended = new AbortController();
  /** Length of the file once everything in the queue is written. */
  #position = 0;
  #writtenBytes = 0;
  #syncedBytes = 0;
  #dataCrc = 0;
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #pacing: Promise<void> = Promise.resolve();
  #failure: { readonly cause: unknown } | undefined;

  constructor(
    private readonly handle: EpisodeHandle,
    private readonly options: StreamOptions,
  ) {
    this.#append(headerBytes());
  }

  /** What the disk, or the system on its way there, answered first; undefined while all is well. */
  get failure(): { readonly cause: unknown } | undefined {
    return this.#failure;
  }
  /** Given to `message` and the like, not yet taken by the system. */
  get backlogBytes(): number {
    return this.#failure ? 0 : this.#chunk.byteLength + this.#position - this.#writtenBytes;
  }
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Begins to close chunks and to sync by time. */
  start(): void {
    if (this.options.clock !== undefined) this.#pacing = this.#pace(this.options.clock);
  }

  schema(schema: McapTypes.Schema): void {
    this.contents.schemas.push(schema);
    this.#appendRecord((builder) => builder.writeSchema(schema));
  }

  channel(channel: McapTypes.Channel): void {
    this.contents.channels.push(channel);
    this.#appendRecord((builder) => builder.writeChannel(channel));
  }

  metadata(name: string, metadata: Map<string, string>): void {
    this.#closeChunk();
    this.#append(metadataBytes(this.contents, this.#position, name, metadata));
  }

  /** Ends the declarations: what comes before is guarded by a CRC. */
  head(): void {
    this.metadata(HEAD_RECORD, headRecord(this.#dataCrc));
  }

  /** Takes the bytes before it returns. @returns false when it is dropped: the backlog is full, or writing has failed */
  message(message: McapTypes.Message): boolean {
    if (this.#failure || this.backlogBytes + message.data.length > this.options.backlogBytesMax) return false;
    this.#chunk.addMessage(message);
    if (this.#chunk.byteLength >= CHUNK_BYTES) this.#closeChunk();
    return true;
  }

  /** Resolves when at most `bytes` wait for the disk, or writing has failed. */
  async drained(bytes = 0): Promise<void> {
    if (bytes < this.#chunk.byteLength) this.#closeChunk();
    while (this.backlogBytes > bytes && this.#writing !== undefined) await this.#writing;
  }

  /** What is written so far is on the disk when this resolves, unless it failed. */
  async synced(): Promise<void> {
    await this.drained();
    while (this.#syncing !== undefined) await this.#syncing;
    if (this.#failure === undefined) await this.#sync();
  }

  /** Writes the rest of the file. After it only `stop`. */
  async end(): Promise<void> {
    this.#closeChunk();
    this.#append(endBytes(this.contents, this.#position, this.#dataCrc));
    await this.stop();
  }

  /** Ends all work; nothing touches the file after it. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#pacing;
    await this.#writing;
    await this.#syncing;
  }

  async #pace(clock: Clock): Promise<void> {
    const { flushMs, syncMs } = this.options;
    let syncDueNs = addNs(clock.nowNs(), msToNs(syncMs));
    for (let dueNs = clock.nowNs(); ; ) {
      dueNs = addNs(dueNs, msToNs(flushMs));
      // After a stall of this thread there is nothing to catch up with.
      if (dueNs < clock.nowNs()) dueNs = clock.nowNs();
      await clock.sleepUntil(dueNs, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      this.#closeChunk();
      if (clock.nowNs() >= syncDueNs) {
        syncDueNs = addNs(clock.nowNs(), msToNs(syncMs));
        // Beside the writes, never between them: a slow sync must not hold up what is not even written.
        this.#syncing ??= this.#sync().finally(() => {
          this.#syncing = undefined;
        });
      }
    }
  }

  #closeChunk(): void {
    if (this.#chunk.numMessages === 0) return;
    this.#append(
      chunkBytes(this.contents, this.#position, {
        startNs: this.#chunk.messageStartTime,
        endNs: this.#chunk.messageEndTime,
        records: this.#chunk.buffer,
        indexes: this.#chunk.indices,
      }),
    );
    this.#chunk.reset();
  }

  #appendRecord(write: (builder: McapRecordBuilder) => unknown): void {
    const builder = new McapRecordBuilder();
    write(builder);
    this.#append(builder.buffer);
  }

  #append(bytes: Uint8Array): void {
    if (this.#failure) return;
    this.#dataCrc = crc32(bytes, this.#dataCrc);
    this.#position += bytes.length;
    this.#queue.push(bytes);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    try {
      for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
        await writeAll(this.handle, next, this.#writtenBytes);
        this.#writtenBytes += next.length;
        this.#queue.shift();
      }
    } catch (cause) {
      this.#fail(cause);
    } finally {
      // At once, not in a later turn: what is appended from here on begins a new round.
      this.#writing = undefined;
    }
  }

  async #sync(): Promise<void> {
    const bytes = this.#writtenBytes;
    if (bytes === this.#syncedBytes) return;
    try {
      await this.handle.datasync();
      this.#syncedBytes = bytes;
    } catch (cause) {
      // Never tried again: the system forgets after the first answer that these pages did not reach the disk.
      this.#fail(cause);
    }
  }

  #fail(cause: unknown): void {
    this.#failure ??= { cause };
    this.#queue.length = 0;
    this.#ended.abort();
  }
}
