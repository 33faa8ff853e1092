import { describe, expect, it } from "vitest";
import { ArmClearances } from "./clearances.js";
import { ToolDepth } from "./toolDepth.js";
import { TOOL_POINT_FLANGE_M, XARM7_HOME_RAD } from "./xarm7.js";
import { xarm7Body } from "./xarm7Collision.js";

const body = () => xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] });
const OPTIONS = {
  minM: [-0.2, -0.6, 0],
  maxM: [0.8, 0.6, 1.2],
  floorM: 0.01,
  apartM: 0.02,
  toolMarginM: 0.004,
  armMarginM: 0.012,
};
/** Near the table and the box's front; folded near its own base, with parts near each other; elbow near the back. */
const POSES: readonly (readonly number[])[] = [
  [0.1, 0.6, 0.1, 1.0, 0.1, 0.5, 0.2],
  [0.2, -1.1, 0.1, 0.3, 0.2, 1.6, 0],
  [0, -0.7, 0.2, 0.05, 0.3, 0.4, 0.1],
];

function listed(clearances: ArmClearances, q: readonly number[]) {
  clearances.measure(Float64Array.from(q));
  return {
    count: clearances.count,
    distancesM: clearances.distancesM.slice(0, clearances.count),
    gradients: clearances.gradients.slice(0, 7 * clearances.count),
    parts: clearances.isBetweenParts.slice(0, clearances.count),
  };
}

describe("clearances", () => {
  it("have the gradients that finite differences have", () => {
    const clearances = new ArmClearances(body(), OPTIONS);
    clearances.startAt(Float64Array.from(XARM7_HOME_RAD));
    let compared = 0;
    const h = 1e-5;
    for (const q of POSES) {
      const at = listed(clearances, q);
      for (let joint = 0; joint < 7; joint++) {
        const moved = (by: number) =>
          listed(
            clearances,
            q.map((value, i) => value + (i === joint ? by : 0)),
          );
        const [ahead, behind] = [moved(h), moved(-h)];
        if (ahead.count !== at.count || behind.count !== at.count) continue;
        for (let row = 0; row < at.count; row++) {
          const slope = (ahead.distancesM[row]! - behind.distancesM[row]!) / (2 * h);
          expect(Math.abs(at.gradients[7 * row + joint]! - slope)).toBeLessThan(2e-3);
          compared++;
        }
      }
    }
    expect(compared).toBeGreaterThan(50);
  });

  it("lists nothing where nothing is near, and what is near by kind", () => {
    const clearances = new ArmClearances(body(), OPTIONS);
    clearances.startAt(Float64Array.from(XARM7_HOME_RAD));
    const kinds = POSES.map((q) => new Set(listed(clearances, q).parts));
    expect(kinds.some((kind) => kind.has(0))).toBe(true);
    expect(kinds.some((kind) => kind.has(1))).toBe(true);
  });

  it("lets an arm that starts inside stay as deep as it is, and not go back in once it is out", () => {
    const deep = [0, 1.0, 0, 1.1, 0, 0.1, 0];
    const clearances = new ArmClearances(body(), OPTIONS);
    clearances.startAt(Float64Array.from(deep));
    expect(Math.min(...listed(clearances, deep).distancesM)).toBeCloseTo(0, 9);
    clearances.measure(Float64Array.from(XARM7_HOME_RAD));
    expect(Math.min(...listed(clearances, deep).distancesM)).toBeLessThan(-0.01);
  });
});

describe("depth of the tool", () => {
  it("is what its capsules reach below the tool point", () => {
    const arm = body();
    const depth = new ToolDepth(arm, TOOL_POINT_FLANGE_M);
    const heights = new Float64Array(arm.capsules.length);
    for (const q of [XARM7_HOME_RAD, [0.3, 0.2, -0.4, 1.2, 0.8, 1.9, -1]]) {
      arm.update(q);
      arm.measureHeights(heights);
      const lowest = Math.min(...heights.filter((_, i) => arm.capsules[i]!.frame === 7));
      expect(depth.below(arm.chain.flangeRotation)).toBeCloseTo(Math.max(0, arm.toolM[2]! - lowest), 12);
    }
  });
});
