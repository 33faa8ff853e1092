import { describe, expect, it } from "vitest";
import { groupWords, isHand, jointGroups, jointLabels, kindOf } from "./joints.js";

const named = (count: number) => Array.from({ length: count }, (_, joint) => `joint${joint}`);
const FINGERS = ["index", "middle", "ring", "thumb"].map((name) => ({ name, joints: 4 }));

describe("joints as people see them", () => {
  it("of an arm are numbered from one, in one group without a name", () => {
    const arm = { jointNames: named(7) };
    expect(jointLabels(arm)).toEqual(["J1", "J2", "J3", "J4", "J5", "J6", "J7"]);
    expect(jointGroups(arm).map(({ name }) => name)).toEqual([""]);
    expect(isHand(arm)).toBe(false);
  });

  it("of a hand have their finger's letter, and no two the same label", () => {
    const hand = { jointNames: named(16), jointGroups: FINGERS };
    const labels = jointLabels(hand);
    expect(labels.slice(3, 6)).toEqual(["I4", "M1", "M2"]);
    expect(new Set(labels).size).toBe(16);
    expect(jointGroups(hand)[3]!.joints.map(({ joint }) => joint)).toEqual([12, 13, 14, 15]);
    expect(isHand(hand)).toBe(true);
    expect(groupWords(hand, "index")).toBe("index finger");
  });

  it("of a robot on legs have their limb's letters, and no two the same label", () => {
    const limbs = ["left leg", "right leg", "left arm", "right arm"].map((name) => ({ name, joints: 5 }));
    const legs = { jointNames: named(20), jointGroups: limbs, legs: { passiveJointNames: [] } };
    const labels = jointLabels(legs);
    expect(labels.slice(4, 7)).toEqual(["LL5", "RL1", "RL2"]);
    expect(new Set(labels).size).toBe(20);
    expect([kindOf(legs), isHand(legs), groupWords(legs, "left leg")]).toEqual(["legs", false, "left leg"]);
  });
});
