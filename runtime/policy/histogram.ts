/** Durations in preallocated buckets that grow by 5 %, from 1 µs to beyond 10 s: for status, without keeping samples. */

const GROWTH = 1.05;
const FIRST_MS = 0.001;
const BUCKETS = 340;

export interface DurationSummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class DurationHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #count = 0;
  #maxMs = 0;

  /** Negative durations count as zero; NaN is not counted. */
  add(durationMs: number): void {
    if (Number.isNaN(durationMs)) return;
    const bucket = durationMs <= FIRST_MS ? 0 : Math.ceil(Math.log(durationMs / FIRST_MS) / Math.log(GROWTH));
    this.#counts[Math.min(BUCKETS - 1, bucket)]!++;
    this.#count++;
    if (durationMs > this.#maxMs) this.#maxMs = durationMs;
  }

  /** Quantiles are upper edges of their bucket, at most 5 % too high; NaN while empty. The maximum is exact. */
  summary(): DurationSummary {
    return {
      count: this.#count,
      p50Ms: this.#quantile(0.5),
      p99Ms: this.#quantile(0.99),
      maxMs: this.#count === 0 ? Number.NaN : this.#maxMs,
    };
  }

  #quantile(share: number): number {
    const rank = Math.ceil(share * this.#count);
    if (rank === 0) return Number.NaN;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return Math.min(this.#maxMs, FIRST_MS * GROWTH ** bucket);
    }
    return this.#maxMs;
  }
}
