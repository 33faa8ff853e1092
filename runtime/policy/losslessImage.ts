/** Pixels of an episode's image, exactly as the policy's worker received them, or the reason why they are not there. */
import { z } from "zod";
import { readImage } from "../../core/rosWire.js";
import type { EpisodeMessage } from "../../episodes/episodeReader.js";
import type { RosMessage } from "../../episodes/rosCodec.js";
import { decodePng } from "../../policies/png.js";
import type { FrameFormat } from "./frameSlots.js";

export interface Pixels extends FrameFormat {
  /** Tightly packed, 3 bytes a pixel. */
  readonly pixels: Uint8Array;
}

const Compressed = z.object({ format: z.string(), data: z.instanceof(Uint8Array) });

/**
 * @param decode the file's own definition of a CompressedImage
 * @returns the image, or why its pixels are unknown
 */
export function losslessImage(
  message: EpisodeMessage,
  decode: (message: EpisodeMessage) => RosMessage,
): Pixels | string {
  if (message.type === "sensor_msgs/msg/Image") return rawImage(message.data);
  const found = Compressed.safeParse(decode(message));
  if (!found.success) return `a message of ${message.type}, which is no image`;
  const image = decodePng(found.data.data);
  return typeof image === "string"
    ? `format "${found.data.format}": ${image}`
    : { ...image, encoding: "rgb8" };
}

function rawImage(cdr: Uint8Array): Pixels | string {
  const parsed = readImage(cdr);
  if (!parsed.ok) return parsed.reason;
  const { widthPx, heightPx, encoding, stepBytes, data } = parsed.value;
  if (encoding !== "rgb8" && encoding !== "bgr8") return `encoding ${encoding}; a policy sees rgb8 or bgr8`;
  const rowBytes = 3 * widthPx;
  if (stepBytes === rowBytes) return { widthPx, heightPx, encoding, pixels: data };
  if (stepBytes < rowBytes) return `rows of ${stepBytes} bytes for ${widthPx} pixels`;
  const pixels = new Uint8Array(rowBytes * heightPx);
  for (let y = 0; y < heightPx; y++)
    pixels.set(data.subarray(y * stepBytes, y * stepBytes + rowBytes), y * rowBytes);
  return { widthPx, heightPx, encoding, pixels };
}
