/**
 * What an episode is on disk, for whoever writes or reads one.
 *
 *   <recordings>/<task>/                    a set: episodes of one task
 *     episode-000012/                       one episode; the folder is a rosbag2 bag
 *       episode-000012.mcap                 everything that was recorded, ROS 2 profile
 *       metadata.yaml                       for `ros2 bag`
 *     episode-000013.active/                being written, or left by a crash until it is repaired
 *     edits.jsonl                           labels and trims that came later, one JSON object a line
 *
 * A finished episode is never written to again. Its MCAP file carries two metadata records: `episode`, written first, so
 * that a crash keeps it, and `episode_end`. Times are nanoseconds as decimal texts: JSON has no such integers.
 */
import { z } from "zod";
import { CAMERA_PARENTS } from "../core/cameraParent.js";
import { asEpochNs, asMonotonicNs, type ClockMapping } from "../core/clock.js";
import { CerebellumError } from "../core/errors.js";

export const EPISODE_SCHEMA = "cerebellum/episode@1";
export const START_RECORD = "episode";
export const END_RECORD = "episode_end";
export const EDITS_FILE = "edits.jsonl";
export const ACTIVE_SUFFIX = ".active";

/** Becomes a folder's name: no separators, no dots, nothing that a shell or a file system treats specially. */
export const TaskName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, { error: "must be 1 to 64 lower case letters, digits, _ or -" });
const EPISODE_NAME = /^episode-(\d{6,9})$/;

