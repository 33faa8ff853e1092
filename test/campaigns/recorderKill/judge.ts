/** Compares what is on the disk after repair with what the killed process had handed to its recorder. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EpisodeReader } from "../../../episodes/episodeReader.js";
import { episodeName, episodeNumber } from "../../../episodes/format.js";
import { verifyEpisode } from "../../../episodes/verify.js";
import { CAMERA_STREAM, readStamped, STREAMS, TICK_STREAM } from "../../support/episodes/stampedEpisode.js";
import type { Entry } from "./ledger.js";

export interface EpisodeJudgement {
  readonly messages: number;
  /** From the oldest message that is missing to the kill [ms]; 0 when none is. */
  readonly lostMs: number;
  readonly violations: readonly string[];
}

/** Times at which each message of one episode was handed over, by stream and sequence. */
export function handedOf(entries: readonly Entry[], episode: number): bigint[][] {
  const handed: bigint[][] = STREAMS.map(() => []);
  for (const { kind, episode: of, stream, atNs } of entries)
    if (kind === "handed" && of === episode) handed[stream]!.push(atNs);
  return handed;
}

/** @param isFinished the recorder had said so: then nothing may be missing, nor may its end be another */
export async function judgeEpisode(
  set: string,
  episode: number,
  entries: readonly Entry[],
  killNs: bigint,
  isFinished: boolean,
): Promise<EpisodeJudgement> {
  const folder = join(set, episodeName(episode));
  const violations: string[] = [];
  const say = (what: string) => violations.push(`episode ${episode}: ${what}`);
  if (!existsSync(folder)) {
    const left = readdirSync(set).filter((name) => name.startsWith(episodeName(episode)));
    say(`there is no finished episode, only [${left.join(", ")}]`);
    return { messages: 0, lostMs: Number.NaN, violations };
  }
  const { troubles } = await verifyEpisode(folder);
  for (const trouble of troubles) say(trouble);
  const found = await readEpisode(folder, episode, say);
  if (found === undefined) return { messages: 0, lostMs: Number.NaN, violations };
  if (isFinished && (found.outcome !== "success" || found.endedBecause !== "stopped")) {
    say(`ended as ${found.outcome}, because "${found.endedBecause}"`);
  }
  const handed = handedOf(entries, episode);
  const missing = handed.flatMap((times, stream) => times.slice(found.counts[stream]!));
  const [oldestNs = killNs] = missing.filter((atNs) => atNs < killNs).sort((a, b) => Number(a - b));
  if (isFinished && missing.length > 0) say(`${missing.length} messages of a finished episode are missing`);
  for (const [stream, count] of found.counts.entries())
    if (count > handed[stream]!.length)
      say(`${count} messages of stream ${stream}, ${handed[stream]!.length} handed over`);
  return {
    messages: found.counts.reduce((sum, count) => sum + count, 0),
    lostMs: Number(killNs - oldestNs) / 1e6,
    violations,
  };
}

interface Found {
  readonly counts: number[];
  readonly outcome: string;
  readonly endedBecause: string;
}

async function readEpisode(
  folder: string,
  episode: number,
  say: (what: string) => void,
): Promise<Found | undefined> {
  const streams = new Map(STREAMS.map(({ topic }, stream) => [topic, stream]));
  const counts = STREAMS.map(() => 0);
  const frames: bigint[] = [];
  try {
    const reader = await EpisodeReader.open(folder);
    try {
      for await (const { topic, sequence, publishNs, data } of reader.messages()) {
        const stream = streams.get(topic)!;
        const expected = counts[stream]!++;
        const stamped = readStamped(data);
        if (stamped === undefined) say(`${topic} ${sequence}: its hash is wrong`);
        else if (
          sequence !== expected ||
          stamped.sequence !== expected ||
          stamped.stream !== stream ||
          stamped.episode !== episode
        ) {
          say(
            `${topic}: ${JSON.stringify({ ...stamped, frameNs: 0 })} at place ${expected}, numbered ${sequence}`,
          );
        } else if (stream === CAMERA_STREAM) frames.push(publishNs);
        else if (stream === TICK_STREAM && frames[stamped.frame] !== stamped.frameNs) {
          say(
            `tick ${sequence} belongs to the frame of ${stamped.frameNs}, frame ${stamped.frame} has ${frames[stamped.frame]}`,
          );
        }
      }
      return { counts, outcome: reader.end.outcome, endedBecause: reader.end.endedBecause };
    } finally {
      await reader.close();
    }
  } catch (thrown) {
    say(String(thrown));
    return undefined;
  }
}

/** Of every finished episode in a set: what must never change again. */
export function hashesOf(set: string): Map<string, string> {
  const names = existsSync(set) ? readdirSync(set).filter((name) => episodeNumber(name) !== undefined) : [];
  return new Map(
    names.map((name) => {
      const hash = createHash("sha256");
      for (const file of readdirSync(join(set, name)).sort())
        hash.update(file).update(readFileSync(join(set, name, file)));
      return [name, hash.digest("hex")];
    }),
  );
}
