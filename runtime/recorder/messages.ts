/** What the daemon's main thread and the recorder's thread say to each other; both sides parse what they receive. */
import { z } from "zod";
import {
  END_CAUSES,
  EpisodeStart,
  ImageStorage,
  Outcome,
  QualityFlag,
  RecordedCamera,
  RecordedTopic,
  TaskName,
  TopicCounters,
} from "../../episodes/format.js";
import { Failure } from "../failure.js";

/** A topic that comes through the ring; its place in the list is its number there. */
export const RecorderInput = z.strictObject({
  ...RecordedTopic.shape,
  /** The newest message was published once and is given to each episode at its start. */
  latched: z.boolean(),
  /** Messages lost before the subscription can be told from gaps between stamps. */
  countsGaps: z.boolean(),
});
export type RecorderInput = z.infer<typeof RecorderInput>;

/** `workerData` of the recorder's thread. */
export const RecorderSetup = z.strictObject({
  ring: z.instanceof(SharedArrayBuffer),
  inputs: z.array(RecorderInput),
  /** Absolute path of the folder of sets. */
  folder: z.string().min(1),
  images: ImageStorage,
  jpegQuality: z.int(),
  diskFreeBytesMin: z.number(),
  episodeMsMax: z.number(),
  /** Servo socket of each robot. */
  sockets: z.record(z.string(), z.string()),
  cameras: z.record(z.string(), RecordedCamera.omit({ imageTopic: true, storage: true })),
  /** Image topic of each camera as it is subscribed to. */
  imageTopics: z.record(z.string(), z.string()),
  /** Cameras whose images a policy uses: those are kept without loss too, when `images` is a lossy form. */
  policyCameras: z.array(z.string()),
  /** Where message definitions are: ament prefixes, nearest overlay first. */
  prefixes: z.array(z.string()),
  cell: EpisodeStart.shape.cell,
  software: EpisodeStart.shape.software,
});
export type RecorderSetup = z.infer<typeof RecorderSetup>;

/** What a person or a program asks for at the start of an episode. */
export const StartRequest = z.strictObject({
  task: TaskName,
  kind: EpisodeStart.shape.kind,
  note: z.string().max(1000),
  context: EpisodeStart.shape.context,
  /** Instead of the next number of the set. */
  name: EpisodeStart.shape.name.optional(),
  /** Instead of the cell's setting. */
  strict: z.boolean().optional(),
});
export type StartRequest = z.infer<typeof StartRequest>;

export const StopRequest = z.strictObject({ outcome: Outcome, note: z.string().max(1000) });
export type StopRequest = z.infer<typeof StopRequest>;

export const LabelRequest = z.strictObject({
  outcome: Outcome,
  note: z.string().max(1000),
  /** Of the newest episode's task; that episode itself when left out. */
  episode: EpisodeStart.shape.name.optional(),
  /** Set of the episode; the newest episode's when left out. */
  task: TaskName.optional(),
});
export type LabelRequest = z.infer<typeof LabelRequest>;

export const EndCause = z.enum(END_CAUSES);
export type EndCause = z.infer<typeof EndCause>;

export const ToRecorder = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("start"),
    request: StartRequest.extend({ strict: z.boolean() }),
    bundle: EpisodeStart.shape.bundle,
    engine: EpisodeStart.shape.software,
    /** What is in force now: somebody may calibrate between two episodes. */
    calibration: EpisodeStart.shape.calibration,
  }),
  z.strictObject({ kind: z.literal("label"), outcome: Outcome, note: z.string() }),
  z.strictObject({ kind: z.literal("stop"), because: EndCause, detail: z.string() }),
  z.strictObject({ kind: z.literal("discard") }),
  z.strictObject({
    kind: z.literal("labelEnded"),
    requestId: z.int(),
    request: LabelRequest.required(),
    by: z.string(),
  }),
  z.strictObject({ kind: z.literal("close") }),
]);
export type ToRecorder = z.infer<typeof ToRecorder>;

export const Progress = z.strictObject({
  task: z.string(),
  episode: z.string(),
  seconds: z.number(),
  bytes: z.number(),
  messages: z.number(),
  dropped: z.number(),
  lostBefore: z.number(),
  topics: z.record(z.string(), TopicCounters),
});
export type Progress = z.infer<typeof Progress>;

export const Ended = z.strictObject({
  ...Progress.shape,
  folder: z.string(),
  because: EndCause,
  detail: z.string(),
  outcome: Outcome,
  flags: z.array(QualityFlag),
  discarded: z.boolean(),
  /** Why the file could not be finished; its folder waits for a repair then. */
  failure: Failure.optional(),
});
export type Ended = z.infer<typeof Ended>;

/** What the repair at the start did to one episode that a crash had left. */
export const Repaired = z.strictObject({
  episode: z.string(),
  ok: z.boolean(),
  text: z.string(),
});
export type Repaired = z.infer<typeof Repaired>;

export const FromRecorder = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("ready"), repairs: z.array(Repaired), diskFreeBytes: z.number() }),
  z.strictObject({
    kind: z.literal("started"),
    task: z.string(),
    episode: z.string(),
    folder: z.string(),
    /** How monotonic times become this episode's stamps. */
    mapping: z.strictObject({ monotonicNs: z.bigint(), epochNs: z.bigint() }),
  }),
  z.strictObject({ kind: z.literal("startFailed"), failure: Failure }),
  z.strictObject({ kind: z.literal("progress"), progress: Progress, diskFreeBytes: z.number() }),
  z.strictObject({ kind: z.literal("ending"), because: EndCause, detail: z.string() }),
  z.strictObject({ kind: z.literal("ended"), ended: Ended }),
  z.strictObject({ kind: z.literal("answer"), requestId: z.int(), failure: Failure.optional() }),
  /** Something for the log and the status, e.g. a topic that has vanished. */
  z.strictObject({ kind: z.literal("trouble"), text: z.string() }),
]);
export type FromRecorder = z.infer<typeof FromRecorder>;
