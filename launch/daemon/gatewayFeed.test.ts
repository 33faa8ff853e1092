import { describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { RingReader } from "../../runtime/recorder/ring.js";
import type { RosNode } from "../../runtime/ros/rosRuntime.js";
import { cellFileOf } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { fedTopics, GatewayFeed, offeredTopics } from "./gatewayFeed.js";

const TOPICS = [
  { topic: "/arm/joint_states", type: "sensor_msgs/msg/JointState", latched: "no" as const },
  { topic: "/arm/robot_description", type: "std_msgs/msg/String", latched: "newest" as const },
  { topic: "/tf_static", type: "tf2_msgs/msg/TFMessage", latched: "each" as const },
];
const JOINTS = 0;
const DESCRIPTION = 1;
const STATIC = 2;

function started(prefixes: readonly string[] = []) {
  const clock = new SimClock();
  const troubles: string[] = [];
  const feed = new GatewayFeed({
    topics: TOPICS,
    prefixes,
    clock,
    isServed: true,
    onTrouble: (text) => troubles.push(text),
  });
  const reader = new RingReader(feed.ring);
  const taken = () => {
    const all: [number, number][] = [];
    while (reader.take((topic, _, bytes) => all.push([topic, bytes[0]!])));
    return all;
  };
  const tap = (topic: number, value: number) =>
    feed.tap(TOPICS[topic]!.topic, clock.nowNs(), Uint8Array.of(value));
  return { feed, clock, taken, tap, troubles };
}

describe("the gateway's feed", () => {
  it("copies nothing while nobody watches, and then what is watched", () => {
    const { feed, taken, tap } = started();
    tap(JOINTS, 1);
    feed.watch([]);
    tap(JOINTS, 2);
    expect(taken()).toEqual([]);
    feed.watch([JOINTS]);
    tap(JOINTS, 3);
    feed.tap("/elsewhere", 0n as never, Uint8Array.of(9));
    expect(taken()).toEqual([[JOINTS, 3]]);
    feed.watch([]);
    tap(JOINTS, 4);
    expect(taken()).toEqual([]);
  });

  it("gives what was latched to who comes later, once: one publisher's newest, or one of each", () => {
    const { feed, taken, tap } = started();
    for (const value of [1, 2]) tap(DESCRIPTION, value);
    for (const value of [5, 6, 5]) tap(STATIC, value);
    feed.watch([DESCRIPTION, STATIC]);
    expect(taken()).toEqual([
      [DESCRIPTION, 2],
      [STATIC, 6],
      [STATIC, 5],
    ]);
    feed.watch([DESCRIPTION, STATIC, JOINTS]);
    expect(taken()).toEqual([]);
  });

  it("publishes although a message of its own cannot be shown, and says so once", () => {
    const { feed, troubles } = started();
    const published: object[] = [];
    const node = { publisher: () => ({ publish: (message: object) => published.push(message) }) } as unknown;
    const stub = () => () => {};
    const full = { subscribe: stub, subscribeRaw: stub, service: stub, readOnlyParameter: stub };
    const publisher = feed
      .publishing({ ...full, ...(node as object) } as unknown as RosNode)
      .publisher("std_msgs/msg/String", "/arm/robot_description", "latched");
    publisher.publish({ data: "x" });
    publisher.publish({ data: "y" });
    expect(published.length).toBe(2);
    expect(troubles.length).toBe(1);
    expect(troubles[0]).toContain("/arm/robot_description");
  });

  it("offers the cell's topics once each, and takes the transforms where they come from", () => {
    const cell = loadCell("launch/cells/xarm7-lab.yaml");
    const topics = offeredTopics(cell).map(({ topic }) => topic);
    expect(new Set(topics).size).toBe(topics.length);
    expect(topics).toEqual(
      expect.arrayContaining([
        "/arm/joint_states",
        "/arm/joint_command",
        "/arm/servo_state",
        "/tf",
        "/tf_static",
        "/camera/wrist/color/image_raw",
        "/camera/wrist/color/camera_info",
        "/cerebellum/policy_status",
        "/cerebellum/recorder_status",
        "/cerebellum/teleop_input",
      ]),
    );
    expect(fedTopics(cell)).not.toContain("/tf");
    expect(fedTopics({ ...cell, recorder: "off" })).toContain("/tf");
  });

  it("offers a hand's fingertips, and takes them where they are published", () => {
    const cell = loadCell(cellFileOf("xarm7-allegro-lab"));
    const tips = offeredTopics(cell).filter(({ topic }) => topic.endsWith("/fingertips"));
    expect(tips).toEqual([{ topic: "/hand/fingertips", type: "geometry_msgs/msg/PoseArray", latched: "no" }]);
    expect(fedTopics(cell).has("/hand/fingertips")).toBe(true);
    expect(fedTopics(cell).has("/arm/fingertips")).toBe(false);
  });

  it("offers the inertial sensor of a robot on legs, and takes it where it is published", () => {
    const cell = loadCell(cellFileOf("digit-lab"));
    const imus = offeredTopics(cell).filter(({ topic }) => topic.endsWith("/imu"));
    expect(imus).toEqual([{ topic: "/digit/imu", type: "sensor_msgs/msg/Imu", latched: "no" }]);
    expect(fedTopics(cell).has("/digit/imu")).toBe(true);
  });
});
