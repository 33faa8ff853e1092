/** Contact sheets of episodes, drawn once and kept. A sheet says what edits have decided, so its name does too. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CerebellumError } from "../../../core/errors.js";
import { EpisodeReader } from "../../../episodes/episodeReader.js";
import type { FinishedEpisode } from "../../../episodes/episodeSet.js";
import { contactSheet } from "../../../episodes/pictures/contactSheet.js";
import { Moments } from "../../../episodes/pictures/moments.js";

/** Kept sheets; half a megabyte each. The oldest go first. */
const KEPT_MAX = 400;

export class SheetStore {
  /** Two clients that ask for one sheet wait for the same drawing. */
  readonly #drawing = new Map<string, Promise<Uint8Array>>();

  constructor(readonly folder: string) {}

  /** @throws CerebellumError EPISODE_INVALID without images, or where the file is damaged */
  of(episode: FinishedEpisode): Promise<Uint8Array> {
    const name = sheetName(episode);
    let drawing = this.#drawing.get(name);
    if (drawing === undefined) {
      drawing = this.#read(name, episode).finally(() => this.#drawing.delete(name));
      this.#drawing.set(name, drawing);
    }
    return drawing;
  }

  async #read(name: string, episode: FinishedEpisode): Promise<Uint8Array> {
    const file = join(this.folder, name);
    const kept = await readFile(file).catch(() => undefined);
    if (kept !== undefined) return kept;
    const png = await draw(episode);
    await this.#keep(file, png);
    return png;
  }

  /** A disk that is full costs the keeping, not the sheet. */
  async #keep(file: string, png: Uint8Array): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeFile(`${file}.new`, png, { mode: 0o600 });
      await rename(`${file}.new`, file);
      const files = await Promise.all(
        (await readdir(this.folder)).map(async (one) => {
          const path = join(this.folder, one);
          return { path, writtenMs: (await stat(path)).mtimeMs };
        }),
      );
      files.sort((a, b) => b.writtenMs - a.writtenMs);
      for (const { path } of files.slice(KEPT_MAX)) await rm(path, { force: true });
    } catch {
      await rm(`${file}.new`, { force: true }).catch(() => {});
    }
  }
}

function sheetName({ start, outcome, trim }: FinishedEpisode): string {
  const decided = JSON.stringify([start.uuid, outcome, String(trim?.fromNs), String(trim?.toNs)]);
  return `${start.name}-${createHash("sha256").update(decided).digest("hex").slice(0, 24)}.png`;
}

async function draw(episode: FinishedEpisode): Promise<Uint8Array> {
  const reader = await EpisodeReader.open(episode.folder);
  try {
    const seen = new Moments(reader);
    for await (const message of reader.messages()) seen.take(message);
    const sheet = await contactSheet(reader, episode, seen);
    if (sheet !== undefined) return sheet.png;
  } finally {
    await reader.close();
  }
  throw new CerebellumError(
    "EPISODE_INVALID",
    `${episode.name} has no images`,
    "Record with a camera; its plots are drawn by `./cerebellum episodes show`",
  );
}
