import { describe, expect, it } from "vitest";
import type { GripperAction } from "../../policies/manifest.js";
import { boundOpening, decodeAction } from "./boundAction.js";

const JOINTS = ["joint1", "joint2"];
const GRIPPER: GripperAction = { kind: "opening", unit: "m", minM: 0.01, maxM: 0.08 };

describe("what a policy answered", () => {
  it("is a step of each joint, clipped and added to where it was; nothing is asked of a gripper", () => {
    expect(decodeAction([0.5, -0.01], [1, 2], { clipRad: 0.15 }, JOINTS)).toEqual({
      outputRad: [0.5, -0.01],
      actionRad: [0.15, -0.01],
      targetRad: [1.15, 1.99],
      clippedCount: 1,
    });
  });

  it("has the opening behind the joints where the policy moves the gripper", () => {
    expect(decodeAction([0.5, -0.01, 0.2], [1, 2], { clipRad: 0.15, gripper: GRIPPER }, JOINTS)).toEqual({
      outputRad: [0.5, -0.01],
      actionRad: [0.15, -0.01],
      targetRad: [1.15, 1.99],
      clippedCount: 1,
      gripperOutputM: 0.2,
      gripperTargetM: 0.08,
    });
  });

  it.each([
    ["too few numbers", [0.1, 0.2]],
    ["too many", [0.1, 0.2, 0.03, 0.04]],
  ])("is refused with %s", (_, output) => {
    expect(() => decodeAction(output, [1, 2], { clipRad: 0.15, gripper: GRIPPER }, JOINTS)).toThrow(
      /values for 2 joints/,
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "is refused with an opening of %f, by name",
    (opening) => {
      expect(() =>
        decodeAction([0, 0, opening], [1, 2], { clipRad: 0.15, gripper: GRIPPER }, JOINTS),
      ).toThrow(
        expect.objectContaining({
          code: "POLICY_OUTPUT_INVALID",
          happened: expect.stringContaining("gripper"),
        }),
      );
    },
  );
});

describe("an opening", () => {
  it.each([
    [-1, 0.01],
    [0.0099, 0.01],
    [0.05, 0.05],
    [0.0801, 0.08],
    [3, 0.08],
  ])("of %f m is asked for as %f m", (output, asked) => {
    expect(boundOpening(output, GRIPPER)).toBe(asked);
  });

  it("is the nearest of a policy's levels where it has some", () => {
    const stepped = { ...GRIPPER, minM: 0, levelsM: [0, 0.03, 0.08] };
    const asked = [-0.5, 0.014, 0.016, 0.054, 0.056, 0.5].map((output) => boundOpening(output, stepped));
    expect(asked).toEqual([0, 0, 0.03, 0.03, 0.08, 0.08]);
  });
});
