/** Counts of lateness, or of any time, in 20 buckets per power of ten, from 1 µs to 1 s; adding allocates nothing. */

/** Renard's preferred numbers R20 (ISO 3), so that edges are round: 1, 2, 2.5, 4, 5 and 8 of each decade are among them. */
const DECADE = [1, 1.12, 1.25, 1.4, 1.6, 1.8, 2, 2.24, 2.5, 2.8, 3.15, 3.55, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9];
const DECADES = 6;
const BUCKET_COUNT = DECADE.length * DECADES + 2;

/** Upper edges of the buckets [µs]; the first ends at 1 µs, the last has no end. */
export const LATENESS_EDGES_US: readonly number[] = [
  ...Array.from({ length: DECADES }, (_, decade) =>
    DECADE.map((value) => Number((value * 10 ** decade).toPrecision(3))),
  ).flat(),
  10 ** DECADES,
  Number.MAX_VALUE,
];

/** [µs] */
export interface LatenessSummary {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class LatenessHistogram {
  readonly bucketsUs = LATENESS_EDGES_US;
  readonly #counts = new Float64Array(BUCKET_COUNT);
  #added = 0;
  #maxUs = 0;
  #sumUs = 0;

  add(latenessUs: number): void {
    // The logarithm finds the bucket or a neighbour of it: edges are rounded.
    const guess = latenessUs > 1 ? Math.floor(Math.log10(latenessUs) * DECADE.length) : 0;
    let bucket = Math.min(BUCKET_COUNT - 1, guess);
    while (bucket > 0 && latenessUs < LATENESS_EDGES_US[bucket - 1]!) bucket--;
    while (bucket < BUCKET_COUNT - 1 && latenessUs >= LATENESS_EDGES_US[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#added++;
    this.#sumUs += latenessUs;
    if (latenessUs > this.#maxUs) this.#maxUs = latenessUs;
  }

  get added(): number {
    return this.#added;
  }

  get sumUs(): number {
    return this.#sumUs;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  /** For a maximum of what comes from now on; counts stay, since they can be subtracted. */
  forgetMaximum(): void {
    this.#maxUs = 0;
  }

  summaryUs(): LatenessSummary {
    return {
      p50: this.percentileUs(0.5),
      p99: this.percentileUs(0.99),
      p999: this.percentileUs(0.999),
      max: this.maxUs,
    };
  }

  counts(): number[] {
    return [...this.#counts];
  }

  percentileUs(share: number): number {
    return percentileOfCounts(this.bucketsUs, this.#counts, share, this.#maxUs);
  }
}

/**
 * The lateness below which `share` of all ticks lie, linear within its bucket; 0 without ticks.
 * @param bucketsUs upper edges [µs]
 * @param maxUs no answer is above it
 */
export function percentileOfCounts(
  bucketsUs: readonly number[],
  counts: ArrayLike<number>,
  share: number,
  maxUs = Number.POSITIVE_INFINITY,
): number {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket]!;
  const wanted = share * total;
  let below = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = counts[bucket]!;
    if (count > 0 && below + count >= wanted) {
      const low = bucket === 0 ? 0 : bucketsUs[bucket - 1]!;
      const edge = bucketsUs[bucket]!;
      // The last bucket has no end: without a maximum, its beginning is all that is known.
      const high = Math.min(edge === Number.MAX_VALUE ? Math.max(low, maxUs) : edge, maxUs);
      return Number.isFinite(high) ? low + ((wanted - below) / count) * Math.max(0, high - low) : low;
    }
    below += count;
  }
  return 0;
}

/** Ticks that were at most so late; linear within a bucket that the edge divides. */
export function countBelow(bucketsUs: readonly number[], counts: readonly number[], edgeUs: number): number {
  let sum = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const low = bucket === 0 ? 0 : bucketsUs[bucket - 1]!;
    const high = bucketsUs[bucket]!;
    if (high > edgeUs) return sum + (counts[bucket]! * Math.max(0, edgeUs - low)) / (high - low);
    sum += counts[bucket]!;
  }
  return sum;
}
