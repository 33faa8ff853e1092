/** Pictures as PNG files: without loss, packed fast rather than small. */
import sharp from "sharp";
import type { Picture } from "../pixels.js";

/** Colour with 8 bits a channel, depth with 16 bits in the camera's own unit. */
export function encodePng(picture: Picture): Promise<Buffer> {
  const { widthPx: width, heightPx: height } = picture;
  const image =
    picture.kind === "colour"
      ? sharp(picture.pixels, { raw: { width, height, channels: 3 } })
      : sharp(picture.pixels, { raw: { width, height, channels: 1 } }).toColourspace("grey16");
  return image.png({ compressionLevel: 1, adaptiveFiltering: false }).toBuffer();
}
