/** What of an episode goes into frames: its topics, when a message's content was true, and the arm's values in it. */
import { asEpochNs, type EpochNs, msToNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { readJointState } from "../../core/rosWire.js";
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { POLICY_STEP_TOPIC, readServoTick, servoTickTopic } from "../messages.js";
import { baseVector } from "./baseColumns.js";

/** Columns that an action can be taken from; what each means stands at `resampleEpisode`. */
export const ACTIONS = ["sent", "requested", "limited", "measured"] as const;
export type ActionColumn = (typeof ACTIONS)[number];

export interface CameraStream {
  readonly camera: string;
  readonly topic: string;
  readonly latencyNs: bigint;
  /** Nominal; undefined when it is not recorded. */
  readonly rateHz: number | undefined;
}

export interface ArmStream {
  readonly robot: string;
  readonly jointNames: readonly string[];
  readonly topic: string;
  /** Servo ticks have everything; joint states, of a bag from elsewhere, only what was measured. */
  readonly kind: "ticks" | "jointStates";
  readonly latencyNs: bigint;
  readonly rateHz: number | undefined;
}

export interface Streams {
  readonly arm: ArmStream;
  readonly cameras: readonly CameraStream[];
  readonly stepTopic: string | undefined;
}

/** What the arm did and was told at one moment; a gripper's value is NaN where there is none. */
export interface ArmSample {
  /** When the tick ran: what was requested, limited and sent is of this moment. */
  readonly tickNs: EpochNs;
  /** When the measured values were true. */
  readonly stateNs: EpochNs;
  readonly positionRad: Float64Array;
  readonly gripperM: number;
  readonly requestedRad: Float64Array;
  readonly limitedRad: Float64Array;
  readonly sentRad: Float64Array;
  readonly gripperCommandM: number;
  /** Of a robot on legs, by `baseColumns`. */
  readonly base?: Float64Array;
}

export interface StreamOptions {
  /** Needed when the episode has several. */
  readonly robot?: string | undefined;
  /** In this order; default: all that the episode has, by name. */
  readonly cameras?: readonly string[] | undefined;
  /** Where measured joints come from; default: servo ticks where there are any. */
  readonly state?: "ticks" | "jointStates" | undefined;
  readonly action?: ActionColumn | undefined;
  readonly labels?: boolean | undefined;
}

/** @throws CerebellumError EPISODE_INVALID naming what the episode lacks and what it has */
export function chooseStreams(reader: EpisodeReader, options: StreamOptions): Streams {
  const counts = new Map(reader.topics.map(({ topic, count }) => [topic, count]));
  const has = (topic: string) => (counts.get(topic) ?? 0) > 0;
  const arm = chooseArm(reader, options, has);
  if (arm.kind === "jointStates" && (options.action ?? "sent") !== "measured") {
    throw lacks(
      reader,
      `no servo ticks of ${arm.robot}, from which the action "${options.action ?? "sent"}" would come`,
      "Choose the action measured",
    );
  }
  const recorded = reader.start.cameras;
  const cameras = (options.cameras ?? Object.keys(recorded).sort()).map((camera): CameraStream => {
    const found = recorded[camera];
    if (found === undefined || !has(found.imageTopic)) {
      const names = Object.keys(recorded).filter((name) => has(recorded[name]!.imageTopic));
      throw lacks(
        reader,
        `no images of camera "${camera}"`,
        `Choose among the cameras that it has: ${names.join(", ") || "none"}`,
      );
    }
    const { latencyNs, rateHz } = topicOf(reader, found.imageTopic);
    return { camera, topic: found.imageTopic, latencyNs, rateHz: rateHz ?? (found.rateHz || undefined) };
  });
  const stepTopic = options.labels ? POLICY_STEP_TOPIC : undefined;
  if (stepTopic !== undefined && !has(stepTopic))
    throw lacks(reader, "no policy steps, from which labels would come", "Export it without labels");
  return { arm, cameras, stepTopic };
}

function chooseArm(reader: EpisodeReader, options: StreamOptions, has: (topic: string) => boolean) {
  const names = Object.keys(reader.start.robots);
  const robot = options.robot ?? names[0];
  if (robot === undefined || !names.includes(robot) || (options.robot === undefined && names.length > 1)) {
    throw lacks(
      reader,
      options.robot === undefined
        ? `${names.length} robots, expected one to be named`
        : `no robot "${options.robot}"`,
      `Name one of its robots with --robot: ${names.join(", ") || "none"}`,
    );
  }
  const topics = { ticks: servoTickTopic(robot), jointStates: jointStatesTopic(reader, robot, has) };
  const kind = options.state ?? (has(topics.ticks) ? "ticks" : "jointStates");
  if (!has(topics[kind]))
    throw lacks(
      reader,
      `no messages of ${topics[kind]}`,
      "Leave this episode out, it has no measured joints",
    );
  return {
    robot,
    kind,
    topic: topics[kind],
    jointNames: reader.start.robots[robot]!.jointNames,
    ...topicOf(reader, topics[kind]),
  };
}

/** By our own custom, or the only one that there is: bags from elsewhere name it as they like. */
function jointStatesTopic(reader: EpisodeReader, robot: string, has: (topic: string) => boolean): string {
  const own = `/${robot}/joint_states`;
  const found = reader.start.topics.filter(({ topic, type }) => type === JOINT_STATE && has(topic));
  const isOnly = found.length === 1 && Object.keys(reader.start.robots).length === 1;
  return has(own) || !isOnly ? own : found[0]!.topic;
}
const JOINT_STATE = "sensor_msgs/msg/JointState";

const topicOf = (reader: EpisodeReader, topic: string) => {
  const found = reader.start.topics.find((recorded) => recorded.topic === topic);
  return { latencyNs: msToNs(found?.latencyMs ?? 0), rateHz: found?.rateHz };
};

/**
 * Undefined where the message has no usable joint values (lengths differ, or some are not finite).
 * @throws CerebellumError EPISODE_INVALID for a message that cannot be read at all
 */
export function readArmSample(
  reader: EpisodeReader,
  message: EpisodeMessage,
  arm: ArmStream,
): ArmSample | undefined {
  const sample = arm.kind === "ticks" ? tickSample(reader, message, arm) : jointSample(message, arm);
  const vectors = [sample.positionRad, sample.sentRad, sample.requestedRad, sample.limitedRad];
  const isWhole = (values: Float64Array) =>
    values.length === arm.jointNames.length && values.every(Number.isFinite);
  const isBaseKnown = sample.base?.every(Number.isFinite) ?? true;
  return vectors.every(isWhole) && isBaseKnown ? sample : undefined;
}

function tickSample(reader: EpisodeReader, message: EpisodeMessage, arm: ArmStream): ArmSample {
  const tick = readServoTick(reader.decode(message));
  return {
    tickNs: tick.stampNs,
    stateNs: asEpochNs(tick.stateStampNs - arm.latencyNs),
    positionRad: tick.positionRad,
    gripperM: tick.gripperOpeningM,
    requestedRad: tick.requestedRad,
    limitedRad: tick.limitedRad,
    sentRad: tick.sentRad,
    gripperCommandM: tick.gripperCommandM,
    ...(tick.base === undefined ? {} : { base: baseVector(tick.base) }),
  };
}

/** Joints are found by name: their order in a message is the publisher's. */
function jointSample(message: EpisodeMessage, arm: ArmStream): ArmSample {
  const parsed = readJointState(message.data);
  if (!parsed.ok) {
    throw new CerebellumError(
      "EPISODE_INVALID",
      `Message ${message.sequence} of ${message.topic} is unreadable: ${parsed.reason}`,
      "Leave this episode out",
    );
  }
  const { names, positionRad: found } = parsed.value;
  const positionRad = Float64Array.from(arm.jointNames, (name) => found[names.indexOf(name)] ?? Number.NaN);
  const stateNs = asEpochNs(message.publishNs - arm.latencyNs);
  return {
    tickNs: stateNs,
    stateNs,
    positionRad,
    gripperM: Number.NaN,
    requestedRad: positionRad,
    limitedRad: positionRad,
    sentRad: positionRad,
    gripperCommandM: Number.NaN,
  };
}

const lacks = (reader: EpisodeReader, what: string, remedy: string) =>
  new CerebellumError("EPISODE_INVALID", `${reader.file} has ${what}`, remedy);
