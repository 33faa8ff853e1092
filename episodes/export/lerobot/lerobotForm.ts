/**
 * Writes a LeRobot v3.0 data set: rows in data/, videos (or pictures among the rows), one row an episode with its
 * statistics in meta/episodes/, and where everything came from in meta/cerebellum.json.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CerebellumError } from "../../../core/errors.js";
import type { EpisodeMessage, EpisodeReader } from "../../episodeReader.js";
import { decodePicture, type Picture, readStored } from "../../pixels.js";
import type { EpisodeContext, ExportForm, ExportLayout, ExportResult } from "../exportEpisodes.js";
import type { Cell, EmbeddedImage } from "../parquet.js";
import { encodePng } from "../png.js";
import { provenance } from "../provenance.js";
import type { Frame, FrameImage } from "../resample.js";
import {
  ACTION,
  ACTION_AGE,
  CAMERA_AGE,
  cameraFeature,
  dataColumns,
  type Features,
  featuresOf,
  LABEL,
  STATE,
  STATE_DISTANCE,
} from "./features.js";
import {
  type FileLimits,
  type FilePlace,
  type NumberedTables,
  type NumberedVideos,
  numberedTables,
  numberedVideos,
} from "./files.js";
import { datasetInfo, episodeColumns, LEROBOT_LIMITS, type LerobotLimits, writeTasks } from "./meta.js";
import { DatasetStats, isSampled, sampleCount, statsCells } from "./stats.js";

export interface LerobotOptions {
  readonly rateHz: number;
  /** The ffmpeg to encode videos with; undefined keeps pictures among the rows. */
  readonly ffmpeg: string | undefined;
  /** LeRobot's own limits by default. */
  readonly limits?: Partial<LerobotLimits>;
}

const MB = 1024 * 1024;

/** A frame's pictures, ready to be written: pixels for a video and for statistics, files for rows. */
interface PreparedImage {
  readonly picture: (Picture & { kind: "colour" }) | undefined;
  readonly file: EmbeddedImage | undefined;
}
type Prepared = Readonly<Record<string, PreparedImage>>;

interface EpisodeRow {
  readonly context: EpisodeContext;
  readonly instruction: string;
  readonly taskIndex: number;
  readonly firstIndex: number;
  readonly data: FilePlace;
  readonly videos: Readonly<Record<string, FilePlace & { readonly firstFrame: number }>>;
  readonly stats: DatasetStats;
  readonly samples: number;
  frameCount: number;
}

export class LerobotForm implements ExportForm<Prepared> {
  readonly name = "lerobot";
  readonly takesDepth = false;
  readonly #limits: LerobotLimits;
  readonly #tasks: string[] = [];
  readonly #videos = new Map<string, NumberedVideos>();
  /** By topic, the newest. */
  readonly #decoded = new Map<string, { message: EpisodeMessage; picture: Promise<Picture> }>();
  #folder = "";
  #features: Features = {};
  #cameras: ExportLayout["cameras"] = [];
  #data: NumberedTables | undefined;
  #episodes: NumberedTables | undefined;
  #whole: DatasetStats | undefined;
  #current: EpisodeRow | undefined;
  #frameCount = 0;
  #episodeCount = 0;

  /** @throws CerebellumError CONFIG_INVALID for a rate that LeRobot cannot have */
  constructor(private readonly options: LerobotOptions) {
    this.#limits = { ...LEROBOT_LIMITS, ...options.limits };
    if (!Number.isInteger(options.rateHz)) {
      throw new CerebellumError(
        "CONFIG_INVALID",
        `LeRobot's frame rate is a whole number, ${options.rateHz} Hz is none`,
        "Choose another with --rate, or export flat",
      );
    }
  }

