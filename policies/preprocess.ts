/**
 * Camera image to network input exactly as in training: crop, resize, normalise, channels first. All arithmetic
 * is in floating point; nothing is rounded back to bytes on the way. Tables are computed once per bundle.
 */
import { CerebellumError } from "../core/errors.js";

export interface PreprocessSpec {
  /** Size of the camera image. */
  readonly widthPx: number;
  readonly heightPx: number;
  readonly crop: {
    readonly xPx: number;
    readonly yPx: number;
    readonly widthPx: number;
    readonly heightPx: number;
  };
  readonly resize: {
    readonly widthPx: number;
    readonly heightPx: number;
    readonly kernel: "bilinear" | "bilinear-antialias";
  };
  /** Of RGB / 255. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export type PixelEncoding = "rgb8" | "bgr8";

/** For each output sample the first input sample and the weights of it and its successors. */
export interface Taps {
  readonly first: Int32Array;
  /** Row-major [outputs, tapCount]; unused taps weigh 0. Each row sums to 1. */
  readonly weights: Float64Array;
  readonly tapCount: number;
}

/**
 * Two taps at half-pixel centres: output i samples (i + 0.5) * scale - 0.5, clamped to the image.
 * Equal to OpenCV INTER_LINEAR and to torch interpolate(mode="bilinear", align_corners=False).
 */
export function bilinearTaps(inputCount: number, outputCount: number): Taps {
  const scale = inputCount / outputCount;
  const tapCount = Math.min(2, inputCount);
  const first = new Int32Array(outputCount);
  const weights = new Float64Array(outputCount * tapCount);
  for (let output = 0; output < outputCount; output++) {
    const centre = Math.min(inputCount - 1, Math.max(0, (output + 0.5) * scale - 0.5));
    const start = Math.min(Math.floor(centre), inputCount - tapCount);
    first[output] = start;
    weights[output * tapCount] = 1 - (centre - start);
    if (tapCount === 2) weights[output * tapCount + 1] = centre - start;
  }
  return { first, weights, tapCount };
}

/**
 * Triangle as wide as the reduction, normalised at the borders.
 * Equal to torch interpolate(mode="bilinear", antialias=True) and, but for rounding, to Pillow BILINEAR.
 */
export function antialiasTaps(inputCount: number, outputCount: number): Taps {
  const scale = inputCount / outputCount;
  const support = Math.max(1, scale);
  const low = (output: number) => Math.max(0, Math.trunc((output + 0.5) * scale - support + 0.5));
  const high = (output: number) => Math.min(inputCount, Math.trunc((output + 0.5) * scale + support + 0.5));
  let tapCount = 1;
  for (let output = 0; output < outputCount; output++) {
    tapCount = Math.max(tapCount, high(output) - low(output));
  }
  const first = new Int32Array(outputCount);
  const weights = new Float64Array(outputCount * tapCount);
  for (let output = 0; output < outputCount; output++) {
    const centre = (output + 0.5) * scale;
    // Near the far border the row of taps is moved back, so that no tap points outside of the image.
    const start = Math.min(low(output), inputCount - tapCount);
    first[output] = start;
    let sum = 0;
    for (let input = low(output); input < high(output); input++) {
      const weight = Math.max(0, 1 - Math.abs((input + 0.5 - centre) / support));
      weights[output * tapCount + input - start] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < tapCount; tap++) weights[output * tapCount + tap]! /= sum;
  }
  return { first, weights, tapCount };
}

export class Preprocessor {
  /** Normalised image, row-major [3, height, width]; overwritten by every `run`. */
  readonly output: Float32Array;
  readonly #spec: PreprocessSpec;
  readonly #columns: Taps;
  readonly #rows: Taps;
  /** Per channel r, g, b: output = sum * gain + offset. */
  readonly #gain: Float64Array;
  readonly #offset: Float64Array;
  /** Rows of the crop after the horizontal pass, row-major [crop height, width, 3]; empty for two taps. */
  readonly #narrowed: Float32Array;

  /** @param output where to write, so that it can be a network's input tensor; 3 * height * width values */
  constructor(spec: PreprocessSpec, output?: Float32Array) {
    const { crop, resize } = spec;
    const taps = resize.kernel === "bilinear" ? bilinearTaps : antialiasTaps;
    this.#spec = spec;
    this.#columns = taps(crop.widthPx, resize.widthPx);
    this.#rows = taps(crop.heightPx, resize.heightPx);
    this.#gain = Float64Array.from(spec.std, (std) => 1 / (255 * std));
    this.#offset = Float64Array.from(spec.std, (std, channel) => -spec.mean[channel]! / std);
    const direct = this.#columns.tapCount === 2 && this.#rows.tapCount === 2;
    this.#narrowed = new Float32Array(direct ? 0 : crop.heightPx * resize.widthPx * 3);
    this.output = output ?? new Float32Array(3 * resize.heightPx * resize.widthPx);
    if (this.output.length !== 3 * resize.heightPx * resize.widthPx) {
      throw new RangeError(`output has ${this.output.length} values`);
    }
  }

