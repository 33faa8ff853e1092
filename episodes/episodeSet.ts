/**
 * A set: the episodes of one task in one folder, with what was decided about them later. Listing reads each file's two
 * records only. Nothing here ever writes into an episode.
 */
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { EpochNs } from "../core/clock.js";
import { CerebellumError, errorText } from "../core/errors.js";
import { appendEdit, type Edits, readEdits, resolveEdits, strayEdits } from "./edits.js";
import { EpisodeReader } from "./episodeReader.js";
import {
  ACTIVE_SUFFIX,
  type EpisodeEnd,
  type EpisodeStart,
  episodeNumber,
  type Outcome,
  type QualityFlag,
} from "./format.js";
import { nodeIo } from "./write/io.js";
import { isLockHeld } from "./write/lock.js";

/** Kept part, epoch nanoseconds of log time; null = from the start, to the end. */
export interface Trim {
  readonly fromNs: bigint | null;
  readonly toNs: bigint | null;
}

/** A finished episode as it stands after all edits. */
export interface FinishedEpisode {
  readonly state: "finished";
  readonly name: string;
  readonly number: number;
  readonly folder: string;
  readonly start: EpisodeStart;
  readonly end: EpisodeEnd;
  readonly outcome: Outcome;
  readonly note: string;
  /** Undefined when all of it is kept. */
  readonly trim: Trim | undefined;
  readonly dropped: boolean;
  readonly flags: readonly QualityFlag[];
  /** As recorded, before trims. */
  readonly durationS: number;
  readonly bytes: number;
}

/**
 * `active`: being written, or left by a crash. `aside`: a repair or a person has put it aside. `broken`: finished by its
 * name, but it cannot be used.
 */
export interface UnusableEpisode {
  readonly state: "active" | "aside" | "broken";
  readonly name: string;
  readonly number: number;
  readonly folder: string;
  /** What is wrong, as the rest of a sentence about it. */
  readonly trouble: string;
  readonly remedy?: string;
  readonly bytes: number;
}

export type EpisodeEntry = FinishedEpisode | UnusableEpisode;

export interface SetListing {
  /** By number. */
  readonly entries: readonly EpisodeEntry[];
  /** Of the edits log: torn lines, unknown kinds, edits of other episodes. */
  readonly remarks: readonly string[];
}

/** Who makes an edit, and when. */
export interface EditStamp {
  readonly atNs: EpochNs;
  readonly by: string;
}

/** Everything that takes a number: finished, `.active`, and whatever else a repair or a person has left. */
const TAKEN = /^(episode-\d{6,9})(\..+)?$/;
const NUMBER_MAX = 999_999_999;
const OPEN_AT_ONCE = 8;

/** The two records of finished episodes that were read before; valid as long as the file has its size and date. */
export class RecordCache {
  readonly #known = new Map<string, { readonly stamp: string; readonly records: Records }>();

  async read(folder: string, file: { readonly size: number; readonly mtimeMs: number }): Promise<Records> {
    const stamp = `${file.size} ${file.mtimeMs}`;
    const known = this.#known.get(folder);
    if (known?.stamp === stamp) return known.records;
    const { start, end } = await readRecords(folder);
    this.#known.set(folder, { stamp, records: { start, end } });
    return { start, end };
  }
}

interface Records {
  readonly start: EpisodeStart;
  readonly end: EpisodeEnd;
}

export class EpisodeSet {
  private constructor(
    readonly folder: string,
    readonly cache: RecordCache | undefined,
  ) {}

  /**
   * A folder that is not there yet is an empty set: recording makes it.
   * @param cache for whoever lists the same sets again and again
   */
  static async open(folder: string, cache?: RecordCache): Promise<EpisodeSet> {
    return new EpisodeSet(resolve(folder), cache);
  }

  /** The folder's name. */
  get task(): string {
    return basename(this.folder);
  }

