/** First way through a bag: what is in it, what can be imported, how often and from when to when. Nothing is written. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { CerebellumError, errorText } from "../../core/errors.js";
import { type BagMessage, type BagTopic, bagInvalid, refuseAbort } from "./bag.js";
import type { Bag } from "./openBag.js";
import { readStampNs } from "./stamps.js";
import { type TopicPlan, type TopicPlanner, topicKey } from "./topicPlan.js";

/** Enough for a median, bounded for bags of any length. */
const INTERVALS_MAX = 4096;
/** Below this many intervals a rate says nothing. */
const INTERVALS_MIN = 8;

export interface ScannedTopic {
  readonly source: BagTopic;
  readonly plan: TopicPlan;
  count: number;
  bytes: number;
  /** Messages that the file had and that cannot be read. */
  lost: number;
  /** Messages of a stamped type without a usable stamp. */
  unstamped: number;
  /** How often a message was received before the one before it, by the recorder's clock. */
  steppedBack: number;
  /** First message, a copy; undefined when there is none. */
  first: Uint8Array | undefined;
  /** From the median interval of stamps; undefined for too few messages. */
  rateHz: number | undefined;
}

export interface SourceFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface BagScan {
  /** By key, in the order in which they were met. */
  readonly topics: ReadonlyMap<string, ScannedTopic>;
  readonly files: readonly SourceFile[];
  /** Of the messages to be imported. */
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  readonly recorder: string;
  /** What is missing of the recording, in words. */
  readonly damage: readonly string[];
  readonly remarks: readonly string[];
}

/** @throws CerebellumError BAG_INVALID, CONFIG_INVALID, FILE_UNREADABLE */
export async function scanBag(bag: Bag, planner: TopicPlanner, signal?: AbortSignal): Promise<BagScan> {
  const topics = new Map<string, ScannedTopic>();
  const intervals = new Map<ScannedTopic, Intervals>();
  const damage = [...bag.damage];
  const remarks = [...bag.remarks];
  const files: SourceFile[] = [];
  const recorders = new Set<string>();
  let [firstNs, lastNs]: [bigint | undefined, bigint] = [undefined, 0n];
  const meet = (topic: BagTopic): ScannedTopic => {
    const key = topicKey(topic);
    let scanned = topics.get(key);
    if (scanned === undefined) {
      const plan = planner.plan(topic);
      scanned = {
        source: topic,
        plan,
        count: 0,
        bytes: 0,
        lost: 0,
        unstamped: 0,
        steppedBack: 0,
        first: undefined,
        rateHz: undefined,
      };
      topics.set(key, scanned);
    }
    return scanned;
  };
  for (const file of bag.files) {
    files.push(await hashFile(file.path));
    const reading = file.read();
    const met = new Map<BagTopic, ScannedTopic>();
    for await (const message of reading.messages()) {
      refuseAbort(signal);
      let scanned = met.get(message.topic);
      if (scanned === undefined) met.set(message.topic, (scanned = meet(message.topic)));
      scanned.count++;
      scanned.bytes += message.data.length;
      scanned.first ??= message.data.slice();
      if (!scanned.plan.import) continue;
      if (firstNs === undefined || message.logNs < firstNs) firstNs = message.logNs;
      if (message.logNs > lastNs) lastNs = message.logNs;
      const { publishNs, isStamped } = publishTime(message, scanned.plan);
      if (scanned.plan.stamp === "first" && !isStamped) scanned.unstamped++;
      let track = intervals.get(scanned);
      if (track === undefined) intervals.set(scanned, (track = new Intervals()));
      track.add(publishNs);
      if (message.logNs < track.logNs) scanned.steppedBack++;
      track.logNs = message.logNs;
    }
    reading.topics.forEach(meet);
    damage.push(...reading.damage);
    remarks.push(...reading.remarks);
    if (reading.recorder !== "") recorders.add(reading.recorder);
    for (const [name, count] of reading.lost)
      for (const scanned of topics.values())
        if (scanned.source.topic === name && scanned.plan.import) scanned.lost += count;
    if (reading.metadata.has("episode"))
      throw bagInvalid(
        `${basename(file.path)} is an episode already`,
        "Copy its folder into a set, under the next number; nothing needs to be imported",
      );
  }
  planner.checkRenames([...topics.values()].map(({ source }) => source.topic));
  for (const [scanned, track] of intervals) scanned.rateHz = track.rateHz();
  const imported = [...topics.values()].filter(({ plan }) => plan.import);
  if (firstNs === undefined) throw nothingToImport(bag, [...topics.values()], damage);
  damage.push(...undeclared(bag, [...topics.values()]));
  for (const { source, unstamped, count } of imported)
    if (unstamped > 0)
      remarks.push(
        `${unstamped} of ${count} messages of ${source.topic} have no stamp: their times are those of publishing or receipt`,
      );
  return { topics, files, firstNs, lastNs, recorder: [...recorders].join(", "), damage, remarks };
}

