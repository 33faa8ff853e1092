/** Recorded images as small JPEG pictures, whatever form they were kept in. */
import sharp, { type Sharp } from "sharp";
import { errorText } from "../../core/errors.js";
import { type ImageView, readImage } from "../../core/rosWire.js";
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";

export interface Thumbnail {
  readonly kind: "picture";
  readonly jpeg: Buffer;
  /** Of the thumbnail. */
  readonly widthPx: number;
  readonly heightPx: number;
}

export type Shown = Thumbnail | { readonly kind: "unreadable"; readonly why: string };

interface Layout {
  readonly channels: 1 | 3 | 4;
  readonly isWide?: true;
  readonly isBlueFirst?: true;
}
/** Names of sensor_msgs/image_encodings. */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  rgb8: { channels: 3 },
  bgr8: { channels: 3, isBlueFirst: true },
  rgba8: { channels: 4 },
  bgra8: { channels: 4, isBlueFirst: true },
  mono8: { channels: 1 },
  "8UC1": { channels: 1 },
  mono16: { channels: 1, isWide: true },
  "16UC1": { channels: 1, isWide: true },
};
/** compressed_depth_image_transport puts its own header before the PNG. */
const DEPTH_HEADER_BYTES = 12;
const JPEG_QUALITY = 88;

/** Never throws for what a message holds. */
export async function thumbnail(
  reader: EpisodeReader,
  message: EpisodeMessage,
  widthPx: number,
  heightPx: number,
): Promise<Shown> {
  try {
    const image = message.type.endsWith("/Image")
      ? fromRaw(message.data)
      : await fromCompressed(reader, message);
    const { data, info } = await image
      .resize(widthPx, heightPx, { fit: "inside", withoutEnlargement: false })
      .removeAlpha()
      .jpeg({ quality: JPEG_QUALITY })
      .toBuffer({ resolveWithObject: true });
    return { kind: "picture", jpeg: data, widthPx: info.width, heightPx: info.height };
  } catch (thrown) {
    return { kind: "unreadable", why: errorText(thrown, 120) };
  }
}

function fromRaw(cdr: Uint8Array): Sharp {
  const parsed = readImage(cdr);
  if (!parsed.ok) throw new Error(parsed.reason);
  const { encoding, widthPx, heightPx } = parsed.value;
  const layout = LAYOUTS[encoding];
  if (layout === undefined) throw new Error(`encoding "${encoding}" is not known`);
  const pixels = withoutPadding(parsed.value, layout);
  if (layout.isWide) return fromWide(new Uint16Array(pixels.buffer, 0, pixels.length / 2), widthPx, heightPx);
  if (layout.isBlueFirst) swapRedAndBlue(pixels, layout.channels);
  return sharp(pixels, { raw: { width: widthPx, height: heightPx, channels: layout.channels } });
}

async function fromCompressed(reader: EpisodeReader, message: EpisodeMessage): Promise<Sharp> {
  const { data, format } = reader.decode(message) as { data?: unknown; format?: unknown };
  if (!(data instanceof Uint8Array)) throw new Error("the message has no compressed data");
  const bytes = String(format).includes("compressedDepth") ? data.subarray(DEPTH_HEADER_BYTES) : data;
  const image = sharp(bytes);
  const { depth, width, height } = await image.metadata();
  if (depth !== "ushort") return image;
  const raw = await image.toColourspace("grey16").extractChannel(0).raw({ depth: "ushort" }).toBuffer();
  const own = new Uint8Array(raw);
  return fromWide(new Uint16Array(own.buffer, 0, own.length / 2), width, height);
}

/** Depth: near is bright, the middle 98 % of what was measured spreads over all greys; not measured (0) is black. */
function fromWide(values: Uint16Array, width: number, height: number): Sharp {
  const measured = values.filter((value) => value > 0).sort();
  const near = measured[Math.floor(measured.length * 0.01)] ?? 0;
  const far = measured[Math.floor(measured.length * 0.99)] ?? 1;
  const grey = Uint8Array.from(values, (value) =>
    value === 0 ? 0 : 255 - 215 * Math.min(1, Math.max(0, (value - near) / Math.max(1, far - near))),
  );
  return sharp(grey, { raw: { width, height, channels: 1 } });
}

/** In memory of its own. */
function withoutPadding({ widthPx, heightPx, stepBytes, data }: ImageView, layout: Layout): Uint8Array {
  const rowBytes = widthPx * layout.channels * (layout.isWide ? 2 : 1);
  if (rowBytes === 0 || heightPx === 0) throw new Error(`the image is ${widthPx} x ${heightPx}`);
  if (stepBytes < rowBytes) throw new Error(`its rows have ${stepBytes} bytes, expected ${rowBytes}`);
  const pixels = new Uint8Array(rowBytes * heightPx);
  for (let row = 0; row < heightPx; row++)
    pixels.set(data.subarray(row * stepBytes, row * stepBytes + rowBytes), row * rowBytes);
  return pixels;
}

function swapRedAndBlue(pixels: Uint8Array, channels: number): void {
  for (let at = 0; at < pixels.length; at += channels) {
    const first = pixels[at]!;
    pixels[at] = pixels[at + 2]!;
    pixels[at + 2] = first;
  }
}
