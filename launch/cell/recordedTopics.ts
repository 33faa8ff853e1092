/** Topics that every episode of a cell has, so that `recorder.topics` cannot name one a second time. */
import {
  CLOCK_TOPIC,
  POLICY_READING_TOPIC,
  POLICY_STEP_TOPIC,
  policyInputTopic,
  RECORDER_EVENT_TOPIC,
  servoEventTopic,
  servoTickTopic,
  TELEOP_INPUT_TOPIC,
} from "../../episodes/messages.js";
import { imageTopicOf, infoTopicOf } from "../../runtime/ros/cameraSubscription.js";

/** What the daemon publishes for a robot, and the recorder takes where it is made. */
export const publishedTopics = (robot: string) =>
  ({
    jointStates: `/${robot}/joint_states`,
    jointCommand: `/${robot}/joint_command`,
    description: `/${robot}/robot_description`,
  }) as const;

/** Also published of a hand; not recorded, because its joints say the same. */
export const fingertipsTopic = (robot: string): string => `/${robot}/fingertips`;

/** Also published of a robot on legs, and recorded: nothing else has its turn rate and specific force. */
export const imuTopic = (robot: string): string => `/${robot}/imu`;

export const TRANSFORM_TOPIC = "/tf";
export const STATIC_TRANSFORM_TOPIC = "/tf_static";

export function recordedTopics(cell: {
  readonly robots: Readonly<Record<string, unknown>>;
  readonly cameras: Readonly<Record<string, { readonly topic: string }>>;
}): ReadonlySet<string> {
  return new Set([
    TRANSFORM_TOPIC,
    STATIC_TRANSFORM_TOPIC,
    POLICY_STEP_TOPIC,
    POLICY_READING_TOPIC,
    TELEOP_INPUT_TOPIC,
    RECORDER_EVENT_TOPIC,
    CLOCK_TOPIC,
    ...Object.keys(cell.robots).flatMap((robot) => [
      ...Object.values(publishedTopics(robot)),
      imuTopic(robot),
      servoTickTopic(robot),
      servoEventTopic(robot),
    ]),
    ...Object.entries(cell.cameras).flatMap(([camera, { topic }]) => [
      imageTopicOf(topic),
      `${imageTopicOf(topic)}/compressed`,
      infoTopicOf(topic),
      policyInputTopic(camera),
    ]),
  ]);
}