  /**
   * One above every number of the set: of episodes finished, broken, active or set aside, and of any that the edits log
   * knows. Who loses a race to a name sees its folder exist, and asks again.
   * @throws CerebellumError FILE_UNREADABLE, RECORDING_FAILED when all numbers are used
   */
  async nextNumber(): Promise<number> {
    const [folders, { edits }] = await Promise.all([this.#folders(), readEdits(this.folder)]);
    const names = [...folders.map(({ name }) => TAKEN.exec(name)![1]!), ...edits.map((edit) => edit.episode)];
    const last = names.reduce((most, name) => Math.max(most, episodeNumber(name)!), 0);
    if (last < NUMBER_MAX) return last + 1;
    throw new CerebellumError(
      "RECORDING_FAILED",
      `${this.folder} has an episode with number ${last}, the last there is`,
      "Record under another task name",
    );
  }

  /** @throws CerebellumError FILE_UNREADABLE for the set as a whole; an episode's own trouble is in its entry */
  async list(): Promise<SetListing> {
    const [folders, edits] = await Promise.all([this.#folders(), readEdits(this.folder)]);
    const entries: EpisodeEntry[] = [];
    for (let from = 0; from < folders.length; from += OPEN_AT_ONCE)
      entries.push(
        ...(await Promise.all(
          folders.slice(from, from + OPEN_AT_ONCE).map(({ name }) => this.#entry(name, edits)),
        )),
      );
    entries.sort((a, b) => a.number - b.number || (a.folder < b.folder ? -1 : 1));
    const uuids = new Map(
      entries.map((entry) => [entry.name, entry.state === "finished" ? entry.start.uuid : undefined]),
    );
    return {
      entries,
      remarks: [
        ...edits.troubles.map(({ line, text }) => `line ${line} of the edits log ${text}`),
        ...strayEdits(edits.edits, uuids).map((text) => `${text}; ignored`),
      ],
    };
  }

  /** All entries, by number. @throws CerebellumError FILE_UNREADABLE */
  async episodes(): Promise<readonly EpisodeEntry[]> {
    return (await this.list()).entries;
  }

  /**
   * A finished episode.
   * @param which its name or number, or "last": the one with the highest number
   * @throws CerebellumError EPISODE_INVALID when there is none, or it cannot be used
   */
  async episode(which: string | number): Promise<FinishedEpisode> {
    const [folders, edits] = await Promise.all([this.#folders(), readEdits(this.folder)]);
    const numbered = folders
      .map((folder) => ({ folder: folder.name, name: TAKEN.exec(folder.name)![1]! }))
      .sort((a, b) => episodeNumber(b.name)! - episodeNumber(a.name)!);
    const meant = numbered.filter(
      ({ name }) => which === "last" || name === which || episodeNumber(name) === which,
    );
    let found: UnusableEpisode | undefined;
    for (const { folder } of meant) {
      const entry = await this.#entry(folder, edits);
      if (entry.state === "finished") return entry;
      found ??= entry;
    }
    if (found !== undefined && which !== "last") throw unusable(found);
    const [last, first] = [numbered[0], numbered.at(-1)];
    const what = which === "last" ? "finished episode" : `episode ${which}`;
    const there =
      last === undefined ? "it is empty" : `it has ${numbered.length}: ${first!.name} to ${last.name}`;
    throw new CerebellumError(
      "EPISODE_INVALID",
      `${this.folder} has no ${what}; ${there}`,
      "`./cerebellum episodes list` shows what is there",
    );
  }

  /** @throws CerebellumError EPISODE_INVALID, RECORDING_FAILED; like the two that follow */
  async label(
    which: string | number,
    label: { outcome: Outcome; note: string },
    stamp: EditStamp,
  ): Promise<FinishedEpisode> {
    const episode = await this.episode(which);
    await appendEdit(this.folder, { ...edit(episode, stamp), kind: "label", ...label });
    return { ...episode, ...label };
  }

  /** @param trim see `trimOf`; both null takes an earlier trim back */
  async trim(which: string | number, trim: Trim, stamp: EditStamp): Promise<FinishedEpisode> {
    const episode = await this.episode(which);
    checkTrim(episode, trim);
    const text = (ns: bigint | null) => (ns === null ? null : String(ns));
    await appendEdit(this.folder, {
      ...edit(episode, stamp),
      kind: "trim",
      fromNs: text(trim.fromNs),
      toNs: text(trim.toNs),
    });
    return { ...episode, trim: trim.fromNs === null && trim.toNs === null ? undefined : trim };
  }

  /** Leaves it out of exports and training, or takes it in again. The file stays. */
  async drop(
    which: string | number,
    drop: { dropped: boolean; note: string },
    stamp: EditStamp,
  ): Promise<FinishedEpisode> {
    const episode = await this.episode(which);
    await appendEdit(this.folder, { ...edit(episode, stamp), kind: "drop", ...drop });
    return { ...episode, dropped: drop.dropped };
  }

  async #folders(): Promise<Dirent[]> {
    try {
      const found = await readdir(this.folder, { withFileTypes: true });
      return found.filter(({ name }) => TAKEN.test(name));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw new CerebellumError(
        "FILE_UNREADABLE",
        `The set ${this.folder} cannot be read: ${errorText(cause)}`,
        "Name a folder that holds episodes of one task and that this user may read",
        cause,
      );
    }
  }

  async #entry(folderName: string, { edits }: Edits): Promise<EpisodeEntry> {
    const [, name, ending] = TAKEN.exec(folderName)!;
    const folder = join(this.folder, folderName);
    const base = { name: name!, number: episodeNumber(name!)!, folder };
    const file = await stat(join(folder, `${name}.mcap`)).catch(() => undefined);
    const bytes = file?.size ?? 0;
    if (ending === ACTIVE_SUFFIX)
      return { ...base, state: "active", trouble: await activeTrouble(folder), bytes };
    if (ending !== undefined)
      return { ...base, state: "aside", trouble: `was set aside as "${ending.slice(1)}"`, bytes };
    try {
      const { start, end } =
        this.cache === undefined || file === undefined
          ? await readRecords(folder)
          : await this.cache.read(folder, file);
      if (start.name !== name)
        return {
          ...base,
          state: "broken",
          trouble: `holds ${start.name} of task ${start.task}: a copy, or renamed`,
          bytes,
        };
      const { label, trim, drop } = resolveEdits(edits, name, start.uuid);
      return {
        ...base,
        state: "finished",
        start,
        end,
        outcome: label?.outcome ?? end.outcome,
        note: label?.note ?? end.note,
        trim: trim === undefined || (trim.fromNs === null && trim.toNs === null) ? undefined : trim,
        dropped: drop?.dropped ?? false,
        flags: end.flags,
        durationS: Number(BigInt(end.endedNs) - BigInt(start.startedNs)) / 1e9,
        bytes,
      };
    } catch (cause) {
      if (!(cause instanceof CerebellumError))
        return { ...base, state: "broken", trouble: errorText(cause), bytes };
      const trouble = cause.happened.replace(`${join(folder, `${name}.mcap`)} `, "");
      return { ...base, state: "broken", trouble, remedy: cause.remedy, bytes };
    }
  }
}

/**
 * A kept part given in seconds from the episode's start, undefined = no cut at this end.
 * @throws CerebellumError EPISODE_INVALID when it is not inside the episode or keeps nothing
 */
export function trimOf(
  episode: FinishedEpisode,
  cut: { fromS?: number | undefined; toS?: number | undefined },
): Trim {
  const atNs = (seconds: number | undefined) =>
    seconds === undefined ? null : BigInt(episode.start.startedNs) + BigInt(Math.round(seconds * 1e9));
  const trim = { fromNs: atNs(cut.fromS), toNs: atNs(cut.toS) };
  checkTrim(episode, trim);
  return trim;
}

function checkTrim({ name, start, end, durationS }: FinishedEpisode, { fromNs, toNs }: Trim): void {
  const startNs = BigInt(start.startedNs);
  const from = fromNs ?? startNs;
  const to = toNs ?? BigInt(end.endedNs);
  if (from >= startNs && from < to && to <= BigInt(end.endedNs)) return;
  const inS = (ns: bigint) => (Number(ns - startNs) / 1e9).toFixed(3);
  throw new CerebellumError(
    "EPISODE_INVALID",
    `Keeping ${name} from ${inS(from)} s to ${inS(to)} s is not possible; it lasts ${durationS.toFixed(3)} s`,
    "Give seconds from its start, the first before the second, both inside the episode",
  );
}

const edit = ({ name, start }: FinishedEpisode, { atNs, by }: EditStamp) => ({
  schema: "cerebellum/edit@1" as const,
  atNs: String(atNs),
  episode: name,
  uuid: start.uuid,
  by,
});

async function readRecords(folder: string): Promise<Records> {
  const reader = await EpisodeReader.open(folder);
  await reader.close();
  return reader;
}

const activeTrouble = async (folder: string): Promise<string> => {
  const identity = await nodeIo.identity(folder).catch(() => undefined);
  return identity !== undefined && (await isLockHeld(identity))
    ? "is being written"
    : "was left by a crash and waits for repair";
};

const REMEDIES: Readonly<Record<UnusableEpisode["state"], string>> = {
  active: "Stop the recording, or run `./cerebellum episodes repair` on its set",
  aside: "Choose another episode",
  broken: "`./cerebellum episodes verify` shows what is wrong with it",
};
export const unusable = ({ folder, state, trouble, remedy }: UnusableEpisode) =>
  new CerebellumError("EPISODE_INVALID", `${folder} ${trouble}`, remedy ?? REMEDIES[state]);
