/**
 * A log file that is bounded and never waited for: lines are queued and written one block at a time by Node's I/O
 * threads; the file is cut off at a size and a few older ones are kept. A full or broken disk costs lines, which are
 * counted, and nothing else; when it is well again the next line says how many are missing.
 */
import { mkdirSync, writeSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

export interface LogFileOptions {
  readonly path: string;
  readonly fileBytesMax: number;
  /** The present file and older ones: `daemon.log`, `daemon.log.1`, ... */
  readonly filesMax: number;
}

/** Lines that wait for the disk; more are dropped. */
const QUEUE_BYTES_MAX = 1024 * 1024;

export class LogFile {
  readonly #options: LogFileOptions;
  #queue: string[] = [];
  #queueBytes = 0;
  #handle: FileHandle | undefined;
  #fileBytes = 0;
  #busy: Promise<void> | undefined;
  #dropped = 0;
  #untold = 0;
  #failure: string | undefined;

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  /** Lines that were lost since the start. */
  get droppedCount(): number {
    return this.#dropped;
  }

  /** Why the newest block was not written; undefined while the disk is well. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** For pino: one line with its end. Returns at once. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#queueBytes + bytes > QUEUE_BYTES_MAX) {
      this.#drop(1);
      return;
    }
    this.#queue.push(line);
    this.#queueBytes += bytes;
    this.#busy ??= this.#drain().finally(() => {
      this.#busy = undefined;
    });
  }

  /** Resolves when everything that was queued is written or dropped. */
  async flush(): Promise<void> {
    while (this.#busy !== undefined) await this.#busy;
  }

  /** For the last moment of a process: what is still queued, without waiting for the I/O threads. */
  flushNow(): void {
    const block = this.#take();
    if (block.text === "" || this.#handle === undefined) return;
    try {
      writeSync(this.#handle.fd, block.text);
    } catch {
      this.#drop(block.lines);
    }
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#handle?.close().catch(() => {});
    this.#handle = undefined;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const block = this.#take();
      try {
        const handle = await this.#openFile();
        const { bytesWritten } = await handle.write(block.text);
        this.#fileBytes += bytesWritten;
        if (bytesWritten < Buffer.byteLength(block.text)) throw new Error("written in part only");
        this.#failure = undefined;
        if (this.#fileBytes >= this.#options.fileBytesMax) await this.#rotate(handle);
      } catch (thrown) {
        this.#failure = thrown instanceof Error ? thrown.message : String(thrown);
        this.#drop(block.lines);
        this.#untold += block.untold;
      }
    }
  }

  /** Everything that waits as one block, with the number of lines that were lost before it. */
  #take(): { text: string; lines: number; untold: number } {
    const lines = this.#queue.splice(0);
    this.#queueBytes = 0;
    if (lines.length === 0) return { text: "", lines: 0, untold: 0 };
    const untold = this.#untold;
    this.#untold = 0;
    const note = untold === 0 ? "" : `{"level":40,"event":"logLinesLost","count":${untold}}\n`;
    return { text: note + lines.join(""), lines: lines.length, untold };
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#untold += lines;
  }

  async #openFile(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    mkdirSync(dirname(this.#options.path), { recursive: true, mode: 0o700 });
    const handle = await open(this.#options.path, "a", 0o600);
    this.#fileBytes = (await handle.stat()).size;
    this.#handle = handle;
    return handle;
  }

  async #rotate(handle: FileHandle): Promise<void> {
    const { path, filesMax } = this.#options;
    this.#handle = undefined;
    await handle.close();
    for (let age = filesMax - 1; age > 0; age--) {
      const from = age === 1 ? path : `${path}.${age - 1}`;
      await rename(from, `${path}.${age}`).catch((thrown: NodeJS.ErrnoException) => {
        if (thrown.code !== "ENOENT") throw thrown;
      });
    }
  }
}
