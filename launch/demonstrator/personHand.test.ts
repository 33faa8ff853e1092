import { describe, expect, it } from "vitest";
import { HandKeypoints, TIPS } from "../../kinematics/allegro/keypoints.js";
import { IDENTITY_POSE } from "../../kinematics/pose.js";
import { bent, DIGITS, OPEN_HAND, PersonHand } from "./personHand.js";

const WRIST = { positionM: [0.2, 1.1, -0.4], quatXyzw: [Math.SQRT1_2, Math.SQRT1_2, 0, 0] } as const;

describe("a person's hand", () => {
  for (const side of ["right", "left"] as const) {
    it(`is a good ${side} hand to retargeting, its tips where its bones end`, () => {
      const person = new PersonHand(side);
      const keypoints = new HandKeypoints();
      expect(keypoints.read(person.joints(OPEN_HAND, WRIST), side)).toBe(true);
      for (const digit of DIGITS) {
        const tipM = person.tipM(digit, OPEN_HAND[digit]);
        for (let axis = 0; axis < 3; axis++)
          expect(keypoints.pointsM[3 * TIPS[digit] + axis]).toBeCloseTo(tipM[axis]!, 6);
      }
    });
  }

  it("has unit quaternions and 25 joints", () => {
    const joints = new PersonHand("right").joints(OPEN_HAND, IDENTITY_POSE);
    expect(joints).toHaveLength(200);
    for (let at = 3; at < 200; at += 8) expect(Math.hypot(...joints.slice(at, at + 4))).toBeCloseTo(1, 9);
  });

  it("brings the index finger's tip to where it is wanted, step by step", () => {
    const person = new PersonHand("right", 0.97);
    const goals = [
      { spreadRad: 0.1, leanRad: 0, knuckleRad: 0.9, middleRad: 1.2 },
      { spreadRad: -0.1, leanRad: 0.1, knuckleRad: 0.5, middleRad: 1.5 },
    ];
    let bend = OPEN_HAND.index;
    for (const goal of goals) {
      const wantedM = person.tipM("index", goal);
      for (let frame = 0; frame < 40; frame++) bend = person.reach("index", wantedM, bend);
      const atM = person.tipM("index", bend);
      expect(Math.hypot(...atM.map((value, axis) => value - wantedM[axis]!))).toBeLessThan(0.002);
    }
  });

  it("bends no finger further than fingers go", () => {
    const person = new PersonHand("right");
    let bend = OPEN_HAND.index;
    for (let frame = 0; frame < 200; frame++) bend = person.reach("index", [-0.3, 0.3, -0.2], bend);
    expect(bend).toEqual(bent(bend, (angle) => bend[angle]));
    expect(Object.values(bend).every(Number.isFinite)).toBe(true);
  });
});
