/**
 * ROS messages for the gateway's Foxglove clients, on the main thread: taken where the daemon receives and publishes them
 * anyway, and copied only while somebody watches their topic. No subscription is made for it.
 */
import type { Logger } from "pino";
import type { Clock, MonotonicNs } from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { type RosCodec, type RosMessage, rosCodec } from "../../episodes/rosCodec.js";
import type { OfferedTopic } from "../../runtime/gateway/messages.js";
import { LatchedMessages } from "../../runtime/latched.js";
import { createRing, RingWriter } from "../../runtime/recorder/ring.js";
import { imageTopicOf, infoTopicOf } from "../../runtime/ros/cameraSubscription.js";
import type { RosNode } from "../../runtime/ros/rosRuntime.js";
import {
  fingertipsTopic,
  imuTopic,
  publishedTopics,
  STATIC_TRANSFORM_TOPIC,
  TRANSFORM_TOPIC,
} from "../cell/recordedTopics.js";
import { digitsOf, handsOf } from "../cell/robotConfig.js";
import type { CellConfig } from "../cell/schema.js";

/** A fifth of a second of three colour cameras of 640 x 480 at 30 Hz. */
const RING_BYTES = 16 * 2 ** 20;
const TELEOP_TOPIC = "/cerebellum/teleop_input";

/** What a Foxglove client can have. */
export function offeredTopics(cell: CellConfig): OfferedTopic[] {
  const live = (topic: string, type: string): OfferedTopic => ({ topic, type, latched: "no" });
  const latched = (topic: string, type: string): OfferedTopic => ({ topic, type, latched: "newest" });
  return [
    ...Object.keys(cell.robots).flatMap((robot) => {
      const { jointStates, jointCommand, description } = publishedTopics(robot);
      return [
        live(jointStates, "sensor_msgs/msg/JointState"),
        live(jointCommand, "sensor_msgs/msg/JointState"),
        live(`/${robot}/servo_state`, "cerebellum_msgs/msg/ServoState"),
        latched(description, "std_msgs/msg/String"),
      ];
    }),
    ...handsOf(cell.robots).map(([robot]) => live(fingertipsTopic(robot), "geometry_msgs/msg/PoseArray")),
    ...digitsOf(cell.robots).map(([robot]) => live(imuTopic(robot), "sensor_msgs/msg/Imu")),
    live(TRANSFORM_TOPIC, "tf2_msgs/msg/TFMessage"),
    { topic: STATIC_TRANSFORM_TOPIC, type: "tf2_msgs/msg/TFMessage", latched: "each" },
    ...Object.values(cell.cameras).flatMap(({ topic }) => [
      live(imageTopicOf(topic), "sensor_msgs/msg/Image"),
      live(infoTopicOf(topic), "sensor_msgs/msg/CameraInfo"),
    ]),
    ...(cell.policy === undefined
      ? []
      : [latched("/cerebellum/policy_status", "cerebellum_msgs/msg/PolicyStatus")]),
    ...(cell.recorder === "off"
      ? []
      : [
          latched("/cerebellum/recorder_status", "cerebellum_msgs/msg/RecorderStatus"),
          ...cell.recorder.topics.map(({ topic, type, qos }) =>
            qos === "latched" ? latched(topic, type) : live(topic, type),
          ),
        ]),
    live("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray"),
    live(TELEOP_TOPIC, "cerebellum_msgs/msg/TeleopInput"),
  ];
}

/**
 * What the daemon publishes as bytes and the feed takes there. Where the recorder subscribes to the transforms, they
 * come to the feed with that subscription.
 */
export function fedTopics(cell: CellConfig): ReadonlySet<string> {
  const own = [
    ...Object.keys(cell.robots).flatMap((robot) => Object.values(publishedTopics(robot))),
    ...handsOf(cell.robots).map(([robot]) => fingertipsTopic(robot)),
    ...digitsOf(cell.robots).map(([robot]) => imuTopic(robot)),
  ];
  return new Set(cell.recorder === "off" ? [...own, TRANSFORM_TOPIC, STATIC_TRANSFORM_TOPIC] : own);
}

