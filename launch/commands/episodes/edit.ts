/** `episodes label|trim|drop|keep`: what is decided about an episode later. The episode itself is never touched. */
import { userInfo } from "node:os";
import type { EditStamp, EpisodeSet, FinishedEpisode } from "../../../episodes/episodeSet.js";
import { trimOf } from "../../../episodes/episodeSet.js";
import type { Outcome } from "../../../episodes/format.js";
import { locateEpisode } from "../../../episodes/recordings.js";
import { systemClock } from "../../systemClock.js";
import { printer, writeJson } from "../output.js";
import { entryJson, trimText } from "./list.js";
import { plain } from "./text.js";

interface Json {
  readonly json?: string;
}

export function labelEpisode(
  words: string,
  recordings: string,
  options: Json & { outcome: Outcome; note: string },
): Promise<void> {
  const { outcome, note } = options;
  return edit(words, recordings, options, (set, which, stamp) => set.label(which, { outcome, note }, stamp));
}

/** @param options seconds from the start; neither of both takes an earlier trim back */
export function trimEpisode(
  words: string,
  recordings: string,
  options: Json & { from?: number; to?: number },
): Promise<void> {
  return edit(words, recordings, options, async (set, which, stamp) => {
    const trim = trimOf(await set.episode(which), { fromS: options.from, toS: options.to });
    return set.trim(which, trim, stamp);
  });
}

export function dropEpisode(
  words: string,
  recordings: string,
  options: Json & { dropped: boolean; note: string },
): Promise<void> {
  const { dropped, note } = options;
  return edit(words, recordings, options, (set, which, stamp) => set.drop(which, { dropped, note }, stamp));
}

async function edit(
  words: string,
  recordings: string,
  { json }: Json,
  make: (set: EpisodeSet, which: string | number, stamp: EditStamp) => Promise<FinishedEpisode>,
): Promise<void> {
  const { set, which } = await locateEpisode(words, recordings);
  const episode = await make(set, which, editStamp());
  const { name, outcome, note, trim, dropped, start } = episode;
  const parts = [
    outcome + (note === "" ? "" : ` ("${note}")`),
    trim === undefined ? "kept whole" : `kept ${trimText(trim, start.startedNs)}`,
    ...(dropped ? ["dropped: left out of exports and training"] : []),
  ];
  printer(json)(plain(`${set.task}/${name} is now: ${parts.join(", ")}`));
  writeJson(json, entryJson(episode));
}

/** A container's user may have no name. */
/** Whoever edits from the command line, now. */
export const editStamp = (): EditStamp => ({
  atNs: systemClock.epochNs(),
  by: `command line, ${userName()}`,
});

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? "unknown"}`;
  }
}
