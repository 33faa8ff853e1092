/**
 * Reads the golden images of a bundle: PNG with 8-bit RGB, not interlaced (PNG specification, third edition).
 * Written out here because the policy worker loads nothing native but the inference engine.
 */
import { inflateSync } from "node:zlib";

export interface RgbImage {
  readonly widthPx: number;
  readonly heightPx: number;
  /** Row-major, 3 bytes a pixel. */
  readonly pixels: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const PIXELS_MAX = 4096 * 4096;
const CHANNELS = 3;

/** @returns the image, or the reason why it cannot be read */
export function decodePng(bytes: Uint8Array): RgbImage | string {
  if (bytes.length < 33 || !SIGNATURE.every((value, index) => bytes[index] === value))
    return "not a PNG file";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const widthPx = view.getUint32(16);
  const heightPx = view.getUint32(20);
  if (widthPx === 0 || heightPx === 0 || widthPx * heightPx > PIXELS_MAX)
    return `size ${widthPx} x ${heightPx}`;
  const [depth, colour, , , interlace] = bytes.subarray(24, 29);
  if (depth !== 8 || colour !== 2 || interlace !== 0) {
    return `bit depth ${depth}, colour type ${colour}, interlace ${interlace}; only 8-bit RGB without interlace`;
  }
  const compressed = imageData(bytes, view);
  if (typeof compressed === "string") return compressed;
  const rowBytes = 1 + widthPx * CHANNELS;
  const rows = inflate(compressed, heightPx * rowBytes);
  if (rows?.length !== heightPx * rowBytes) return "image data is damaged";
  const pixels = new Uint8Array(widthPx * heightPx * CHANNELS);
  for (let y = 0; y < heightPx; y++) {
    if (!unfilterRow(rows, y * rowBytes, pixels, y * widthPx * CHANNELS, widthPx * CHANNELS, y === 0)) {
      return `row ${y} has filter ${rows[y * rowBytes]}`;
    }
  }
  return { widthPx, heightPx, pixels };
}

function imageData(bytes: Uint8Array, view: DataView): Uint8Array | string {
  const parts: Uint8Array[] = [];
  for (let offset = 8; offset + 12 <= bytes.length; ) {
    const length = view.getUint32(offset);
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    if (offset + 12 + length > bytes.length) return `chunk ${type} is cut off`;
    if (type === "IDAT") parts.push(bytes.subarray(offset + 8, offset + 8 + length));
    if (type === "IEND") return Buffer.concat(parts);
    offset += 12 + length;
  }
  return "the end is missing";
}

function inflate(compressed: Uint8Array, byteLengthMax: number): Uint8Array | undefined {
  try {
    return inflateSync(compressed, { maxOutputLength: byteLengthMax + 1 });
  } catch {
    return undefined;
  }
}

/** Undoes one row's filter. @returns false for an unknown filter */
function unfilterRow(
  rows: Uint8Array,
  source: number,
  pixels: Uint8Array,
  target: number,
  count: number,
  isFirst: boolean,
): boolean {
  const filter = rows[source]!;
  if (filter > 4) return false;
  for (let index = 0; index < count; index++) {
    const left = index < CHANNELS ? 0 : pixels[target + index - CHANNELS]!;
    const up = isFirst ? 0 : pixels[target + index - count]!;
    const upLeft = isFirst || index < CHANNELS ? 0 : pixels[target + index - count - CHANNELS]!;
    pixels[target + index] = rows[source + 1 + index]! + predict(filter, left, up, upLeft);
  }
  return true;
}

function predict(filter: number, left: number, up: number, upLeft: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const estimate = left + up - upLeft;
  const [toLeft, toUp, toUpLeft] = [estimate - left, estimate - up, estimate - upLeft].map(Math.abs);
  if (toLeft! <= toUp! && toLeft! <= toUpLeft!) return left;
  return toUp! <= toUpLeft! ? up : upLeft;
}
