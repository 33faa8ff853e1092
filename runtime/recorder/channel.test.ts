import { describe, expect, it } from "vitest";
import { addNs, asEpochNs, asMonotonicNs, msToNs } from "../../core/clock.js";
import { CdrWriter, type ImageView } from "../../core/rosWire.js";
import { Channel, type ChannelOptions } from "./channel.js";

const START_NS = asMonotonicNs(10n ** 12n);
const at = (ms: number) => addNs(START_NS, msToNs(ms));
const stamped = (ms: number) => new CdrWriter().stamp(asEpochNs(10n ** 18n + msToNs(ms))).finish();

function channel(options: Partial<ChannelOptions> = {}) {
  return new Channel({
    topic: { topic: "/t", type: "sensor_msgs/msg/Image", source: "ros", rateHz: 20 },
    isStamped: true,
    countsGaps: true,
    droppedQueue: () => 0,
    ...options,
  });
}

describe("channel", () => {
  it("accounts for every message: received = written + dropped, and what is under way", () => {
    let dropped = 5;
    const one = channel({ droppedQueue: () => dropped });
    for (let index = 0; index < 10; index++) one.arrived(at(50 * index), stamped(50 * index));
    for (let index = 0; index < 6; index++) one.written(100);
    one.notEncoded();
    one.notTaken();
    one.notTaken();
    dropped = 8;
    // One of ten is still under compression; the queue has dropped three since this episode began.
    expect(one.counters()).toEqual({
      received: 13,
      written: 6,
      bytes: 600,
      lostBefore: 0,
      droppedQueue: 3,
      droppedEncode: 1,
      droppedDisk: 2,
    });
  });

  it("counts what is missing between stamps, but not jitter", () => {
    const one = channel();
    for (const ms of [0, 50, 112, 140, 205, 250, 400, 450]) one.arrived(at(ms), stamped(ms));
    one.ended();
    expect(one.counters().lostBefore).toBe(2);
  });

  it("does not count again what the queue has dropped", () => {
    let dropped = 0;
    const one = channel({ droppedQueue: () => dropped });
    for (const ms of [0, 50, 250, 300]) one.arrived(at(ms), stamped(ms));
    dropped = 2;
    one.ended();
    expect(one.counters()).toMatchObject({ lostBefore: 1, droppedQueue: 2 });
  });

  it("counts nothing by stamps for a source that keeps no rate, and takes the word of who knows", () => {
    const one = channel({ countsGaps: false });
    for (const ms of [0, 500, 2000]) one.arrived(at(ms), stamped(ms));
    expect(one.counters().lostBefore).toBe(0);
    one.lost(4);
    one.lost(1);
    expect(one.counters().lostBefore).toBe(5);
  });

  it("counts a loss that is told and seen once", () => {
    const one = channel();
    one.arrived(at(0), stamped(0));
    one.arrived(at(150), stamped(150));
    one.lost(2);
    one.ended();
    expect(one.counters().lostBefore).toBe(2);
  });

  it("reads the stamp, and knows none where there is none", () => {
    expect(channel().arrived(at(0), stamped(7))).toBe(10n ** 18n + msToNs(7));
    expect(channel({ isStamped: false }).arrived(at(0), stamped(7))).toBeUndefined();
    expect(channel().arrived(at(0), new Uint8Array(3))).toBeUndefined();
    expect(channel().arrived(at(0), new CdrWriter().u32(0).u32(0).finish())).toBeUndefined();
    expect(
      channel().arrived(
        at(0),
        new CdrWriter()
          .u32(2 ** 31)
          .u32(0)
          .finish(),
      ),
    ).toBeUndefined();
  });

  it("tells once that a topic has vanished and once that it is back", () => {
    const one = channel();
    one.arrived(at(0), stamped(0));
    expect(one.silence(START_NS, at(900))).toBeUndefined();
    expect(one.silence(START_NS, at(1100))).toMatchObject({
      vanished: true,
      text: expect.stringContaining("1.1 s"),
    });
    expect(one.silence(START_NS, at(1500))).toBeUndefined();
    one.arrived(at(1600), stamped(1600));
    expect(one.silence(START_NS, at(1700))).toEqual({ vanished: false, text: "/t comes again" });
  });

  it("waits longer for one that has never come, and for slow ones", () => {
    expect(channel().silence(START_NS, at(2900))).toBeUndefined();
    expect(channel().silence(START_NS, at(3100))?.text).toMatch(
      /has not come since the start, expected at 20 Hz/,
    );
    const slow = channel({ topic: { topic: "/s", type: "x/msg/Y", source: "ros", rateHz: 0.5 } });
    slow.arrived(at(0), stamped(0));
    expect(slow.silence(START_NS, at(19_000))).toBeUndefined();
    expect(slow.silence(START_NS, at(21_000))?.vanished).toBe(true);
    const irregular = channel({ topic: { topic: "/e", type: "x/msg/Y", source: "ros" } });
    expect(irregular.silence(START_NS, at(1e6))).toBeUndefined();
  });

  it("tells a change of an image's size or encoding, not the first image", () => {
    const one = channel();
    const image = (widthPx: number, encoding: string) =>
      one.imageChange({ widthPx, heightPx: 480, encoding } as ImageView);
    expect(image(640, "rgb8")).toBeUndefined();
    expect(image(640, "rgb8")).toBeUndefined();
    expect(image(320, "rgb8")).toBe("/t changed from 640x480 rgb8 to 320x480 rgb8");
    expect(image(320, "bgr8")).toMatch(/to 320x480 bgr8/);
    const told = Array.from({ length: 100 }, (_, index) => image(index % 2, "rgb8")).filter(Boolean);
    expect(told).toHaveLength(18);
  });
});
