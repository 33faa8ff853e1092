/** The self-test and its C reference really run; how late they are is for the bench to say. */
import { describe, expect, it } from "vitest";
import { HandServoConfig, LegServoConfig, ServoConfig } from "../../runtime/servo/config.js";
import { MISS_CAUSES } from "../../runtime/servo/loop.js";
import { systemClock } from "../systemClock.js";
import { compileReference, runReference } from "../timing/reference.js";
import { judgeTiming, runTimingTest } from "./timing.js";

describe("the timing self-test", () => {
  it("counts every deadline, run or missed with its cause", async () => {
    const servo = ServoConfig.parse({ rateHz: 200 });
    const robot = { device: "xarm7", servo } as const;
    const result = await runTimingTest({ clock: systemClock, robot, seconds: 2 });
    expect(result.rateHz).toBe(200);
    expect(Object.keys(result.missedByCause)).toEqual([...MISS_CAUSES]);
    const missed = Object.values(result.missedByCause).reduce((sum, count) => sum + count, 0);
    // The two seconds are waited for on an event loop that turns once a tick.
    expect(result.tickCount + missed).toBeGreaterThanOrEqual(399);
    expect(result.latenessUs.max).toBeGreaterThanOrEqual(result.latenessUs.p999);
    expect(result.rssBytes).toBeGreaterThan(0);
    const facts = { fifo: { ok: true, text: "" }, cpuCount: 2, cpuGovernor: undefined, loadAverage: 0 };
    expect(judgeTiming(result, facts, "xarm7").text).toMatch(/^200 Hz: (yes|no), p99 /);
  });

  it.each([
    { device: "allegro", servo: HandServoConfig.parse({}) },
    { device: "digit", servo: LegServoConfig.parse({}) },
  ] as const)("runs the loop of a $device at its own rate", async (robot) => {
    const result = await runTimingTest({ clock: systemClock, robot, seconds: 0.5 });
    const missed = Object.values(result.missedByCause).reduce((sum, count) => sum + count, 0);
    expect(result.rateHz).toBe(robot.servo.rateHz);
    expect(result.tickCount + missed).toBeGreaterThanOrEqual(0.45 * robot.servo.rateHz);
  });

  it("refuses a CPU that is not there before anything runs", async () => {
    const servo = ServoConfig.parse({ cpus: [1023] });
    const robot = { device: "xarm7", servo } as const;
    await expect(runTimingTest({ clock: systemClock, robot, seconds: 1 })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      happened: expect.stringContaining("servo.cpus is [1023]"),
    });
  });

  it("has a C loop to compare with, which counts every deadline, too", async () => {
    const program = await compileReference();
    const result = await runReference(program, { rateHz: 250, seconds: 0.5, realtimePriority: 0 });
    expect(result.ticks + result.missed).toBeGreaterThanOrEqual(125);
    expect(result.p50).toBeLessThanOrEqual(result.p99);
    expect(result.p99).toBeLessThanOrEqual(result.max);
    await expect(runReference(program, { rateHz: 0, seconds: 1, realtimePriority: 0 })).rejects.toMatchObject(
      { code: "CHECK_FAILED" },
    );
  });
});