/** Undefined for a cell without a gateway. */
export function openGatewayFeed(cell: CellConfig, clock: Clock, log: Logger): GatewayFeed | undefined {
  if (cell.gateway === "off") return undefined;
  return new GatewayFeed({
    clock,
    topics: offeredTopics(cell),
    prefixes: (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== ""),
    isServed: cell.gateway.foxglove !== "off",
    onTrouble: (text) => log.warn({ event: "foxglove" }, text),
  });
}

export interface GatewayFeedOptions {
  readonly topics: readonly OfferedTopic[];
  /** Where message definitions are. */
  readonly prefixes: readonly string[];
  readonly clock: Clock;
  /** False makes the smallest ring there is: nobody will ever watch. */
  readonly isServed: boolean;
  /** A topic that cannot be shown; once for each. */
  readonly onTrouble: (text: string) => void;
}

export class GatewayFeed {
  readonly ring: SharedArrayBuffer;
  readonly topics: readonly OfferedTopic[];
  readonly #options: GatewayFeedOptions;
  readonly #writer: RingWriter;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #latched = new LatchedMessages();
  readonly #codecs = new Map<string, RosCodec>();
  readonly #troubled = new Set<number>();
  #watched: ReadonlySet<number> = new Set();

  constructor(options: GatewayFeedOptions) {
    this.#options = options;
    this.topics = options.topics;
    this.ring = createRing(options.isServed ? RING_BYTES : 0, options.topics.length);
    this.#writer = new RingWriter(this.ring);
    this.#numbers = new Map(options.topics.map(({ topic }, number) => [topic, number]));
  }

  /** A message as bytes, received or published; other topics are not meant. */
  readonly tap = (topic: string, receivedNs: MonotonicNs, cdr: Uint8Array): void => {
    const number = this.#numbers.get(topic);
    if (number === undefined) return;
    this.#latched.keep(number, this.topics[number]!.latched, receivedNs, cdr);
    if (this.#watched.has(number)) this.#writer.write(number, receivedNs, cdr);
  };

  /** The same node, but what it publishes as message objects on our topics is also encoded while it is watched. */
  publishing(node: RosNode): RosNode {
    return {
      publisher: (type, topic, qos) => {
        const publisher = node.publisher(type, topic, qos);
        const number = this.#numbers.get(topic);
        if (number === undefined) return publisher;
        return {
          publish: (message) => {
            publisher.publish(message);
            if (message instanceof Uint8Array || this.#troubled.has(number)) return;
            try {
              this.#take(number, message as RosMessage);
            } catch (thrown) {
              // Who looks on must not cost who publishes.
              this.#troubled.add(number);
              this.#options.onTrouble(`${topic} is not shown: ${errorText(thrown)}`);
            }
          },
        };
      },
      subscribe: node.subscribe.bind(node),
      subscribeRaw: node.subscribeRaw.bind(node),
      service: node.service.bind(node),
      readOnlyParameter: node.readOnlyParameter.bind(node),
    };
  }

  /** From now on these are wanted, by their place in `topics`; what is latched comes at once for those that are new. */
  watch(numbers: readonly number[]): void {
    const before = this.#watched;
    this.#watched = new Set(numbers);
    for (const { topic, receivedNs, cdr } of this.#latched.all())
      if (this.#watched.has(topic) && !before.has(topic)) this.#writer.write(topic, receivedNs, cdr);
  }

  #take(number: number, message: RosMessage): void {
    const { latched, type } = this.topics[number]!;
    if (!this.#options.isServed || (latched === "no" && !this.#watched.has(number))) return;
    const cdr = this.#codec(type).encode(message);
    const nowNs = this.#options.clock.nowNs();
    this.#latched.keep(number, latched, nowNs, cdr);
    if (this.#watched.has(number)) this.#writer.write(number, nowNs, cdr);
  }

  #codec(type: string): RosCodec {
    let codec = this.#codecs.get(type);
    if (codec === undefined) {
      codec = rosCodec(type, rosDefinition(type, this.#options.prefixes));
      this.#codecs.set(type, codec);
    }
    return codec;
  }
}