/** When a message was captured or made; when that is not known, when it was received. */
export function publishTime(
  { logNs, publishNs, data }: BagMessage,
  plan: TopicPlan,
): { publishNs: bigint; isStamped: boolean } {
  const stampNs = plan.import && plan.stamp === "first" ? readStampNs(data) : undefined;
  if (stampNs !== undefined) return { publishNs: stampNs, isStamped: true };
  return { publishNs: publishNs > 0n ? publishNs : logNs, isStamped: false };
}

class Intervals {
  readonly #ns: number[] = [];
  #lastNs: bigint | undefined;
  /** Time of receipt of the newest message. */
  logNs = 0n;

  add(atNs: bigint): void {
    if (this.#lastNs !== undefined && atNs > this.#lastNs && this.#ns.length < INTERVALS_MAX)
      this.#ns.push(Number(atNs - this.#lastNs));
    this.#lastNs = atNs;
  }

  rateHz(): number | undefined {
    if (this.#ns.length < INTERVALS_MIN) return undefined;
    const sorted = this.#ns.sort((a, b) => a - b);
    return Number((1e9 / sorted[Math.floor(sorted.length / 2)]!).toPrecision(4));
  }
}

async function hashFile(path: string): Promise<SourceFile> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const part of createReadStream(path, {
      highWaterMark: 1024 * 1024,
    }) as AsyncIterable<Buffer>) {
      hash.update(part);
      bytes += part.length;
    }
  } catch (cause) {
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `${path} cannot be read: ${errorText(cause)}`,
      "Check its permissions and the disk that it is on",
      cause,
    );
  }
  return { name: basename(path), bytes, sha256: hash.digest("hex") };
}

/** Where metadata.yaml has promised other numbers of messages than the files have. */
function undeclared(bag: Bag, topics: readonly ScannedTopic[]): string[] {
  if (bag.declaredCounts === undefined) return [];
  const found = new Map<string, number>();
  for (const { source, count } of topics) found.set(source.topic, (found.get(source.topic) ?? 0) + count);
  return [...new Set([...bag.declaredCounts.keys(), ...found.keys()])].flatMap((topic) => {
    const [declared, have] = [bag.declaredCounts?.get(topic) ?? 0, found.get(topic) ?? 0];
    return declared === have
      ? []
      : [`metadata.yaml has ${declared} messages of ${topic}, the files have ${have}`];
  });
}

function nothingToImport(bag: Bag, topics: readonly ScannedTopic[], damage: readonly string[]) {
  const reasons = [
    ...damage,
    ...topics.map(({ source, plan, count }) =>
      plan.import ? `${source.topic}: no messages` : `${source.topic} (${count} messages): ${plan.why}`,
    ),
  ];
  return bagInvalid(
    `${bag.path} has nothing that could be imported${reasons.length === 0 ? ": it is empty" : `:\n  ${reasons.join("\n  ")}\n`}`,
    "Name another bag",
  );
}
