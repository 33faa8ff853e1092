import { describe, expect, it } from "vitest";
import { asEpochNs } from "./clock.js";
import {
  CdrWriter,
  ImageMessage,
  readCameraInfoSize,
  readImage,
  readJointState,
  readLeadingStamp,
  writeCompressedImage,
} from "./rosWire.js";

/**
 * sensor_msgs/JointState as rmw_fastrtps writes it: stamp 1.000000002, frame "f", names a and b, positions 1 and 2,
 * no velocity, no effort.
 */
const JOINT_STATE = Buffer.from(
  [
    "00010000 01000000 02000000 02000000 66000000", // encapsulation, stamp, "f" with its NUL, padding
    "02000000 02000000 61000000 02000000 62000000", // two names
    "02000000 000000000000f03f 0000000000000040", // two positions; the count ends at 8n + 4, so no padding
    "00000000 00000000", // no velocities, no efforts
  ]
    .join("")
    .replaceAll(" ", ""),
  "hex",
);

describe("JointState bytes", () => {
  it("reads names, positions and empty sequences", () => {
    const parsed = readJointState(JOINT_STATE);
    expect(parsed).toMatchObject({ ok: true, value: { names: ["a", "b"], stampNs: 1_000_000_002n } });
    if (parsed.ok) expect([...parsed.value.positionRad]).toEqual([1, 2]);
  });

  it("answers every shorter prefix with a reason", () => {
    for (let length = 0; length < JOINT_STATE.length; length++) {
      expect(readJointState(JOINT_STATE.subarray(0, length)).ok, `${length} bytes`).toBe(false);
    }
  });

  it("never throws, whichever bit flips", () => {
    for (let bit = 0; bit < JOINT_STATE.length * 8; bit++) {
      const bad = Buffer.from(JOINT_STATE);
      bad[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => readJointState(bad)).not.toThrow();
    }
  });
});

describe("the first bytes of a message", () => {
  it("give its stamp, when they hold one that can be", () => {
    expect(readLeadingStamp(JOINT_STATE)).toBe(1_000_000_002n);
    const message = (sec: number, nanosec: number) => new CdrWriter().u32(sec).u32(nanosec).finish();
    for (const none of [message(0, 0), message(2 ** 31, 0), message(1, 1_000_000_000), Buffer.alloc(11)])
      expect(readLeadingStamp(none)).toBeUndefined();
  });

  it("of a CameraInfo give its size", () => {
    const info = new CdrWriter().stamp(asEpochNs(1n)).text("wrist_optical").u32(480).u32(640).finish();
    expect(readCameraInfoSize(info)).toEqual({ ok: true, value: { widthPx: 640, heightPx: 480 } });
    for (let length = 0; length < info.length; length++)
      expect(readCameraInfoSize(info.subarray(0, length)).ok, `${length} bytes`).toBe(false);
  });
});

describe("Image bytes", () => {
  it("reads back what it wrote, without copying the pixels", () => {
    const message = new ImageMessage("wrist_color_optical_frame", 4, 2, "rgb8", 12);
    message.pixels.fill(7);
    message.stamp(asEpochNs(1_700_000_000_123_456_789n));
    const parsed = readImage(message.bytes);
    expect(parsed).toMatchObject({
      ok: true,
      value: { widthPx: 4, heightPx: 2, encoding: "rgb8", stampNs: 1_700_000_000_123_456_789n },
    });
    if (parsed.ok) {
      expect(parsed.value.data.length).toBe(24);
      expect(parsed.value.data.buffer).toBe(message.bytes.buffer);
    }
  });

  it("refuses pixels that do not fill the stated size", () => {
    const bytes = new CdrWriter()
      .u32(0)
      .u32(0)
      .text("f")
      .u32(2)
      .u32(4)
      .text("rgb8")
      .u8(0)
      .u32(12)
      .u32(23)
      .raw(new Uint8Array(23));
    expect(readImage(bytes.finish())).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/23 bytes of pixels, expected 12 x 2/),
    });
  });

  it("refuses big-endian encapsulation", () => {
    const message = new ImageMessage("f", 4, 2, "rgb8", 12);
    message.bytes[1] = 0;
    expect(readImage(message.bytes)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/encapsulation 0/),
    });
  });
});

describe("CompressedImage bytes", () => {
  it("aligns the data length after an odd format string", () => {
    const bytes = writeCompressedImage(asEpochNs(3n), "f", "jpeg", Uint8Array.of(9, 8));
    // 4 header, 8 stamp, 4 + 2 frame and 2 padding, 4 + 5 format and 3 padding, 4 count, 2 data
    expect(bytes.length).toBe(38);
    expect(bytes.readUInt32LE(32)).toBe(2);
  });
});
