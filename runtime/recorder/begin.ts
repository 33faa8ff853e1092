/** What an episode begins with: free disk, a number of its own, the servos' say, and the record of it all. */
import { join } from "node:path";
import { type Clock, type ClockMapping, measureMapping } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { EpisodeFile, type EpisodeTopic } from "../../episodes/episodeFile.js";
import { EpisodeSet } from "../../episodes/episodeSet.js";
import { EPISODE_SCHEMA, type EpisodeStart, episodeName, writeMapping } from "../../episodes/format.js";
import type { ServoInfo } from "../servo/api.js";
import type { EpisodeSink } from "./episode.js";
import { storedImage } from "./images.js";
import type { RecorderSetup, ToRecorder } from "./messages.js";
import { TopicPlan } from "./plan.js";

export type StartMessage = Extract<ToRecorder, { kind: "start" }>;

export interface BeginParts {
  readonly clock: Clock;
  readonly uuid: () => string;
  readonly freeBytes: (folder: string) => Promise<number>;
  /** Another one only in tests. */
  readonly createFile?: (
    set: string,
    start: EpisodeStart,
    topics: readonly EpisodeTopic[],
  ) => Promise<EpisodeSink & { readonly folder: string }>;
}

export interface Begun {
  readonly start: EpisodeStart;
  readonly plan: TopicPlan;
  readonly mapping: ClockMapping;
  readonly file: EpisodeSink;
  readonly folder: string;
}

/** Who loses a race to a number asks again so often. */
const NUMBER_TRIES = 5;

/** @throws CerebellumError RECORDING_FAILED when the disk is too full */
export async function refuseWhenFull(
  setup: RecorderSetup,
  freeBytes: BeginParts["freeBytes"],
): Promise<number> {
  const free = await freeBytes(setup.folder);
  if (free >= setup.diskFreeBytesMin) return free;
  throw new CerebellumError(
    "RECORDING_FAILED",
    `${mib(free)} MiB are free on the disk of ${setup.folder}; an episode needs at least ${mib(setup.diskFreeBytesMin)} MiB`,
    "Move finished episodes away, or name another `recorder.folder`; `recorder.diskFreeMiBMin` is the limit",
  );
}

/** Makes the episode's file. @throws CerebellumError RECORDING_FAILED, FILE_UNREADABLE, ROS_UNAVAILABLE */
export async function beginEpisode(
  setup: RecorderSetup,
  { request, bundle, engine, calibration }: StartMessage,
  robots: ReadonlyMap<string, ServoInfo>,
  parts: BeginParts,
): Promise<Begun> {
  const { clock } = parts;
  const plan = new TopicPlan(setup, new Map([...robots].map(([robot, { rateHz }]) => [robot, rateHz])));
  const folder = join(setup.folder, request.task);
  const set = await EpisodeSet.open(folder);
  const create =
    parts.createFile ??
    ((...[at, start, topics]: Parameters<NonNullable<BeginParts["createFile"]>>) =>
      EpisodeFile.create(at, start, topics, { clock }));
  const topics = plan.topics.map(({ topic: { topic, type }, definition }) => ({ topic, type, definition }));
  const bundleRecord = bundle === null ? null : { ...bundle };
  for (let attempt = 1; ; attempt++) {
    const name = request.name ?? episodeName(await set.nextNumber());
    const mapping = measureMapping(clock);
    const start: EpisodeStart = {
      schema: EPISODE_SCHEMA,
      uuid: parts.uuid(),
      task: request.task,
      name,
      kind: request.kind,
      note: request.note,
      startedNs: String(mapping.epochNs),
      clock: writeMapping(mapping),
      robots: Object.fromEntries([...robots].map(([robot, info]) => [robot, recordedRobot(info)])),
      cameras: recordedCameras(setup),
      topics: plan.topics.map(({ topic }) => topic),
      cell: setup.cell,
      calibration,
      bundle: bundleRecord,
      software: { ...setup.software, ...engine },
      context: request.context,
      strict: request.strict,
    };
    try {
      const file = await create(folder, start, topics);
      return { start, plan, mapping, file, folder: file.folder };
    } catch (thrown) {
      const isTaken = thrown instanceof CerebellumError && /\bEEXIST\b|is there/.test(errorText(thrown));
      if (request.name !== undefined || !isTaken || attempt >= NUMBER_TRIES) throw thrown;
    }
  }
}

function recordedRobot({ device, rateHz, limits, identity }: ServoInfo): EpisodeStart["robots"][string] {
  return {
    model: identity?.model ?? device,
    serial: identity?.serial ?? "",
    firmware: identity?.firmware ?? "",
    jointNames: [...limits.jointNames],
    rateHz,
    positionMinRad: [...limits.positionMinRad],
    positionMaxRad: [...limits.positionMaxRad],
    velocityMaxRadPerS: [...limits.velocityMaxRadPerS],
  };
}

const recordedCameras = ({ cameras, imageTopics, images }: RecorderSetup): EpisodeStart["cameras"] =>
  Object.fromEntries(
    Object.entries(cameras).map(([name, camera]) => [
      name,
      { ...camera, imageTopic: storedImage(imageTopics[name]!, images).topic, storage: images },
    ]),
  );

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
