import { describe, expect, it } from "vitest";
import { msToMonotonicNs } from "../../core/clock.js";
import { nextOnGrid, RateGate } from "./rateGrid.js";

describe("nextOnGrid", () => {
  it("gives the same moments whenever one asks, and a slower rate those of a multiple", () => {
    expect(nextOnGrid(msToMonotonicNs(1001), 10)).toBe(msToMonotonicNs(1100));
    expect(nextOnGrid(msToMonotonicNs(1099), 10)).toBe(msToMonotonicNs(1100));
    expect(nextOnGrid(msToMonotonicNs(1100), 10)).toBe(msToMonotonicNs(1200));
    expect(nextOnGrid(msToMonotonicNs(1101), 5)).toBe(msToMonotonicNs(1200));
  });
});

describe("RateGate", () => {
  const passed = (momentsMs: readonly number[], rateHz: number) => {
    const gate = new RateGate(rateHz);
    return momentsMs.filter((ms) => {
      const nowNs = msToMonotonicNs(ms);
      if (!gate.isDue(nowNs)) return false;
      gate.pass(nowNs);
      return true;
    });
  };

  it("thins 30 Hz with jitter to 10 Hz, neither more nor half as much", () => {
    const jittered = Array.from({ length: 900 }, (_, i) => 5000 + (1000 * i) / 30 + ((i * 7919) % 13) - 6);
    const count = passed(jittered, 10).length;
    expect(count).toBeGreaterThanOrEqual(296);
    expect(count).toBeLessThanOrEqual(301);
  });

  it("lets everything through that comes slower", () => {
    const slow = Array.from({ length: 20 }, (_, i) => 1000 + 200 * i);
    expect(passed(slow, 10)).toEqual(slow);
  });

  it("makes up for nothing after a pause", () => {
    const burst = [1000, ...Array.from({ length: 30 }, (_, i) => 9000 + i)];
    expect(passed(burst, 10)).toEqual([1000, 9000]);
  });
});
