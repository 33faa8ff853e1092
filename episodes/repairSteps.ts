/** The steps of repairing one part: what of it is sound, how its end must read, and the writing of that. */
import { crc32 } from "node:zlib";
import { asEpochNs, asMonotonicNs, nsToMs } from "../core/clock.js";
import { CerebellumError, errorText } from "../core/errors.js";
import {
  END_RECORD,
  EPISODE_SCHEMA,
  EpisodeEnd,
  EpisodeStart,
  fromRecord,
  type QualityFlag,
  readMapping,
  type TopicCounters,
  toRecord,
  writeMapping,
} from "./format.js";
import { type EpisodeHandle, writeAll } from "./write/io.js";
import { endBytes, metadataBytes, Opcode } from "./write/records.js";
import { type Survey, surveyEpisode } from "./write/survey.js";

/**
 * Damage this close before the end of a file is what a power cut leaves of data that was not synced yet, in any order. It
 * is cut off, like any torn end, rather than kept with a hole in it.
 */
const UNSYNCED_NS = 2_000_000_000n;

export interface SoundPart {
  readonly survey: Survey;
  readonly start: EpisodeStart;
}

/**
 * Surveys a part; where it is damaged in the middle, mends it first. Damaged stretches stay where they are, as one record
 * that every reader skips, because moving gigabytes would risk what is sound.
 * @returns why it cannot be read, with nothing changed
 * @throws CerebellumError EPISODE_INVALID when a newer version wrote it: that one can repair it, this one must not
 */
export async function soundPart(
  handle: EpisodeHandle,
  bytes: number,
  file: string,
  onProgress?: (doneBytes: number) => void,
): Promise<SoundPart | string> {
  let survey = await surveyEpisode(handle, bytes, onProgress);
  const start = readStart(survey, file);
  if (typeof start === "string") return start;
  let limit = bytes;
  const { lastNs, damages } = survey;
  const late = damages.find(({ lostBytes, afterNs }) => lostBytes > 0 && lastNs - afterNs <= UNSYNCED_NS);
  if (late !== undefined && survey.end === undefined) {
    limit = late.offset;
    survey = await surveyEpisode(handle, limit, onProgress);
  }
  if (survey.damages.length > 0) {
    for (const { offset, mend } of survey.damages) await writeAll(handle, mend, offset);
    await handle.datasync();
    survey = await surveyEpisode(handle, limit, onProgress);
  }
  return survey.hopeless ?? survey.damages[0]?.why ?? { survey, start };
}

function readStart(survey: Survey, file: string): EpisodeStart | string {
  if (survey.hopeless !== undefined) return survey.hopeless;
  if (survey.profile === undefined || survey.start === undefined) {
    return survey.rest.kind === "torn" ? survey.rest.why : "it has no start record";
  }
  if (survey.head === "missing" && survey.contents.chunks.length === 0) {
    return "it ends before its declarations, so nothing was recorded";
  }
  try {
    return fromRecord(EpisodeStart, survey.start, file);
  } catch (cause) {
    const form = survey.start.get("schema");
    if (cause instanceof CerebellumError && form !== undefined && form !== EPISODE_SCHEMA) throw cause;
    return errorText(cause);
  }
}

/** How much is cut off, and how much time it spans where the head of the torn chunk still tells. */
export async function tornEnd(
  handle: EpisodeHandle,
  survey: Survey,
  bytes: number,
): Promise<{ cutBytes: number; cutS: number | undefined }> {
  const cutBytes = survey.rest.kind === "torn" ? bytes - survey.soundBytes : 0;
  const head = Buffer.alloc(25);
  const isChunk =
    cutBytes >= head.length &&
    (await handle.read(head, survey.soundBytes)) === head.length &&
    head[0] === Opcode.CHUNK;
  if (!isChunk) return { cutBytes, cutS: cutBytes === 0 ? 0 : undefined };
  const cutS = nsToMs(head.readBigUInt64LE(17) - survey.lastNs) / 1000;
  return { cutBytes, cutS: cutS >= 0 && cutS < 60 ? cutS : undefined };
}

export interface EndPlan {
  /** What comes before this place stays as it is. */
  readonly keptBytes: number;
  /** All that follows it. */
  readonly tail: Uint8Array;
  /** The recording had been stopped in order, and its end record is kept. */
  readonly wasStopped: boolean;
}