  /**
   * @param pixels one tightly packed image of the camera's size, 3 bytes a pixel
   * @throws CAMERA_MISMATCH when the number of bytes is another
   */
  run(pixels: Uint8Array, encoding: PixelEncoding): Float32Array {
    const expected = this.#spec.widthPx * this.#spec.heightPx * 3;
    if (pixels.length !== expected) {
      throw new CerebellumError(
        "CAMERA_MISMATCH",
        `Image has ${pixels.length} bytes, expected ${expected} (${this.#spec.widthPx} x ${this.#spec.heightPx} ${encoding})`,
        "Set the camera to the size that the policy bundle names",
      );
    }
    const red = encoding === "rgb8" ? 0 : 2;
    if (this.#narrowed.length === 0) this.#runDirect(pixels, red);
    else {
      this.#narrow(pixels);
      this.#shorten(red);
    }
    return this.output;
  }

  /** Two taps each way: four pixels per output, no intermediate image. */
  #runDirect(pixels: Uint8Array, red: number): void {
    const { crop, resize, widthPx } = this.#spec;
    const { output } = this;
    const columns = this.#columns;
    const plane = resize.heightPx * resize.widthPx;
    const [gainR, gainG, gainB] = this.#gain as unknown as [number, number, number];
    const [offsetR, offsetG, offsetB] = this.#offset as unknown as [number, number, number];
    const blue = 2 - red;
    const stride = widthPx * 3;
    for (let y = 0; y < resize.heightPx; y++) {
      const top = (crop.yPx + this.#rows.first[y]!) * stride + crop.xPx * 3;
      const weightTop = this.#rows.weights[2 * y]!;
      const weightBottom = this.#rows.weights[2 * y + 1]!;
      let target = y * resize.widthPx;
      for (let x = 0; x < resize.widthPx; x++, target++) {
        const a = top + columns.first[x]! * 3;
        const c = a + stride;
        const left = columns.weights[2 * x]!;
        const right = columns.weights[2 * x + 1]!;
        const wa = left * weightTop;
        const wb = right * weightTop;
        const wc = left * weightBottom;
        const wd = right * weightBottom;
        output[target] =
          (pixels[a + red]! * wa +
            pixels[a + 3 + red]! * wb +
            pixels[c + red]! * wc +
            pixels[c + 3 + red]! * wd) *
            gainR +
          offsetR;
        output[target + plane] =
          (pixels[a + 1]! * wa + pixels[a + 4]! * wb + pixels[c + 1]! * wc + pixels[c + 4]! * wd) * gainG +
          offsetG;
        output[target + 2 * plane] =
          (pixels[a + blue]! * wa +
            pixels[a + 3 + blue]! * wb +
            pixels[c + blue]! * wc +
            pixels[c + 3 + blue]! * wd) *
            gainB +
          offsetB;
      }
    }
  }

  /** Horizontal pass over the rows of the crop. */
  #narrow(pixels: Uint8Array): void {
    const { crop, resize, widthPx } = this.#spec;
    const { first, weights, tapCount } = this.#columns;
    const narrowed = this.#narrowed;
    let target = 0;
    for (let y = 0; y < crop.heightPx; y++) {
      const row = ((crop.yPx + y) * widthPx + crop.xPx) * 3;
      for (let x = 0; x < resize.widthPx; x++) {
        let source = row + first[x]! * 3;
        let [sum0, sum1, sum2] = [0, 0, 0];
        const end = (x + 1) * tapCount;
        for (let tap = x * tapCount; tap < end; tap++, source += 3) {
          const weight = weights[tap]!;
          sum0 += weight * pixels[source]!;
          sum1 += weight * pixels[source + 1]!;
          sum2 += weight * pixels[source + 2]!;
        }
        narrowed[target++] = sum0;
        narrowed[target++] = sum1;
        narrowed[target++] = sum2;
      }
    }
  }

  /** Vertical pass, with normalisation and the move to channels first. */
  #shorten(red: number): void {
    const { resize } = this.#spec;
    const { first, weights, tapCount } = this.#rows;
    const { output } = this;
    const narrowed = this.#narrowed;
    const stride = resize.widthPx * 3;
    const plane = resize.heightPx * resize.widthPx;
    for (let channel = 0; channel < 3; channel++) {
      const gain = this.#gain[channel]!;
      const offset = this.#offset[channel]!;
      const sourceChannel = red === 0 ? channel : 2 - channel;
      let target = channel * plane;
      for (let y = 0; y < resize.heightPx; y++) {
        const top = first[y]! * stride + sourceChannel;
        for (let x = 0; x < stride; x += 3) {
          let sum = 0;
          for (let tap = 0; tap < tapCount; tap++)
            sum += weights[y * tapCount + tap]! * narrowed[top + tap * stride + x]!;
          output[target++] = sum * gain + offset;
        }
      }
    }
  }
}
