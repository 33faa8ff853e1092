/** Recorded images as small JPEG pictures, whatever form they were kept in. */
import sharp, { type Sharp } from "sharp";
import { CerebellumError, errorText } from "../../core/errors.js";
import type { EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { decodePicture, type Picture } from "../pixels.js";

export type Shown =
  | {
      readonly kind: "picture";
      readonly jpeg: Buffer;
      /** Of the thumbnail. */
      readonly widthPx: number;
      readonly heightPx: number;
    }
  | { readonly kind: "unreadable"; readonly why: string };

const JPEG_QUALITY = 88;
/** Share of depths at either end that does not decide what near and far are. */
const OUTLIERS = 0.01;
const FARTHEST_GREY = 40;

/** Never throws for what a message holds. */
export async function thumbnail(
  reader: EpisodeReader,
  message: EpisodeMessage,
  widthPx: number,
  heightPx: number,
): Promise<Shown> {
  try {
    const { data, info } = await toSharp(await decodePicture(reader, message))
      .resize(widthPx, heightPx, { fit: "inside" })
      .jpeg({ quality: JPEG_QUALITY })
      .toBuffer({ resolveWithObject: true });
    return { kind: "picture", jpeg: data, widthPx: info.width, heightPx: info.height };
  } catch (thrown) {
    const why = thrown instanceof CerebellumError ? thrown.happened : errorText(thrown);
    return { kind: "unreadable", why };
  }
}

function toSharp(picture: Picture): Sharp {
  const { widthPx: width, heightPx: height } = picture;
  if (picture.kind === "colour") return sharp(picture.pixels, { raw: { width, height, channels: 3 } });
  return sharp(greyOf(picture.pixels), { raw: { width, height, channels: 1 } });
}

/** Near is bright, all that was measured spreads over the greys, and what was not measured (0) is black. */
function greyOf(depths: Uint16Array): Uint8Array {
  const measured = depths.filter((depth) => depth > 0).sort();
  const near = measured[Math.floor(measured.length * OUTLIERS)] ?? 0;
  const far = measured[Math.floor(measured.length * (1 - OUTLIERS))] ?? near;
  return Uint8Array.from(depths, (depth) => {
    if (depth === 0) return 0;
    const share = Math.min(1, Math.max(0, (depth - near) / Math.max(1, far - near)));
    return 255 - (255 - FARTHEST_GREY) * share;
  });
}
