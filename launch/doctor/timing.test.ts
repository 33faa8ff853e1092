/** The verdict is judged on made-up results; the loop itself is tried for a moment at the end, without any bound. */
import { describe, expect, it } from "vitest";
import { MISS_CAUSES } from "../../runtime/servo/loop.js";
import type { TimingResult } from "../processes/timingMain.js";
import { judgeTiming } from "./timing.js";

const GOOD: TimingResult = {
  rateHz: 250,
  seconds: 60,
  realtimePriority: 80,
  tickCount: 15_000,
  missedByCause: Object.fromEntries(MISS_CAUSES.map((cause) => [cause, 0])),
  latenessUs: { p50: 1, p99: 100, p999: 800, max: 1200 },
  collections: 1,
  rssBytes: 60e6,
};
const FACTS = {
  fifo: { ok: true, text: "" },
  cpuCount: 2,
  cpuGovernor: undefined,
  loadAverage: 0.5,
};

describe("the timing verdict", () => {
  it("says yes with its figures, and nothing else", () => {
    expect(judgeTiming(GOOD, FACTS, "xarm7")).toEqual({
      holds: true,
      text: "250 Hz: yes, p99 0.1 ms, p99.9 0.8 ms, max 1.2 ms, 0 missed",
      remedies: [],
    });
  });

  it.each(MISS_CAUSES)("says no at one miss by %s, and what to do about that", (cause) => {
    const verdict = judgeTiming(
      { ...GOOD, missedByCause: { ...GOOD.missedByCause, [cause]: 1 } },
      FACTS,
      "xarm7",
    );
    expect(verdict.holds).toBe(false);
    expect(verdict.text).toContain(`1 missed (${cause} 1)`);
    expect(verdict.remedies).toHaveLength(1);
  });

  it.each([
    ["p99", 1001],
    ["p999", 3001],
  ])("says no when %s is %d us", (share, us) => {
    const verdict = judgeTiming(
      { ...GOOD, latenessUs: { ...GOOD.latenessUs, [share]: us } },
      FACTS,
      "allegro",
    );
    expect(verdict.text).toMatch(/^250 Hz: no/);
    expect(verdict.remedies).toHaveLength(1);
  });

  it.each([
    ["as late as a thousandth of its ticks may be", { p999: 1000 }, 0, true],
    ["later than a fifth of a millisecond in one tick of a hundred", { p99: 201 }, 0, false],
    ["later than a tick in one of a thousand", { p999: 1001 }, 0, false],
    ["without one tick in ten thousand", {}, 1, true],
    ["without more", {}, 2, false],
  ])("holds a Digit's rate or not: %s", (_, late, lateWake, holds) => {
    const result = {
      ...GOOD,
      rateHz: 1000,
      tickCount: 10_000,
      latenessUs: { ...GOOD.latenessUs, ...late },
      missedByCause: { ...GOOD.missedByCause, lateWake },
    };
    expect(judgeTiming(result, FACTS, "digit").holds).toBe(holds);
  });

  it("names the limits file where real-time priority is refused, though the rate was held", () => {
    const verdict = judgeTiming(
      { ...GOOD, realtimePriority: 0 },
      { ...FACTS, fifo: { ok: false, text: "Operation not permitted" } },
      "xarm7",
    );
    expect(verdict.holds).toBe(true);
    expect(verdict.remedies.join()).toContain("/etc/security/limits.d/realtime.conf");
  });

  it("names governor and load where they may be why", () => {
    const bad = { ...GOOD, latenessUs: { ...GOOD.latenessUs, p99: 9000 } };
    const facts = { ...FACTS, cpuGovernor: "powersave", loadAverage: 7 };
    const remedies = judgeTiming(bad, facts, "xarm7").remedies.join();
    expect(remedies).toContain("cpupower frequency-set -g performance");
    expect(remedies).toContain("The load was 7.0 on 2 CPUs");
  });
});
