/** Quantiles for benches: of samples that are all kept, and of a servo's lateness between two moments. */
import type { ServoStatistics } from "../../runtime/servo/api.js";
import { percentileOfCounts } from "../../runtime/servo/histogram.js";

export interface SampleSummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Nearest-rank quantiles; undefined without samples. */
export function summariseMs(samplesMs: readonly number[]): SampleSummary | undefined {
  if (samplesMs.length === 0) return undefined;
  const sorted = [...samplesMs].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return {
    count: sorted.length,
    p50Ms: rank(0.5),
    p99Ms: rank(0.99),
    p999Ms: rank(0.999),
    maxMs: sorted.at(-1)!,
  };
}

/** Lateness of servo ticks [µs]. */
export interface Lateness {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Of the ticks between two moments, from the difference of their counts. */
export function latenessBetween(before: ServoStatistics, after: ServoStatistics): Lateness {
  const counts = after.counts.map((count, bucket) => count - (before.counts[bucket] ?? 0));
  // The largest is known since the start only; where it lies outside of what was added here, the bucket's edge is.
  const last = counts.findLastIndex((count) => count > 0);
  const edgeUs = after.bucketsUs[last] ?? 0;
  const max = Math.min(after.latenessUs.max, edgeUs);
  const at = (share: number) => percentileOfCounts(after.bucketsUs, counts, share, max);
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max };
}
