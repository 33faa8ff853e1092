import { describe, expect, it } from "vitest";
import { findRegressions, type Recorded, record } from "./gate.js";

const late = (p99: number, p999: number) => ({ p50: 1, p99, p999, max: 9000 });
const memory = {
  rssBytesMax: 80e6,
  bytesPerTick: 0,
  heapFloorGrowthBytes: 0,
  collections: 0,
  collectionMs: 0,
};
const pass = (servo: [number, number], c: [number, number]) => ({
  realtimePriority: 80,
  latenessUs: late(...servo),
  reference: { ticks: 1, missed: 0, ...late(...c) },
  ratio: { p99: servo[0] / c[0], p999: servo[1] / c[1] },
  memory,
});
const RECORDED: Recorded = record(pass([200, 2000], [100, 1000]), "here", "today");

describe("the timing gate", () => {
  it("records the ratios of each class that was measured", () => {
    expect(RECORDED).toEqual({ machine: "here", date: "today", fifo: { p99: 2, p999: 2 } });
    const both = { ...pass([200, 2000], [100, 1000]), normalPriority: pass([300, 900], [100, 300]) };
    expect(record(both, "", "").normal).toEqual({ p99: 3, p999: 3 });
    expect(record({ ...pass([5, 5], [5, 5]), realtimePriority: 0 }, "", "")).toMatchObject({
      normal: { p99: 1 },
    });
  });

  it("lets pass what is within a fifth of the recorded ratio, on a slower computer, too", () => {
    expect(findRegressions(pass([239, 2390], [100, 1000]), RECORDED)).toEqual([]);
    expect(findRegressions(pass([2390, 23_900], [1000, 10_000]), RECORDED)).toEqual([]);
  });

  it("names the percentile that is worse", () => {
    const found = findRegressions(pass([241, 2390], [100, 1000]), RECORDED);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain("servo (fifo) is 241 us late at p99, limit 240 us");
    expect(findRegressions(pass([200, 2500], [100, 1000]), RECORDED)[0]).toContain("at p999");
  });

  it("does not judge ratios to a reference of next to nothing", () => {
    expect(findRegressions(pass([90, 490], [2, 3]), RECORDED)).toEqual([]);
    expect(findRegressions(pass([110, 490], [2, 3]), RECORDED)).toHaveLength(1);
  });

  it("bounds memory even where nothing is recorded", () => {
    const fat = { ...pass([1, 1], [1, 1]), memory: { ...memory, rssBytesMax: 121e6 } };
    expect(findRegressions(fat, undefined)[0]).toContain("121 MB, limit 120 MB");
  });
});
