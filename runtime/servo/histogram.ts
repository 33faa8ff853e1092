/** Counts of lateness in buckets that grow by a quarter from 1 µs to about 1 s; adding allocates nothing. */

const BUCKET_COUNT = 64;
const GROWTH = 1.25;

export class LatenessHistogram {
  /** Upper edges [µs]; the last bucket has no end. */
  readonly bucketsUs: readonly number[] = Array.from({ length: BUCKET_COUNT }, (_, i) =>
    i === BUCKET_COUNT - 1 ? Number.MAX_VALUE : GROWTH ** i,
  );
  readonly #counts = new Float64Array(BUCKET_COUNT);
  #total = 0;
  #maxUs = 0;

  add(latenessUs: number): void {
    let bucket = 0;
    while (bucket < BUCKET_COUNT - 1 && latenessUs >= this.bucketsUs[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#total++;
    if (latenessUs > this.#maxUs) this.#maxUs = latenessUs;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  counts(): number[] {
    return [...this.#counts];
  }

  /** The lateness below which `share` of all ticks lie, linear within its bucket; 0 before the first tick. */
  percentileUs(share: number): number {
    const wanted = share * this.#total;
    let below = 0;
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      const count = this.#counts[bucket]!;
      if (count > 0 && below + count >= wanted) {
        const low = bucket === 0 ? 0 : this.bucketsUs[bucket - 1]!;
        const high = Math.min(this.bucketsUs[bucket]!, this.#maxUs);
        return low + ((wanted - below) / count) * Math.max(0, high - low);
      }
      below += count;
    }
    return this.#maxUs;
  }
}
