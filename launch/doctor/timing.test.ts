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
    expect(judgeTiming(GOOD, FACTS)).toEqual({
      holds: true,
      text: "250 Hz: yes, p99 0.1 ms, p99.9 0.8 ms, max 1.2 ms, 0 missed",
      remedies: [],
    });
  });

  it.each(MISS_CAUSES)("says no at one miss by %s, and what to do about that", (cause) => {
    const verdict = judgeTiming({ ...GOOD, missedByCause: { ...GOOD.missedByCause, [cause]: 1 } }, FACTS);
    expect(verdict.holds).toBe(false);
    expect(verdict.text).toContain(`1 missed (${cause} 1)`);
    expect(verdict.remedies).toHaveLength(1);
  });

  it.each([
    ["p99", 1001],
    ["p999", 3001],
  ])("says no when %s is %d us", (share, us) => {
    const verdict = judgeTiming({ ...GOOD, latenessUs: { ...GOOD.latenessUs, [share]: us } }, FACTS);
    expect(verdict.text).toMatch(/^250 Hz: no/);
    expect(verdict.remedies).toHaveLength(1);
  });

  it("names the limits file where real-time priority is refused, though the rate was held", () => {
    const verdict = judgeTiming(
      { ...GOOD, realtimePriority: 0 },
      { ...FACTS, fifo: { ok: false, text: "Operation not permitted" } },
    );
    expect(verdict.holds).toBe(true);
    expect(verdict.remedies.join()).toContain("/etc/security/limits.d/realtime.conf");
  });

  it("names governor and load where they may be why", () => {
    const bad = { ...GOOD, latenessUs: { ...GOOD.latenessUs, p99: 9000 } };
    const remedies = judgeTiming(bad, { ...FACTS, cpuGovernor: "powersave", loadAverage: 7 }).remedies.join();
    expect(remedies).toContain("cpupower frequency-set -g performance");
    expect(remedies).toContain("The load was 7.0 on 2 CPUs");
  });
});
