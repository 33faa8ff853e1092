import { describe, expect, it } from "vitest";
import { createFloatingBase } from "../../core/floatingBase.js";
import { baseColumns, baseVector, turnBetween } from "./baseColumns.js";

const JOINTS = 20;
/** A state whose base is turned about z. */
function turned(yawRad: number, sign = 1): Float64Array {
  const base = createFloatingBase(2);
  base.quatWorldBaseXyzw.set([0, 0, sign * Math.sin(yawRad / 2), sign * Math.cos(yawRad / 2)]);
  return Float64Array.of(...new Float64Array(JOINTS), ...baseVector(base));
}

describe("the base of a robot on legs in a table", () => {
  it("has a column for each number, none twice, in the order of the numbers", () => {
    const base = createFloatingBase(2);
    base.translationWorldM.set([1, 2, 3]);
    base.specificForceBaseMPerS2[2] = 9.8;
    base.passivePositionRad[1] = -0.3;
    const columns = baseColumns(2);
    const vector = baseVector(base);
    expect(vector).toHaveLength(columns.length);
    expect(new Set(columns.map(({ name }) => name)).size).toBe(columns.length);
    const at = (name: string) => vector[columns.findIndex((column) => column.name === name)];
    expect([at("base_translation_y"), at("base_quat_w"), at("base_specific_force_z")]).toEqual([2, 1, 9.8]);
    expect(at("passive_joint2")).toBe(-0.3);
  });

  it.each([1, -1])(
    "turns the short way between two, with unit length, whatever sign they have: %s",
    (sign) => {
      const [before, after] = [turned(0.2), turned(0.6, sign)];
      const between = before.map((value, column) => value + (after[column]! - value) * 0.5);
      turnBetween(before, after, 0.5, between, JOINTS);
      expect(Math.abs(between[JOINTS + 5]!)).toBeCloseTo(Math.sin(0.2), 9);
      expect(Math.hypot(...between.subarray(JOINTS + 3, JOINTS + 7))).toBeCloseTo(1, 12);
    },
  );
});
