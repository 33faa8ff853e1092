import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QUANTILE_RELATIVE_ERROR, Spread } from "./spread.js";

const spreadOf = (values: readonly number[]) => {
  const spread = new Spread();
  for (const value of values) spread.record(value);
  return spread;
};

/** As numpy's default: linear between neighbouring ranks. */
function exactQuantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = share * (sorted.length - 1);
  const below = sorted[Math.floor(rank)]!;
  return below + ((sorted[Math.ceil(rank)] ?? below) - below) * (rank - Math.floor(rank));
}
const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 });

describe("a spread", () => {
  it("finds quantiles within its bound, extremes exactly", () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (found, share) => {
        const spread = spreadOf(found);
        const largest = Math.max(...found.map(Math.abs));
        expect(Math.abs(spread.quantile(share) - exactQuantile(found, share))).toBeLessThanOrEqual(
          1.01 * QUANTILE_RELATIVE_ERROR * largest + 1e-9,
        );
        expect(spread.quantile(0) - Math.min(...found)).toBe(0);
        expect(spread.quantile(1) - Math.max(...found)).toBe(0);
      }),
    );
  });

  it("has the mean and deviation of what it saw, in parts or at once", () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const all = [...a, ...b];
        const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
        const deviation = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
        const merged = spreadOf(a);
        merged.merge(spreadOf(b));
        expect(merged.count).toBe(all.length);
        expect(merged.mean).toBeCloseTo(mean, 5);
        expect(merged.deviation).toBeCloseTo(deviation, 5);
        expect(merged.quantile(0.5) - spreadOf(all).quantile(0.5)).toBe(0);
      }),
    );
  });

  it("leaves out what is not finite, and is NaN without values", () => {
    const spread = spreadOf([Number.NaN, Number.POSITIVE_INFINITY]);
    expect(spread.count).toBe(0);
    expect(spread.quantile(0.5)).toBeNaN();
    expect(spread.deviation).toBeNaN();
  });
});
