/** What the recorder relies on: memory does not grow with the length of an episode, and no message can stop it. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { CdrWriter } from "../../core/rosWire.js";
import { chance } from "../../test/support/episodes/delays.js";
import type { RecordedTopic } from "../format.js";
import { CLOCK_MAPPING, POLICY_STEP, SERVO_TICK } from "../messages.js";
import { clockChanges, DelayTrack } from "./delayTrack.js";
import { EpisodeQuality } from "./episodeQuality.js";

const EPOCH_NS = 1_800_000_000_000_000_000n;

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}

describe("EpisodeQuality", () => {
  it("takes a million messages, and keeps as much as after the first thousand", () => {
    const topic = {
      topic: "/arm/joint_states",
      type: "sensor_msgs/msg/JointState",
      source: "ros",
      rateHz: 1000,
    } as const;
    const quality = new EpisodeQuality([topic]);
    const bytes = new CdrWriter().stamp(asEpochNs(EPOCH_NS)).text("").u32(0).u32(0).u32(0).u32(0).finish();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const random = chance(1);
    let index = 0;
    const observe = (count: number) => {
      for (const end = index + count; index < end; index++) {
        const stampNs = EPOCH_NS + BigInt(index) * 1_000_000n;
        view.setInt32(4, Number(stampNs / 1_000_000_000n), true);
        view.setUint32(8, Number(stampNs % 1_000_000_000n), true);
        quality.observe(topic.topic, stampNs, stampNs + BigInt(Math.floor(3e6 + 5e5 * random())), bytes);
      }
    };
    observe(1000);
    const before = heapBytes();
    observe(999_000);
    expect(heapBytes() - before).toBeLessThan(1e6);
    const { topics, flags } = quality.finish({});
    expect(flags).toEqual([]);
    expect(topics[topic.topic]).toMatchObject({ count: 1_000_000, repeatedContents: 999_999, gaps: 0 });
    expect(topics[topic.topic]!.rateHz).toBeCloseTo(1000, 6);
    expect(Math.abs(topics[topic.topic]!.clock.driftPpm!)).toBeLessThan(0.1);
  });

  it("survives any bytes and any times on any topic, and says it in finite numbers", () => {
    const types = [
      "sensor_msgs/msg/Image",
      "sensor_msgs/msg/CompressedImage",
      "sensor_msgs/msg/JointState",
      SERVO_TICK,
      POLICY_STEP,
      CLOCK_MAPPING,
      "",
    ];
    const topics = types.map(
      (type, i): RecordedTopic => ({ topic: `/${i}`, type, source: "ros", rateHz: 30 }),
    );
    const message = fc.record({
      topic: fc.nat(types.length),
      publishNs: fc.bigInt({ min: 0n, max: 2n ** 63n }),
      stepNs: fc.bigInt({ min: 0n, max: 10n ** 11n }),
      bytes: fc.uint8Array({ maxLength: 120 }),
      isCdr: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
        const quality = new EpisodeQuality(topics);
        let logNs = EPOCH_NS;
        for (const { topic, publishNs, stepNs, bytes, isCdr } of messages) {
          logNs += stepNs;
          if (isCdr) bytes.set([0, 1, 0, 0].slice(0, bytes.length));
          quality.observe(`/${topic}`, publishNs, logNs, bytes);
        }
        const result = quality.finish({});
        expect(JSON.stringify(quality.topics())).not.toMatch(/NaN|Infinity/);
        expect(JSON.parse(JSON.stringify(result))).toEqual(result);
        const counts = Object.values(result.topics).reduce((sum, { count }) => sum + count, 0);
        expect(counts).toBe(messages.length);
      }),
    );
  });
});

describe("DelayTrack", () => {
  it("keeps the fastest message of every stretch when windows are joined", () => {
    const track = new DelayTrack();
    const random = chance(2);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 200_000; i++) {
      const delayNs = 5e6 + 1e8 * random();
      least = Math.min(least, delayNs);
      track.add(i * 2e7, delayNs, 0);
    }
    const windows = track.windows();
    expect(windows.length).toBeLessThanOrEqual(1024);
    expect(windows.length).toBeGreaterThan(256);
    expect(Math.min(...windows.map(({ delayNs }) => delayNs))).toBe(least);
    expect(windows.every(({ atNs }, at) => at === 0 || atNs > windows[at - 1]!.atNs)).toBe(true);
    expect(clockChanges(windows, 20e6)).toEqual([]);
  });

  it("tells a clock that was set from a network that stalled and from a path that became slower", () => {
    const changesOf = (delayMs: (atS: number) => number, jump: (atS: number) => number) => {
      const track = new DelayTrack();
      for (let i = 0; i < 900; i++) track.add((i * 1e9) / 30, 1e6 * delayMs(i / 30), 1e6 * jump(i / 30));
      return clockChanges(track.windows(), 20e6).map(({ atNs, byNs, kind }) => [
        Math.round(atNs / 1e8) / 10,
        byNs / 1e6,
        kind,
      ]);
    };
    const at15 = (atS: number) => Math.abs(atS - 15) < 0.001;
    expect(
      changesOf(
        () => 12,
        () => 0,
      ),
    ).toEqual([]);
    expect(
      changesOf(
        (atS) => (atS < 15 ? 62 : 12),
        (atS) => (at15(atS) ? 50 : 0),
      ),
    ).toEqual([[15, 50, "step"]]);
    expect(
      changesOf(
        (atS) => (atS < 15 ? 12 : 62),
        (atS) => (at15(atS) ? -50 : 0),
      ),
    ).toEqual([[15, -50, "step"]]);
    expect(
      changesOf(
        (atS) => (atS < 15 ? 12 : 62),
        () => 0,
      ),
    ).toEqual([[15, -50, "delay"]]);
    expect(
      changesOf(
        (atS) => (atS < 15 || atS > 18 ? 12 : 400),
        () => 0,
      ),
    ).toEqual([]);
    expect(
      changesOf(
        (atS) => (atS < 15 ? 12 : 30),
        () => 0,
      ),
    ).toEqual([]);
    // Lost messages leave a long interval, but delays as they were.
    expect(
      changesOf(
        () => 12,
        (atS) => (at15(atS) ? 500 : 0),
      ),
    ).toEqual([]);
  });
});
