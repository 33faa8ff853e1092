import { describe, expect, it } from "vitest";
import { measureMapping } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import { clockStepMs, untilClockStep } from "./clockStep.js";

describe("a step of the epoch clock", () => {
  it.each([25, -25, 3_600_000, -3_600_000])("of %d ms is noticed within 100 ms", async (stepMs) => {
    const clock = new SimClock();
    const mapping = measureMapping(clock);
    let found: unknown;
    void untilClockStep(clock, mapping, new AbortController().signal).then((error) => {
      found = error;
    });
    await clock.advance(5000);
    expect(found).toBeUndefined();
    clock.stepEpoch(stepMs);
    await clock.advance(100);
    expect(found).toMatchObject({ code: "CLOCK_STEPPED" });
    expect(String((found as Error).message)).toMatch(stepMs > 0 ? /forward by/ : /back by/);
  });

  it("is not seen in slews and small corrections", async () => {
    const clock = new SimClock();
    const mapping = measureMapping(clock);
    clock.stepEpoch(19);
    expect(clockStepMs(clock, mapping)).toBeCloseTo(19, 6);
    const ended = new AbortController();
    const watching = untilClockStep(clock, mapping, ended.signal);
    await clock.advance(1000);
    ended.abort();
    await clock.advance(100);
    expect(await watching).toBeUndefined();
  });
});
