/** How values are spread, from one pass and in bounded memory: extremes, mean, deviation, quantiles. */

/** Relative error of a quantile: see `Spread`. */
export const QUANTILE_RELATIVE_ERROR = 2e-4;
const GAMMA = (1 + QUANTILE_RELATIVE_ERROR) / (1 - QUANTILE_RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
/** Smaller magnitudes count as zero: below the resolution of every quantity here. */
const SMALLEST = 1e-9;

/**
 * Values go into buckets whose bounds grow by a fixed ratio, so a quantile is found to within
 * QUANTILE_RELATIVE_ERROR of the value of its rank (and exactly at both ends), whatever the range; there are at most
 * some 10^5 buckets for magnitudes from 1e-9 to 1e9. Values that are not finite are not counted.
 * Source: Masson, Rim and Lee, DDSketch, PVLDB 12(12), 2019; mean and deviation by Welford's recurrence.
 */
export class Spread {
  count = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  mean = 0;
  #squares = 0;
  #zeros = 0;
  readonly #positive = new Map<number, number>();
  readonly #negative = new Map<number, number>();

  record(value: number): void {
    if (!Number.isFinite(value)) return;
    this.count++;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    const ahead = value - this.mean;
    this.mean += ahead / this.count;
    this.#squares += ahead * (value - this.mean);
    const size = Math.abs(value);
    if (size < SMALLEST) this.#zeros++;
    else increase(value > 0 ? this.#positive : this.#negative, Math.ceil(Math.log(size) / LOG_GAMMA), 1);
  }

  /** Adds everything that the other one has seen. */
  merge(other: Spread): void {
    if (other.count === 0) return;
    const count = this.count + other.count;
    const ahead = other.mean - this.mean;
    this.#squares += other.#squares + (ahead * ahead * this.count * other.count) / count;
    this.mean += (ahead * other.count) / count;
    this.count = count;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
    this.#zeros += other.#zeros;
    for (const [bucket, found] of other.#positive) increase(this.#positive, bucket, found);
    for (const [bucket, found] of other.#negative) increase(this.#negative, bucket, found);
  }

  /** Standard deviation over all values (not of a sample); NaN without any. */
  get deviation(): number {
    return this.count === 0 ? Number.NaN : Math.sqrt(this.#squares / this.count);
  }

  /** @param share 0 to 1. Linear between neighbouring ranks, as numpy does it; NaN without values. */
  quantile(share: number): number {
    return this.quantiles([share])[0]!;
  }

  quantiles(shares: readonly number[]): number[] {
    const buckets = this.#sorted();
    return shares.map((share) => {
      if (this.count === 0) return Number.NaN;
      const rank = share * (this.count - 1);
      const below = this.#atRank(buckets, Math.floor(rank));
      const above = this.#atRank(buckets, Math.ceil(rank));
      return below + (above - below) * (rank - Math.floor(rank));
    });
  }

  /** Value and count of each bucket, rising. */
  #sorted(): [value: number, count: number][] {
    const value = (bucket: number) => (2 * GAMMA ** bucket) / (GAMMA + 1);
    const found = [
      ...[...this.#negative].map(([bucket, count]): [number, number] => [-value(bucket), count]),
      ...[...this.#positive].map(([bucket, count]): [number, number] => [value(bucket), count]),
    ];
    if (this.#zeros > 0) found.push([0, this.#zeros]);
    return found.sort(([a], [b]) => a - b);
  }

  #atRank(buckets: readonly [number, number][], rank: number): number {
    if (rank <= 0) return this.min;
    if (rank >= this.count - 1) return this.max;
    let seen = 0;
    for (const [value, count] of buckets) {
      seen += count;
      if (seen > rank) return Math.min(this.max, Math.max(this.min, value));
    }
    return this.max;
  }
}

const increase = (buckets: Map<number, number>, bucket: number, by: number) =>
  void buckets.set(bucket, (buckets.get(bucket) ?? 0) + by);
