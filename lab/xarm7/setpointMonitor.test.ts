import { describe, expect, it } from "vitest";
import { addNs, asMonotonicNs, msToNs } from "../../core/clock.js";
import { SetpointMonitor } from "./setpointMonitor.js";

const PERIOD_MS = 4;
const all = (value: number): number[] => Array(7).fill(value);
const at = (index: number) => addNs(asMonotonicNs(1_000_000_000n), msToNs(index * PERIOD_MS));

/** Feeds joint angles, the same for all joints, one a period. */
function feed(monitor: SetpointMonitor, values: readonly number[], from = 0, readyCount = 1): void {
  for (const [i, value] of values.entries())
    monitor.accepted(at(from + i), 1, readyCount, all(value), all(0));
}

describe("the setpoint monitor", () => {
  it("finds the coefficients of a cubic", () => {
    const monitor = new SetpointMonitor(PERIOD_MS);
    const [v, a, j] = [0.3, 4, 50];
    const values = Array.from({ length: 50 }, (_, i) => {
      const t = (i * PERIOD_MS) / 1000;
      return v * t + (a * t ** 2) / 2 + (j * t ** 3) / 6;
    });
    feed(monitor, values);
    const { figures } = monitor;
    const endS = (49 * PERIOD_MS) / 1000;
    expect(figures.accepted).toBe(50);
    for (const joint of [0, 6]) {
      expect(figures.jerkRadPerS3[joint]).toBeCloseTo(j, 5);
      expect(figures.accelerationRadPerS2[joint]).toBeGreaterThan(a + j * (endS - 0.006));
      expect(figures.accelerationRadPerS2[joint]).toBeLessThanOrEqual(a + j * endS);
      expect(figures.velocityRadPerS[joint]).toBeLessThanOrEqual(v + a * endS + (j * endS ** 2) / 2);
      expect(figures.stepRad[joint]).toBeCloseTo(values[49]! - values[48]!, 9);
    }
  });

  it("sees one step in a standing stream, in the joint that made it", () => {
    const monitor = new SetpointMonitor(PERIOD_MS);
    feed(monitor, [0, 0, 0, 0]);
    monitor.accepted(at(4), 1, 1, [0, 0, 0.01, 0, 0, 0, 0], all(0));
    const { figures } = monitor;
    expect(figures.stepRad[2]).toBeCloseTo(0.01, 9);
    expect(figures.accelerationRadPerS2[2]).toBeCloseTo(0.01 / 0.004 ** 2, 6);
    expect(figures.stepRad[1]).toBe(0);
  });

  it("begins derivatives anew after a pause, but keeps its step", () => {
    const monitor = new SetpointMonitor(PERIOD_MS);
    feed(monitor, [0, 0.004, 0.008]);
    feed(monitor, [0.008, 0.008], 100);
    const { figures } = monitor;
    expect(figures.pauses).toBe(1);
    expect(figures.velocityRadPerS[0]).toBeCloseTo(1, 9);
    expect(figures.accelerationRadPerS2[0]).toBeCloseTo(0, 9);
    feed(monitor, [0.03], 200);
    expect(monitor.figures.stepRad[0]).toBeCloseTo(0.022, 9);
  });

  it("rules out no pause where it was late itself", () => {
    const steps = [0, 0.004, 0.008, 0.008, 0.008];
    const prompt = new SetpointMonitor(PERIOD_MS);
    feed(prompt, steps);
    expect(prompt.figures.accelerationRadPerS2[0]).toBeCloseTo(250, 6);
    for (const lateAt of [2, 3]) {
      const late = new SetpointMonitor(PERIOD_MS);
      feed(late, steps.slice(0, lateAt));
      late.late(at(lateAt + 0.5));
      feed(late, steps.slice(lateAt), lateAt);
      expect(late.figures.accelerationRadPerS2[0], `late at ${lateAt}`).toBeCloseTo(0, 6);
      expect(late.figures.velocityRadPerS[0]).toBeCloseTo(1, 6);
    }
  });

  it("rules out no pause between setpoints that have waited together", () => {
    const monitor = new SetpointMonitor(PERIOD_MS);
    feed(monitor, [0, 0.004]);
    for (const value of [0.008, 0.012, 0.016]) monitor.accepted(at(50), 1, 1, all(value), all(0));
    feed(monitor, [0.016, 0.016], 51);
    expect(monitor.figures.pauses).toBe(1);
    expect(monitor.figures.accelerationRadPerS2[0]).toBeCloseTo(0, 6);
  });

  it("measures where a stream begins: by connection, and each time the arm was made ready", () => {
    const monitor = new SetpointMonitor(PERIOD_MS);
    monitor.accepted(at(0), 1, 1, all(0.001), all(0));
    monitor.accepted(at(1), 1, 1, all(0.002), all(0));
    monitor.accepted(at(2), 2, 1, [0, 0, 0, 0, 0, 0.2, 0], all(0));
    monitor.accepted(at(3), 2, 2, all(0.1), all(0.1));
    const { figures } = monitor;
    expect(figures.starts.map(({ client }) => client)).toEqual([1, 2, 2]);
    expect(figures.starts.map(({ distanceRad }) => distanceRad)).toEqual([0.001, 0.2, 0]);
    expect(figures.startDistanceRad).toBe(0.2);
    // Another stream's place says nothing of this one's step.
    expect(figures.stepRad[5]).toBeCloseTo(0.001, 9);
  });

  it("forgets figures, not the setpoint before", () => {
    const monitor = new SetpointMonitor(PERIOD_MS);
    feed(monitor, [0, 0.1, 0.1]);
    monitor.refused();
    monitor.clear();
    expect(monitor.figures).toMatchObject({ accepted: 0, refused: 0, starts: [], startDistanceRad: 0 });
    feed(monitor, [0.2], 3);
    expect(monitor.figures.stepRad[0]).toBeCloseTo(0.1, 9);
  });
});
