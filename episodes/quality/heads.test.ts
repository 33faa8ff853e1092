import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { CdrWriter, ImageMessage, writeCompressedImage } from "../../core/rosWire.js";
import { POLICY_STEP, SERVO_TICK } from "../messages.js";
import {
  headKind,
  readClockOffsetNs,
  readCompressedHead,
  readImageHead,
  readStampNs,
  readStepHead,
  readTickHead,
  sampledHash,
} from "./heads.js";

const STAMP_NS = asEpochNs(1_800_000_000_123_456_789n);
const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};
/** Fields of 8 bytes begin 4 bytes on from a place divisible by 8: the encapsulation header does not count. */
const padded = (writer: CdrWriter, fieldsBytes: number) =>
  (fieldsBytes - 4) % 8 === 0 ? writer : writer.raw(new Uint8Array(8 - ((fieldsBytes - 4) % 8)));

function tickBytes(state: string, commander: string): Buffer {
  const head = new CdrWriter().stamp(STAMP_NS);
  head
    .raw(u64(4711n))
    .text(state)
    .u32(3)
    .text(commander)
    .u32(9)
    .u32(1)
    .stamp(asEpochNs(STAMP_NS - 2_000_000n));
  return padded(head, head.finish().length)
    .raw(u64(815n))
    .raw(u64(77_000_123n))
    .raw(new Uint8Array(40))
    .finish();
}
const readers = [
  readStampNs,
  readImageHead,
  readCompressedHead,
  readTickHead,
  readStepHead,
  readClockOffsetNs,
];

describe("heads of messages", () => {
  it("finds a tick's fields behind texts of any length", () => {
    for (const state of ["", "holding", "following", "x".repeat(33)])
      for (const commander of ["", "policy", "y".repeat(20)])
        expect(readTickHead(tickBytes(state, commander))).toEqual({
          tick: 4711,
          stateStampNs: STAMP_NS - 2_000_000n,
          stateSequence: 815,
          deviceTimeUs: 77_000_123,
        });
  });

  it("finds a step's image, a stamp, a clock's offset", () => {
    for (const refusal of ["", "staleFrame"]) {
      const step = new CdrWriter().stamp(STAMP_NS).text("reach").u32(7).u32(0).text(refusal).text("wrist");
      expect(readStepHead(step.stamp(asEpochNs(STAMP_NS - 30_000_000n)).finish())).toEqual({
        isRefused: refusal !== "",
        imageStampNs: STAMP_NS - 30_000_000n,
      });
    }
    expect(readStampNs(new CdrWriter().stamp(STAMP_NS).finish())).toBe(STAMP_NS);
    expect(readStampNs(new CdrWriter().stamp(asEpochNs(0n)).finish())).toBeUndefined();
    expect(readClockOffsetNs(new CdrWriter().raw(u64(5n)).raw(u64(105n)).finish())).toBe(100n);
  });

  it("finds form and content of pictures", () => {
    const image = new ImageMessage("frame", 64, 48, "bgr8", 192);
    expect(readImageHead(image.bytes)).toEqual({
      form: "64x48 bgr8",
      dataFrom: image.bytes.length - 192 * 48,
      dataEnd: image.bytes.length,
    });
    // ITU-T T.81: start of image, an application segment of 4 bytes, baseline frame of 480 lines by 640 samples.
    const jpeg = Buffer.from("ffd8ffe000040000ffc0001108 01e0 0280 03".replace(/ /g, ""), "hex");
    expect(readCompressedHead(writeCompressedImage(STAMP_NS, "f", "jpeg", jpeg))?.form).toBe("640x480 jpeg");
    // W3C PNG: signature, then IHDR with 848 by 480.
    const png = Buffer.from("89504e470d0a1a0a 0000000d 49484452 00000350 000001e0".replace(/ /g, ""), "hex");
    expect(readCompressedHead(writeCompressedImage(STAMP_NS, "f", "16UC1; png", png))?.form).toBe(
      "848x480 16UC1; png",
    );
    expect(readCompressedHead(writeCompressedImage(STAMP_NS, "f", "webp", Buffer.alloc(9)))?.form).toBe(
      "? webp",
    );
  });

  it("answers undefined at every shorter prefix of what it needs, and never throws", () => {
    const image = new ImageMessage("frame", 8, 2, "rgb8", 24).bytes;
    for (let length = 0; length < image.length; length++)
      expect(readImageHead(image.subarray(0, length))).toBeUndefined();
    const tick = tickBytes("holding", "policy");
    for (let length = 0; length < tick.length - 40; length++)
      expect(readTickHead(tick.subarray(0, length))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, offset) => {
        bytes.set([0, 1, 0, 0].slice(0, bytes.length));
        // As a part of a larger buffer, at any alignment.
        const inside = Buffer.concat([Buffer.alloc(offset), bytes, Buffer.alloc(64, 1)]).subarray(
          offset,
          offset + bytes.length,
        );
        for (const read of readers) expect(() => read(inside)).not.toThrow();
        expect(() => sampledHash(inside, 0, inside.length)).not.toThrow();
      }),
    );
  });

  it("knows which types begin with a stamp", () => {
    expect(headKind("sensor_msgs/msg/Image")).toBe("image");
    expect(headKind("sensor_msgs/msg/CompressedImage")).toBe("compressed");
    expect(headKind(SERVO_TICK)).toBe("tick");
    expect(headKind(POLICY_STEP)).toBe("step");
    for (const type of [
      "sensor_msgs/msg/JointState",
      "geometry_msgs/msg/PoseStamped",
      "cerebellum_msgs/msg/Event",
    ])
      expect(headKind(type)).toBe("stamped");
    for (const type of [
      "tf2_msgs/msg/TFMessage",
      "std_msgs/msg/String",
      "sensor_msgs/msg/RegionOfInterest",
      "",
    ])
      expect(headKind(type)).toBe("plain");
  });
});

describe("sampledHash", () => {
  const pixels = () => {
    const bytes = new Uint8Array(640 * 480 * 3 + 13);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2654435761) >>> 24;
    return bytes;
  };
  it("sees any change of 32 bytes side by side in a large picture", () => {
    const bytes = pixels();
    const before = sampledHash(bytes, 13, bytes.length);
    expect(sampledHash(bytes.slice(13), 0, bytes.length - 13)).toBe(before);
    for (let at = 13; at + 32 <= bytes.length; at += 7919) {
      const changed = bytes.slice();
      for (let i = 0; i < 32; i++) changed[at + i]! ^= 0x55;
      expect(sampledHash(changed, 13, bytes.length)).not.toBe(before);
    }
  });
  it("sees every single bit of a small content, and its length", () => {
    const bytes = pixels().subarray(0, 61);
    const hashes = new Set([sampledHash(bytes, 0, 61), sampledHash(bytes, 0, 60)]);
    for (let bit = 0; bit < 61 * 8; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      hashes.add(sampledHash(changed, 0, 61));
    }
    expect(hashes.size).toBe(2 + 61 * 8);
  });
});
