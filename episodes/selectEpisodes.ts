/** Which episodes of a set are exported or trained on. What is left out is told with the reason. */
import type { EpisodeEntry, EpisodeSet, FinishedEpisode } from "./episodeSet.js";
import type { Outcome } from "./format.js";

export interface SelectOptions {
  /** Default "success". */
  readonly outcome?: Outcome | "any" | undefined;
  /** Also those with quality flags. */
  readonly includeFlagged?: boolean | undefined;
  readonly includeDropped?: boolean | undefined;
}

export interface Selection {
  /** By number. Trims are for whoever reads their messages. */
  readonly episodes: readonly FinishedEpisode[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

/** @throws CerebellumError FILE_UNREADABLE */
export async function selectEpisodes(set: EpisodeSet, options: SelectOptions = {}): Promise<Selection> {
  return select(await set.episodes(), options);
}

export function select(entries: readonly EpisodeEntry[], options: SelectOptions = {}): Selection {
  const episodes: FinishedEpisode[] = [];
  const leftOut: { name: string; why: string }[] = [];
  for (const entry of entries) {
    const why = reasonAgainst(entry, options);
    if (why !== undefined) leftOut.push({ name: entry.name, why });
    else if (entry.state === "finished") episodes.push(entry);
  }
  return { episodes, leftOut };
}

function reasonAgainst(entry: EpisodeEntry, options: SelectOptions): string | undefined {
  const { outcome = "success", includeFlagged = false, includeDropped = false } = options;
  if (entry.state !== "finished") return entry.trouble;
  if (entry.dropped && !includeDropped) return "dropped";
  if (outcome !== "any" && entry.outcome !== outcome) return `${entry.outcome}, not ${outcome}`;
  if (entry.flags.length > 0 && !includeFlagged) {
    return `flagged: ${entry.flags.map(({ code, topic }) => `${code} of ${topic}`).join(", ")}`;
  }
  return undefined;
}
