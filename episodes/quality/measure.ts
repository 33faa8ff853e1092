/** Measures an episode's quality from its file; the same result as was measured when it was recorded. */
import type { EpisodeReader } from "../episodeReader.js";
import { EpisodeQuality, type QualityResult } from "./episodeQuality.js";
import { limitsOf, type QualityLimits } from "./limits.js";

/**
 * @param limits by default those that it was recorded with
 * @throws CerebellumError EPISODE_INVALID where the file is damaged, CONFIG_INVALID for unusable limits
 */
export async function measureQuality(
  reader: EpisodeReader,
  limits: Partial<QualityLimits> = limitsOf(reader.start),
): Promise<QualityResult> {
  const quality = new EpisodeQuality(reader.start.topics, limits);
  for await (const { topic, publishNs, logNs, data } of reader.messages())
    quality.observe(topic, publishNs, logNs, data);
  return quality.finish(reader.end.topics, {
    startedNs: BigInt(reader.start.startedNs),
    endedNs: BigInt(reader.end.endedNs),
  });
}
