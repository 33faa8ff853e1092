/**
 * Makes an episode of a bag that another recorder has written: its messages byte for byte, with their times of receipt
 * and, where they carry a stamp, that of capture; where it came from, and everything that did not come along.
 */
import { randomUUID } from "node:crypto";
import { basename, join } from "node:path";
import { asEpochNs, asMonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { EpisodeFile } from "../episodeFile.js";
import { EpisodeSet } from "../episodeSet.js";
import {
  EPISODE_SCHEMA,
  type EpisodeEnd,
  type EpisodeStart,
  episodeName,
  type Outcome,
  type QualityFlag,
  type RecordedTopic,
  TaskName,
  type TopicCounters,
  writeMapping,
} from "../format.js";
import { EpisodeQuality } from "../quality/episodeQuality.js";
import { type BagTopic, bagInvalid, refuseAbort } from "./bag.js";
import { identify } from "./identity.js";
import { type Bag, openBag } from "./openBag.js";
import { type BagScan, publishTime, type ScannedTopic, scanBag } from "./scanBag.js";
import { TopicPlanner, topicKey } from "./topicPlan.js";

export interface ImportOptions {
  /** A bag's folder, or one .mcap or .db3 file. */
  readonly bag: string;
  /** Folder of sets. */
  readonly recordings: string;
  readonly task: string;
  /** Name of a robot whose joint states come on a topic without one. */
  readonly robot: string;
  readonly outcome: Outcome;
  readonly note: string;
  /** New names of topics by their names in the bag. */
  readonly renames: ReadonlyMap<string, string>;
  /** Ament prefixes, nearest overlay first: definitions of bags that have none. */
  readonly prefixes: readonly string[];
  readonly software: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface ImportedTopic {
  readonly topic: string;
  readonly type: string;
  /** Messages that can be read in the bag. */
  readonly found: number;
  /** Of these, in the episode: all, or none when it was skipped. */
  readonly imported: number;
  /** Messages that the bag had and that cannot be read. */
  readonly lost: number;
  readonly bytes: number;
  /** Name in the episode; undefined when it was skipped. */
  readonly as: string | undefined;
  /** Why it was skipped, or what is unusual about it; empty otherwise. */
  readonly remark: string;
}

export interface ImportReport {
  readonly folder: string;
  readonly name: string;
  readonly topics: readonly ImportedTopic[];
  /** What is missing of the recording, in words. */
  readonly damage: readonly string[];
  readonly remarks: readonly string[];
  readonly flags: readonly QualityFlag[];
  readonly durationS: number;
  readonly sourceBytes: number;
}

/** Bytes that may wait for the disk; reading pauses above. */
const BACKLOG_BYTES_MAX = 32 * 1024 * 1024;
/** Others may take a number between looking and creating. */
const NAME_TRIES = 5;

/** @throws CerebellumError BAG_INVALID, CONFIG_INVALID, FILE_UNREADABLE, RECORDING_FAILED; then nothing stays behind */
export async function importBag(options: ImportOptions): Promise<ImportReport> {
  const task = TaskName.safeParse(options.task);
  if (!task.success)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `The task name "${options.task}" ${task.error.issues[0]?.message}`,
      "Choose another task name",
    );
  const bag = await openBag(options.bag);
  try {
    const scan = await scanBag(bag, new TopicPlanner(options.renames, options.prefixes), options.signal);
    return await writeEpisode(bag, scan, options);
  } finally {
    await bag.close();
  }
}

async function writeEpisode(bag: Bag, scan: BagScan, options: ImportOptions): Promise<ImportReport> {
  const all = [...scan.topics.values()];
  const identity = await identify(all, options.robot);
  const remarks = [...scan.remarks, ...identity.remarks];
  const topics = all.flatMap((scanned) => recordedTopic(scanned) ?? []);
  const mapping = writeMapping({ monotonicNs: asMonotonicNs(0n), epochNs: asEpochNs(scan.firstNs) });
  const start: Omit<EpisodeStart, "name"> = {
    schema: EPISODE_SCHEMA,
    uuid: randomUUID(),
    task: options.task,
    kind: "import",
    note: options.note,
    startedNs: String(scan.firstNs),
    clock: mapping,
    robots: identity.robots,
    cameras: identity.cameras,
    topics,
    cell: {},
    calibration: {},
    bundle: null,
    software: { ...options.software },
    context: { import: provenance(bag, scan, all, remarks) },
    strict: false,
  };
  const file = await createNumbered(options, start, all);
  try {
    const quality = new EpisodeQuality(topics);
    const counters = await copyMessages(bag, scan, file, quality, options.signal);
    const range = { startedNs: scan.firstNs, endedNs: scan.lastNs };
    const flags = [...ownFlags(all, scan.damage), ...quality.finish(counters, range).flags];
    const end: EpisodeEnd = {
      endedNs: String(scan.lastNs),
      endedBecause: "imported",
      detail: `from ${basename(bag.path)}`,
      outcome: options.outcome,
      note: options.note,
      clock: mapping,
      topics: counters,
      flags,
    };
    await file.finish(end);
    return {
      folder: file.folder,
      name: basename(file.folder),
      topics: all.map((scanned) => imported(scanned, counters)),
      damage: scan.damage,
      remarks,
      flags,
      durationS: Number(scan.lastNs - scan.firstNs) / 1e9,
      sourceBytes: scan.files.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  } catch (thrown) {
    await file.discard();
    throw thrown;
  }
}

async function createNumbered(
  { recordings, task }: ImportOptions,
  start: Omit<EpisodeStart, "name">,
  all: readonly ScannedTopic[],
): Promise<EpisodeFile> {
  const set = join(recordings, task);
  const topics = all.flatMap(({ source, plan }) =>
    plan.import ? [{ topic: plan.as, type: source.type, definition: plan.definition }] : [],
  );
  for (let tries = 1; ; tries++) {
    const name = episodeName(await (await EpisodeSet.open(set)).nextNumber());
    try {
      return await EpisodeFile.create(set, { ...start, name }, topics);
    } catch (thrown) {
      if (tries === NAME_TRIES || !isTaken(thrown)) throw thrown;
    }
  }
}

const isTaken = (thrown: unknown): boolean =>
  thrown instanceof CerebellumError && (thrown.cause as { code?: unknown } | undefined)?.code === "EEXIST";

/**
 * Second way through the bag.
 * @throws CerebellumError BAG_INVALID when it is not as it was, RECORDING_FAILED
 */
async function copyMessages(
  bag: Bag,
  scan: BagScan,
  file: EpisodeFile,
  quality: EpisodeQuality,
  signal: AbortSignal | undefined,
): Promise<Record<string, TopicCounters>> {
  const copies = new Map<ScannedTopic, { found: number; written: number; bytes: number; lastNs: bigint }>();
  for (const source of bag.files) {
    const met = new Map<BagTopic, ScannedTopic | undefined>();
    for await (const message of source.read().messages()) {
      refuseAbort(signal);
      if (!met.has(message.topic)) met.set(message.topic, scan.topics.get(topicKey(message.topic)));
      const scanned = met.get(message.topic);
      if (scanned === undefined) throw changed(bag);
      let copy = copies.get(scanned);
      if (copy === undefined) {
        copy = { found: 0, written: 0, bytes: 0, lastNs: 0n };
        copies.set(scanned, copy);
      }
      copy.found++;
      const { plan } = scanned;
      if (!plan.import) continue;
      const publishNs = asEpochNs(publishTime(message, plan).publishNs);
      if (file.write(plan.as, publishNs, asEpochNs(message.logNs), message.data)) {
        copy.written++;
        copy.bytes += message.data.length;
        // Where the recorder's clock stepped back there is a flag already; statistics want time to pass.
        if (message.logNs > copy.lastNs) copy.lastNs = message.logNs;
        quality.observe(plan.as, publishNs, copy.lastNs, message.data);
      }
      if (file.backlogBytes > BACKLOG_BYTES_MAX) await file.ready();
      if (file.failure !== undefined) throw file.failure;
    }
  }
  const counters: Record<string, TopicCounters> = {};
  for (const scanned of scan.topics.values()) {
    const { found, written, bytes } = copies.get(scanned) ?? { found: 0, written: 0, bytes: 0 };
    if (found !== scanned.count) throw changed(bag);
    if (scanned.plan.import)
      counters[scanned.plan.as] = {
        received: found,
        written,
        bytes,
        lostBefore: scanned.lost,
        droppedQueue: 0,
        droppedEncode: 0,
        // Larger than any message that an episode may have.
        droppedDisk: found - written,
      };
  }
  return counters;
}

const changed = (bag: Bag) =>
  bagInvalid(
    `${bag.path} changed while it was read`,
    "Wait until its recorder has finished, then import again",
  );

function recordedTopic({ source, plan, rateHz }: ScannedTopic): RecordedTopic | undefined {
  if (!plan.import) return undefined;
  const isPeriodic = PERIODIC.has(source.type) && rateHz !== undefined;
  return { topic: plan.as, type: source.type, source: "ros", ...(isPeriodic ? { rateHz } : {}) };
}
/** Types that come at a steady rate: what was measured is what gaps are judged by. */
const PERIODIC = new Set([
  "sensor_msgs/msg/Image",
  "sensor_msgs/msg/CompressedImage",
  "sensor_msgs/msg/JointState",
]);

function imported(
  { source, plan, count, bytes, lost }: ScannedTopic,
  counters?: Readonly<Record<string, TopicCounters>>,
): ImportedTopic {
  const as = plan.import ? plan.as : undefined;
  const written = as === undefined ? 0 : (counters?.[as]?.written ?? count);
  return {
    topic: source.topic,
    type: source.type,
    found: count,
    imported: written,
    lost,
    bytes,
    as,
    remark:
      written < count && plan.import
        ? `${count - written} messages are larger than an episode's may be`
        : plan.import
          ? plan.remark
          : plan.why,
  };
}

/** Kept in the episode itself, so that it explains where it came from after the bag is gone. */
function provenance(bag: Bag, scan: BagScan, all: readonly ScannedTopic[], remarks: readonly string[]) {
  return {
    source: basename(bag.path),
    storage: bag.storage,
    recorder: scan.recorder,
    rosDistro: bag.rosDistro,
    files: scan.files,
    topics: all.map((scanned) => {
      const { as = null, imported: _, ...rest } = imported(scanned);
      return { ...rest, as, qos: qosWords(scanned.source.qosProfiles) };
    }),
    damage: scan.damage,
    remarks,
    /** Log times are the recorder's clock; how it ran against a monotonic one is not known. */
    clock: "unknown",
  };
}

/** Reliability and durability of the first publisher, in the bag's own words; empty when it has none. */
const qosWords = (profiles: string): string =>
  ["reliability", "durability"]
    .flatMap((policy) => new RegExp(`\\b${policy}: *(\\w+)`).exec(profiles)?.[1] ?? [])
    .join(" ");

/** What the bag itself has lost, and a clock of its recorder that went back. */
function ownFlags(all: readonly ScannedTopic[], damage: readonly string[]): QualityFlag[] {
  return [
    ...damage.map((text): QualityFlag => ({ code: "damaged", topic: "", text })),
    ...all.flatMap(({ plan, steppedBack }): QualityFlag[] =>
      plan.import && steppedBack > 0
        ? [{ code: "clock", topic: plan.as, text: `Times of receipt go back ${steppedBack} times` }]
        : [],
    ),
  ];
}
