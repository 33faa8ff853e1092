/**
 * Distribution of a stream of durations in bounded memory: mean, deviation and extremes exactly, quantiles from a
 * histogram. The result depends on the values and their order alone, so live and later measurements agree bit for bit.
 */

/** Bins grow by 1 %: a quantile is off by at most half of that, relative to its distance from `reference`. */
const GROWTH = 1.01;
const LOG_GROWTH = Math.log(GROWTH);
/** Smaller distances count as none [ns]: 1 µs. */
const SMALLEST_NS = 1000;
/** 1 µs to 1000 s; what is further away is in the last bin, and the extremes are exact in any case. */
const BIN_COUNT = Math.ceil(Math.log(1e12 / SMALLEST_NS) / LOG_GROWTH) + 1;

/** All in milliseconds; `sd` is the standard deviation. */
export interface SpreadMs {
  readonly count: number;
  readonly mean: number;
  readonly sd: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export class Spread {
  #count = 0;
  #mean = 0;
  #squares = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #reference: number;
  /** Counts by distance above and below the reference; the second only when there is any. */
  readonly #above = new Uint32Array(BIN_COUNT);
  #below: Uint32Array | undefined;
  #atReference = 0;

  /** @param referenceNs where bins are finest; left out, the first value */
  constructor(referenceNs = Number.NaN) {
    this.#reference = referenceNs;
  }

  get count(): number {
    return this.#count;
  }

  /** [ns]; 0 without values. */
  get mean(): number {
    return this.#mean;
  }

  add(ns: number): void {
    if (Number.isNaN(this.#reference)) this.#reference = ns;
    this.#count++;
    const fromMean = ns - this.#mean;
    this.#mean += fromMean / this.#count;
    this.#squares += fromMean * (ns - this.#mean);
    if (ns < this.#min) this.#min = ns;
    if (ns > this.#max) this.#max = ns;
    const distance = ns - this.#reference;
    if (Math.abs(distance) < SMALLEST_NS) this.#atReference++;
    else if (distance > 0) bump(this.#above, distance);
    else {
      this.#below ??= new Uint32Array(BIN_COUNT);
      bump(this.#below, -distance);
    }
  }

  /** Nearest-rank quantile [ns]; NaN without values. */
  quantile(share: number): number {
    let rank = Math.max(1, Math.ceil(share * this.#count));
    if (this.#count === 0) return Number.NaN;
    if (rank >= this.#count) return this.#max;
    const within = (ns: number) => Math.min(this.#max, Math.max(this.#min, ns));
    if (this.#below !== undefined)
      for (let bin = BIN_COUNT - 1; bin >= 0; bin--)
        if ((rank -= this.#below[bin]!) <= 0) return within(this.#reference - middle(bin));
    if ((rank -= this.#atReference) <= 0) return within(this.#reference);
    for (let bin = 0; bin < BIN_COUNT; bin++)
      if ((rank -= this.#above[bin]!) <= 0) return within(this.#reference + middle(bin));
    return this.#max;
  }

  /** null without values. */
  summary(): SpreadMs | null {
    if (this.#count === 0) return null;
    return {
      count: this.#count,
      mean: this.#mean / 1e6,
      sd: Math.sqrt(this.#squares / this.#count) / 1e6,
      min: this.#min / 1e6,
      p50: this.quantile(0.5) / 1e6,
      p99: this.quantile(0.99) / 1e6,
      max: this.#max / 1e6,
    };
  }
}

function bump(bins: Uint32Array, distanceNs: number): void {
  const bin = Math.min(BIN_COUNT - 1, Math.floor(Math.log(distanceNs / SMALLEST_NS) / LOG_GROWTH));
  bins[bin] = bins[bin]! + 1;
}

/** Centre of a bin [ns], so that the error is the same to both sides. */
const middle = (bin: number): number => SMALLEST_NS * GROWTH ** (bin + 0.5);
