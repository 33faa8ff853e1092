import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Lane } from "./lane.js";
import { markText, rangeAround, scaleOf } from "./scale.js";
import { columnOf, Trace } from "./trace.js";

const samplesOf = (values: readonly number[], durationS: number) =>
  values.map((value, index) => ({ atS: (index * durationS) / Math.max(1, values.length - 1), value }));
const fill = (trace: Trace, samples: readonly { atS: number; value: number }[]) => {
  for (const { atS, value } of samples) trace.add(atS, value);
  return trace;
};

describe("a trace", () => {
  it("keeps every sample while there are few", () => {
    const samples = samplesOf([1, 5, 2, 2, -3], 4);
    expect(fill(new Trace(4, 100), samples).lines()).toEqual([samples]);
  });

  it("of many samples keeps first, least, greatest and last of each column, and nothing else", () => {
    const any = fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(any, (values) => {
        const samples = samplesOf(values, 10);
        const points = fill(new Trace(10, 7), samples).lines().flat();
        expect(points.length).toBeLessThanOrEqual(4 * 7);
        for (let column = 0; column < 7; column++) {
          const own = samples.filter(({ atS }) => columnOf(atS, 10, 7) === column);
          const drawn = points.filter(({ atS }) => columnOf(atS, 10, 7) === column);
          expect(drawn.length > 0).toBe(own.length > 0);
          if (own.length === 0) continue;
          expect(drawn[0]).toEqual(own[0]);
          expect(drawn.at(-1)).toEqual(own.at(-1));
          for (const pick of [Math.min, Math.max])
            expect(pick(...drawn.map(({ value }) => value))).toBe(pick(...own.map(({ value }) => value)));
        }
        for (const [index, { atS }] of points.entries())
          expect(atS).toBeGreaterThanOrEqual(points[index - 1]?.atS ?? 0);
      }),
    );
  });

  it("is interrupted where nothing was measured, and takes nothing from outside the episode", () => {
    const trace = fill(new Trace(10, 100), [
      { atS: 1, value: 1 },
      { atS: 2, value: 2 },
      { atS: 3, value: Number.NaN },
      { atS: 5, value: 5 },
      { atS: -1, value: 99 },
      { atS: 11, value: 99 },
      { atS: Number.NaN, value: 99 },
    ]);
    expect(trace.lines().map((line) => line.map(({ value }) => value))).toEqual([[1, 2], [5]]);
    expect(trace.range).toEqual([1, 5]);
    expect(new Trace(10, 100).range).toBeUndefined();
  });
});

describe("a lane", () => {
  it("joins marks to runs, by name and in all", () => {
    const lane = new Lane(10, 100);
    lane.mark("jerk", 1, 2);
    lane.mark("jerk", 2, 3);
    lane.mark("velocity", 2.5, 4);
    lane.mark("velocity", 8, 20);
    lane.mark("nothing", 30, 40);
    const rounded = (runs: readonly { fromS: number; toS: number }[]) =>
      runs.map(({ fromS, toS }) => [Number(fromS.toFixed(3)), Number(toS.toFixed(3))]);
    expect(lane.names).toEqual(["jerk", "velocity"]);
    expect(rounded(lane.runs("jerk"))).toEqual([[1, 3.1]]);
    expect(rounded(lane.runs("velocity"))).toEqual([
      [2.5, 4.1],
      [8, 10],
    ]);
    expect(rounded(lane.anyRuns())).toEqual([
      [1, 4.1],
      [8, 10],
    ]);
    expect(rounded(lane.only("velocity").anyRuns())).toEqual(rounded(lane.runs("velocity")));
    expect(lane.runs("unknown")).toEqual([]);
  });

  it("gathers names beyond its thirty bits under one", () => {
    const lane = new Lane(10, 10);
    for (let index = 0; index < 40; index++) lane.mark(`state ${index}`, index / 5, index / 5);
    expect(lane.names).toHaveLength(31);
    expect(lane.names.at(-1)).toBe("other");
    expect(lane.runs("other").length).toBeGreaterThan(0);
    expect(lane.runs("state 3")).toHaveLength(1);
  });
});

describe("an axis", () => {
  it.each([
    [0, 10, 5, [0, 2, 4, 6, 8, 10], 0],
    [-0.031, 0.042, 4, [-0.02, 0, 0.02, 0.04], 2],
    [0, 600, 12, [0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600], 0],
    [0.99, 1.01, 2, [0.99, 1, 1.01], 2],
  ])("from %d to %d has round marks", (low, high, count, marks, digits) => {
    const scale = scaleOf(low, high, count);
    expect(scale.marks.map((mark) => Number(mark.toFixed(6)))).toEqual(marks);
    expect(scale.digits).toBe(digits);
  });

  it("has about as many marks as asked for, whatever the range", () => {
    const any = fc.tuple(
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.double({ min: 1e-4, max: 1e6, noNaN: true }),
      fc.integer({ min: 2, max: 12 }),
    );
    fc.assert(
      fc.property(any, ([low, span, count]) => {
        const { marks } = scaleOf(low, low + span, count);
        expect(marks.length).toBeGreaterThanOrEqual(Math.floor(count / 2.5) - 1);
        expect(marks.length).toBeLessThanOrEqual(count + 2);
        for (const mark of marks) {
          expect(mark).toBeGreaterThanOrEqual(low - span * 1e-6);
          expect(mark).toBeLessThanOrEqual(low + span * (1 + 1e-6));
        }
      }),
    );
  });

  it("leaves room around a signal that stands still", () => {
    expect(rangeAround([[2, 2], undefined], 0.5)).toEqual({ low: 1.75, high: 2.25 });
    expect(rangeAround([undefined], 2)).toEqual({ low: -1, high: 1 });
    expect(markText(-0.0001, 2)).toBe("0.00");
    expect(markText(-1.5, 1)).toBe("−1.5");
  });
});
