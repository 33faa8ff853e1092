import { describe, expect, it } from "vitest";
import { DIGIT_BASE, DIGIT_MASS_KG } from "./bodies.js";
import { DIGIT_MOTORS, DIGIT_PASSIVE_JOINTS } from "./motors.js";
import { digitJoints, digitUrdf } from "./urdf.js";

const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1]!);

describe("Digit's URDF", () => {
  const text = digitUrdf();
  const links = all(text, /<link name="(\w+)"/g);
  const children = all(text, /<child link="(\w+)"/g);

  it("has a turning joint of the wire's name for every motor and every passive joint", () => {
    expect(all(text, /<joint name="(\w+)" type="revolute"/g).sort()).toEqual(
      [...DIGIT_MOTORS.map(({ name }) => name), ...DIGIT_PASSIVE_JOINTS].sort(),
    );
  });

  it("is one tree: every link but the torso is the child of exactly one joint", () => {
    expect([...children, DIGIT_BASE].sort()).toEqual([...links].sort());
    expect(new Set(all(text, /<parent link="(\w+)"/g)).size).toBeGreaterThan(10);
    expect(all(text, /<parent link="(\w+)"/g).filter((parent) => !links.includes(parent))).toEqual([]);
  });

  it("weighs what Digit weighs, rods included", () => {
    const sumKg = all(text, /<mass value="([\d.]+)"/g).reduce((sum, kg) => sum + Number(kg), 0);
    expect(sumKg).toBeCloseTo(DIGIT_MASS_KG, 9);
  });

  it("has the motors' ranges and limits", () => {
    for (const motor of DIGIT_MOTORS) {
      const joint = digitJoints().find(({ name }) => name === motor.name)!;
      expect([joint.positionMinRad, joint.positionMaxRad]).toEqual([
        motor.positionMinRad,
        motor.positionMaxRad,
      ]);
      expect(joint.effortMaxNm).toBe(motor.announcedTorqueMaxNm);
    }
  });

  it("prefixes links and not joints", () => {
    const prefixed = digitUrdf({ framePrefix: "digit_" });
    expect(all(prefixed, /<link name="(\w+)"/g)).toEqual(links.map((name) => `digit_${name}`));
    expect(all(prefixed, /<joint name="(\w+)" type="revolute"/g)).toContain("left_toe_A");
  });
});
