/** Small statistics that reports need. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Wilson score interval of a success rate, 95 % by default. Trials count as independent.
 * Source: E. B. Wilson, J. Am. Stat. Assoc. 22(158), 1927.
 */
export function wilsonInterval(successes: number, trials: number, z = 1.96): Interval {
  if (trials === 0) return { low: 0, high: 1 };
  const rate = successes / trials;
  const scale = 1 + (z * z) / trials;
  const centre = (rate + (z * z) / (2 * trials)) / scale;
  const half = (z / scale) * Math.sqrt((rate * (1 - rate)) / trials + (z * z) / (4 * trials * trials));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}
