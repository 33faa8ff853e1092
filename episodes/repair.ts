/**
 * Finishes what a crash left: parts of episodes, `<name>.active`, that nobody writes any more. Everything up to the last
 * sound chunk is kept, the torn rest is cut off, the end of the file is written and the folder gets its final name. All of
 * it happens in place, and a crash during repair leaves a part that the next repair finishes. Nothing is ever deleted: a
 * part that cannot be read becomes `<name>.broken`.
 */
import { join } from "node:path";
import { type Clock, nsToMs } from "../core/clock.js";
import { ACTIVE_SUFFIX, episodeNumber, TaskName } from "./format.js";
import { lostMessages, planEnd, soundPart, tornEnd, writeEnd } from "./repairSteps.js";
import { recordingFailed } from "./write/failure.js";
import { giveName, writeBagMetadata } from "./write/finish.js";
import { codeOf, type EpisodeIo, nodeIo } from "./write/io.js";
import { takeLock } from "./write/lock.js";
import { messageCount, timeRange } from "./write/records.js";

export const BROKEN_SUFFIX = ".broken";

export type RepairResult =
  /** The recording was cut by a crash; what was written is an episode now, ended because "crashed". */
  | "repaired"
  /** The recording had been stopped in order; only its name, or the end of its file, was missing. */
  | "finished"
  /** A folder without anything in it: the crash came before the file was made, or while it was discarded. */
  | "emptyRemoved"
  /** Unreadable from the start: renamed to `<name>.broken`, for a person to look at. */
  | "setAside"
  /** Somebody writes or repairs it right now. */
  | "beingWritten"
  /** As before; `trouble` says why. */
  | "failed";

export interface RepairReport {
  readonly episode: string;
  /** Where it is now. */
  readonly folder: string;
  readonly result: RepairResult;
  readonly messages: number;
  /** Of log time that the kept messages span [s]. */
  readonly durationS: number;
  /** Of the file before repair. */
  readonly bytes: number;
  /** Torn end that was cut off. */
  readonly cutBytes: number;
  /** Log time that the cut chunk would have added [s]; undefined when nothing tells. What never reached the file is unknown. */
  readonly cutS: number | undefined;
  /** Damaged stretches in the middle that readers now skip. */
  readonly leftOutBytes: number;
  /** Messages known to be lost in them, by their sequence numbers. */
  readonly lostMessages: number;
  readonly tookMs: number;
  /** What was wrong, for people; empty when all is well. */
  readonly trouble: string;
}

export interface RepairOptions {
  readonly clock: Clock;
  readonly io?: EpisodeIo;
  /** How far the reading of a part has come. */
  readonly onProgress?: (episode: string, doneBytes: number, bytes: number) => void;
}

/**
 * All parts in all sets of a recordings folder; a folder that is not there has none. Trouble with a part is in its report.
 * @throws the system's error when a folder cannot be listed
 */
export async function repairAll(recordings: string, options: RepairOptions): Promise<RepairReport[]> {
  const reports: RepairReport[] = [];
  for (const task of await listOrNothing(options.io ?? nodeIo, recordings))
    if (TaskName.safeParse(task).success) reports.push(...(await repairSet(join(recordings, task), options)));
  return reports;
}

/** All parts of one set, in order of their names. */
export async function repairSet(set: string, options: RepairOptions): Promise<RepairReport[]> {
  const names = (await listOrNothing(options.io ?? nodeIo, set))
    .filter((name) => name.endsWith(ACTIVE_SUFFIX))
    .map((name) => name.slice(0, -ACTIVE_SUFFIX.length))
    .filter((name) => episodeNumber(name) !== undefined);
  const reports: RepairReport[] = [];
  for (const name of names.sort()) reports.push(await repairPart(set, name, options));
  return reports;
}

