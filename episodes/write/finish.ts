/** The last steps of an episode, for writer and repair: its bag metadata and its name. */
import { dirname, join } from "node:path";
import { type BagContents, METADATA_FILE, metadataYaml } from "../metadataYaml.js";
import { type EpisodeIo, writeWhole } from "./io.js";
import { type FileContents, timeRange } from "./records.js";

/** On the disk when this resolves. @param folder of the episode, under its present name */
export async function writeBagMetadata(
  io: EpisodeIo,
  folder: string,
  name: string,
  contents: FileContents,
): Promise<void> {
  await writeWhole(io, join(folder, METADATA_FILE), metadataYaml(bagContents(name, contents)));
}

export function bagContents(name: string, contents: FileContents): BagContents {
  const types = new Map(contents.schemas.map(({ id, name: type }) => [id, type]));
  return {
    file: `${name}.mcap`,
    topics: contents.channels.map(({ id, topic, schemaId }) => ({
      topic,
      type: types.get(schemaId) ?? "",
      count: contents.counts.get(id) ?? 0,
    })),
    ...timeRange(contents),
  };
}

/** @throws an error with code EEXIST */
export async function refuseExisting(io: EpisodeIo, folder: string): Promise<void> {
  if (await io.exists(folder)) throw Object.assign(new Error(`${folder} exists`), { code: "EEXIST" });
}

/**
 * Renames a whole and synced episode. Renaming a folder onto another fails unless that one is empty, and it is looked
 * for before, so nothing is ever replaced.
 */
export async function giveName(io: EpisodeIo, active: string, folder: string): Promise<void> {
  await io.syncFolder(active);
  await refuseExisting(io, folder);
  await io.rename(active, folder);
  await io.syncFolder(dirname(folder));
}
