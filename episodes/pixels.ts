/** Pixels of an episode's image messages, however they were kept. */
import sharp from "sharp";
import { CerebellumError, errorText } from "../core/errors.js";
import { readImage } from "../core/rosWire.js";
import type { EpisodeMessage, EpisodeReader } from "./episodeReader.js";

export const RAW_IMAGE = "sensor_msgs/msg/Image";
export const COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage";

export interface ImageSize {
  readonly widthPx: number;
  readonly heightPx: number;
}

/** Rows from the top, without padding. */
export type Picture = ImageSize &
  (
    | { readonly kind: "colour" /** 3 a pixel, red first. */; readonly pixels: Uint8Array }
    /** Native byte order; in the camera's unit, mostly millimetres, 0 = unknown. */
    | { readonly kind: "depth"; readonly pixels: Uint16Array }
  );

/** Pixels as they were recorded, or the recorded file around them. */
export type StoredImage =
  | { readonly kind: "raw"; readonly encoding: string }
  | {
      readonly kind: "jpeg" | "png";
      readonly isDepth: boolean;
      /** Three channels of 8 bits: what a reader that converts nothing expects. */
      readonly isRgb8: boolean;
      readonly file: Uint8Array;
    };

/** compressed_depth_image_transport puts its own header before the PNG. */
const DEPTH_HEADER_BYTES = 12;
const DEPTH_ENCODINGS = new Set(["16UC1", "mono16"]);
const CHANNELS: Readonly<Record<string, { channels: number; swaps?: true }>> = {
  rgb8: { channels: 3 },
  bgr8: { channels: 3, swaps: true },
  rgba8: { channels: 4 },
  bgra8: { channels: 4, swaps: true },
  mono8: { channels: 1 },
  "8UC1": { channels: 1 },
};

/** @throws CerebellumError EPISODE_INVALID for messages that are no images, or of a kind that is not known */
export function readStored(reader: EpisodeReader, message: EpisodeMessage): StoredImage {
  if (message.type === RAW_IMAGE) return { kind: "raw", encoding: rawImage(message).encoding };
  const { format, data } = reader.decode(message) as { format: string; data: Uint8Array };
  const from = format.includes("compressedDepth") ? DEPTH_HEADER_BYTES : 0;
  const file = Buffer.from(data.buffer, data.byteOffset, data.byteLength).subarray(from);
  const kind = fileKind(file);
  if (kind === undefined) throw unusable(message, `is neither JPEG nor PNG (format "${format}")`);
  const encoding = format.split(";")[0]!.trim();
  return { kind, isDepth: DEPTH_ENCODINGS.has(encoding), isRgb8: fileHead(file)?.isRgb8 ?? false, file };
}

/** From the message's head alone. @throws CerebellumError EPISODE_INVALID */
export function imageSize(reader: EpisodeReader, message: EpisodeMessage): ImageSize & { isDepth: boolean } {
  if (message.type === RAW_IMAGE) {
    const { widthPx, heightPx, encoding } = rawImage(message);
    return { widthPx, heightPx, isDepth: DEPTH_ENCODINGS.has(encoding) };
  }
  const stored = readStored(reader, message);
  const head = stored.kind === "raw" ? undefined : fileHead(stored.file);
  if (stored.kind === "raw" || head === undefined) throw unusable(message, "has no readable size");
  return { widthPx: head.widthPx, heightPx: head.heightPx, isDepth: stored.isDepth };
}

/** @throws CerebellumError EPISODE_INVALID (as a rejection) */
export async function decodePicture(reader: EpisodeReader, message: EpisodeMessage): Promise<Picture> {
  if (message.type === RAW_IMAGE) return decodeRaw(message);
  const stored = readStored(reader, message);
  if (stored.kind === "raw") return decodeRaw(message);
  try {
    const image = sharp(stored.file);
    const { data, info } = stored.isDepth
      ? await image.toColourspace("grey16").raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true })
      : await image
          .toColourspace("srgb")
          .removeAlpha()
          .raw({ depth: "uchar" })
          .toBuffer({ resolveWithObject: true });
    const size = { widthPx: info.width, heightPx: info.height };
    if (!stored.isDepth) return { ...size, kind: "colour", pixels: data };
    return {
      ...size,
      kind: "depth",
      pixels: new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2),
    };
  } catch (cause) {
    throw unusable(message, `cannot be decoded: ${errorText(cause)}`, cause);
  }
}

