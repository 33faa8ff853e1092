import { describe, expect, it } from "vitest";
import { isSampled, NumberStats, PictureStats, sampleCount } from "./stats.js";

describe("pictures that statistics are of", () => {
  it("are all of a short episode, and evenly spaced ones of a long one", () => {
    for (const frameCount of [1, 60, 100, 101, 5000, 100_000]) {
      const samples = sampleCount(frameCount);
      const chosen: number[] = [];
      for (let frame = 0; frame < frameCount; frame++)
        if (isSampled(frame, frameCount, samples)) chosen.push(frame);
      expect(chosen[0]).toBe(0);
      expect(Math.abs(chosen.length - samples)).toBeLessThanOrEqual(1);
      const steps = chosen.slice(1).map((frame, place) => frame - chosen[place]!);
      expect(Math.max(0, ...steps) - Math.min(...steps, Number.POSITIVE_INFINITY) || 0).toBeLessThanOrEqual(
        1,
      );
    }
    expect([1, 60, 100].map(sampleCount)).toEqual([1, 60, 100]);
    expect(sampleCount(100_000)).toBe(Math.round(100_000 ** 0.75));
  });

  it("count by channel, exactly, and merge", () => {
    const [a, b] = [new PictureStats(), new PictureStats()];
    a.add(Uint8Array.of(0, 10, 255, 2, 10, 255), 2, 1);
    b.add(Uint8Array.of(4, 30, 255, 6, 30, 255), 2, 1);
    a.merge(b);
    const stats = a.stats();
    const values = (name: string) => (stats[name] as number[][][]).map((channel) => 255 * channel[0]![0]!);
    expect(values("mean")).toEqual([3, 20, 255]);
    expect(values("min")).toEqual([0, 10, 255]);
    expect(values("max")).toEqual([6, 30, 255]);
    expect(values("std")[0]).toBeCloseTo(Math.sqrt(5), 9);
    expect(values("q50")[0]).toBeCloseTo(3, 9);
    expect(stats.count).toEqual([2]);
  });
});

describe("numbers", () => {
  it("are counted by element; one that never had a value is zero, because JSON has no NaN", () => {
    const stats = new NumberStats(2);
    for (const value of [1, 2, 3]) stats.add([value, Number.NaN]);
    expect(stats.stats()).toMatchObject({ min: [1, 0], max: [3, 0], mean: [2, 0], count: [3] });
    expect(JSON.stringify(stats.stats())).not.toContain("null");
  });
});
