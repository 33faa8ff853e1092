import { expect, it } from "vitest";
import { DurationHistogram } from "./histogram.js";

it("quantiles are within a bucket of the exact ones, the maximum exact", () => {
  const histogram = new DurationHistogram();
  for (let value = 1; value <= 1000; value++) histogram.add(value / 10);
  histogram.add(Number.NaN);
  const { count, p50Ms, p99Ms, maxMs } = histogram.summary();
  expect([count, maxMs]).toEqual([1000, 100]);
  expect(p50Ms).toBeGreaterThanOrEqual(50);
  expect(p50Ms).toBeLessThanOrEqual(52.5);
  expect(p99Ms).toBeGreaterThanOrEqual(99);
  expect(p99Ms).toBeLessThanOrEqual(100);
});

it("takes durations outside of its range and knows when it is empty", () => {
  const histogram = new DurationHistogram();
  expect(histogram.summary()).toEqual({ count: 0, p50Ms: Number.NaN, p99Ms: Number.NaN, maxMs: Number.NaN });
  histogram.add(-1);
  histogram.add(1e9);
  expect(histogram.summary()).toMatchObject({ count: 2, maxMs: 1e9 });
  expect(histogram.summary().p50Ms).toBeLessThanOrEqual(0.001);
});
