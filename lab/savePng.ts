/** Pictures of the lab as PNG files. */
import sharp from "sharp";
import { CerebellumError, errorText } from "../core/errors.js";
import type { Picture } from "./camera/cameraLoop.js";

/** @throws CerebellumError FILE_UNREADABLE when the file cannot be written */
export async function savePng(picture: Picture, widthPx: number, file: string): Promise<void> {
  const { widthPx: width, heightPx: height, rgb } = picture;
  try {
    await sharp(rgb, { raw: { width, height, channels: 3 } })
      .resize(widthPx)
      .png()
      .toFile(file);
  } catch (cause) {
    throw new CerebellumError(
      "FILE_UNREADABLE",
      `Cannot write ${file}: ${errorText(cause)}`,
      "Choose a folder that exists and may be written",
      cause,
    );
  }
}
