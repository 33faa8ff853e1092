/** The generated MuJoCo cell against the arm's published figures. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ArmChain } from "../../kinematics/chain.js";
import { XARM7_JOINTS } from "../../kinematics/xarm7.js";
import { worldMjcf } from "./mjcf.js";
import { WorldModel } from "./model.js";
import { armWorld } from "./parts.js";
import { drawScene } from "./scene.js";
import { TEST_ARM_LAYOUT, TEST_ARM_WORLD, TEST_CAMERA } from "./testing.js";

let world: WorldModel;
beforeAll(async () => {
  world = await WorldModel.load(TEST_ARM_WORLD);
});
afterAll(() => world.dispose());

const flangeMm = (positionRad: readonly number[]): number[] => {
  world.qpos.set(positionRad);
  world.kinematics();
  const flange = world.bodyId("link7");
  return [...world.bodyM.subarray(3 * flange, 3 * flange + 3)].map((m) => 1000 * m);
};

describe("the generated cell", () => {
  /** Flange positions [mm] that the vendor's chain gives, rounded to a micrometre. */
  it.each([
    { positionRad: [0, 0, 0, 0, 0, 0, 0], expectedMm: [206, 0, 120.5] },
    { positionRad: [0, -0.247, 0, 0.909, 0, 1.15644, 0], expectedMm: [399.915, 0, 399.809] },
    { positionRad: [0.5, -0.6, 0.3, 1.4, -0.7, 1.1, 2], expectedMm: [175.871, 230.203, 754.631] },
    { positionRad: [0.1, -0.3, 0.2, 0.8, -0.1, 1.1, 0.3], expectedMm: [364.297, 110.571, 377.342] },
  ])("has its flange at $expectedMm mm", ({ positionRad, expectedMm }) => {
    flangeMm(positionRad).forEach((mm, axis) => {
      expect(Math.abs(mm - expectedMm[axis]!)).toBeLessThan(0.6e-3);
    });
  });

  it("agrees with the kinematic chain to a nanometre, flange and tool point", () => {
    const chain = new ArmChain();
    for (let k = 0; k < 50; k++) {
      const positionRad = XARM7_JOINTS.map(
        ({ positionMinRad, positionMaxRad }, joint) =>
          positionMinRad + (positionMaxRad - positionMinRad) * ((0.37 + 0.618 * k * (joint + 1)) % 1),
      );
      const mm = flangeMm(positionRad);
      chain.update(positionRad);
      for (let axis = 0; axis < 3; axis++) {
        expect(Math.abs(mm[axis]! / 1000 - chain.flangeM[axis]!)).toBeLessThan(1e-9);
        expect(Math.abs(world.toolM[axis]! - chain.toolM[axis]!)).toBeLessThan(1e-9);
      }
    }
  });

  it("has the vendor's joint ranges and compensates gravity", () => {
    const range: Float64Array = world.model.jnt_range;
    XARM7_JOINTS.forEach(({ positionMinRad, positionMaxRad }, joint) => {
      expect(range[2 * joint]).toBeCloseTo(positionMinRad, 9);
      expect(range[2 * joint + 1]).toBeCloseTo(positionMaxRad, 9);
    });
    expect(world.model.ngravcomp).toBeGreaterThan(7);
  });

  it("loads with the camera anywhere on the flange", async () => {
    for (const positionM of [
      [0, 0, 0.05],
      [-0.08, 0.03, 0],
    ] as const) {
      const other = await WorldModel.load(armWorld({ ...TEST_CAMERA, positionM: [...positionM] }));
      other.dispose();
    }
  });

  it("uses only shapes that GPU engines know, and no files", () => {
    const xml = worldMjcf(TEST_ARM_WORLD);
    expect(new Set([...xml.matchAll(/<geom [^>]*[ ]type="(\w+)"/g)].map((match) => match[1]))).toEqual(
      new Set(["capsule", "box", "plane"]),
    );
    expect(xml).not.toMatch(/mesh|file=/);
  });

  it("puts the scene's boxes in place and parks the rest", () => {
    const scene = drawScene({ seed: 5, light: "training", blockM: [0.4, -0.1] });
    world.placeScene(scene);
    expect([...world.qpos.subarray(TEST_ARM_LAYOUT.freeIndex, TEST_ARM_LAYOUT.freeIndex + 3)]).toEqual([
      0.4, -0.1, 0.02,
    ]);
    for (let index = 0; index < 5; index++) {
      const [x, y, z] = world.qpos.subarray(TEST_ARM_LAYOUT.freeIndex + 7 * (index + 1));
      const box = scene.distractors[index];
      if (box === undefined) expect(z).toBeLessThan(-1);
      else expect([x, y, z]).toEqual([...box.positionM]);
    }
  });
});