/** Adds to `survey.contents` what it plans to write. */
export function planEnd(survey: Survey, start: EpisodeStart, file: string): EndPlan {
  const { contents } = survey;
  const found = survey.end && readEnd(survey.end.record, file);
  const wasStopped = found !== undefined && found.endedBecause !== "crashed";
  const agreed = found === undefined ? crashedEnd(survey, start) : agreeing(found, survey);
  if (found !== undefined && agreed === found) {
    const tail = endBytes(contents, survey.soundBytes, survey.soundCrc);
    return { keptBytes: survey.soundBytes, tail, wasStopped };
  }
  // An end record that is unreadable, or does not fit what is left of the file, makes way for another.
  if (survey.end !== undefined) contents.metadata.pop();
  const keptBytes = survey.end?.offset ?? survey.soundBytes;
  const keptCrc = survey.end?.crcBefore ?? survey.soundCrc;
  const indexes = survey.missingIndexes;
  const recordAt = keptBytes + indexes.length;
  const record = metadataBytes(contents, recordAt, END_RECORD, toRecord(agreed));
  const dataCrc = crc32(record, crc32(indexes, keptCrc));
  const end = endBytes(contents, recordAt + record.length, dataCrc);
  return { keptBytes, tail: Buffer.concat([indexes, record, end]), wasStopped };
}

/** Nothing is written where the file reads so already: a repair that was interrupted late has little left to do. */
export async function writeEnd(
  handle: EpisodeHandle,
  { keptBytes, tail }: EndPlan,
  bytes: number,
): Promise<void> {
  if (bytes === keptBytes + tail.length && (await holds(handle, keptBytes, tail))) return;
  await handle.truncate(keptBytes);
  await writeAll(handle, tail, keptBytes);
}

/** Known to be missing, by sequence numbers. */
export const lostMessages = ({ channels }: Survey): number =>
  [...channels.values()].reduce((sum, { missing }) => sum + missing, 0);

async function holds(handle: EpisodeHandle, offset: number, expected: Uint8Array): Promise<boolean> {
  const found = Buffer.alloc(expected.length);
  for (let done = 0; done < found.length; ) {
    const got = await handle.read(found.subarray(done), offset + done);
    if (got === 0) return false;
    done += got;
  }
  return found.equals(expected);
}

function readEnd(record: ReadonlyMap<string, string>, file: string): EpisodeEnd | undefined {
  try {
    return fromRecord(EpisodeEnd, record, file);
  } catch {
    // Torn or damaged; what it said is lost, like everything after the last sound record.
    return undefined;
  }
}

function crashedEnd(survey: Survey, start: EpisodeStart): EpisodeEnd {
  const startedNs = BigInt(start.startedNs);
  const endedNs = survey.lastNs > startedNs ? survey.lastNs : startedNs;
  const clock = readMapping(start.clock);
  return {
    endedNs: String(endedNs),
    endedBecause: "crashed",
    detail: "",
    outcome: "unlabelled",
    note: "",
    clock: writeMapping({
      monotonicNs: asMonotonicNs(clock.monotonicNs + (endedNs - clock.epochNs)),
      epochNs: asEpochNs(endedNs),
    }),
    topics: countersOf(survey, {}),
    flags: damageFlags(survey),
  };
}

/** The same object when it fits the file already. */
function agreeing(end: EpisodeEnd, survey: Survey): EpisodeEnd {
  const topics = countersOf(survey, end.topics);
  const fits = Object.entries(topics).every(
    ([topic, { written, bytes }]) =>
      end.topics[topic]?.written === written && end.topics[topic].bytes === bytes,
  );
  const isFlagged = damageFlags(survey).length === 0 || end.flags.some(({ code }) => code === "damaged");
  if (fits && isFlagged) return end;
  return { ...end, topics, flags: isFlagged ? end.flags : [...end.flags, ...damageFlags(survey)] };
}

/** Counters from the file itself; what `known` says besides of a topic is kept. */
function countersOf(
  { contents, channels }: Survey,
  known: EpisodeEnd["topics"],
): Record<string, TopicCounters> {
  return Object.fromEntries(
    contents.channels.map(({ id, topic }) => {
      const { count, bytes, missing } = channels.get(id)!;
      const before = known[topic];
      if (before?.written === count && before.bytes === bytes) return [topic, before];
      const lost = { lostBefore: 0, droppedQueue: 0, droppedEncode: 0, droppedDisk: 0, ...before };
      const droppedDisk = lost.droppedDisk + missing;
      const received = count + droppedDisk + lost.droppedQueue + lost.droppedEncode;
      return [topic, { ...lost, received, written: count, bytes, droppedDisk }];
    }),
  );
}

function damageFlags(survey: Survey): QualityFlag[] {
  const flag = (topic: string, text: string): QualityFlag => ({ code: "damaged", topic, text });
  const flags: QualityFlag[] = [];
  if (survey.head !== "sound") {
    const why = survey.head === "missing" ? "they have no CRC" : "their CRC does not fit";
    flags.push(flag("", `its start record or its declarations are damaged: ${why}`));
  }
  if (survey.leftOutBytes === 0) return flags;
  flags.push(flag("", `${survey.leftOutBytes} damaged bytes are left out`));
  for (const { id, topic } of survey.contents.channels) {
    const { missing } = survey.channels.get(id)!;
    if (missing > 0)
      flags.push(flag(topic, `${missing} messages were in the damaged part; expected none missing`));
  }
  return flags;
}
