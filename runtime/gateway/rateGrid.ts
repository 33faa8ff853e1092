/**
 * Moments at a rate, on a grid that is the same for everybody: who wants the same rate, or half of it, is due at the same
 * moments, so that what is made for one is made for all.
 */
import { asMonotonicNs, type MonotonicNs, NS_PER_S } from "../../core/clock.js";

const periodOf = (rateHz: number): bigint => BigInt(Math.round(Number(NS_PER_S) / rateHz));

/** First moment of the grid of a rate that lies behind `nowNs`. */
export function nextOnGrid(nowNs: MonotonicNs, rateHz: number): MonotonicNs {
  const periodNs = periodOf(rateHz);
  return asMonotonicNs((nowNs / periodNs + 1n) * periodNs);
}

/**
 * Lets at most so many a second through of something that comes by itself. A regular source that is a little early or
 * late is not cut down to half the rate: single distances may be a quarter shorter, the mean never is.
 */
export class RateGate {
  readonly #periodNs: bigint;
  #dueNs = 0n;

  constructor(readonly rateHz: number) {
    this.#periodNs = periodOf(rateHz);
  }

  isDue(nowNs: MonotonicNs): boolean {
    return nowNs >= this.#dueNs - this.#periodNs / 4n;
  }

  /** Something went through now. */
  pass(nowNs: MonotonicNs): void {
    const isLate = nowNs > this.#dueNs + this.#periodNs;
    // Behind a pause it starts anew: nothing is made up for in a burst.
    this.#dueNs = (isLate ? nowNs : this.#dueNs) + this.#periodNs;
  }
}
