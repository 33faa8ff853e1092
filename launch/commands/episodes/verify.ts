/** `episodes verify`: every byte of finished episodes, and whether they are as good as they say. */
import { basename } from "node:path";
import { CerebellumError } from "../../../core/errors.js";
import { EpisodeReader } from "../../../episodes/episodeReader.js";
import type { EpisodeEntry } from "../../../episodes/episodeSet.js";
import { episodeNumber, type QualityFlag } from "../../../episodes/format.js";
import { measureQuality } from "../../../episodes/quality/measure.js";
import { findSets, locateEpisode } from "../../../episodes/recordings.js";
import { verifyEpisode } from "../../../episodes/verify.js";
import { printer, writeJson } from "../output.js";
import { formatBytes, plain } from "./text.js";

export interface VerifyOptions {
  /** Also measure what each topic brought. */
  readonly quality: boolean;
  readonly json?: string;
}

export type Verdict = "holds" | "flagged" | "broken" | "unfinished";

export interface Verified {
  readonly episode: string;
  readonly folder: string;
  readonly verdict: Verdict;
  readonly messages: number;
  readonly bytes: number;
  /** What does not hold. */
  readonly troubles: readonly string[];
  /** In the file. */
  readonly flags: readonly QualityFlag[];
}

/**
 * @param paths episodes, sets or recordings folders
 * @throws CerebellumError CHECK_FAILED when anything does not hold, after all was looked at and the JSON was written
 */
export async function verifyEpisodes(
  paths: readonly string[],
  recordings: string,
  options: VerifyOptions,
): Promise<void> {
  const print = printer(options.json);
  const results: Verified[] = [];
  for (const path of paths.length === 0 ? [recordings] : paths)
    for (const found of await meant(path, recordings)) {
      const result = await verifyOne(found, options.quality);
      results.push(result);
      for (const line of verdictLines(result)) print(plain(line));
    }
  const broken = results.filter(({ verdict }) => verdict === "broken");
  const count = (verdict: Verdict) => results.filter((result) => result.verdict === verdict).length;
  print(
    `${results.length} looked at: ${count("holds") + count("flagged")} hold (${count("flagged")} flagged), ${broken.length} do not, ${count("unfinished")} unfinished`,
  );
  writeJson(options.json, { passed: broken.length === 0, episodes: results });
  if (broken.length === 0) return;
  throw new CerebellumError(
    "CHECK_FAILED",
    `${broken.length} of ${results.length} episodes do not hold: ${broken
      .slice(0, 5)
      .map(({ folder }) => folder)
      .join(", ")}${broken.length > 5 ? ", …" : ""}`,
    "Leave them out (`episodes drop`), or take them from a copy",
  );
}

type Meant = Pick<EpisodeEntry, "name" | "folder" | "state"> & { readonly trouble?: string };

/** Episodes that a path stands for: itself, or all of a set or of a recordings folder. */
async function meant(path: string, recordings: string): Promise<Meant[]> {
  const last = basename(path);
  const isEpisode =
    /^(\d{1,9}|last)$/.test(last) || /\.(mcap|active)$/.test(last) || episodeNumber(last) !== undefined;
  if (!isEpisode) {
    const { sets } = await findSets(path);
    return (await Promise.all(sets.map((set) => set.episodes()))).flat();
  }
  const { set, which } = await locateEpisode(path, recordings);
  if (which === "last") return [await set.episode(which)];
  const entries = (await set.episodes()).filter(({ name, number }) => name === which || number === which);
  return entries.length > 0 ? entries : [await set.episode(which)];
}

async function verifyOne(
  { name, folder, state, trouble = "" }: Meant,
  withQuality: boolean,
): Promise<Verified> {
  const base = { episode: name, folder, flags: [], messages: 0, bytes: 0 };
  if (state === "active" || state === "aside") return { ...base, verdict: "unfinished", troubles: [trouble] };
  const integrity = await verifyEpisode(folder);
  const flags = integrity.end?.flags ?? [];
  const found = { ...base, messages: integrity.messages, bytes: integrity.bytes, flags };
  if (!integrity.whole) return { ...found, verdict: "broken", troubles: integrity.troubles };
  if (state === "broken") return { ...found, verdict: "broken", troubles: [trouble] };
  const silent = withQuality ? await unstatedFlags(folder, flags) : [];
  if (silent.length > 0) return { ...found, verdict: "broken", troubles: silent };
  return { ...found, verdict: flags.length > 0 ? "flagged" : "holds", troubles: [] };
}

/** What is wrong by measure and not stated in the file: an episode that claims to be better than it is. */
async function unstatedFlags(folder: string, stated: readonly QualityFlag[]): Promise<string[]> {
  const reader = await EpisodeReader.open(folder);
  try {
    const { flags } = await measureQuality(reader);
    const known = new Set(stated.map(({ code, topic }) => `${code} ${topic}`));
    return flags
      .filter(({ code, topic }) => !known.has(`${code} ${topic}`))
      .map(({ code, topic, text }) => `not stated in the file: ${code} of ${topic}: ${text}`);
  } finally {
    await reader.close();
  }
}

function verdictLines({ folder, verdict, messages, bytes, troubles, flags }: Verified): string[] {
  const about = verdict === "unfinished" ? "" : ` (${messages} messages, ${formatBytes(bytes)})`;
  return [
    `${verdict.padEnd(10)} ${folder}${about}`,
    ...troubles.map((text) => `           ${text}`),
    ...flags.map(({ code, topic, text }) => `           flagged: ${code} of ${topic}: ${text}`),
  ];
}