/** @param name of the episode, without `.active` */
export async function repairPart(set: string, name: string, options: RepairOptions): Promise<RepairReport> {
  const { clock, io = nodeIo } = options;
  const startNs = clock.nowNs();
  const active = join(set, `${name}${ACTIVE_SUFFIX}`);
  const report = (found: Partial<RepairReport> & { result: RepairResult }): RepairReport => ({
    episode: name,
    folder: active,
    messages: 0,
    durationS: 0,
    bytes: 0,
    cutBytes: 0,
    cutS: undefined,
    leftOutBytes: 0,
    lostMessages: 0,
    trouble: "",
    ...found,
    tookMs: nsToMs(clock.nowNs() - startNs),
  });
  try {
    const identity = await io.identity(active).catch((cause: unknown) => {
      if (codeOf(cause) === "ENOENT") return undefined;
      throw cause;
    });
    // Gone since it was listed: its writer has just finished it.
    const lock = identity === undefined ? undefined : await takeLock(identity);
    if (lock === undefined) return report({ result: "beingWritten" });
    try {
      return report(await new Part(io, set, name).repair(options.onProgress));
    } finally {
      await lock.release();
    }
  } catch (cause) {
    const failure = recordingFailed(join(set, name), "cannot be repaired", cause);
    return report({ result: "failed", trouble: failure.message });
  }
}

type Found = Partial<RepairReport> & { result: RepairResult };

/** One part, under its lock. */
class Part {
  readonly #active: string;
  readonly #folder: string;

  constructor(
    private readonly io: EpisodeIo,
    private readonly set: string,
    private readonly name: string,
  ) {
    this.#active = join(set, `${name}${ACTIVE_SUFFIX}`);
    this.#folder = join(set, name);
  }

  async repair(onProgress: RepairOptions["onProgress"]): Promise<Found> {
    const file = join(this.#active, `${this.name}.mcap`);
    const files = await this.io.list(this.#active);
    if (files.length === 0) {
      await this.io.removeFolder(this.#active);
      return { result: "emptyRemoved" };
    }
    if (!files.includes(`${this.name}.mcap`)) return this.#setAside(`it has no file ${this.name}.mcap`);
    const handle = await this.io.open(file, "change");
    try {
      const bytes = await handle.sizeBytes();
      const progress = onProgress && ((doneBytes: number) => onProgress(this.name, doneBytes, bytes));
      const part = await soundPart(handle, bytes, file, progress);
      if (typeof part === "string") return { ...(await this.#setAside(part)), bytes };
      const { survey, start } = part;
      const cut = await tornEnd(handle, survey, bytes);
      const plan = planEnd(survey, start, file);
      await writeEnd(handle, plan, bytes);
      await handle.sync();
      await writeBagMetadata(this.io, this.#active, this.name, survey.contents);
      await giveName(this.io, this.#active, this.#folder);
      const { startNs, endNs } = timeRange(survey.contents);
      return {
        result: plan.wasStopped ? "finished" : "repaired",
        folder: this.#folder,
        messages: messageCount(survey.contents),
        durationS: nsToMs(endNs - startNs) / 1000,
        bytes,
        ...cut,
        leftOutBytes: survey.leftOutBytes,
        lostMessages: lostMessages(survey),
      };
    } finally {
      await handle.close();
    }
  }

  async #setAside(why: string): Promise<Found> {
    let folder = `${this.#folder}${BROKEN_SUFFIX}`;
    for (let copy = 2; await this.io.exists(folder); copy++)
      folder = `${this.#folder}${BROKEN_SUFFIX}-${copy}`;
    await this.io.rename(this.#active, folder);
    await this.io.syncFolder(this.set);
    return { result: "setAside", folder, trouble: `${this.name} cannot be read: ${why}` };
  }
}

async function listOrNothing(io: EpisodeIo, folder: string): Promise<string[]> {
  try {
    return (await io.list(folder)).sort();
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(cause))) return [];
    throw cause;
  }
}
