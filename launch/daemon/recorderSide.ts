/** The recorder of a cell: which topics it hears, from whom, and what it knows about the cell. */
import type { Logger } from "pino";
import { handSizeRecord, openHandSizes } from "../../calibration/handSizes.js";
import { calibrationRecord, openTrackerStore } from "../../calibration/store.js";
import type { Clock } from "../../core/clock.js";
import { entryUrl } from "../../core/entry.js";
import { CerebellumError } from "../../core/errors.js";
import { rosDefinition } from "../../episodes/definitions.js";
import type { EpisodeStart } from "../../episodes/format.js";
import { LABELLED_NUMBERS } from "../../episodes/labelledNumbers.js";
import {
  POLICY_READING_TOPIC,
  POLICY_STEP,
  POLICY_STEP_TOPIC,
  TELEOP_INPUT,
  TELEOP_INPUT_TOPIC,
} from "../../episodes/messages.js";
import type { RecorderConfig } from "../../runtime/recorder/config.js";
import { RecorderHost, type RecorderStatus } from "../../runtime/recorder/host.js";
import type { RecorderInput } from "../../runtime/recorder/messages.js";
import { imageTopicOf, infoTopicOf } from "../../runtime/ros/cameraSubscription.js";
import type { RawTopic } from "../../runtime/ros/rawTopics.js";
import { recordedCell } from "../cell/load.js";
import {
  imuTopic,
  publishedTopics,
  STATIC_TRANSFORM_TOPIC,
  TRANSFORM_TOPIC,
} from "../cell/recordedTopics.js";
import { digitsOf, type RobotConfig } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";
import { calibrationFolder } from "../runFolder.js";
import { softwareIdentity } from "../software.js";
import { RESTART_RULES, RestartBudget } from "./restartPolicy.js";

export interface RecorderSideOptions {
  readonly cell: CellConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly servoSocket: (robot: string) => string;
  readonly bundle: () => EpisodeStart["bundle"];
  readonly engine: () => EpisodeStart["software"];
  readonly onFailed: (text: string) => void;
}

const MIB = 2 ** 20;

/**
 * Undefined for a cell that never records.
 * @throws CerebellumError CONFIG_INVALID when a topic of the cell's has a type that is not known here
 */
export async function startRecorder(options: RecorderSideOptions): Promise<RecorderHost | undefined> {
  const { cell, clock, log, servoSocket, bundle, engine, onFailed } = options;
  const config = cell.recorder;
  if (config === "off") return undefined;
  const prefixes = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");
  checkTypes(config, prefixes);
  const robots = Object.keys(cell.robots);
  const budget = new RestartBudget(RESTART_RULES.recorderWorker);
  const host = new RecorderHost({
    entry: entryUrl("../processes/recorderWorker.js", import.meta.url),
    clock,
    ringBytes: config.queueMiB * MIB,
    strict: config.strict,
    restart: { delayMs: RESTART_RULES.recorderWorker.delayMs, take: () => budget.take(clock.nowNs()) },
    bundle,
    engine,
    calibration: () => {
      const folder = calibrationFolder(cell.name);
      return { ...calibrationRecord(openTrackerStore(folder)), ...handSizeRecord(openHandSizes(folder)) };
    },
    onFailed,
    log: (level, event, text) => log[level]({ event }, text),
    setup: {
      inputs: recorderInputs(cell, config),
      folder: config.folder,
      images: config.images,
      jpegQuality: config.jpegQuality,
      diskFreeBytesMin: config.diskFreeMiBMin * MIB,
      episodeMsMax: config.episodeMinutesMax * 60_000,
      sockets: Object.fromEntries(robots.map((robot) => [robot, servoSocket(robot)])),
      cameras: Object.fromEntries(
        Object.entries(cell.cameras).map(([name, { widthPx, heightPx, rateHz, fovYDeg, mount }]) => [
          name,
          {
            widthPx,
            heightPx,
            rateHz,
            fovYDeg,
            mount: {
              robot: mount.robot,
              parentFrame: mount.parentFrame,
              positionM: [...mount.positionM],
              quatXyzw: [...mount.quatXyzw],
            },
          },
        ]),
      ),
      imageTopics: Object.fromEntries(
        Object.entries(cell.cameras).map(([name, { topic }]) => [name, imageTopicOf(topic)]),
      ),
      policyCameras: cell.policy?.camera === undefined ? [] : [cell.policy.camera],
      prefixes,
      cell: recordedCell(cell),
      software: await softwareIdentity(),
    },
  });
  host.launch();
  return host;
}

export const isRecorderRequired = ({ recorder }: Pick<CellConfig, "recorder">): boolean =>
  recorder !== "off" && recorder.required;

