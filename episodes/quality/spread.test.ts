import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quantile } from "../../test/support/episodes/delays.js";
import { Spread } from "./spread.js";

const values = fc.array(fc.double({ min: -1e11, max: 1e11, noNaN: true }), { minLength: 1, maxLength: 200 });

describe("Spread", () => {
  it("knows count, mean, deviation and extremes, and quantiles to half a percent of the distance", () => {
    fc.assert(
      fc.property(values, fc.double({ min: -1e9, max: 1e9, noNaN: true }), (all, reference) => {
        const spread = new Spread(reference);
        for (const value of all) spread.add(value);
        const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
        const sd = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
        const found = spread.summary()!;
        expect(found).toMatchObject({
          count: all.length,
          min: Math.min(...all) / 1e6,
          max: Math.max(...all) / 1e6,
        });
        expect(Math.abs(found.mean - mean / 1e6)).toBeLessThan(1e-6);
        expect(Math.abs(found.sd - sd / 1e6)).toBeLessThan(1e-3);
        for (const share of [0.01, 0.5, 0.99]) {
          const exact = quantile(all, share);
          const errorMax = 1001 + 0.0051 * Math.abs(exact - reference);
          expect(Math.abs(spread.quantile(share) - exact)).toBeLessThanOrEqual(errorMax);
        }
      }),
    );
  });

  it("says null of nothing", () => {
    expect(new Spread().summary()).toBeNull();
    expect(new Spread().quantile(0.5)).toBeNaN();
  });
});
