/** Delays that networks and drivers put on messages, seeded, and clocks that are not the host's. */

export type Chance = () => number;

/** Uniform in [0, 1). mulberry32. */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const DELAY_KINDS = ["uniform", "bursty", "heavyTailed"] as const;
export type DelayKind = (typeof DELAY_KINDS)[number];
/** The smallest that any of them gives [ms]. */
export const DELAY_MS_MIN = 5;

/**
 * Delay [ms] of each of `count` messages at `rateHz`, from 5 ms on. `uniform`: up to 200. `bursty`: exponential, and
 * about once a second a stall of up to 0.8 s after which the queue drains. `heavyTailed`: Pareto with exponent 1.2, up to
 * 2 s.
 */
export function delaysMs(kind: DelayKind, count: number, rateHz: number, random: Chance): Float64Array {
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  if (kind === "uniform") return Float64Array.from({ length: count }, () => 5 + 195 * random());
  if (kind === "heavyTailed")
    return Float64Array.from({ length: count }, () => Math.min(2000, 1 + 4 * (1 - random()) ** (-1 / 1.2)));
  const delays = Float64Array.from({ length: count }, () => Math.min(200, 5 + exponential(10)));
  for (let at = Math.ceil(exponential(rateHz)); at < count; at += Math.ceil(exponential(rateHz))) {
    const stalled = Math.ceil((0.1 + 0.7 * random()) * rateHz);
    for (let i = 0; i < stalled && at < count; i++, at++)
      delays[at] = Math.max(delays[at]!, Math.min(200, 1000 * ((stalled - i) / rateHz)));
  }
  return delays;
}

/** Nearest-rank quantile. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}