/** Why a cell that requires a recorder may not be enabled; undefined when nothing is against it. */
export function whyNotWithoutRecorder(
  cell: Pick<CellConfig, "recorder">,
  status: Pick<RecorderStatus, "state" | "message"> | undefined,
): string | undefined {
  if (!isRecorderRequired(cell) || status === undefined) return undefined;
  const { state, message } = status;
  if (state !== "down" && state !== "preparing") return undefined;
  const why = message === "" ? "" : ` (${message})`;
  return `Nothing is enabled: the cell requires a recorder, and it is ${state}${why}. Wait until it is ready, or start the cell again.`;
}

/** @throws CerebellumError CONFIG_INVALID for a type that this machine has no definition of */
function checkTypes({ topics }: RecorderConfig, prefixes: readonly string[]): void {
  for (const { topic, type } of topics) {
    try {
      rosDefinition(type, prefixes);
    } catch (cause) {
      throw new CerebellumError(
        "CONFIG_INVALID",
        `recorder.topics: the type ${type} of ${topic} is not known on this machine`,
        "Correct it, or source the workspace that has its package before the start",
        cause,
      );
    }
  }
}

const JOINT_STATE = "sensor_msgs/msg/JointState";
const TRANSFORMS = "tf2_msgs/msg/TFMessage";

function publishedInputs(robot: string, config: RobotConfig, rateHzMax: number) {
  const { jointStates, jointCommand, description } = publishedTopics(robot);
  const rateHz = Math.min(rateHzMax, config.servo.rateHz);
  // A state is published when the device has said something new.
  const deviceHz = config.device === "allegro" ? 1000 / config.allegro.periodMs : rateHz;
  return [
    { topic: jointStates, type: JOINT_STATE, rateHz: Math.min(rateHz, deviceHz), latched: false },
    { topic: jointCommand, type: JOINT_STATE, rateHz, latched: false },
    { topic: description, type: "std_msgs/msg/String", latched: true },
    ...(config.device === "digit"
      ? [{ topic: imuTopic(robot), type: "sensor_msgs/msg/Imu", rateHz, latched: false }]
      : []),
  ];
}

export const tappedTopics = (cell: CellConfig): ReadonlySet<string> =>
  new Set([
    ...Object.keys(cell.robots).flatMap((robot) => Object.values(publishedTopics(robot))),
    ...digitsOf(cell.robots).map(([robot]) => imuTopic(robot)),
  ]);

/** What other nodes publish and only the recorder wants. */
export function subscribedTopics(config: RecorderConfig): readonly RawTopic[] {
  return [
    { topic: TRANSFORM_TOPIC, type: TRANSFORMS, qos: "reliable" },
    { topic: STATIC_TRANSFORM_TOPIC, type: TRANSFORMS, qos: "latched" },
    ...config.topics.map(({ topic, type, qos }) => ({ topic, type, qos })),
  ];
}

/** In every cell that can be teleoperated, whether or not somebody does. */
const TELEOP: RecorderInput = {
  topic: TELEOP_INPUT_TOPIC,
  type: TELEOP_INPUT,
  source: "teleop",
  latched: false,
  countsGaps: false,
};

export function recorderInputs(cell: CellConfig, config: RecorderConfig): RecorderInput[] {
  const ros = { source: "ros", latched: false, countsGaps: false } as const;
  return [
    ...Object.values(cell.cameras).flatMap(({ topic, rateHz }): RecorderInput[] => [
      { ...ros, topic: imageTopicOf(topic), type: "sensor_msgs/msg/Image", rateHz, countsGaps: true },
      { ...ros, topic: infoTopicOf(topic), type: "sensor_msgs/msg/CameraInfo", rateHz },
    ]),
    ...Object.entries(cell.robots).flatMap(([robot, config]) =>
      publishedInputs(robot, config, cell.ros.jointStateRateHz).map((one) => ({
        ...ros,
        ...one,
      })),
    ),
    ...subscribedTopics({ ...config, topics: [] }).map(({ topic, type, qos }) => ({
      ...ros,
      topic,
      type,
      latched: qos === "latched",
    })),
    ...config.topics.map(
      ({ topic, type, qos, rateHz, latencyMs }): RecorderInput => ({
        ...ros,
        topic,
        type,
        latched: qos === "latched",
        countsGaps: rateHz !== undefined,
        ...(rateHz === undefined ? {} : { rateHz }),
        ...(latencyMs === undefined ? {} : { latencyMs }),
      }),
    ),
    { topic: POLICY_STEP_TOPIC, type: POLICY_STEP, source: "policy", latched: false, countsGaps: false },
    ...(cell.policy === undefined || cell.policy.camera !== undefined
      ? []
      : [
          {
            topic: POLICY_READING_TOPIC,
            type: LABELLED_NUMBERS,
            source: "policy",
            latched: false,
            countsGaps: false,
          } satisfies RecorderInput,
        ]),
    ...(cell.gateway === "off" ? [] : [TELEOP]),
  ];
}