function decodeRaw(message: EpisodeMessage): Picture {
  const { widthPx, heightPx, stepBytes, data, encoding } = rawImage(message);
  const size = { widthPx, heightPx };
  if (DEPTH_ENCODINGS.has(encoding)) {
    // A copy, for its alignment; `slice` of a Buffer would be none.
    const packed = new Uint8Array(packRows(data, stepBytes, 2 * widthPx, heightPx));
    return { ...size, kind: "depth", pixels: new Uint16Array(packed.buffer, 0, widthPx * heightPx) };
  }
  const layout = CHANNELS[encoding];
  if (layout === undefined) {
    throw unusable(message, `has encoding "${encoding}" (known: ${Object.keys(CHANNELS).join(", ")}, 16UC1)`);
  }
  const packed = packRows(data, stepBytes, layout.channels * widthPx, heightPx);
  if (encoding === "rgb8") return { ...size, kind: "colour", pixels: packed };
  const pixels = new Uint8Array(3 * widthPx * heightPx);
  const [red, green, blue] = layout.channels === 1 ? [0, 0, 0] : layout.swaps ? [2, 1, 0] : [0, 1, 2];
  for (let from = 0, to = 0; to < pixels.length; from += layout.channels) {
    pixels[to++] = packed[from + red!]!;
    pixels[to++] = packed[from + green!]!;
    pixels[to++] = packed[from + blue!]!;
  }
  return { ...size, kind: "colour", pixels };
}

function packRows(data: Uint8Array, stepBytes: number, rowBytes: number, rows: number): Uint8Array {
  if (stepBytes === rowBytes) return data;
  const packed = new Uint8Array(rowBytes * rows);
  for (let row = 0; row < rows; row++)
    packed.set(data.subarray(row * stepBytes, row * stepBytes + rowBytes), row * rowBytes);
  return packed;
}

function rawImage(message: EpisodeMessage) {
  const parsed = readImage(message.data);
  if (!parsed.ok) throw unusable(message, `is unreadable: ${parsed.reason}`);
  return parsed.value;
}

const PNG_TRUECOLOUR = 2;
const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function fileKind(file: Buffer): "jpeg" | "png" | undefined {
  if (file.subarray(0, 8).equals(PNG_SIGNATURE)) return "png";
  return file[0] === 0xff && file[1] === 0xd8 ? "jpeg" : undefined;
}

/** PNG: the IHDR chunk (ISO/IEC 15948, 11.2.2). JPEG: the frame header SOFn (ITU-T T.81, B.2.2). */
function fileHead(file: Uint8Array): (ImageSize & { isRgb8: boolean }) | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint8(0) === 0x89) {
    if (file.length < 26) return undefined;
    const isRgb8 = view.getUint8(24) === 8 && view.getUint8(25) === PNG_TRUECOLOUR;
    return { widthPx: view.getUint32(16), heightPx: view.getUint32(20), isRgb8 };
  }
  for (let at = 2; at + 9 < file.length && view.getUint8(at) === 0xff; ) {
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) {
      const isRgb8 = view.getUint8(at + 4) === 8 && view.getUint8(at + 9) === 3;
      return { heightPx: view.getUint16(at + 5), widthPx: view.getUint16(at + 7), isRgb8 };
    }
    at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

const unusable = (message: EpisodeMessage, what: string, cause?: unknown) =>
  new CerebellumError(
    "EPISODE_INVALID",
    `Image ${message.sequence} of ${message.topic} ${what}`,
    "Leave this episode out: `./cerebellum episodes drop` keeps it from exports",
    cause,
  );
