import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { CdrWriter, ImageMessage } from "../../core/rosWire.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import { ImageStore, type ImageStoreOptions, storedImage } from "./images.js";

const WIDTH = 6;
const HEIGHT = 4;
const STAMP_NS = asEpochNs(1_800_000_000_000_000_001n);
const codec = rosCodec(
  "sensor_msgs/msg/CompressedImage",
  [
    "std_msgs/Header header\nstring format\nuint8[] data\n",
    "=".repeat(80),
    "MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n",
    "=".repeat(80),
    "MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n",
  ].join("\n"),
);

function image(encoding: string, bytesPerPixel: number, padding = 0, stampNs = STAMP_NS): Buffer {
  const message = new ImageMessage("optical", WIDTH, HEIGHT, encoding, WIDTH * bytesPerPixel + padding);
  message.stamp(stampNs);
  for (let i = 0; i < message.pixels.length; i++) message.pixels[i] = (37 * i) & 0xff;
  return message.bytes;
}

const store = (options: Partial<ImageStoreOptions> = {}) =>
  new ImageStore({ storage: "png", jpegQuality: 92, pendingMax: 4, keptMax: 2, ...options });

const unpack = (bytes: Uint8Array) =>
  codec.decode(bytes) as unknown as {
    header: { stamp: { sec: number; nanosec: number }; frame_id: string };
    format: string;
    data: Uint8Array;
  };

const pixelsOf = (data: Uint8Array) => sharp(data).raw().toBuffer();

describe("images in an episode", () => {
  it("keep stamp, frame and every pixel as PNG, and row padding is left out", async () => {
    const plain = image("rgb8", 3);
    const { header, format, data } = unpack(await store().store(plain));
    expect(header).toEqual({ stamp: { sec: 1_800_000_000, nanosec: 1 }, frame_id: "optical" });
    expect(format).toBe("png");
    const pixels = plain.subarray(plain.length - WIDTH * HEIGHT * 3);
    expect(await pixelsOf(data)).toEqual(Buffer.from(pixels));
    const padded = unpack(await store().store(image("rgb8", 3, 2)));
    const row = (y: number) => Array.from({ length: 18 }, (_, i) => (37 * (20 * y + i)) & 0xff);
    expect([...(await pixelsOf(padded.data))]).toEqual([0, 1, 2, 3].flatMap(row));
  });

  it("become red first from bgr8", async () => {
    const bytes = image("bgr8", 3);
    const pixels = await pixelsOf(unpack(await store().store(bytes)).data);
    const from = bytes.subarray(bytes.length - WIDTH * HEIGHT * 3);
    expect([...pixels.subarray(0, 6)]).toEqual([from[2], from[1], from[0], from[5], from[4], from[3]]);
  });

  it("are JPEG when asked for, near to what came", async () => {
    const message = new ImageMessage("optical", 64, 48, "rgb8", 192);
    message.pixels.fill(120);
    const { format, data } = unpack(await store({ storage: "jpeg" }).store(message.bytes));
    expect(format).toBe("jpeg");
    expect((await sharp(data).metadata()).format).toBe("jpeg");
    expect([...(await pixelsOf(data))].every((value) => Math.abs(value - 120) <= 2)).toBe(true);
  });

  it("of depth keep all 16 bits, also when JPEG is asked for", async () => {
    const bytes = image("16UC1", 2);
    const { format, data } = unpack(await store({ storage: "jpeg" }).store(bytes));
    expect(format).toBe("16UC1; png compressed");
    const { data: raw, info } = await sharp(data)
      .toColourspace("grey16")
      .raw({ depth: "ushort" })
      .toBuffer({ resolveWithObject: true });
    expect(info.channels).toBe(1);
    expect(raw).toEqual(bytes.subarray(bytes.length - WIDTH * HEIGHT * 2));
  });

  it("of one channel stay one channel", async () => {
    const { data } = unpack(await store().store(image("mono8", 1)));
    expect((await sharp(data).metadata()).channels).toBe(1);
  });

  it("that a policy used are there without loss for a moment", async () => {
    const images = store({ storage: "jpeg", keptMax: 2 });
    const first = image("rgb8", 3, 0, asEpochNs(1n));
    for (const stampNs of [1n, 2n]) await images.store(image("rgb8", 3, 0, asEpochNs(stampNs)));
    const kept = await images.lossless(asEpochNs(1n));
    expect(await pixelsOf(unpack(kept!).data)).toEqual(
      Buffer.from(first.subarray(first.length - WIDTH * HEIGHT * 3)),
    );
    await images.store(image("rgb8", 3, 0, asEpochNs(3n)));
    expect(images.lossless(asEpochNs(1n))).toBeUndefined();
  });

  it("are taken before the call returns: the memory they came in may be used again", async () => {
    const bytes = image("rgb8", 3);
    const before = Buffer.from(bytes);
    const stored = store().store(bytes);
    bytes.fill(0, 100);
    expect(await pixelsOf(unpack(await stored).data)).toEqual(before.subarray(-WIDTH * HEIGHT * 3));
  });

  it("are refused with a reason: unknown encoding, unreadable, short rows, too many at once", async () => {
    await expect(store().store(image("bayer_rggb8", 1))).rejects.toThrow(/bayer_rggb8.*raw/s);
    await expect(store().store(Buffer.of(0, 1, 0, 0))).rejects.toThrow(/unreadable/);
    const short = new CdrWriter()
      .u32(0)
      .u32(0)
      .text("f")
      .u32(1)
      .u32(4)
      .text("rgb8")
      .u8(0)
      .u32(3)
      .u32(3)
      .raw(Buffer.alloc(3))
      .finish();
    await expect(store().store(short)).rejects.toThrow(/rows are 3 bytes/);
    const images = store({ pendingMax: 2 });
    const two = [images.store(image("rgb8", 3)), images.store(image("rgb8", 3))];
    await expect(images.store(image("rgb8", 3))).rejects.toThrow(/limit 2/);
    await Promise.all(two);
    expect(images.pendingCount).toBe(0);
  });

  it("have a topic and type of their own when they are compressed", () => {
    expect(storedImage("/camera/wrist/color/image_raw", "jpeg")).toEqual({
      topic: "/camera/wrist/color/image_raw/compressed",
      type: "sensor_msgs/msg/CompressedImage",
    });
    expect(storedImage("/a", "raw")).toEqual({ topic: "/a", type: "sensor_msgs/msg/Image" });
  });
});
