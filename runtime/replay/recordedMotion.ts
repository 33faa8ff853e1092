/** A robot's motion out of an episode's file. */
import type { EpisodeReader } from "../../episodes/episodeReader.js";
import type { Trim } from "../../episodes/episodeSet.js";
import type { QualityFlag } from "../../episodes/format.js";
import { readServoTick, type ServoTick, servoTickTopic } from "../../episodes/messages.js";
import type { RecordedMotion } from "./plan.js";
import { unusable } from "./sentRow.js";

/**
 * @param robot its name in the episode
 * @param trim kept part, by log time; undefined = all
 * @throws CerebellumError EPISODE_INVALID when it is not in the episode, or has no ticks there
 */
export async function recordedMotion(
  reader: EpisodeReader,
  robot: string,
  trim: Trim | undefined,
  flags: readonly QualityFlag[],
): Promise<RecordedMotion> {
  const recorded = reader.start.robots[robot];
  if (recorded === undefined)
    throw unusable(
      `it has no robot ${robot}, but ${Object.keys(reader.start.robots).join(", ") || "none"}`,
      "Name one of these with --robot",
    );
  const ticks: ServoTick[] = [];
  const range = {
    ...(trim === undefined || trim.fromNs === null ? {} : { fromNs: trim.fromNs }),
    ...(trim === undefined || trim.toNs === null ? {} : { toNs: trim.toNs }),
  };
  for await (const message of reader.messages({ topics: [servoTickTopic(robot)], ...range }))
    ticks.push(readServoTick(reader.decode(message)));
  if (ticks.length === 0)
    throw unusable(
      `it holds no ticks of ${robot}, so nobody knows what was sent`,
      "Replay an episode that this program has recorded, or keep another part of it",
    );
  return { robot: recorded, flags, ticks };
}
