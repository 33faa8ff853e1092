/**
 * Vectors of numbers by name in one standard message, std_msgs/Float64MultiArray: each of its dimensions names a vector
 * and its length, and the vectors lie one after another. To the last bit, and readable by every ROS tool.
 */
import { z } from "zod";
import type { RosMessage } from "./rosCodec.js";

export const LABELLED_NUMBERS = "std_msgs/msg/Float64MultiArray";

const Fields = z.object({
  layout: z.object({
    dim: z.array(z.object({ label: z.string(), size: z.int().min(0), stride: z.int().min(0) })),
    data_offset: z.literal(0),
  }),
  data: z.custom<Float64Array>((value) => value instanceof Float64Array),
});

export function writeLabelled(vectors: Readonly<Record<string, ArrayLike<number>>>): RosMessage {
  const entries = Object.entries(vectors);
  const dim = entries.map(([label, { length }]) => ({ label, size: length, stride: length }));
  const data = Float64Array.from(entries.flatMap(([, values]) => Array.from(values)));
  return { layout: { dim, data_offset: 0 }, data };
}

/** Undefined for a message that is none of these. */
export function readLabelled(message: unknown): Record<string, number[]> | undefined {
  const parsed = Fields.safeParse(message);
  if (!parsed.success) return undefined;
  const { layout, data } = parsed.data;
  const vectors: Record<string, number[]> = {};
  let at = 0;
  for (const { label, size } of layout.dim) {
    vectors[label] = Array.from(data.subarray(at, at + size));
    at += size;
  }
  return at === data.length ? vectors : undefined;
}
