/** Digit's tables against published totals, and its loops against published fits and against their own inverse. */
import { describe, expect, it } from "vitest";
import { MOTORS, PASSIVE_JOINTS } from "../../drivers/digit/protocol/joints.js";
import { DIGIT_BODIES, DIGIT_LOOPS, DIGIT_MASS_KG, digitBody, SIDES } from "./bodies.js";
import { closeLeg, toeMotors } from "./loops.js";
import { DIGIT_MOTORS, DIGIT_PASSIVE_JOINTS, DIGIT_POSES } from "./motors.js";

describe("Digit's tables", () => {
  it("have the vendor's bodies, loops and mass", () => {
    expect(DIGIT_BODIES).toHaveLength(37);
    expect(DIGIT_LOOPS).toHaveLength(6);
    expect(DIGIT_MASS_KG).toBeCloseTo(47.925414, 6);
  });

  it("name motors and passive joints as the wire does, in its order", () => {
    expect(DIGIT_MOTORS.map(({ name }) => name)).toEqual(MOTORS);
    expect(DIGIT_PASSIVE_JOINTS).toEqual(PASSIVE_JOINTS);
    for (const pose of Object.values(DIGIT_POSES)) expect(pose).toHaveLength(MOTORS.length);
  });

  it("put children after parents", () => {
    DIGIT_BODIES.forEach(({ parent }, index) => {
      if (parent !== undefined) {
        expect(DIGIT_BODIES.slice(0, index).map(({ name }) => name)).toContain(parent);
      }
    });
  });

  it("mirror ranges: a right knee turns the other way", () => {
    const rangeDeg = (name: string) => {
      const { positionMinRad, positionMaxRad } = DIGIT_MOTORS.find((motor) => motor.name === name)!;
      return [positionMinRad, positionMaxRad].map((rad) => Math.round((rad * 1800) / Math.PI) / 10);
    };
    expect(rangeDeg("left_knee")).toEqual([-80, 58.4]);
    expect(rangeDeg("right_knee")).toEqual([-58.4, 80]);
    expect(rangeDeg("right_hip_pitch")).toEqual([-90, 60]);
  });

  it("have inertias that a real body can have", () => {
    for (const { name, inertial } of DIGIT_BODIES) {
      const [xx, yy, zz] = inertial.inertiaKgM2;
      const moments = [xx, yy, zz].sort((a, b) => a - b) as [number, number, number];
      expect(moments[0] + moments[1], name).toBeGreaterThan(0.999 * moments[2]);
    }
  });
});

describe("the closed loops", () => {
  it("keep the tarsus about parallel to the thigh: its angle is minus the knee's", () => {
    for (let knee = -1.2; knee <= 1; knee += 0.1) {
      expect(Math.abs(closeLeg("left", knee, 0, 0).tarsusRad + knee)).toBeLessThan(0.005);
    }
  });

  it.each(SIDES)("turn the foot as a public fit's leading terms say (%s)", (side) => {
    for (const [a, b] of [
      [0.1, 0],
      [0, 0.1],
      [-0.12, 0.12],
      [0.05, 0.04],
    ] as const) {
      const { toePitchRad, toeRollRad } = closeLeg(side, 0, a, b);
      expect(Math.abs(toePitchRad - (-0.526 * a + 0.52 * b))).toBeLessThan(0.01);
      expect(Math.abs(toeRollRad - 1.66 * (a + b))).toBeLessThan(0.01);
    }
  });

  it.each(SIDES)("give back the motors' angles of a foot's pitch and roll (%s)", (side) => {
    for (const [a, b] of [
      [0, 0],
      [0.25, -0.2],
      [-0.3, 0.3],
      [0.1, 0.05],
    ] as const) {
      const { toePitchRad, toeRollRad } = closeLeg(side, 0, a, b);
      const { toeARad, toeBRad } = toeMotors(side, toePitchRad, toeRollRad);
      expect(toeARad).toBeCloseTo(a, 9);
      expect(toeBRad).toBeCloseTo(b, 9);
    }
  });

  it("are mirrored: the right leg does the opposite at opposite angles", () => {
    const left = closeLeg("left", 0.34, -0.12, 0.2);
    const right = closeLeg("right", -0.34, 0.12, -0.2);
    for (const key of ["tarsusRad", "toePitchRad", "toeRollRad"] as const) {
      expect(right[key]).toBeCloseTo(-left[key], 9);
    }
  });

  it("say so where a rod is too short", () => {
    expect(() => closeLeg("left", 0, 1.5, 1.5)).toThrow(/no angles close Digit's loop at the left toe/);
  });

  it("hang rods on bodies that exist", () => {
    for (const { rod, body } of DIGIT_LOOPS) {
      expect(digitBody(rod).joint?.kind).toBe("ball");
      expect(digitBody(body)).toBeDefined();
    }
  });
});
