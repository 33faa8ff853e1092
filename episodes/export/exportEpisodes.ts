/** What all exports have in common: which episodes go in, one after the other, and what is said about them. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { z } from "zod";
import type { Clock } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { EpisodeReader } from "../episodeReader.js";
import type { FinishedEpisode } from "../episodeSet.js";
import type { RecordedCamera } from "../format.js";
import type { ImageSize } from "../pixels.js";
import { mapAhead } from "./ahead.js";
import { OutputFolder } from "./outputFolder.js";
import { type Frame, type FrameColumns, type ResampledEpisode, resampleEpisode } from "./resample.js";
import type { ResampleReport } from "./resampleErrors.js";
import type { ActionColumn } from "./streams.js";
import { type StreamSurvey, sizeText } from "./survey.js";

export interface ExportOptions {
  readonly out: string;
  readonly rateHz: number;
  readonly action: ActionColumn;
  readonly robot?: string | undefined;
  /** Default: all colour cameras of the first episode. */
  readonly cameras?: readonly string[] | undefined;
  readonly labels?: boolean | undefined;
  /** Also those that are flagged by their survey. */
  readonly includeFlagged: boolean;
  /** Name and version of this program. */
  readonly program: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ExportProgress) => void) | undefined;
}

/** One set's episodes, as chosen, and the words by which its task is known in the export. */
export interface ExportSet {
  readonly task: string;
  readonly instruction: string;
  readonly episodes: readonly FinishedEpisode[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

export interface ExportProgress {
  readonly episode: string;
  readonly episodeIndex: number;
  readonly episodeCount: number;
  readonly frame: number;
  readonly frameCount: number;
}

/** What all episodes of one export agree on: the first one's decides. */
export interface ExportLayout {
  readonly robotModel: string;
  readonly jointNames: readonly string[];
  readonly columns: FrameColumns;
  readonly cameras: readonly (ImageSize & { readonly camera: string; readonly isDepth: boolean })[];
}

export interface EpisodeContext {
  /** Place in the export, from 0. */
  readonly index: number;
  readonly set: ExportSet;
  readonly entry: FinishedEpisode;
  readonly reader: EpisodeReader;
  readonly resampled: ResampledEpisode;
}

/** One form of export. Calls never overlap, except `prepare`, which runs ahead for a few frames. */
export interface ExportForm<P> {
  readonly name: string;
  /** Cameras that it can take; what it says about others becomes a notice. */
  readonly takesDepth: boolean;
  open(folder: string, layout: ExportLayout): Promise<void>;
  begin(episode: EpisodeContext): Promise<void>;
  prepare(frame: Frame, reader: EpisodeReader): Promise<P>;
  add(frame: Frame, prepared: P): Promise<void>;
  end(): Promise<void>;
  finish(result: ExportResult): Promise<void>;
  /** Ends what runs; the folder is removed afterwards. */
  abort(): Promise<void>;
}

/** One exported episode and where it came from. */
export interface ExportedEpisode {
  readonly index: number;
  readonly task: string;
  readonly name: string;
  readonly uuid: string;
  /** Of the episode's MCAP file. */
  readonly sha256: string;
  readonly bytes: number;
  readonly kind: string;
  readonly outcome: string;
  readonly note: string;
  /** Nanoseconds as texts; null where nothing was cut. */
  readonly trim: { readonly fromNs: string | null; readonly toNs: string | null } | null;
  readonly firstFrameNs: string;
  readonly frameCount: number;
  readonly streams: readonly (Omit<StreamSurvey, "firstNs" | "lastNs"> & {
    firstNs: string;
    lastNs: string;
  })[];
  /** Where each exported camera stood, and its field of view: format.ts says in what frame. */
  readonly cameras: Readonly<Record<string, Pick<z.infer<typeof RecordedCamera>, "fovYDeg" | "mount">>>;
  readonly flags: readonly string[];
  readonly resampling: ResampleReport;
}

export interface ExportResult {
  readonly form: string;
  readonly folder: string;
  readonly program: string;
  readonly rateHz: number;
  readonly action: ActionColumn;
  readonly layout: ExportLayout;
  readonly episodes: readonly ExportedEpisode[];
  readonly leftOut: readonly { readonly task: string; readonly name: string; readonly why: string }[];
  readonly notices: readonly string[];
  readonly frameCount: number;
  /** Of all images read, decoded; and of the files they came from. */
  readonly pixelBytes: number;
  readonly fileBytes: number;
  readonly elapsedS: number;
}

/** Frames whose images are decoded or packed before their turn: keeps two cores busy. */
const AHEAD = 4;

/**
 * Writes all episodes that fit into one folder, which gets its name only at the end. Those that do not fit are left out
 * and told; an error, an abort or a crash leaves no folder of that name.
 * @throws CerebellumError EXPORT_FAILED, EPISODE_INVALID
 */
export async function exportEpisodes<P>(
  sets: readonly ExportSet[],
  form: ExportForm<P>,
  options: ExportOptions,
): Promise<ExportResult> {
  const output = await OutputFolder.create(options.out);
  const run = new ExportRun(sets, form, options, output.partial);
  try {
    const result = { ...(await run.all()), folder: output.folder };
    await form.finish(result);
    await output.finish();
    return { ...result, elapsedS: run.elapsedS };
  } catch (cause) {
    await form.abort();
    await output.discard();
    throw cause;
  }
}

class ExportRun<P> {
  readonly #startNs: bigint;
  readonly #episodes: ExportedEpisode[] = [];
  readonly #leftOut: { task: string; name: string; why: string }[] = [];
  readonly #notices: string[] = [];
  #cameras: readonly string[] | undefined;
  #layout: ExportLayout | undefined;
  #pixelBytes = 0;
  #fileBytes = 0;

  constructor(
    private readonly sets: readonly ExportSet[],
    private readonly form: ExportForm<P>,
    private readonly options: ExportOptions,
    private readonly folder: string,
  ) {
    this.#startNs = options.clock.nowNs();
    this.#cameras = options.cameras;
  }

  get elapsedS(): number {
    return Number(this.options.clock.nowNs() - this.#startNs) / 1e9;
  }

  async all(): Promise<ExportResult> {
    const all = this.sets.flatMap((set) => set.episodes.map((entry) => ({ set, entry })));
    for (const { task, leftOut } of this.sets)
      this.#leftOut.push(...leftOut.map(({ name, why }) => ({ task, name, why })));
    for (const [place, { set, entry }] of all.entries()) await this.#one(set, entry, place, all.length);
    if (this.#layout === undefined) {
      const whys = this.#leftOut.map(({ task, name, why }) => `${task}/${name}: ${why}`).slice(0, 5);
      throw new CerebellumError(
        "EXPORT_FAILED",
        `No episode is left to export${whys.length === 0 ? "" : ` (${whys.join("; ")})`}`,
        "`./cerebellum episodes list` shows what there is; --outcome any and --include-flagged take more",
      );
    }
    return {
      form: this.form.name,
      folder: this.folder,
      program: this.options.program,
      rateHz: this.options.rateHz,
      action: this.options.action,
      layout: this.#layout,
      episodes: this.#episodes,
      leftOut: this.#leftOut,
      notices: this.#notices,
      frameCount: this.#episodes.reduce((sum, { frameCount }) => sum + frameCount, 0),
      pixelBytes: this.#pixelBytes,
      fileBytes: this.#fileBytes,
      elapsedS: this.elapsedS,
    };
  }

  async #one(set: ExportSet, entry: FinishedEpisode, place: number, count: number): Promise<void> {
    this.#refuseAbort();
    const reader = await EpisodeReader.open(entry.folder);
    try {
      const resampled = await this.#resample(reader, entry);
      const why = typeof resampled === "string" ? resampled : this.#against(resampled);
      if (typeof resampled === "string" || why !== undefined) {
        this.#leftOut.push({ task: set.task, name: entry.name, why: why! });
        return;
      }
      const layout = layoutOf(reader, resampled);
      if (this.#layout === undefined) {
        this.#layout = layout;
        await this.form.open(this.folder, layout);
      }
      const context = { index: this.#episodes.length, set, entry, reader, resampled };
      await this.#write(context, {
        episode: `${set.task}/${entry.name}`,
        episodeIndex: place,
        episodeCount: count,
      });
      this.#episodes.push(await exported(context));
    } finally {
      await reader.close();
    }
  }

  /** @returns why not, where the episode lacks what the export needs */
  async #resample(reader: EpisodeReader, entry: FinishedEpisode): Promise<ResampledEpisode | string> {
    const { rateHz, action, robot, labels } = this.options;
    const request = { rateHz, action, robot, labels, trim: entry.trim };
    try {
      const resampled = await resampleEpisode(reader, { ...request, cameras: this.#cameras });
      if (this.#cameras !== undefined) return resampled;
      const depths = resampled.streams.cameras.filter(
        ({ camera }) => resampled.survey.sizes[camera]!.isDepth,
      );
      this.#cameras = resampled.streams.cameras
        .map(({ camera }) => camera)
        .filter((camera) => this.form.takesDepth || !depths.some((depth) => depth.camera === camera));
      if (this.form.takesDepth || depths.length === 0) return resampled;
      const names = depths.map(({ camera }) => camera).join(", ");
      this.#notices.push(`${this.form.name} takes no depth images: ${names} left out`);
      return await resampleEpisode(reader, { ...request, cameras: this.#cameras });
    } catch (cause) {
      if (cause instanceof CerebellumError && cause.code === "EPISODE_INVALID") return cause.happened;
      throw cause;
    }
  }

  /** Why an episode does not go in, undefined when it does. */
  #against(resampled: ResampledEpisode): string | undefined {
    const { survey, streams, columns } = resampled;
    const flags = survey.flags.map(({ topic, text }) => `${topic}: ${text}`);
    if (survey.flags.some(({ code }) => code === "changed")) return flags.join("; ");
    if (flags.length > 0 && !this.options.includeFlagged) return `flagged for export: ${flags.join("; ")}`;
    if (!this.form.takesDepth && Object.values(survey.sizes).some(({ isDepth }) => isDepth))
      return `${this.form.name} takes no depth images`;
    const first = this.#layout;
    if (first === undefined) return undefined;
    const differs = (what: string, found: readonly string[], expected: readonly string[]) =>
      found.join() === expected.join()
        ? undefined
        : `${what} ${found.join(", ")} where the first episode has ${expected.join(", ")}`;
    const names = ({ state }: FrameColumns) => state.map(({ name }) => name);
    return (
      differs("has joints", streams.arm.jointNames, first.jointNames) ??
      differs("has columns", names(columns), names(first.columns)) ??
      differs(
        "has images",
        first.cameras.map(({ camera }) => `${camera} ${sizeText(survey.sizes[camera]!)}`),
        first.cameras.map((camera) => `${camera.camera} ${sizeText(camera)}`),
      )
    );
  }

  #refuseAbort(): void {
    if (!this.options.signal?.aborted) return;
    throw new CerebellumError(
      "EXPORT_FAILED",
      `The export was interrupted after ${this.#episodes.length} episodes; nothing of it is kept`,
      "Run it again",
    );
  }

  async #write(
    context: EpisodeContext,
    progress: Pick<ExportProgress, "episode" | "episodeIndex" | "episodeCount">,
  ): Promise<void> {
    const { resampled, reader } = context;
    const frameBytes = layoutBytes(layoutOf(reader, resampled));
    await this.form.begin(context);
    const frames = mapAhead(resampled.frames(), AHEAD, (frame) => this.form.prepare(frame, reader));
    for await (const [frame, prepared] of frames) {
      this.#refuseAbort();
      await this.form.add(frame, prepared);
      this.#pixelBytes += frameBytes;
      this.options.onProgress?.({ ...progress, frame: frame.index + 1, frameCount: resampled.frameCount });
    }
    await this.form.end();
    this.#fileBytes += (await stat(reader.file)).size;
  }
}

function layoutOf(reader: EpisodeReader, { streams, survey, columns }: ResampledEpisode): ExportLayout {
  return {
    robotModel: reader.start.robots[streams.arm.robot]!.model,
    jointNames: streams.arm.jointNames,
    columns,
    cameras: streams.cameras.map(({ camera }) => ({ camera, ...survey.sizes[camera]! })),
  };
}

const layoutBytes = ({ cameras }: ExportLayout) =>
  cameras.reduce((sum, { widthPx, heightPx, isDepth }) => sum + widthPx * heightPx * (isDepth ? 2 : 3), 0);

async function exported({ index, set, entry, reader, resampled }: EpisodeContext): Promise<ExportedEpisode> {
  const { trim } = entry;
  const { survey } = resampled;
  return {
    index,
    task: set.task,
    name: entry.name,
    uuid: reader.start.uuid,
    sha256: await sha256Of(reader.file),
    bytes: (await stat(reader.file)).size,
    kind: reader.start.kind,
    outcome: entry.outcome,
    note: entry.note,
    trim:
      trim === undefined
        ? null
        : { fromNs: trim.fromNs?.toString() ?? null, toNs: trim.toNs?.toString() ?? null },
    firstFrameNs: String(survey.timeline.startNs),
    frameCount: resampled.frameCount,
    streams: survey.streams.map((stream) => ({
      ...stream,
      firstNs: String(stream.firstNs),
      lastNs: String(stream.lastNs),
    })),
    cameras: Object.fromEntries(
      resampled.streams.cameras.map(({ camera }) => {
        const { fovYDeg, mount } = reader.start.cameras[camera]!;
        return [camera, { fovYDeg, mount }];
      }),
    ),
    flags: [...entry.flags, ...survey.flags].map(({ code, topic, text }) => `${code} of ${topic}: ${text}`),
    resampling: resampled.report(),
  };
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file, { highWaterMark: 1024 * 1024 }))
    hash.update(part as Buffer);
  return hash.digest("hex");
}
