/** Accelerations that belong to setpoints, against motion whose accelerations are known. */
import { describe, expect, it } from "vitest";
import { Interpolator } from "./interpolator.js";
import { splineAccelerations } from "./splineAccelerations.js";

const T = 0.004;

describe("splineAccelerations", () => {
  it("finds those with which the interpolator has moved, to a billionth", () => {
    const limits = {
      velocityMaxRadPerS: [1, 0.7],
      accelerationMaxRadPerS2: [5, 3],
      jerkMaxRadPerS3: [60, 40],
    };
    const interpolator = new Interpolator(limits, T);
    interpolator.reset([0.3, -1]);
    const row = [0.3, -1];
    const known = [0, 0];
    const run = (ticks: number) => {
      for (let tick = 0; tick < ticks; tick++) {
        interpolator.plan();
        interpolator.commit();
        row.push(...interpolator.positionRad);
        known.push(...interpolator.accelerationRadPerS2);
      }
    };
    interpolator.follow([0.9, -1.6], 1, 0);
    run(90);
    interpolator.follow([0.1, 0.2], 0.8, 360);
    run(60);
    interpolator.hold();
    run(300);
    const found = splineAccelerations(row, 2, T);
    expect(Math.max(...known)).toBeGreaterThan(2.9);
    for (const [i, value] of known.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(1e-6);
    // Rest is told apart from creeping by 1e-6 rad/s²; apart from those ticks, it is rounding that is left.
    const apart = known.map((value, i) => Math.abs(found[i]! - value)).sort((a, b) => a - b);
    expect(apart[Math.floor(0.9 * apart.length)]).toBeLessThan(1e-9);
  });

  it("meets a cubic exactly, whose velocities at the ends are given", () => {
    const at = (tick: number) => tick * T;
    const position = (s: number) => 0.1 + 0.2 * s - 0.7 * s ** 2 + 3 * s ** 3;
    const velocity = (s: number) => 0.2 - 1.4 * s + 9 * s ** 2;
    const ticks = 40;
    const row = Array.from({ length: ticks }, (_, tick) => position(at(tick)));
    const found = splineAccelerations(row, 1, T, [velocity(0)], [velocity(at(ticks - 1))]);
    for (let tick = 0; tick < ticks; tick++) expect(found[tick]).toBeCloseTo(-1.4 + 18 * at(tick), 8);
  });

  it("answers rest for rows that are too short to move", () => {
    expect([...splineAccelerations([], 7, T)]).toEqual([]);
    expect([...splineAccelerations([1, 2, 3], 3, T)]).toEqual([0, 0, 0]);
    expect([...splineAccelerations([1, 2, 1, 2], 2, T)]).toEqual([0, 0, 0, 0]);
  });
});
