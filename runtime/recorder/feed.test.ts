import { describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../core/clock.js";
import { RecorderFeed } from "./feed.js";
import type { RecorderInput } from "./messages.js";
import { RingReader } from "./ring.js";

const ros = { type: "std_msgs/msg/String", source: "ros", countsGaps: false } as const;
const INPUTS: readonly RecorderInput[] = [
  { ...ros, topic: "/moving", latched: false },
  { ...ros, topic: "/tf_static", latched: true },
];
const at = (ns: number) => asMonotonicNs(BigInt(ns));

function start() {
  const feed = new RecorderFeed(1e6, INPUTS, []);
  const reader = new RingReader(feed.ring);
  const taken = () => {
    const all: [number, bigint, number[]][] = [];
    while (reader.take((topic, receivedNs, cdr) => all.push([topic, receivedNs, [...cdr]])));
    return all;
  };
  return { feed, taken };
}

describe("feed of the recorder", () => {
  it("passes on only while an episode runs, and only topics of the cell", () => {
    const { feed, taken } = start();
    feed.write("/moving", at(1), Uint8Array.of(1), false);
    feed.write("/unknown", at(2), Uint8Array.of(2), true);
    feed.write("/moving", at(3), Uint8Array.of(3), true);
    expect(taken()).toEqual([[0, 3n, [3]]]);
  });

  it("gives each episode the latched messages of all publishers, as they were when they came", () => {
    const { feed, taken } = start();
    const reused = Uint8Array.of(1);
    feed.write("/tf_static", at(1), reused, false);
    reused[0] = 2;
    feed.write("/tf_static", at(2), reused, false);
    for (let episode = 0; episode < 2; episode++) {
      feed.giveLatched();
      expect(taken()).toEqual([
        [1, 1n, [1]],
        [1, 2n, [2]],
      ]);
    }
  });

  it("keeps a message that is published again once, and a bounded number in all", () => {
    const { feed, taken } = start();
    for (let time = 0; time < 5; time++) feed.write("/tf_static", at(time), Uint8Array.of(9), false);
    feed.giveLatched();
    expect(taken()).toEqual([[1, 4n, [9]]]);
    for (let index = 0; index < 100; index++)
      feed.write("/tf_static", at(index), Uint8Array.of(1, index), false);
    feed.giveLatched();
    expect(taken()).toHaveLength(64);
  });
});
