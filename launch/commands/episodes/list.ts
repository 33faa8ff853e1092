/** `episodes list`: what is in a recordings folder or a set, one line an episode. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { EpisodeEntry, SetListing, Trim } from "../../../episodes/episodeSet.js";
import { findSets } from "../../../episodes/recordings.js";
import { printer, writeJson } from "../output.js";
import { formatBytes, formatSeconds, plain, table } from "./text.js";

/** @param isDefault nothing may have been recorded yet: then the folder need not be there */
export async function listEpisodes(
  folder: string,
  options: { json?: string; isDefault?: boolean },
): Promise<void> {
  const print = printer(options.json);
  const { sets, others } =
    options.isDefault && !existsSync(folder) ? { sets: [], others: [] } : await findSets(folder);
  const listings: { task: string; folder: string; listing: SetListing }[] = [];
  for (const set of sets) {
    const listing = await set.list();
    if (listing.entries.length > 0 || listing.remarks.length > 0 || sets.length === 1)
      listings.push({ task: set.task, folder: set.folder, listing });
  }
  const all = listings.flatMap(({ listing }) => listing.entries);
  const head = ["episode", "task", "recorded", "length", "outcome", "size", "remarks"];
  const rows = listings.flatMap(({ task, listing }) => listing.entries.map((entry) => row(entry, task)));
  if (rows.length > 0) for (const line of table(head, rows, [3, 5])) print(plain(line));
  for (const { task, listing } of listings)
    for (const text of listing.remarks) print(plain(`${task}: ${text}`));
  if (others.length > 0) print(`Not sets, by their names: ${others.join(", ")}`);
  print(totals(all, folder));
  writeJson(options.json, {
    folder,
    sets: listings.map(({ task, folder, listing }) => ({
      task,
      folder,
      remarks: listing.remarks,
      episodes: listing.entries.map(entryJson),
    })),
    others,
  });
}

function row(entry: EpisodeEntry, task: string): string[] {
  const size = formatBytes(entry.bytes);
  if (entry.state !== "finished")
    return [basename(entry.folder), task, "", "", entry.state, size, entry.trouble];
  return [
    entry.name,
    task,
    localTime(entry.start.startedNs),
    formatSeconds(entry.durationS),
    entry.outcome,
    size,
    remarksOf(entry).join("; "),
  ];
}

function remarksOf(entry: EpisodeEntry & { state: "finished" }): string[] {
  const { trim, end, flags } = entry;
  return [
    ...(entry.dropped ? ["dropped"] : []),
    ...(trim === undefined ? [] : [`kept ${trimText(trim, entry.start.startedNs)}`]),
    ...(end.endedBecause === "stopped" ? [] : [`ended: ${end.endedBecause}`]),
    ...(flags.length === 0 ? [] : [`flagged: ${[...new Set(flags.map(({ code }) => code))].join(", ")}`]),
    ...(entry.note === "" ? [] : [`"${entry.note.replace(/\s+/g, " ")}"`]),
  ];
}

/** e.g. "1.500 s to the end" */
export function trimText({ fromNs, toNs }: Trim, startedNs: string): string {
  const inS = (ns: bigint) => `${(Number(ns - BigInt(startedNs)) / 1e9).toFixed(3)} s`;
  return `${fromNs === null ? "from the start" : inS(fromNs)} to ${toNs === null ? "the end" : inS(toNs)}`;
}

function totals(entries: readonly EpisodeEntry[], folder: string): string {
  const finished = entries.filter((entry) => entry.state === "finished");
  const count = (outcome: string) => finished.filter((entry) => entry.outcome === outcome).length;
  const seconds = finished.reduce((sum, { durationS }) => sum + durationS, 0);
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const parts = [
    `${finished.length} finished`,
    `${count("success")} success`,
    `${count("failure")} failure`,
    `${count("unlabelled")} unlabelled`,
    `${finished.filter(({ dropped }) => dropped).length} dropped`,
    `${finished.filter(({ flags }) => flags.length > 0).length} flagged`,
    ...(["active", "aside", "broken"] as const)
      .map((wanted) => ({ wanted, count: entries.filter(({ state }) => state === wanted).length }))
      .filter(({ count }) => count > 0)
      .map(({ wanted, count }) => `${count} ${wanted}`),
    formatSeconds(seconds),
    formatBytes(bytes),
  ];
  return entries.length === 0 ? `No episodes in ${folder}` : parts.join(", ");
}

/** An entry without the two records, which `episodes show` prints. */
export function entryJson(entry: EpisodeEntry): object {
  if (entry.state !== "finished") return entry;
  const { start, end, trim, ...rest } = entry;
  const startedNs = BigInt(start.startedNs);
  const inS = (ns: bigint | null) => (ns === null ? null : Number(ns - startedNs) / 1e9);
  return {
    ...rest,
    task: start.task,
    uuid: start.uuid,
    kind: start.kind,
    startedNs: start.startedNs,
    endedBecause: end.endedBecause,
    trim: trim === undefined ? null : { fromS: inS(trim.fromNs), toS: inS(trim.toNs) },
  };
}

/** Of this machine's time zone, to the second. */
export function localTime(ns: string): string {
  return TIME.format(Number(BigInt(ns) / 1_000_000n)).replace(",", "");
}
const TIME = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
