/** `episodes show`: one pass over an episode for a summary, its quality, a contact sheet and plots. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CerebellumError, errorText } from "../../../core/errors.js";
import { EpisodeReader } from "../../../episodes/episodeReader.js";
import type { FinishedEpisode } from "../../../episodes/episodeSet.js";
import { contactSheet } from "../../../episodes/pictures/contactSheet.js";
import { gather } from "../../../episodes/pictures/gather.js";
import type { Gathered } from "../../../episodes/pictures/gathered.js";
import type { Picture } from "../../../episodes/pictures/heading.js";
import { Moments } from "../../../episodes/pictures/moments.js";
import { drawPlots, PLOT_COLUMNS } from "../../../episodes/pictures/plots.js";
import { EpisodeQuality, type QualityResult } from "../../../episodes/quality/episodeQuality.js";
import { limitsOf } from "../../../episodes/quality/limits.js";
import { findEpisode } from "../../../episodes/recordings.js";
import { printer, writeJson } from "../output.js";
import { entryJson } from "./list.js";
import { summaryLines } from "./summary.js";
import { plain } from "./text.js";

export interface ShowOptions {
  readonly out?: string;
  readonly frames?: number;
  readonly pictures: boolean;
  readonly json?: string;
}

export async function showEpisode(words: string, recordings: string, options: ShowOptions): Promise<void> {
  const print = printer(options.json);
  const episode = await findEpisode(words, recordings);
  const reader = await EpisodeReader.open(episode.folder);
  try {
    const { gathered, quality, seen } = await study(reader, options.frames);
    for (const line of summaryLines(episode, reader, gathered, quality)) print(plain(line));
    const files = options.pictures ? await writePictures(reader, episode, gathered, seen, options.out) : [];
    for (const file of files) print(`picture     ${file}`);
    writeJson(options.json, {
      ...entryJson(episode),
      robots: episode.start.robots,
      cameras: episode.start.cameras,
      bundle: episode.start.bundle,
      software: episode.start.software,
      context: episode.start.context,
      counters: episode.end.topics,
      quality,
      limiterTicks: Object.fromEntries(
        [...gathered.joints].map(([name, { tickCount, reasonTicks }]) => [
          name,
          { ticks: tickCount, byReason: Object.fromEntries(reasonTicks) },
        ]),
      ),
      policy:
        gathered.policy === undefined
          ? null
          : {
              steps: gathered.policy.stepCount,
              refused: Object.fromEntries(gathered.policy.refusedSteps),
              phases: gathered.policy.phases.names,
            },
      events: gathered.events,
      eventCount: gathered.eventCount,
      unreadableMessages: gathered.unreadableCount,
      pictures: files,
    });
  } finally {
    await reader.close();
  }
}

interface Study {
  readonly gathered: Gathered;
  readonly quality: QualityResult;
  readonly seen: Moments;
}

/** Quality and everything that is drawn, in the same pass. */
async function study(reader: EpisodeReader, frames: number | undefined): Promise<Study> {
  const measuring = new EpisodeQuality(reader.start.topics, limitsOf(reader.start));
  const seen = new Moments(reader, frames);
  const gathered = await gather(reader, PLOT_COLUMNS, (message) => {
    measuring.observe(message.topic, message.publishNs, message.logNs, message.data);
    seen.take(message);
  });
  const range = { startedNs: BigInt(reader.start.startedNs), endedNs: BigInt(reader.end.endedNs) };
  return { gathered, quality: measuring.finish(reader.end.topics, range), seen };
}

/** Beside the episode, never in it: an episode's folder is not touched again. */
async function writePictures(
  reader: EpisodeReader,
  episode: FinishedEpisode,
  gathered: Gathered,
  seen: Moments,
  out = join(episode.folder, "..", "pictures", episode.name),
): Promise<string[]> {
  const sheet = await contactSheet(reader, episode, seen);
  const pictures: Picture[] = [
    ...(sheet === undefined ? [] : [sheet]),
    ...(await drawPlots(reader, gathered, episode)),
  ];
  try {
    await mkdir(out, { recursive: true });
    const files: string[] = [];
    for (const { fileName, png } of pictures) {
      const file = join(out, fileName);
      await writeFile(file, png);
      files.push(file);
    }
    return files;
  } catch (cause) {
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `The pictures cannot be written to ${out}: ${errorText(cause)}`,
      "Name another folder with --out, or leave them out with --no-pictures",
      cause,
    );
  }
}
