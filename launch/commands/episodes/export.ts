/** `episodes export`: chosen episodes of sets as a training set in one of the forms that others read. */
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { CerebellumError } from "../../../core/errors.js";
import type { EpisodeSet } from "../../../episodes/episodeSet.js";
import {
  type ExportForm,
  type ExportOptions,
  type ExportProgress,
  type ExportResult,
  type ExportSet,
  exportEpisodes,
} from "../../../episodes/export/exportEpisodes.js";
import { FFMPEG_VARIABLE, findFfmpeg } from "../../../episodes/export/ffmpeg.js";
import type { MaxAndP99 } from "../../../episodes/export/resampleErrors.js";
import type { ActionColumn } from "../../../episodes/export/streams.js";
import type { Outcome } from "../../../episodes/format.js";
import { findSets } from "../../../episodes/recordings.js";
import { selectEpisodes } from "../../../episodes/selectEpisodes.js";
import { softwareIdentity } from "../../software.js";
import { systemClock } from "../../systemClock.js";
import { printer, writeJson } from "../output.js";
import { formatBytes, formatSeconds } from "./text.js";

export interface ExportCommandOptions {
  readonly out: string;
  readonly rate: number;
  readonly action: ActionColumn;
  readonly robot?: string;
  readonly cameras?: readonly string[];
  readonly labels: boolean;
  readonly includeFlagged: boolean;
  readonly outcome: Outcome | "any";
  /** TASK=TEXT: the words of a task in the data set. */
  readonly instruction: readonly string[];
  readonly json?: string;
}

export async function exportLerobot(
  sets: readonly string[],
  recordings: string,
  options: ExportCommandOptions & { readonly videos?: boolean; readonly images?: boolean },
): Promise<void> {
  const { LerobotForm } = await import("../../../episodes/export/lerobot/lerobotForm.js");
  const ffmpeg = options.images ? undefined : await findFfmpeg(process.env);
  if (ffmpeg === undefined && options.videos) {
    throw new CerebellumError(
      "EXPORT_FAILED",
      "There is no ffmpeg with libx264, which videos need",
      `Install ffmpeg (apt-get install ffmpeg), name one in ${FFMPEG_VARIABLE}, or export with --images`,
    );
  }
  if (ffmpeg === undefined && !options.images)
    printer(options.json)(
      `No ffmpeg with libx264 found: pictures go into the table files instead of videos. To have videos, install ffmpeg or name one in ${FFMPEG_VARIABLE}.`,
    );
  await run(sets, recordings, new LerobotForm({ rateHz: options.rate, ffmpeg }), options);
}

export async function exportFlat(
  sets: readonly string[],
  recordings: string,
  options: ExportCommandOptions,
): Promise<void> {
  const { FlatForm } = await import("../../../episodes/export/flat/flatForm.js");
  await run(sets, recordings, new FlatForm(), options);
}

export async function exportRobomimic(
  sets: readonly string[],
  recordings: string,
  options: ExportCommandOptions,
): Promise<void> {
  const { RobomimicForm } = await import("../../../episodes/export/robomimic/robomimicForm.js");
  await run(sets, recordings, new RobomimicForm(), options);
}

