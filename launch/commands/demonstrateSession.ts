/** What every `demonstrate` has in common: seeds one after the other, a set that is gone on with, another try for a failure. */
import { resolve } from "node:path";
import { CerebellumError } from "../../core/errors.js";
import { type EpisodeEntry, EpisodeSet, type FinishedEpisode } from "../../episodes/episodeSet.js";
import type { CellConfig } from "../cell/schema.js";

export interface SessionOptions {
  readonly cell: string;
  readonly episodes: number;
  readonly seed: number;
}

/** Failures in a row that end the session. */
const FAILURES_MAX = 3;
/** Scenes of demonstrations; trials and the pre-training corpus have others. */
export const SCENE_SEED = 2_000_000;
/** Another try is at another scene, and, by hand, of another person. */
export const ATTEMPT_SEED = 100_000_000;

export const say = (line: string) => void process.stdout.write(`${line}\n`);

export function recordingInto(cell: CellConfig, folder: string | undefined): CellConfig {
  if (folder === undefined || cell.recorder === "off") return cell;
  return { ...cell, recorder: { ...cell.recorder, folder: resolve(folder) } };
}

/**
 * @param already names of the demonstrations that are there, by their seed
 * @param one records a demonstration; says what to tell of it, or nothing when it was interrupted
 * @param afterFailure before a seed is tried again
 * @throws CerebellumError the last of too many failures in a row
 */
export async function demonstrateSeeds(
  options: SessionOptions,
  already: ReadonlyMap<number, string>,
  one: (seed: number, attempt: number) => Promise<string | undefined>,
  signal: AbortSignal,
  afterFailure: () => Promise<void> = async () => {},
): Promise<void> {
  for (let index = 0, failures = 0; index < options.episodes && !signal.aborted; index++) {
    const seed = options.seed * 10_000 + index;
    const label = `${index + 1}/${options.episodes} seed ${seed}`;
    const there = already.get(seed);
    if (there !== undefined) {
      say(`${label}: already there, ${there}`);
      continue;
    }
    try {
      const done = await one(seed, failures);
      if (done !== undefined) say(`${label}: ${done}`);
      failures = 0;
    } catch (thrown) {
      if (!(thrown instanceof CerebellumError) || signal.aborted || ++failures > FAILURES_MAX) throw thrown;
      say(`${label}: ${thrown.message} The episode is discarded and done again`);
      await afterFailure();
      index--;
    }
  }
}

/** How demonstrations came about, as an episode's context names it. */
type Way = "servo" | "headset" | "lockstep";

/** @param set folder of the set, which need not be there yet */
export async function demonstrationsIn(set: string, way: Way): Promise<ReadonlyMap<number, string>> {
  return seedsIn((await (await EpisodeSet.open(set)).episodes()).filter(isFinished), way);
}

const isFinished = (entry: EpisodeEntry): entry is FinishedEpisode => entry.state === "finished";

/**
 * Names of the demonstrations of a set by their seed: a repeated command goes on where the set ends. One without an
 * outcome was cut off, and is done again.
 */
export const seedsIn = (
  episodes: readonly Pick<FinishedEpisode, "name" | "start" | "outcome">[],
  way: Way,
): ReadonlyMap<number, string> =>
  new Map(
    episodes.flatMap(({ name, outcome, start: { kind, context } }) =>
      kind === "demonstration" &&
      outcome !== "unlabelled" &&
      typeof context.seed === "number" &&
      (context.through ?? "servo") === way
        ? [[context.seed, name] as const]
        : [],
    ),
  );
