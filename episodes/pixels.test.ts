import sharp, { type Sharp } from "sharp";
import { describe, expect, it } from "vitest";
import { asEpochNs } from "../core/clock.js";
import { ImageMessage, writeCompressedImage } from "../core/rosWire.js";
import type { EpisodeMessage, EpisodeReader } from "./episodeReader.js";
import { COMPRESSED_IMAGE, decodePicture, imageSize, RAW_IMAGE, readStored } from "./pixels.js";

const stampNs = asEpochNs(1_000_000_000n);
const message = (type: string, data: Uint8Array): EpisodeMessage => ({
  topic: "/camera",
  type,
  sequence: 7,
  logNs: stampNs,
  publishNs: stampNs,
  data,
});
/** Only `decode` is used, and only of compressed images. */
const readerOf = (format: string, data: Uint8Array) =>
  ({ decode: () => ({ format, data }) }) as unknown as EpisodeReader;
const noReader = readerOf("", new Uint8Array());

function raw(encoding: string, widthPx: number, stepBytes: number, rows: readonly (readonly number[])[]) {
  const image = new ImageMessage("camera", widthPx, rows.length, encoding, stepBytes);
  for (const [row, bytes] of rows.entries()) image.pixels.set(bytes, row * stepBytes);
  return message(RAW_IMAGE, image.bytes);
}
async function compressed(format: string, file: Buffer) {
  const cdr = writeCompressedImage(stampNs, "camera", format, file);
  return { reader: readerOf(format, file), message: message(COMPRESSED_IMAGE, cdr) };
}
const picture = (width: number, height: number) =>
  sharp(Buffer.from(Array.from({ length: 3 * width * height }, (_, at) => (7 * at) & 0xff)), {
    raw: { width, height, channels: 3 },
  });

describe("pixels of raw images", () => {
  it.each([
    ["rgb8", [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]],
    ["bgr8", [1, 2, 3, 4, 5, 6], [3, 2, 1, 6, 5, 4]],
    ["rgba8", [1, 2, 3, 9, 4, 5, 6, 9], [1, 2, 3, 4, 5, 6]],
    ["bgra8", [1, 2, 3, 9, 4, 5, 6, 9], [3, 2, 1, 6, 5, 4]],
    ["mono8", [1, 2], [1, 1, 1, 2, 2, 2]],
  ])("%s, with and without padding, becomes red, green, blue", async (encoding, row, expected) => {
    for (const padding of [0, 5]) {
      const found = raw(encoding, 2, row.length + padding, [row, row]);
      expect(imageSize(noReader, found)).toEqual({ widthPx: 2, heightPx: 2, isDepth: false });
      const decoded = await decodePicture(noReader, found);
      expect(decoded).toMatchObject({ kind: "colour", widthPx: 2, heightPx: 2 });
      expect([...decoded.pixels]).toEqual([...expected, ...expected]);
    }
  });

  it("16UC1 stays depth", async () => {
    const found = raw("16UC1", 2, 6, [[0x34, 0x12, 1, 0]]);
    expect(imageSize(noReader, found).isDepth).toBe(true);
    const decoded = await decodePicture(noReader, found);
    expect(decoded.kind).toBe("depth");
    expect([...decoded.pixels]).toEqual([0x1234, 1]);
  });

  it("an encoding that is not known is refused with those that are", async () => {
    await expect(decodePicture(noReader, raw("yuv422", 2, 4, [[1, 2, 3, 4]]))).rejects.toThrow(
      /Image 7 of \/camera has encoding "yuv422" \(known: rgb8/,
    );
  });
});

describe("pixels of compressed images", () => {
  it.each([
    ["jpeg", (image: Sharp) => image.jpeg()],
    ["progressive jpeg", (image: Sharp) => image.jpeg({ progressive: true })],
    ["jpeg with a profile", (image: Sharp) => image.withMetadata().jpeg()],
    ["png", (image: Sharp) => image.png()],
    ["png with alpha", (image: Sharp) => image.ensureAlpha().png()],
  ])("%s: size from the head, three channels", async (_name, packed) => {
    const file = await packed(picture(34, 21)).toBuffer();
    const found = await compressed("jpeg", file);
    expect(imageSize(found.reader, found.message)).toEqual({ widthPx: 34, heightPx: 21, isDepth: false });
    const decoded = await decodePicture(found.reader, found.message);
    expect(decoded).toMatchObject({ kind: "colour", widthPx: 34, heightPx: 21 });
    expect(decoded.pixels.length).toBe(3 * 34 * 21);
    const stored = readStored(found.reader, found.message);
    expect(stored.kind !== "raw" && Buffer.from(stored.file).equals(file)).toBe(true);
  });

  it.each([
    ["jpeg", (image: Sharp) => image.toColourspace("b-w").jpeg(), false],
    ["png", (image: Sharp) => image.toColourspace("b-w").png(), false],
    ["png with a palette", (image: Sharp) => image.png({ palette: true }), false],
    ["colour jpeg", (image: Sharp) => image.jpeg(), true],
    ["colour png", (image: Sharp) => image.png(), true],
  ])("%s: three channels once decoded, and told when the file has others", async (_name, packed, isRgb8) => {
    const file = await packed(picture(34, 21)).toBuffer();
    const found = await compressed("jpeg", file);
    const decoded = await decodePicture(found.reader, found.message);
    expect(decoded.pixels.length).toBe(3 * 34 * 21);
    expect(readStored(found.reader, found.message)).toMatchObject({ isRgb8 });
  });

  it("PNG gives back every value, of colour and of depth", async () => {
    const colour = await compressed("png", await picture(8, 4).png().toBuffer());
    const decoded = await decodePicture(colour.reader, colour.message);
    expect([...decoded.pixels]).toEqual(Array.from({ length: 96 }, (_, at) => (7 * at) & 0xff));
    const depths = Uint16Array.from({ length: 12 }, (_, at) => 5000 * at);
    const file = await sharp(depths, { raw: { width: 4, height: 3, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    const depth = await compressed("16UC1; png compressed", file);
    expect(imageSize(depth.reader, depth.message)).toEqual({ widthPx: 4, heightPx: 3, isDepth: true });
    const millimetres = await decodePicture(depth.reader, depth.message);
    expect(millimetres.kind).toBe("depth");
    expect([...millimetres.pixels]).toEqual([...depths]);
  });

  it("damaged files are refused by name, and no prefix of one is taken for an image without an answer", async () => {
    const file = await picture(34, 21).jpeg().toBuffer();
    for (let length = 0; length < file.length; length += 7) {
      const part = file.subarray(0, length);
      const found = await compressed("jpeg", part);
      try {
        imageSize(found.reader, found.message);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "EPISODE_INVALID" });
      }
    }
    const half = await compressed("jpeg", file.subarray(0, 30));
    await expect(decodePicture(half.reader, half.message)).rejects.toThrow(
      /Image 7 of \/camera cannot be decoded/,
    );
    const text = await compressed("jpeg", Buffer.from("not a picture"));
    await expect(decodePicture(text.reader, text.message)).rejects.toThrow(/neither JPEG nor PNG/);
  });
});