/** Chooses, exports with progress shown, and tells the result; for any form. */
async function run<P>(
  words: readonly string[],
  recordings: string,
  form: ExportForm<P>,
  options: ExportCommandOptions,
): Promise<void> {
  const sharp = (await import("sharp")).default;
  // Several pictures are under way at once; threads inside each would only contend.
  sharp.concurrency(1);
  const print = printer(options.json);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const result = await exportEpisodes(await chooseSets(words, recordings, options), form, {
      ...exportOptions(options),
      program: await programName(),
      signal: stop.signal,
      onProgress: progressLine(),
    });
    for (const line of describeExport(result)) print(line);
    writeJson(options.json, result);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

const exportOptions = (options: ExportCommandOptions): Omit<ExportOptions, "program"> => ({
  out: options.out,
  rateHz: options.rate,
  action: options.action,
  robot: options.robot,
  cameras: options.cameras,
  labels: options.labels,
  includeFlagged: options.includeFlagged,
  clock: systemClock,
});

async function programName(): Promise<string> {
  const { cerebellum, git } = await softwareIdentity();
  return `cerebellum ${cerebellum} (${git})`;
}

/** @param words sets by path or task name; a recordings folder means all of its sets */
export async function chooseSets(
  words: readonly string[],
  recordings: string,
  options: Pick<ExportCommandOptions, "outcome" | "includeFlagged" | "instruction">,
): Promise<ExportSet[]> {
  const folders = words.map((word) => (existsSync(resolve(word)) ? resolve(word) : join(recordings, word)));
  const sets = new Map<string, EpisodeSet>();
  for (const folder of folders) for (const set of (await findSets(folder)).sets) sets.set(set.folder, set);
  const instructions = readInstructions(
    options.instruction,
    [...sets.values()].map((set) => set.task),
  );
  const byTask = new Map<string, string>();
  const chosen: ExportSet[] = [];
  for (const set of sets.values()) {
    const other = byTask.get(set.task);
    if (other !== undefined) {
      throw new CerebellumError(
        "CONFIG_INVALID",
        `${other} and ${set.folder} are both named ${set.task}`,
        "Export them into two folders, or rename one set's folder",
      );
    }
    byTask.set(set.task, set.folder);
    const { episodes, leftOut } = await selectEpisodes(set, options);
    chosen.push({ task: set.task, instruction: instructions.get(set.task) ?? set.task, episodes, leftOut });
  }
  return chosen;
}

function readInstructions(texts: readonly string[], tasks: readonly string[]): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const [, task, words] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
      if (task !== undefined && tasks.includes(task)) return [task, words!];
      throw new CerebellumError(
        "CONFIG_INVALID",
        `--instruction "${text}" names no task of this export (${tasks.join(", ")})`,
        "Write it as TASK=TEXT, e.g. --instruction 'reach-block=reach the red block'",
      );
    }),
  );
}

/** On a terminal one line that moves on; elsewhere nothing, so that logs stay short. */
function progressLine(): ((progress: ExportProgress) => void) | undefined {
  if (!process.stderr.isTTY) return undefined;
  return ({ episode, episodeIndex, episodeCount, frame, frameCount }) => {
    if (frame % 10 !== 0 && frame !== frameCount) return;
    const text = `${episodeIndex + 1}/${episodeCount} ${episode}: frame ${frame}/${frameCount}`;
    process.stderr.write(`\r\x1b[K${text}${frame === frameCount ? "\r\x1b[K" : ""}`);
  };
}

export function describeExport(result: ExportResult): string[] {
  const { episodes, leftOut, notices, frameCount, rateHz, pixelBytes, fileBytes, elapsedS } = result;
  const worst = (of: (episode: (typeof episodes)[number]) => MaxAndP99[]) => {
    const found = episodes.flatMap(of);
    return {
      max: Math.max(0, ...found.map(({ max }) => max)),
      p99: Math.max(0, ...found.map(({ p99 }) => p99)),
    };
  };
  const inMs = ({ max, p99 }: MaxAndP99) => `at most ${max.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
  const lost = (column: "state" | "action", unit: string) =>
    worst(({ resampling }) => Object.values(resampling[column].lost).filter((found) => found.unit === unit));
  const repeated = episodes.reduce(
    (sum, { resampling }) =>
      sum + Object.values(resampling.images).reduce((images, image) => images + image.repeatedCount, 0),
    0,
  );
  return [
    ...notices,
    ...leftOut.map(({ task, name, why }) => `left out ${task}/${name}: ${why}`),
    `${basename(result.folder)}: ${episodes.length} episodes, ${frameCount} frames at ${rateHz} Hz (${formatSeconds(frameCount / rateHz)}), action "${result.action}"`,
    `  age of images: ${inMs(worst(({ resampling }) => Object.values(resampling.images).map(({ ageMs }) => ageMs)))}; ${repeated} repeated`,
    `  between frames a straight line misses of the state at most ${lost("state", "rad").max.toExponential(1)} rad, of the action ${lost("action", "rad").max.toExponential(1)} rad`,
    `  ${formatBytes(pixelBytes)} of pixels from ${formatBytes(fileBytes)} of episodes in ${formatSeconds(elapsedS)}: ${formatBytes((60 * pixelBytes) / elapsedS)}/min of pixels, ${formatBytes((60 * fileBytes) / elapsedS)}/min of files`,
    `  written to ${result.folder}`,
  ];
}
