/** Quantiles for benches, of samples that are all kept. */

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
