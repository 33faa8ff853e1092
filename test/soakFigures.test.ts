/** The soak's arithmetic and its gates. */
import { describe, expect, it } from "vitest";
import { LatenessHistogram } from "../core/histogram.js";
import { latenessBetween } from "../runtime/servo/lateness.js";
import { NO_STATISTICS } from "../runtime/servo/link/schema.js";
import { brokenGates, type SoakResult } from "./campaigns/soak/figures.js";

const statisticsOf = (histogram: LatenessHistogram) => ({
  ...NO_STATISTICS,
  latenessUs: { p50: 0, p99: 0, p999: 0, max: histogram.maxUs },
  bucketsUs: histogram.bucketsUs,
  counts: histogram.counts(),
});

const good: SoakResult = {
  seconds: 60,
  expectedTickCount: 15_000,
  ranTickCount: 14_990,
  missedTickCount: 10,
  missedByCause: { lateWake: 10 },
  silentMissCount: 0,
  rateHz: 250,
  realtimePriority: 80,
  latenessUs: { p50: 1, p99: 150, p999: 900, max: 5000 },
  servoRssMb: { first: 70, last: 72, max: 75 },
  daemonHeapMb: { first: 30, last: 30 },
  cameras: {},
  recorder: {},
  policySteps: 300,
  policyCommands: 300,
  refusals: {},
  triggers: { commandExpired: 2 },
  unexpected: {},
  policyRestarts: 0,
};

describe("soak figures", () => {
  it("judge only the ticks between two moments", () => {
    const histogram = new LatenessHistogram();
    for (let i = 0; i < 1000; i++) histogram.add(50_000);
    const before = statisticsOf(histogram);
    for (let i = 0; i < 10_000; i++) histogram.add(i < 9_950 ? 10 : 700);
    const { p50, p99, p999, max } = latenessBetween(before, statisticsOf(histogram));
    expect(p50).toBeLessThan(12);
    expect(p99).toBeLessThan(12);
    expect(p999).toBeGreaterThan(600);
    expect(max).toBeLessThanOrEqual(800);
  });

  it.each([
    ["a silent miss", { silentMissCount: 1 }, /1 silent/],
    ["p99", { latenessUs: { ...good.latenessUs, p99: 1100 } }, /p99 1100/],
    ["p99.9", { latenessUs: { ...good.latenessUs, p999: 3100 } }, /p99.9 3100/],
    ["memory", { servoRssMb: { ...good.servoRssMb, max: 121 } }, /RSS 121/],
    ["a stop", { unexpected: { "tick stopped": 5 } }, /tick stopped 5/],
  ])("fail on %s", (_name, change, expected) => {
    expect(brokenGates(good)).toEqual([]);
    expect(brokenGates({ ...good, ...change }).join()).toMatch(expected);
  });

  it("do not judge lateness without real-time priority", () => {
    const late = { ...good, latenessUs: { p50: 1, p99: 9000, p999: 90_000, max: 1e5 } };
    expect(brokenGates({ ...late, realtimePriority: 0 })).toEqual([]);
    expect(brokenGates(late)).toHaveLength(2);
  });
});
