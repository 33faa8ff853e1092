import { expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { subscribeTopics, tapPublishers } from "./rawTopics.js";
import { FakeNode } from "./testing.js";

it("what a node publishes as bytes on a named topic is tapped, and published as before", () => {
  const [clock, node, tapped] = [new SimClock(), new FakeNode(), [] as unknown[]];
  const both = tapPublishers(node, new Set(["/arm/joint_states"]), clock, (...all) => tapped.push(all));
  const bytes = Uint8Array.of(1, 2);
  both.publisher("sensor_msgs/msg/JointState", "/arm/joint_states", "reliable").publish(bytes);
  both.publisher("sensor_msgs/msg/JointState", "/arm/joint_states", "reliable").publish({ name: [] });
  both.publisher("tf2_msgs/msg/TFMessage", "/tf", "reliable").publish(bytes);
  expect(tapped).toEqual([["/arm/joint_states", clock.nowNs(), bytes]]);
  expect(node.published.map(({ topic }) => topic)).toEqual(["/arm/joint_states", "/arm/joint_states", "/tf"]);
  both.subscribe("std_msgs/msg/Empty", "/stop", "reliable", () => {});
  both.readOnlyParameter("a", 1);
  expect([[...node.listeners.keys()], node.parameters.get("a")]).toEqual([["/stop"], 1]);
});

it("topics of other nodes are tapped raw with their time of receipt, until it is undone", async () => {
  const [clock, node, tapped] = [new SimClock(), new FakeNode(), [] as unknown[]];
  const topics = [
    { topic: "/tf", type: "tf2_msgs/msg/TFMessage", qos: "reliable" },
    { topic: "/force", type: "geometry_msgs/msg/Wrench", qos: "sensor" },
  ] as const;
  const undo = subscribeTopics(node, topics, clock, (...all) => tapped.push(all));
  await clock.advance(5);
  node.listeners.get("/force")!(Uint8Array.of(3));
  expect(tapped).toEqual([["/force", clock.nowNs(), Uint8Array.of(3)]]);
  undo();
  expect(node.listeners.size).toBe(0);
});
