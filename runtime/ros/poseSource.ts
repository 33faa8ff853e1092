/**
 * A tracker whose poses come over ROS, for instance of libsurvive: PoseStamped and Joy become pose messages as any other
 * source's, and the deadman holds for them alike. The publisher's stamps are the source's clock, and tell what was
 * repeated or overtaken, because these messages have no numbers.
 */
import type { Clock, EpochNs, MonotonicNs } from "../../core/clock.js";
import { nsToMs } from "../../core/clock.js";
import { readJoy, readPoseStamped } from "../../core/rosWire.js";
import { type PoseMessage, parsePose } from "../../core/teleop/pose.js";
import type { TeleopConfig } from "../teleop/config.js";
import type { RosNode } from "./rosRuntime.js";

export type RosPoseConfig = TeleopConfig["rosSources"][number];

/** Buttons older than this vouch for nothing: a joy node that hangs would hold the clutch for ever. */
export const JOY_AGE_MS_MAX = 500;
/** Stamps that lie further back than what networks reorder are another clock: the publisher has started again. */
const BACK_MS_MAX = 1000;

export interface RosPoseListener {
  readonly onPose: (pose: PoseMessage, receivedNs: MonotonicNs) => void;
  readonly onMalformed: (device: string, why: string) => void;
}

export class RosPoseSource {
  readonly #config: RosPoseConfig;
  readonly #listener: RosPoseListener;
  /** Random, so that poses of another run of the daemon never look like these. */
  readonly #name: string;
  #restarts = 0;
  #seq = 0;
  #firstNs: EpochNs | undefined;
  #newestNs: EpochNs | undefined;
  #buttons: readonly number[] = [];
  #buttonsMs = Number.NEGATIVE_INFINITY;

  constructor(config: RosPoseConfig, name: string, listener: RosPoseListener) {
    this.#config = config;
    this.#name = name;
    this.#listener = listener;
  }

  joy(bytes: Uint8Array, receivedNs: MonotonicNs): void {
    const joy = readJoy(bytes);
    if (!joy.ok) {
      this.#buttonsMs = Number.NEGATIVE_INFINITY;
      this.#listener.onMalformed(this.#config.device, joy.reason);
      return;
    }
    this.#buttons = joy.value.buttons;
    this.#buttonsMs = nsToMs(receivedNs);
  }

  pose(bytes: Uint8Array, receivedNs: MonotonicNs): void {
    const { device, hand, clutchButton, gripperButton } = this.#config;
    const read = readPoseStamped(bytes);
    if (!read.ok) {
      this.#listener.onMalformed(device, read.reason);
      return;
    }
    const { stampNs, positionM, quatXyzw } = read.value;
    this.#count(stampNs);
    // A clutch that is not there has not been opened.
    const isAttended =
      nsToMs(receivedNs) - this.#buttonsMs <= JOY_AGE_MS_MAX && this.#buttons[clutchButton] !== undefined;
    const parsed = parsePose({
      v: 1,
      source: "ros",
      device,
      session: `ros-${this.#name}-${this.#restarts}`,
      seq: this.#seq,
      deviceTimeMs: Math.max(0, nsToMs(stampNs - this.#firstNs!)),
      space: "ros",
      visibility: "visible",
      head: null,
      hands: [
        {
          hand,
          mode: "controller",
          tracked: isAttended,
          pose: { positionM, quatXyzw },
          clutch: this.#buttons[clutchButton] === 1 ? 1 : 0,
          gripper: this.#buttons[gripperButton] === 1 ? 1 : 0,
          buttons: { a: false, b: false, stick: false },
          stick: [0, 0],
          joints: null,
        },
      ],
    });
    if (parsed.ok) this.#listener.onPose(parsed.message, receivedNs);
    else this.#listener.onMalformed(device, parsed.why);
  }

  /** A newer stamp is the next number; an older or repeated one is that of a pose that was there already. */
  #count(stampNs: EpochNs): void {
    const newestNs = this.#newestNs;
    if (newestNs === undefined || nsToMs(newestNs - stampNs) > BACK_MS_MAX) {
      if (newestNs !== undefined) this.#restarts++;
      this.#firstNs = stampNs;
      this.#newestNs = stampNs;
      this.#seq = 1;
    } else if (stampNs > newestNs) {
      this.#newestNs = stampNs;
      this.#seq++;
    }
  }
}

/** Subscribes to the tracker's topics. Returns its own undo. @throws CerebellumError ROS_UNAVAILABLE */
export function subscribePoseSource(
  node: RosNode,
  source: RosPoseSource,
  config: RosPoseConfig,
  clock: Clock,
) {
  // Best effort takes what reliable publishers send, and what others do.
  const undo = [
    node.subscribeRaw("geometry_msgs/msg/PoseStamped", config.poseTopic, "sensor", (bytes) =>
      source.pose(bytes, clock.nowNs()),
    ),
    node.subscribeRaw("sensor_msgs/msg/Joy", config.joyTopic, "sensor", (bytes) =>
      source.joy(bytes, clock.nowNs()),
    ),
  ];
  return () => {
    for (const one of undo) one();
  };
}
