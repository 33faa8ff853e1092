/** `episodes sync`: how the inputs of every policy step stand to each other in time. */
import { CerebellumError } from "../../../core/errors.js";
import { EpisodeReader } from "../../../episodes/episodeReader.js";
import { syncReport } from "../../../episodes/quality/syncReport.js";
import { syncLines } from "../../../episodes/quality/syncText.js";
import { findEpisode } from "../../../episodes/recordings.js";
import { printer, writeJson } from "../output.js";

/** @throws CerebellumError CHECK_FAILED when a command's inputs are not proven to agree, after the JSON was written */
export async function syncEpisode(
  words: string,
  recordings: string,
  options: { json?: string },
): Promise<void> {
  const print = printer(options.json);
  const { folder } = await findEpisode(words, recordings);
  const reader = await EpisodeReader.open(folder);
  try {
    const report = await syncReport(reader);
    for (const line of syncLines(report)) print(line);
    writeJson(options.json, report);
    const { commands, unproven, tooOld, withinMsMax } = report;
    if (unproven === 0 && tooOld === 0) return;
    throw new CerebellumError(
      "CHECK_FAILED",
      `${report.episode}: of ${commands} commands ${unproven} have no image and state within ${withinMsMax} ms, and ${tooOld} used an older input than allowed, expected none`,
      "`./cerebellum episodes show` tells what was lost; leave this episode out of training, or trim it",
    );
  } finally {
    await reader.close();
  }
}
