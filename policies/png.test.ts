import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { seededUniform } from "./onnx/random.js";
import { decodePng } from "./png.js";

const uniform = seededUniform(5);
const [width, height] = [37, 23];
const smooth = Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * 3) % 256);
const noise = Uint8Array.from({ length: width * height * 3 }, () => Math.floor(uniform() * 256));
const encode = (pixels: Uint8Array, adaptiveFiltering: boolean) =>
  sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ adaptiveFiltering })
    .toBuffer();

describe("reading PNG", () => {
  it.each([true, false])("returns the pixels that another program wrote, filters %s", async (filters) => {
    for (const pixels of [smooth, noise]) {
      const decoded = decodePng(await encode(pixels, filters));
      expect(decoded).toEqual({ widthPx: width, heightPx: height, pixels });
    }
  });
  it("names the reason at every shorter file", async () => {
    const bytes = await encode(smooth, true);
    for (let length = 0; length < bytes.length - 12; length += 7) {
      expect(typeof decodePng(bytes.subarray(0, length))).toBe("string");
    }
  });
  it("answers whichever single bit of it flips", async () => {
    const bytes = await encode(smooth, true);
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodePng(damaged)).not.toThrow();
    }
  });
  it("refuses palettes and alpha", async () => {
    const bytes = await sharp(smooth, { raw: { width, height, channels: 3 } })
      .ensureAlpha()
      .png()
      .toBuffer();
    expect(decodePng(bytes)).toMatch(/colour type 6/);
  });
});
