import { describe, expect, it } from "vitest";
import { addBalance, KNEE_BALANCE, SOLE_BALANCE } from "./balance.js";
import { DIGIT_MOTORS } from "./motors.js";

const STILL = [0, 0, 0];
/** Leaning about one axis of the base. */
const lean = (axis: 0 | 1 | 2, rad: number): number[] => {
  const quat = [0, 0, 0, Math.cos(rad / 2)];
  quat[axis] = Math.sin(rad / 2);
  return quat;
};
/** What it changes, by motor. */
function changes(quat: readonly number[], rate: readonly number[] = STILL): Record<string, number> {
  const targetRad = new Float64Array(DIGIT_MOTORS.length);
  addBalance(targetRad, quat, rate);
  return Object.fromEntries(
    [...targetRad].flatMap((rad, motor) => (rad === 0 ? [] : [[DIGIT_MOTORS[motor]!.name, rad]])),
  );
}

describe("balance of a stand", () => {
  it("changes nothing upright and at rest, whatever the heading", () => {
    expect(changes(lean(2, 0))).toEqual({});
    for (const rad of Object.values(changes(lean(2, 1.2)))) expect(Math.abs(rad)).toBeLessThan(1e-15);
  });

  it("makes the leg longer that gives way to a lean to the side, and the other one shorter", () => {
    // Leaning to the left is negative roll; the knee's angle falls as a left leg is pressed together.
    const { left_knee, right_knee, ...others } = changes(lean(0, -0.1));
    expect(left_knee).toBeCloseTo(0.1 * KNEE_BALANCE.byLean, 12);
    expect(right_knee).toBeCloseTo(0.1 * KNEE_BALANCE.byLean, 12);
    for (const rad of Object.values(others)) expect(Math.abs(rad)).toBeLessThan(1e-15);
  });

  it("turns both soles the same way against a lean forward", () => {
    const { left_toe_A, left_toe_B, right_toe_A, right_toe_B } = changes(lean(1, 0.1));
    expect(left_toe_A).toBeCloseTo(0.957 * 0.1 * SOLE_BALANCE.byLean, 12);
    expect([left_toe_B, right_toe_A, right_toe_B]).toEqual([-left_toe_A!, -left_toe_A!, left_toe_A]);
  });

  it("goes against the rate too, and never beyond its bound", () => {
    expect(changes(lean(2, 0), [0.2, 0, 0]).left_knee).toBeCloseTo(-0.2 * KNEE_BALANCE.byRateS, 12);
    expect(changes(lean(0, 1.5), [9, 0, 0]).left_knee).toBe(-KNEE_BALANCE.changeRadMax);
    expect(Math.abs(changes(lean(1, -1.5)).left_toe_A!)).toBeCloseTo(0.957 * SOLE_BALANCE.changeRadMax, 12);
  });
});
