import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { feasibleSlopes, lowerEnvelope, lowerHull, onLine, type Point } from "./envelope.js";

/** Different x of a clock's size, y of a delay's. */
const points = fc.uniqueArray(
  fc.record({ x: fc.integer({ min: 0, max: 1e6 }), y: fc.integer({ min: 0, max: 1e5 }) }),
  {
    minLength: 2,
    maxLength: 40,
    selector: ({ x }) => x,
  },
);

const above = (line: ReturnType<typeof lowerEnvelope>, all: readonly Point[]) =>
  all.reduce((sum, { x, y }) => sum + y - onLine(line, x), 0);

describe("lowerEnvelope", () => {
  it("has no point below it", () => {
    fc.assert(
      fc.property(points, fc.double({ min: 1e-6, max: 10, noNaN: true }), (all, slopeMax) => {
        const line = lowerEnvelope(all, slopeMax);
        expect(Math.abs(line.slope)).toBeLessThanOrEqual(slopeMax);
        for (const { x, y } of all) expect(y - onLine(line, x)).toBeGreaterThan(-1e-6);
      }),
    );
  });

  it("is the best of all lines through two points that no point is below", () => {
    fc.assert(
      fc.property(points, (all) => {
        const best = above(lowerEnvelope(all, Number.POSITIVE_INFINITY), all);
        for (const a of all)
          for (const b of all) {
            if (a.x >= b.x) continue;
            const slope = (b.y - a.y) / (b.x - a.x);
            const line = { meanX: a.x, atMean: a.y, slope };
            if (all.some(({ x, y }) => y < onLine(line, x) - 1e-6)) continue;
            expect(above(line, all)).toBeGreaterThan(best - 1e-3);
          }
      }),
    );
  });

  it("is, with a bounded slope, as good as any allowed line that touches a point", () => {
    fc.assert(
      fc.property(points, fc.double({ min: -0.05, max: 0.05, noNaN: true }), (all, slope) => {
        const best = above(lowerEnvelope(all, 0.05), all);
        const meanX = all.reduce((sum, { x }) => sum + x, 0) / all.length;
        const atMean = Math.min(...all.map(({ x, y }) => y - slope * (x - meanX)));
        expect(above({ meanX, atMean, slope }, all)).toBeGreaterThan(best - 1e-3);
      }),
    );
  });

  it("does not depend on the order of the points, and takes one alone", () => {
    fc.assert(
      fc.property(points, (all) => {
        const [a, b] = [lowerEnvelope(all, 1), lowerEnvelope([...all].reverse(), 1)];
        expect(b.slope).toBe(a.slope);
        expect(b.atMean).toBeCloseTo(a.atMean, 6);
      }),
    );
    expect(lowerEnvelope([{ x: 3, y: 7 }], 1)).toEqual({ meanX: 3, atMean: 7, slope: 0 });
    expect(
      lowerHull([
        { x: 3, y: 7 },
        { x: 3, y: 5 },
        { x: 3, y: 6 },
      ]),
    ).toEqual([{ x: 3, y: 5 }]);
  });
});

describe("feasibleSlopes", () => {
  it("are those of lines with no point below, and none beyond them", () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 1, max: 1000 }), (all, deficit) => {
        const line = lowerEnvelope(all, 10);
        const { least, most } = feasibleSlopes(lowerHull(all), line.meanX, line.atMean - deficit, 10);
        expect(least).toBeLessThanOrEqual(line.slope + 1e-9);
        expect(most).toBeGreaterThanOrEqual(line.slope - 1e-9);
        const isBelow = (slope: number) =>
          all.every(({ x, y }) => line.atMean - deficit + slope * (x - line.meanX) <= y + 1e-6);
        expect(isBelow(least) && isBelow(most)).toBe(true);
        if (most < 10) expect(isBelow(most + 0.01)).toBe(false);
        if (least > -10) expect(isBelow(least - 0.01)).toBe(false);
      }),
    );
  });
});
