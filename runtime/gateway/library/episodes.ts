/** Episodes for people: what is recorded, newest first, and a picture of each. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { CerebellumError } from "../../../core/errors.js";
import type { EpisodeList, EpisodeSummary } from "../../../core/gateway/library.js";
import { type EpisodeEntry, type EpisodeSet, RecordCache } from "../../../episodes/episodeSet.js";
import { episodeNumber, TaskName } from "../../../episodes/format.js";
import { findSets } from "../../../episodes/recordings.js";
import { SheetStore } from "./sheets.js";

/** Newest ones; a page with more is read by nobody. */
const EPISODES_MAX = 500;

export class EpisodeLibrary {
  readonly #folder: string | null;
  readonly #records = new RecordCache();
  readonly #sheets: SheetStore;

  constructor(folder: string | null, sheetsFolder: string) {
    this.#folder = folder;
    this.#sheets = new SheetStore(sheetsFolder);
  }

  /** @throws CerebellumError NOT_RUNNING in a cell that never records, FILE_UNREADABLE */
  async list(task: string | undefined): Promise<EpisodeList> {
    const sets = await this.#sets();
    const wanted = task === undefined ? sets : sets.filter((set) => set.task === task);
    const listed = await Promise.all(
      wanted.map(async (set) => (await set.episodes()).map((entry) => summaryOf(set.task, entry))),
    );
    return {
      folder: this.#recordings(),
      tasks: sets.map((set) => set.task),
      episodes: listed.flat().sort(newestFirst).slice(0, EPISODES_MAX),
    };
  }

  /**
   * PNG of what the cameras saw.
   * @throws CerebellumError EPISODE_INVALID for names that are none, for an episode that is not there, cannot be used or
   *   has no images
   */
  async sheet(task: string, episode: string): Promise<Uint8Array> {
    // Names of folders: whatever is none leads nowhere.
    const isName = TaskName.safeParse(task).success && episodeNumber(episode) !== undefined;
    const set = isName ? (await this.#sets()).find((one) => one.task === task) : undefined;
    if (set === undefined)
      throw new CerebellumError(
        "EPISODE_INVALID",
        "There is no such episode",
        "Load the list again: it may have been moved or renamed",
      );
    return this.#sheets.of(await set.episode(episode));
  }

  async #sets(): Promise<readonly EpisodeSet[]> {
    const folder = this.#recordings();
    return existsSync(folder) ? (await findSets(folder, this.#records)).sets : [];
  }

  #recordings(): string {
    if (this.#folder !== null) return this.#folder;
    throw new CerebellumError(
      "NOT_RUNNING",
      "This cell does not record",
      "Take `recorder: off` out of the cell file and start it again",
    );
  }
}

export function summaryOf(task: string, entry: EpisodeEntry): EpisodeSummary {
  const { bytes } = entry;
  if (entry.state !== "finished")
    return {
      task,
      episode: basename(entry.folder),
      state: entry.state === "active" && entry.trouble === "is being written" ? "running" : "damaged",
      kind: "",
      outcome: "",
      note: entry.trouble,
      startedEpochMs: null,
      seconds: null,
      bytes,
      flags: [],
      dropped: false,
      sheet: null,
    };
  return {
    task,
    episode: entry.name,
    state: "finished",
    kind: entry.start.kind,
    outcome: entry.outcome,
    note: entry.note,
    startedEpochMs: Number(BigInt(entry.start.startedNs) / 1_000_000n),
    seconds: entry.durationS,
    bytes,
    flags: [...new Set(entry.flags.map(({ code }) => code))],
    dropped: entry.dropped,
    sheet: `/api/episodes/${task}/${entry.name}/sheet.png`,
  };
}

/** One that is being written is the newest; one of unknown age comes last. */
function newestFirst(a: EpisodeSummary, b: EpisodeSummary): number {
  const age = ({ state, startedEpochMs }: EpisodeSummary) =>
    state === "running" ? Number.POSITIVE_INFINITY : (startedEpochMs ?? Number.NEGATIVE_INFINITY);
  const [one, other] = [age(a), age(b)];
  if (one !== other) return other > one ? 1 : -1;
  return b.episode < a.episode ? -1 : 1;
}