  async open(folder: string, layout: ExportLayout): Promise<void> {
    const { rateHz, ffmpeg } = this.options;
    this.#folder = folder;
    this.#cameras = layout.cameras;
    const odd = layout.cameras.find(({ widthPx, heightPx }) => widthPx % 2 === 1 || heightPx % 2 === 1);
    if (ffmpeg !== undefined && odd !== undefined) {
      throw new CerebellumError(
        "EXPORT_FAILED",
        `Camera ${odd.camera} has ${odd.widthPx}x${odd.heightPx} pixels; videos need even numbers`,
        "Export with --images, or leave the camera out with --cameras",
      );
    }
    this.#features = featuresOf(layout, rateHz, ffmpeg !== undefined);
    this.#whole = new DatasetStats(this.#features);
    this.#data = numberedTables(join(folder, "data"), dataColumns(this.#features), this.#dataLimits);
    this.#episodes = numberedTables(
      join(folder, "meta", "episodes"),
      episodeColumns(this.#features, this.#videoKeys),
      this.#dataLimits,
      { groupRows: 200 },
    );
    if (ffmpeg === undefined) return;
    const limits = { filesPerChunk: this.#limits.filesPerChunk, fileBytes: this.#limits.videoFileMb * MB };
    for (const size of layout.cameras) {
      const key = cameraFeature(size.camera);
      this.#videos.set(key, numberedVideos(join(folder, "videos", key), ffmpeg, size, rateHz, limits));
    }
  }

  async begin(context: EpisodeContext): Promise<void> {
    const { instruction } = context.set;
    if (!this.#tasks.includes(instruction)) this.#tasks.push(instruction);
    const videos: Record<string, FilePlace & { firstFrame: number }> = {};
    for (const [key, files] of this.#videos) {
      const { file, place } = await files.next();
      videos[key] = { ...place, firstFrame: file.frameCount };
    }
    this.#current = {
      context,
      instruction,
      taskIndex: this.#tasks.indexOf(instruction),
      firstIndex: this.#frameCount,
      data: (await this.#data!.next()).place,
      videos,
      stats: new DatasetStats(this.#features),
      samples: sampleCount(context.resampled.frameCount),
      frameCount: 0,
    };
  }

  async prepare(frame: Frame, reader: EpisodeReader): Promise<Prepared> {
    const { samples, context } = this.#current!;
    const needsPixels =
      this.options.ffmpeg !== undefined || isSampled(frame.index, context.resampled.frameCount, samples);
    const images = Object.entries(frame.images).map(
      async ([camera, image]) =>
        [camera, await this.#prepareImage(image, reader, frame.index, needsPixels)] as const,
    );
    return Object.fromEntries(await Promise.all(images));
  }

  async #prepareImage(
    image: FrameImage,
    reader: EpisodeReader,
    frameIndex: number,
    needsPixels: boolean,
  ): Promise<PreparedImage> {
    const asFile = this.options.ffmpeg === undefined;
    const stored = asFile ? readStored(reader, image.message) : undefined;
    // What was recorded as a file of three channels stays that file: no second compression, no loss.
    const isKept = stored !== undefined && stored.kind !== "raw" && stored.isRgb8;
    const picture = needsPixels || !isKept ? await this.#decode(image, reader) : undefined;
    const colour = picture?.kind === "colour" ? picture : undefined;
    if (!asFile) return { picture: colour, file: undefined };
    const bytes = isKept ? stored.file : await encodePng(colour!);
    const path = `frame-${String(frameIndex).padStart(6, "0")}.${isKept ? stored.kind : "png"}`;
    return { picture: colour, file: { bytes, path } };
  }

  /** An image that several frames share is decoded once. */
  #decode({ message }: FrameImage, reader: EpisodeReader): Promise<Picture> {
    const known = this.#decoded.get(message.topic);
    if (known?.message === message) return known.picture;
    const picture = decodePicture(reader, message);
    this.#decoded.set(message.topic, { message, picture });
    return picture;
  }

  async add(frame: Frame, prepared: Prepared): Promise<void> {
    const current = this.#current!;
    const row = this.#numbers(frame, current);
    for (const [name, values] of Object.entries(row)) current.stats.numbers.get(name)!.add(values);
    const cells: Record<string, Cell> = Object.fromEntries(
      Object.entries(row).map(([name, values]) => [name, this.#cell(name, values)]),
    );
    const isSample = isSampled(frame.index, current.context.resampled.frameCount, current.samples);
    for (const { camera, widthPx, heightPx } of this.#cameras) {
      const key = cameraFeature(camera);
      const { picture, file } = prepared[camera]!;
      if (isSample) current.stats.pictures.get(key)!.add(picture!.pixels, widthPx, heightPx);
      if (file !== undefined) cells[key] = file;
      await this.#videos.get(key)?.open?.write(picture!.pixels);
    }
    await this.#data!.open!.append(cells);
    current.frameCount++;
    this.#frameCount++;
  }

  /** As float32 where the column is: statistics are of what is in the file. */
  #numbers(frame: Frame, current: EpisodeRow): Record<string, readonly number[]> {
    const float32 = (values: Iterable<number>) => Array.from(values, Math.fround);
    return {
      [STATE]: float32(frame.state),
      [ACTION]: float32(frame.action),
      ...(frame.label === undefined ? {} : { [LABEL]: float32(frame.label) }),
      ...(this.#cameras.length === 0
        ? {}
        : { [CAMERA_AGE]: float32(this.#cameras.map(({ camera }) => frame.images[camera]!.ageMs)) }),
      [STATE_DISTANCE]: float32([frame.stateBeforeMs, frame.stateAfterMs]),
      [ACTION_AGE]: float32([frame.actionAgeMs]),
      timestamp: float32([frame.atS]),
      frame_index: [frame.index],
      episode_index: [current.context.index],
      index: [this.#frameCount],
      task_index: [current.taskIndex],
    };
  }

  #cell(name: string, values: readonly number[]): Cell {
    const { dtype, shape } = this.#features[name]!;
    if (dtype === "int64") return BigInt(values[0]!);
    return shape[0] === 1 ? values[0]! : values;
  }

  async end(): Promise<void> {
    const current = this.#current!;
    const { file, place } = await this.#episodes!.next();
    this.#whole!.merge(current.stats);
    await file.append(this.#episodeRow(current, place));
    this.#episodeCount++;
    this.#current = undefined;
  }

  #episodeRow(current: EpisodeRow, place: FilePlace): Record<string, Cell> {
    const { rateHz } = this.options;
    const videos = Object.entries(current.videos).flatMap(([key, video]): [string, Cell][] => [
      [`videos/${key}/chunk_index`, BigInt(video.chunkIndex)],
      [`videos/${key}/file_index`, BigInt(video.fileIndex)],
      [`videos/${key}/from_timestamp`, video.firstFrame / rateHz],
      [`videos/${key}/to_timestamp`, (video.firstFrame + current.frameCount) / rateHz],
    ]);
    return {
      episode_index: BigInt(current.context.index),
      tasks: [current.instruction],
      length: BigInt(current.frameCount),
      "data/chunk_index": BigInt(current.data.chunkIndex),
      "data/file_index": BigInt(current.data.fileIndex),
      dataset_from_index: BigInt(current.firstIndex),
      dataset_to_index: BigInt(current.firstIndex + current.frameCount),
      ...Object.fromEntries(videos),
      ...Object.assign({}, ...current.stats.all().map(([feature, stats]) => statsCells(feature, stats))),
      "meta/episodes/chunk_index": BigInt(place.chunkIndex),
      "meta/episodes/file_index": BigInt(place.fileIndex),
    };
  }

  async finish(result: ExportResult): Promise<void> {
    for (const files of this.#videos.values()) await files.close();
    await this.#data!.close();
    await this.#episodes!.close();
    await writeTasks(this.#folder, this.#tasks);
    const stats = Object.fromEntries(this.#whole!.all());
    await this.#writeMeta("stats.json", stats);
    const info = datasetInfo({
      robotModel: result.layout.robotModel,
      rateHz: this.options.rateHz,
      episodeCount: this.#episodeCount,
      frameCount: this.#frameCount,
      taskCount: this.#tasks.length,
      hasVideos: this.#videos.size > 0,
      features: this.#features,
      limits: this.#limits,
    });
    await this.#writeMeta("info.json", info);
    await this.#writeMeta(
      "cerebellum.json",
      provenance(result, { videos: this.options.ffmpeg !== undefined }),
    );
  }

  async #writeMeta(name: string, value: unknown): Promise<void> {
    const path = join(this.#folder, "meta", name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${JSON.stringify(value, null, 4)}\n`);
  }

  async abort(): Promise<void> {
    await Promise.allSettled([
      ...[...this.#videos.values()].map((files) => files.open?.abort()),
      this.#data?.close(),
      this.#episodes?.close(),
    ]);
  }

  get #videoKeys(): readonly string[] {
    return Object.entries(this.#features)
      .filter(([, { dtype }]) => dtype === "video")
      .map(([name]) => name);
  }

  get #dataLimits(): FileLimits {
    return { filesPerChunk: this.#limits.filesPerChunk, fileBytes: this.#limits.dataFileMb * MB };
  }
}
