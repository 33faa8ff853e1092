import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { seededUniform } from "./onnx/random.js";
import { antialiasTaps, bilinearTaps, Preprocessor, type PreprocessSpec } from "./preprocess.js";

interface Vectors {
  widthPx: number;
  heightPx: number;
  mean: [number, number, number];
  std: [number, number, number];
  rgb8Base64: string;
  cases: (Pick<PreprocessSpec, "crop" | "resize"> & { name: string; float32Base64: string })[];
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL("./vectors/preprocess.json", import.meta.url), "utf8"),
);
const rgb = Uint8Array.from(Buffer.from(vectors.rgb8Base64, "base64"));
const bgr = Uint8Array.from(rgb, (_, index) => rgb[index - (index % 3) + (2 - (index % 3))]!);

function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let largest = 0;
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(found[index]! - expected[index]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

describe.each(vectors.cases)("preprocessing $name", ({ crop, resize, float32Base64 }) => {
  const { widthPx, heightPx, mean, std } = vectors;
  const raw = Buffer.from(float32Base64, "base64");
  const expected = Array.from({ length: raw.length / 4 }, (_, index) => raw.readFloatLE(4 * index));
  const preprocessor = new Preprocessor({ widthPx, heightPx, crop, resize, mean, std });

  it("agrees with PyTorch on rgb8", () => {
    expect(largestDifference(preprocessor.run(rgb, "rgb8"), expected)).toBeLessThanOrEqual(2e-6);
  });
  it("agrees with PyTorch on bgr8", () => {
    expect(largestDifference(preprocessor.run(bgr, "bgr8"), expected)).toBeLessThanOrEqual(2e-6);
  });
});

/** Resampling written from its definition: a weighted mean over all pixels of the crop, by distance to the centre. */
function slowResize(spec: PreprocessSpec, pixels: Uint8Array, channel: number, x: number, y: number): number {
  const weight = (position: number, output: number, inputCount: number, outputCount: number) => {
    const scale = inputCount / outputCount;
    const support = spec.resize.kernel === "bilinear" ? 1 : Math.max(1, scale);
    let centre = (output + 0.5) * scale - 0.5;
    if (spec.resize.kernel === "bilinear") centre = Math.min(inputCount - 1, Math.max(0, centre));
    return Math.max(0, 1 - Math.abs(position - centre) / support);
  };
  let sum = 0;
  let total = 0;
  for (let row = 0; row < spec.crop.heightPx; row++) {
    for (let column = 0; column < spec.crop.widthPx; column++) {
      const w =
        weight(row, y, spec.crop.heightPx, spec.resize.heightPx) *
        weight(column, x, spec.crop.widthPx, spec.resize.widthPx);
      const at = ((spec.crop.yPx + row) * spec.widthPx + spec.crop.xPx + column) * 3 + channel;
      sum += w * pixels[at]!;
      total += w;
    }
  }
  return (sum / total / 255 - spec.mean[channel]!) / spec.std[channel]!;
}

describe("preprocessing a camera image", () => {
  const uniform = seededUniform(3);
  const pixels = Uint8Array.from({ length: 64 * 48 * 3 }, () => Math.floor(uniform() * 256));
  const base = { widthPx: 64, heightPx: 48, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] } as const;

  it.each([
    ["bilinear", 45, 40, 13, 11],
    ["bilinear", 30, 20, 33, 47],
    ["bilinear-antialias", 45, 40, 13, 11],
    ["bilinear-antialias", 64, 48, 5, 3],
    ["bilinear-antialias", 30, 20, 33, 47],
  ] as const)(
    "%s %i x %i to %i x %i agrees with the definition",
    (kernel, width, height, toWidth, toHeight) => {
      const spec: PreprocessSpec = {
        ...base,
        crop: { xPx: 64 - width, yPx: 48 - height, widthPx: width, heightPx: height },
        resize: { widthPx: toWidth, heightPx: toHeight, kernel },
      };
      const found = new Preprocessor(spec).run(pixels, "rgb8");
      const expected = [0, 1, 2].flatMap((channel) =>
        Array.from({ length: toWidth * toHeight }, (_, index) =>
          slowResize(spec, pixels, channel, index % toWidth, Math.floor(index / toWidth)),
        ),
      );
      expect(largestDifference(found, expected)).toBeLessThanOrEqual(1e-5);
    },
  );

  it("takes the mean of each 2 x 2 block at exactly half size", () => {
    const spec: PreprocessSpec = {
      ...base,
      mean: [0, 0, 0],
      std: [1 / 255, 1 / 255, 1 / 255],
      crop: { xPx: 0, yPx: 0, widthPx: 4, heightPx: 2 },
      resize: { widthPx: 2, heightPx: 1, kernel: "bilinear" },
    };
    const red = (x: number, y: number) => pixels[(y * 64 + x) * 3]!;
    const found = new Preprocessor(spec).run(pixels, "rgb8");
    expect(found[0]).toBeCloseTo((red(0, 0) + red(1, 0) + red(0, 1) + red(1, 1)) / 4, 3);
    expect(found[1]).toBeCloseTo((red(2, 0) + red(3, 0) + red(2, 1) + red(3, 1)) / 4, 3);
  });

  it("refuses an image of another size, naming both sizes", () => {
    const spec: PreprocessSpec = {
      ...base,
      crop: { xPx: 0, yPx: 0, widthPx: 64, heightPx: 48 },
      resize: { widthPx: 8, heightPx: 8, kernel: "bilinear" },
    };
    expect(() => new Preprocessor(spec).run(pixels.subarray(3), "rgb8")).toThrow(/9213 bytes, expected 9216/);
  });

  it("uses weights that sum to one and only pixels inside of the image", () => {
    for (const make of [bilinearTaps, antialiasTaps]) {
      for (const [input, output] of [
        [1, 5],
        [2, 1],
        [7, 7],
        [48, 7],
        [5, 48],
      ] as const) {
        const { first, weights, tapCount } = make(input, output);
        for (let index = 0; index < output; index++) {
          const row = weights.subarray(index * tapCount, (index + 1) * tapCount);
          expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
          expect(first[index]).toBeGreaterThanOrEqual(0);
          expect(first[index]! + tapCount).toBeLessThanOrEqual(input);
        }
      }
    }
  });
});
