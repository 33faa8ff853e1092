/**
 * Images on their way into an episode: from `sensor_msgs/msg/Image` as received to `sensor_msgs/msg/CompressedImage`,
 * off this thread, a bounded number at a time. Colour becomes JPEG or PNG as asked for; depth and other 16-bit images
 * become PNG of 16 bits whatever is asked for, because JPEG would ruin them. The newest images are kept as they came
 * for a moment, so that those a policy used can be written without loss as well.
 */
import sharp from "sharp";
import type { EpochNs } from "../../core/clock.js";
import { CerebellumError, errorText } from "../../core/errors.js";
import { type ImageView, readImage, writeCompressedImage } from "../../core/rosWire.js";
import type { ImageStorage } from "../../episodes/format.js";

export interface ImageStoreOptions {
  readonly storage: Exclude<ImageStorage, "raw">;
  /** 1 to 100. */
  readonly jpegQuality: number;
  /** Images that may be under compression at once; more are refused. */
  readonly pendingMax: number;
  /** Newest images that `lossless` can still give; 0 keeps none. */
  readonly keptMax: number;
}

interface Layout {
  readonly channels: 1 | 3 | 4;
  readonly bytesPerChannel: 1 | 2;
  /** Blue comes first. */
  readonly swaps?: true;
}

/** ROS image encodings that can be compressed; the names are those of sensor_msgs/image_encodings. */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  rgb8: { channels: 3, bytesPerChannel: 1 },
  bgr8: { channels: 3, bytesPerChannel: 1, swaps: true },
  rgba8: { channels: 4, bytesPerChannel: 1 },
  bgra8: { channels: 4, bytesPerChannel: 1, swaps: true },
  mono8: { channels: 1, bytesPerChannel: 1 },
  "8UC1": { channels: 1, bytesPerChannel: 1 },
  mono16: { channels: 1, bytesPerChannel: 2 },
  "16UC1": { channels: 1, bytesPerChannel: 2 },
};

/** Without padding, red first, in memory of its own. */
interface Packed {
  readonly stampNs: EpochNs;
  readonly frameId: string;
  readonly encoding: string;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly layout: Layout;
  readonly pixels: Buffer;
}

export const RAW_IMAGE = "sensor_msgs/msg/Image";
export const COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage";

/** Topic and type under which images of `topic` are kept. */
export const storedImage = (topic: string, storage: ImageStorage): { topic: string; type: string } =>
  storage === "raw" ? { topic, type: RAW_IMAGE } : { topic: `${topic}/compressed`, type: COMPRESSED_IMAGE };

export class ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #kept: Packed[] = [];
  #pendingCount = 0;

  constructor(options: ImageStoreOptions) {
    this.#options = options;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  /**
   * @param cdr sensor_msgs/Image; its bytes are taken before this returns
   * @returns the CompressedImage as CDR
   * @throws CerebellumError RECORDING_FAILED (as a rejection): unreadable, an encoding that cannot be compressed, or
   *   too many images under compression already
   */
  async store(cdr: Uint8Array): Promise<Uint8Array> {
    if (this.#pendingCount >= this.#options.pendingMax) {
      throw refused(
        `${this.#pendingCount} images are under compression already (limit ${this.#options.pendingMax})`,
        "Record fewer or smaller images, or store them raw if the disk is fast",
      );
    }
    const packed = pack(cdr);
    this.#keep(packed);
    return this.#compress(packed, this.#options.storage);
  }

  /**
   * The image of exactly this stamp as PNG, undefined when it is not among the newest any more.
   * @throws CerebellumError RECORDING_FAILED (as a rejection)
   */
  lossless(stampNs: EpochNs): Promise<Uint8Array> | undefined {
    const packed = this.#kept.findLast((kept) => kept.stampNs === stampNs);
    return packed === undefined ? undefined : this.#compress(packed, "png");
  }

  #keep(packed: Packed): void {
    if (this.#options.keptMax === 0) return;
    this.#kept.push(packed);
    if (this.#kept.length > this.#options.keptMax) this.#kept.shift();
  }

  async #compress(packed: Packed, storage: "jpeg" | "png"): Promise<Uint8Array> {
    const { widthPx: width, heightPx: height, layout, pixels, stampNs, frameId, encoding } = packed;
    const isWide = layout.bytesPerChannel === 2;
    const input = isWide ? new Uint16Array(pixels.buffer, pixels.byteOffset, pixels.length / 2) : pixels;
    const raw = { width, height, channels: layout.channels };
    const image = sharp(input, { raw });
    this.#pendingCount++;
    try {
      if (isWide) {
        const data = await image.toColourspace("grey16").png(PNG).toBuffer();
        return writeCompressedImage(stampNs, frameId, `${encoding}; png compressed`, data);
      }
      const shown = layout.channels === 1 ? image.toColourspace("b-w") : image;
      const data =
        storage === "png"
          ? await shown.png(PNG).toBuffer()
          : await shown.jpeg({ quality: this.#options.jpegQuality, chromaSubsampling: "4:4:4" }).toBuffer();
      return writeCompressedImage(stampNs, frameId, storage, data);
    } catch (cause) {
      throw refused(`An image could not be compressed: ${errorText(cause)}`, "Store images raw", cause);
    } finally {
      this.#pendingCount--;
    }
  }
}

/** Fast rather than small: an episode's images must keep up with the camera. */
const PNG = { compressionLevel: 1, adaptiveFiltering: false } as const;

function pack(cdr: Uint8Array): Packed {
  const parsed = readImage(cdr);
  if (!parsed.ok) throw refused(`An image is unreadable: ${parsed.reason}`, "Check the publisher's version");
  const { stampNs, frameId, encoding, widthPx, heightPx } = parsed.value;
  const layout = LAYOUTS[encoding];
  if (layout === undefined) {
    throw refused(
      `Images of encoding "${encoding}" cannot be compressed (known: ${Object.keys(LAYOUTS).join(", ")})`,
      "Store the images of this topic raw",
    );
  }
  return { stampNs, frameId, encoding, widthPx, heightPx, layout, pixels: packPixels(parsed.value, layout) };
}

function packPixels({ widthPx, heightPx, stepBytes, data }: ImageView, layout: Layout): Buffer {
  const rowBytes = widthPx * layout.channels * layout.bytesPerChannel;
  if (stepBytes < rowBytes || data.length === 0) {
    throw refused(
      `Image rows are ${stepBytes} bytes, expected at least ${rowBytes} for ${widthPx} pixels`,
      "Check the publisher",
    );
  }
  // Its own memory, aligned for 16-bit reading.
  const pixels = Buffer.from(new ArrayBuffer(rowBytes * heightPx));
  if (stepBytes === rowBytes) pixels.set(data);
  else
    for (let row = 0; row < heightPx; row++)
      pixels.set(data.subarray(row * stepBytes, row * stepBytes + rowBytes), row * rowBytes);
  if (layout.swaps) swapRedAndBlue(pixels, layout.channels);
  return pixels;
}

function swapRedAndBlue(pixels: Uint8Array, channels: number): void {
  for (let at = 0; at < pixels.length; at += channels) {
    const first = pixels[at]!;
    pixels[at] = pixels[at + 2]!;
    pixels[at + 2] = first;
  }
}

const refused = (happened: string, remedy: string, cause?: unknown) =>
  new CerebellumError("RECORDING_FAILED", happened, remedy, cause);
