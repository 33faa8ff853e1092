/** The `recorder` section of a cell file. */
import { z } from "zod";
import { ImageStorage } from "../../episodes/format.js";
import { QualityLimits } from "../../episodes/quality/limits.js";

export const RecorderTopic = z.strictObject({
  topic: z
    .string()
    .regex(/^\/[A-Za-z_][A-Za-z0-9_]*(\/[A-Za-z_][A-Za-z0-9_]*)*$/, {
      error: "must be an absolute ROS topic such as /ft_sensor/wrench",
    })
    .describe("Absolute name of the topic"),
  type: z
    .string()
    .regex(/^[a-z][a-z0-9_]*\/msg\/[A-Z][A-Za-z0-9]*$/, {
      error: "must be a message type such as geometry_msgs/msg/WrenchStamped",
    })
    .describe("Its message type"),
  qos: z
    .enum(["sensor", "reliable", "latched"])
    .default("reliable")
    .describe("sensor = best effort; latched = transient local, kept for late subscribers"),
  rateHz: z
    .number()
    .positive()
    .max(2000)
    .optional()
    .describe("Nominal rate, where there is one: gaps and losses are judged by it"),
  latencyMs: z
    .number()
    .min(0)
    .max(1000)
    .optional()
    .describe("Known delay between the moment of capture and the stamp"),
});
export type RecorderTopic = z.infer<typeof RecorderTopic>;

export const RecorderConfig = z.strictObject({
  folder: z
    .string()
    .min(1)
    .default("recordings")
    .describe("Where the sets of episodes lie, relative to the repository or absolute"),
  images: ImageStorage.default("jpeg").describe("How images are kept; depth is never kept with loss"),
  jpegQuality: z.int().min(50).max(100).default(92),
  topics: z.array(RecorderTopic).max(64).default([]).describe("Further topics to record"),
  strict: z
    .boolean()
    .default(false)
    .describe("End an episode at the first message that is lost, rather than keep one with holes"),
  required: z
    .boolean()
    .default(false)
    .describe("Stop the robots when the recorder fails, and enable nothing until it is back"),
  queueMiB: z
    .number()
    .min(1)
    .max(1024)
    .default(64)
    .describe("Memory between subscriptions and recorder, rounded up to a power of two"),
  diskFreeMiBMin: z
    .number()
    .min(64)
    .default(1024)
    .describe(
      "No episode starts, and a running one ends in order, when less than this would be left on its disk",
    ),
  episodeMinutesMax: z
    .number()
    .positive()
    .max(600)
    .default(30)
    .describe("A longer episode ends in order: somebody forgot to stop it"),
  quality: QualityLimits.prefault({}).describe("Below this an episode is flagged, and left out of exports"),
});
export type RecorderConfig = z.infer<typeof RecorderConfig>;
