/** Numbered files of a LeRobot v3 data set: `chunk-000/file-000`, a new one when an episode would make it too large. */
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ImageSize } from "../../pixels.js";
import { VideoFile } from "../ffmpeg.js";
import { type ColumnType, ParquetFile, type ParquetOptions, type Row } from "../parquet.js";

export interface FilePlace {
  readonly chunkIndex: number;
  readonly fileIndex: number;
}

export interface FileLimits {
  readonly filesPerChunk: number;
  readonly fileBytes: number;
}

const digits = (number: number): string => String(number).padStart(3, "0");
export const filePath = ({ chunkIndex, fileIndex }: FilePlace, ending: string): string =>
  join(`chunk-${digits(chunkIndex)}`, `file-${digits(fileIndex)}.${ending}`);

const following = ({ chunkIndex, fileIndex }: FilePlace, { filesPerChunk }: FileLimits): FilePlace =>
  fileIndex + 1 < filesPerChunk
    ? { chunkIndex, fileIndex: fileIndex + 1 }
    : { chunkIndex: chunkIndex + 1, fileIndex: 0 };

interface Growing {
  /** So far, as well as it is known. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Episodes are never cut between two files. */
class NumberedFiles<F extends Growing> {
  #place: FilePlace = { chunkIndex: 0, fileIndex: 0 };
  #file: F | undefined;
  #sizeBefore = 0;
  #isNew = true;

  constructor(
    private readonly folder: string,
    private readonly ending: string,
    private readonly limits: FileLimits,
    private readonly create: (file: string) => Promise<F>,
  ) {}

  /** Call before each episode: the file that it goes to. The episode before tells how much to expect. */
  async next(): Promise<{ file: F; place: FilePlace; isNew: boolean }> {
    if (this.#file !== undefined) {
      const size = await this.#file.size();
      const expected = size - this.#sizeBefore;
      this.#sizeBefore = size;
      if (size + expected >= this.limits.fileBytes) {
        await this.close();
        this.#place = following(this.#place, this.limits);
      }
    }
    this.#isNew = this.#file === undefined;
    if (this.#file === undefined) {
      const path = join(this.folder, filePath(this.#place, this.ending));
      await mkdir(dirname(path), { recursive: true });
      this.#file = await this.create(path);
      this.#sizeBefore = 0;
    }
    return { file: this.#file, place: this.#place, isNew: this.#isNew };
  }

  get open(): F | undefined {
    return this.#file;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

class GrowingTable implements Growing {
  constructor(private readonly file: ParquetFile) {}
  async size(): Promise<number> {
    return this.file.sizeBytes;
  }
  append(row: Row): Promise<void> {
    return this.file.append(row);
  }
  close(): Promise<void> {
    return this.file.close();
  }
}

export type NumberedTables = NumberedFiles<GrowingTable>;
export const numberedTables = (
  folder: string,
  columns: Readonly<Record<string, ColumnType>>,
  limits: FileLimits,
  options: ParquetOptions = {},
): NumberedTables =>
  new NumberedFiles(
    folder,
    "parquet",
    limits,
    async (path) => new GrowingTable(await ParquetFile.create(path, columns, options)),
  );

class GrowingVideo implements Growing {
  constructor(private readonly video: VideoFile) {}
  get frameCount(): number {
    return this.video.frameCount;
  }
  /** The encoder writes a little later than it is fed. */
  async size(): Promise<number> {
    return stat(this.video.file).then(
      (found) => found.size,
      () => 0,
    );
  }
  write(pixels: Uint8Array): Promise<void> {
    return this.video.write(pixels);
  }
  close(): Promise<void> {
    return this.video.finish();
  }
  abort(): Promise<void> {
    return this.video.abort();
  }
}

export type NumberedVideos = NumberedFiles<GrowingVideo>;
export const numberedVideos = (
  folder: string,
  program: string,
  size: ImageSize,
  rateHz: number,
  limits: FileLimits,
): NumberedVideos =>
  new NumberedFiles(
    folder,
    "mp4",
    limits,
    async (path) => new GrowingVideo(new VideoFile(program, path, size, rateHz)),
  );