export const episodeName = (number: number): string => `episode-${String(number).padStart(6, "0")}`;
/** The number of an episode's name, undefined when it is none. */
export const episodeNumber = (name: string): number | undefined => {
  const digits = EPISODE_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

const Ns = z.string().regex(/^\d{1,20}$/, { error: "must be nanoseconds as a decimal text" });
const Mapping = z.strictObject({ monotonicNs: Ns, epochNs: Ns });
const Numbers = z.array(z.number());

export const OUTCOMES = ["success", "failure", "unlabelled"] as const;
export const Outcome = z.enum(OUTCOMES);
export type Outcome = z.infer<typeof Outcome>;

/** How images are kept: as received, or as `sensor_msgs/msg/CompressedImage`. Depth is never kept as JPEG. */
export const ImageStorage = z.enum(["raw", "jpeg", "png"]);
export type ImageStorage = z.infer<typeof ImageStorage>;

export const RecordedRobot = z.strictObject({
  model: z.string(),
  serial: z.string(),
  firmware: z.string(),
  jointNames: z.array(z.string()),
  rateHz: z.number().positive(),
  positionMinRad: Numbers,
  positionMaxRad: Numbers,
  velocityMaxRadPerS: Numbers,
});
export type RecordedRobot = z.infer<typeof RecordedRobot>;

export const RecordedCamera = z.strictObject({
  /** Topic of its images in this file. */
  imageTopic: z.string(),
  storage: ImageStorage,
  widthPx: z.int(),
  heightPx: z.int(),
  rateHz: z.number(),
  fovYDeg: z.number(),
  /** Optical frame in a frame of `robot`, the flange when none is named: position [m], quaternion xyzw. */
  mount: z.strictObject({
    robot: z.string(),
    parentFrame: z.enum(CAMERA_PARENTS).optional(),
    positionM: Numbers,
    quatXyzw: Numbers,
  }),
});

export const RecordedTopic = z.strictObject({
  topic: z.string(),
  type: z.string(),
  /** Who gave it: a ROS subscription, the servo's socket, a policy, a person's hand, or the recorder itself. */
  source: z.enum(["ros", "servo", "policy", "teleop", "recorder"]),
  /** Nominal rate, where there is one: what statistics are judged by. */
  rateHz: z.number().positive().optional(),
  /** Fixed delay between the moment of capture and the stamp [ms], from the cell file. */
  latencyMs: z.number().min(0).optional(),
});
export type RecordedTopic = z.infer<typeof RecordedTopic>;

/** Metadata record `episode`. */
export const EpisodeStart = z.strictObject({
  schema: z.literal(EPISODE_SCHEMA),
  uuid: z.uuid(),
  task: TaskName,
  name: z.string().regex(EPISODE_NAME),
  kind: z.enum(["demonstration", "rollout", "replay", "import", "other"]),
  note: z.string(),
  startedNs: Ns,
  /** How monotonic times of this episode become epoch times: log times and all stamps of our own follow it. */
  clock: Mapping,
  robots: z.record(z.string(), RecordedRobot),
  cameras: z.record(z.string(), RecordedCamera),
  topics: z.array(RecordedTopic),
  /** The cell file as parsed. */
  cell: z.record(z.string(), z.unknown()),
  calibration: z.record(z.string(), z.unknown()),
  /** The policy that was loaded; null when none was. */
  bundle: z.strictObject({ name: z.string(), task: z.string(), manifestSha256: z.string() }).nullable(),
  software: z.record(z.string(), z.string()),
  /** Of the scene or the study, e.g. seed and block position in the lab. */
  context: z.record(z.string(), z.unknown()),
  strict: z.boolean(),
});
export type EpisodeStart = z.infer<typeof EpisodeStart>;

/** Where each message of a topic went. `received` = `written` + all that is dropped; `lostBefore` never arrived. */
export const TopicCounters = z.strictObject({
  received: z.int().min(0),
  written: z.int().min(0),
  bytes: z.number().min(0),
  /** Before the subscription: told by the middleware, or estimated from stamps or sequence numbers. */
  lostBefore: z.int().min(0),
  /** The queue between subscription and recorder thread was full. */
  droppedQueue: z.int().min(0),
  /** The image could not be compressed. */
  droppedEncode: z.int().min(0),
  /** The disk did not take data as fast as it came. */
  droppedDisk: z.int().min(0),
});
export type TopicCounters = z.infer<typeof TopicCounters>;

/** A reason not to train on an episode unseen. */
export const QualityFlag = z.strictObject({
  code: z.enum(["rate", "gap", "loss", "frozen", "clock", "age", "vanished", "changed", "damaged"]),
  topic: z.string(),
  /** What was found and what was expected. */
  text: z.string(),
});
export type QualityFlag = z.infer<typeof QualityFlag>;

export const END_CAUSES = [
  "stopped",
  "daemonEnded",
  "diskFull",
  "writeFailed",
  "lost",
  "tooLong",
  "crashed",
  "imported",
] as const;

/** Metadata record `episode_end`. */
export const EpisodeEnd = z.strictObject({
  endedNs: Ns,
  endedBecause: z.enum(END_CAUSES),
  /** For people; empty when the cause says it all. */
  detail: z.string(),
  outcome: Outcome,
  note: z.string(),
  clock: Mapping,
  topics: z.record(z.string(), TopicCounters),
  flags: z.array(QualityFlag),
});
export type EpisodeEnd = z.infer<typeof EpisodeEnd>;

const EditBase = {
  schema: z.literal("cerebellum/edit@1"),
  /** When it was made. */
  atNs: Ns,
  episode: z.string().regex(EPISODE_NAME),
  /** Of the episode meant: a copied or renumbered folder does not take another one's edits. */
  uuid: z.uuid(),
  by: z.string(),
};
/** One line of `edits.jsonl`; a later one of the same kind replaces an earlier one. */
export const EpisodeEdit = z.discriminatedUnion("kind", [
  z.strictObject({ ...EditBase, kind: z.literal("label"), outcome: Outcome, note: z.string() }),
  /** Kept part, epoch nanoseconds of log time; null = from the start, to the end. */
  z.strictObject({ ...EditBase, kind: z.literal("trim"), fromNs: Ns.nullable(), toNs: Ns.nullable() }),
  /** Left out of exports and training; the file stays. */
  z.strictObject({ ...EditBase, kind: z.literal("drop"), dropped: z.boolean(), note: z.string() }),
]);
export type EpisodeEdit = z.infer<typeof EpisodeEdit>;

/** Fields that are kept as they are, for people and stock tools; every other one is JSON. */
const TEXT_FIELDS = new Set([
  "schema",
  "uuid",
  "task",
  "name",
  "kind",
  "note",
  "startedNs",
  "endedNs",
  "endedBecause",
  "detail",
  "outcome",
]);

/** An episode's record as MCAP keeps it: names and texts. */
export function toRecord(value: EpisodeStart | EpisodeEnd): Map<string, string> {
  return new Map(
    Object.entries(value).map(([field, inner]) => [
      field,
      TEXT_FIELDS.has(field) ? String(inner) : JSON.stringify(inner),
    ]),
  );
}

/**
 * @param file for the error's text
 * @throws CerebellumError EPISODE_INVALID naming the field, or the newer form that the file has
 */
export function fromRecord<T>(schema: z.ZodType<T>, record: ReadonlyMap<string, string>, file: string): T {
  const form = record.get("schema");
  if (form !== undefined && form !== EPISODE_SCHEMA) {
    throw new CerebellumError(
      "EPISODE_INVALID",
      `${file} is of form "${form}"; this program reads ${EPISODE_SCHEMA}`,
      "Open it with the version that wrote it, or a newer one",
    );
  }
  const fields = [...record].map(([field, text]) => [field, TEXT_FIELDS.has(field) ? text : json(text)]);
  const result = schema.safeParse(Object.fromEntries(fields));
  if (result.success) return result.data;
  throw new CerebellumError(
    "EPISODE_INVALID",
    `${file} has unusable metadata: ${z.prettifyError(result.error)}`,
    "Leave this episode out; `./cerebellum episodes verify` shows what can be read of it",
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export const writeMapping = ({ monotonicNs, epochNs }: ClockMapping): z.infer<typeof Mapping> => ({
  monotonicNs: String(monotonicNs),
  epochNs: String(epochNs),
});
export const readMapping = ({ monotonicNs, epochNs }: z.infer<typeof Mapping>): ClockMapping => ({
  monotonicNs: asMonotonicNs(BigInt(monotonicNs)),
  epochNs: asEpochNs(BigInt(epochNs)),
});
