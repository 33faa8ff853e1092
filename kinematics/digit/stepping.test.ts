/** Legs that step: feet go where a torso that is carried needs them, and come back. */
import { describe, expect, it } from "vitest";
import { SIDES } from "./bodies.js";
import { DIGIT_MOTORS, DIGIT_STAND } from "./motors.js";
import { addSteps, STEP_PERIOD_S, soleInBaseM, type WalkVelocity } from "./stepping.js";

const STANDING: WalkVelocity = { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 };

function feet(phase: number, velocity: Partial<WalkVelocity>, share = 1) {
  const targetRad = Float64Array.from(DIGIT_STAND.positionRad);
  addSteps(targetRad, phase, { ...STANDING, ...velocity }, share);
  const [left, right] = SIDES.map((side) => {
    const foot = soleInBaseM(side, targetRad);
    const stands = soleInBaseM(side, DIGIT_STAND.positionRad);
    return foot.map((m, axis) => m - stands[axis]!) as [number, number, number];
  });
  return { left: left!, right: right!, targetRad };
}

describe("legs that step", () => {
  it("lift one foot at a time by five centimetres, and none at the changes", () => {
    expect(feet(0.25, {}).left[2]).toBeCloseTo(0.05, 2);
    expect(feet(0.25, {}).right[2]).toBeCloseTo(0, 9);
    expect(feet(0.75, {}).right[2]).toBeCloseTo(0.05, 2);
    expect(feet(0.5, {}).left[2]).toBeCloseTo(0, 9);
    expect(feet(0.25, {}, 0).targetRad).toEqual(Float64Array.from(DIGIT_STAND.positionRad));
  });

  it.each([
    [0, { forwardMPerS: 0.25 }, 0.25],
    [1, { leftMPerS: -0.2 }, -0.2],
  ] as const)(
    "draw the foot on the ground back as fast as the torso goes on, along axis %i",
    (axis, velocity, speed) => {
      const [begins, ends] = [0.51, 0.99];
      const wentM = feet(ends, velocity).left[axis]! - feet(begins, velocity).left[axis]!;
      expect(wentM).toBeCloseTo(-speed * (ends - begins) * STEP_PERIOD_S, 2);
      expect(Math.abs(feet(0.75, velocity).left[axis]!)).toBeLessThan(0.005);
    },
  );

  it("turn feet about the torso's middle: to the left the left foot goes back, the right one on", () => {
    const { left, right } = feet(0.51, { yawRateRadPerS: 0.5 });
    expect(left[0]).toBeLessThan(-0.005);
    expect(right[0]).toBeLessThan(0);
    const later = feet(0.99, { yawRateRadPerS: 0.5 });
    expect(later.left[0]).toBeGreaterThan(0.005);
  });

  it("never ask for more than a joint has, however fast the torso is carried", () => {
    for (let phase = 0; phase < 1; phase += 0.05) {
      const { targetRad } = feet(phase, { forwardMPerS: 1, leftMPerS: 0.5, yawRateRadPerS: 1 });
      for (const [motor, { name, positionMinRad, positionMaxRad }] of DIGIT_MOTORS.entries()) {
        expect(targetRad[motor]!, name).toBeGreaterThan(positionMinRad);
        expect(targetRad[motor]!, name).toBeLessThan(positionMaxRad);
      }
    }
  });
});
