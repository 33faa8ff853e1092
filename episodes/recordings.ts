/** A recordings folder holds sets, one a task. Finds sets in it, and the episode that a person's words mean. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CerebellumError, errorText } from "../core/errors.js";
import { EpisodeSet, type FinishedEpisode, type RecordCache } from "./episodeSet.js";
import { ACTIVE_SUFFIX, EDITS_FILE, episodeNumber, TaskName } from "./format.js";

export interface FoundSets {
  /** By task name. */
  readonly sets: readonly EpisodeSet[];
  /** Names of folders that are no sets. */
  readonly others: readonly string[];
}

/**
 * @param folder a recordings folder, or one set
 * @param cache see EpisodeSet.open
 * @throws CerebellumError FILE_UNREADABLE
 */
export async function findSets(folder: string, cache?: RecordCache): Promise<FoundSets> {
  const names = await namesIn(folder);
  if (names.some(belongsToSet)) return { sets: [await EpisodeSet.open(folder, cache)], others: [] };
  const folders: string[] = [];
  for (const name of names.sort()) if (await isFolder(join(folder, name))) folders.push(name);
  const isTask = (name: string) => TaskName.safeParse(name).success;
  return {
    sets: await Promise.all(folders.filter(isTask).map((name) => EpisodeSet.open(join(folder, name), cache))),
    others: folders.filter((name) => !isTask(name)),
  };
}

/**
 * @param words a path of an episode's folder or file; or SET/NUMBER, SET/NAME or SET/last, SET being a task of
 *   `recordings` or a path
 * @throws CerebellumError EPISODE_INVALID, FILE_UNREADABLE, naming what is there instead
 */
export async function findEpisode(words: string, recordings: string): Promise<FinishedEpisode> {
  const { set, which } = await locateEpisode(words, recordings);
  return set.episode(which);
}

/** The same without opening it. */
export async function locateEpisode(
  words: string,
  recordings: string,
): Promise<{ set: EpisodeSet; which: string | number }> {
  const isFile = words.endsWith(".mcap");
  const path = isFile ? dirname(resolve(words)) : resolve(words);
  const which = whichEpisode(basename(path));
  if (which === undefined && isFile) {
    throw noEpisode(
      words,
      "does not lie in an episode's folder",
      "An episode is a folder such as episode-000012 with its .mcap file; for another recorder's file use `episodes import`",
    );
  }
  if (which === undefined) {
    throw (await isFolder(path))
      ? noEpisode(words, "is a folder, but no episode", `Name one of its episodes: ${words}/last`)
      : noEpisode(words, "is not there", "`./cerebellum episodes list` shows the episodes");
  }
  if (await isFolder(dirname(path))) return { set: await EpisodeSet.open(dirname(path)), which };
  return { set: await EpisodeSet.open(join(recordings, await taskOf(words, recordings))), which };
}

function whichEpisode(word: string): string | number | undefined {
  if (/^\d{1,9}$/.test(word)) return Number(word);
  const name = word.endsWith(ACTIVE_SUFFIX) ? word.slice(0, -ACTIVE_SUFFIX.length) : word;
  return word === "last" || episodeNumber(name) !== undefined ? name : undefined;
}

/** @throws CerebellumError when the words name no set of the recordings */
async function taskOf(words: string, recordings: string): Promise<string> {
  const task = TaskName.safeParse(dirname(words));
  if (!task.success) {
    throw noEpisode(
      words,
      `is not there, and "${dirname(words)}" is no task name: those have 1 to 64 lower case letters, digits, _ or -`,
      "Name an episode as TASK/NUMBER, TASK/last or by its path",
    );
  }
  if (await isFolder(join(recordings, task.data))) return task.data;
  const { sets } = await findSets(recordings);
  throw noEpisode(
    words,
    `means task ${task.data}, which ${recordings} does not have; it has ${sets.map((set) => set.task).join(", ") || "none"}`,
    "Name another task, or another folder with --recordings",
  );
}

const belongsToSet = (name: string) => name === EDITS_FILE || /^episode-\d{6,9}(\..+)?$/.test(name);

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new CerebellumError(
      "FILE_UNREADABLE",
      code === "ENOENT" ? `There is no folder ${folder}` : `${folder} cannot be listed: ${errorText(cause)}`,
      "Name a recordings folder or a set in it",
      cause,
    );
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

const noEpisode = (words: string, what: string, remedy: string) =>
  new CerebellumError("EPISODE_INVALID", `${words} ${what}`, remedy);
