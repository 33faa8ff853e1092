/** The fridge: the same seed is the same scene, and its door is where the figures for experts and judges say. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { doorEdgeM, doorPlace, drawFridgeScene, FRIDGE_M, FRIDGE_PATCH_M } from "./fridge.js";
import { layoutOf } from "./layout.js";
import { WorldMemory } from "./memory.js";
import { armWorld } from "./parts.js";
import { Physics } from "./physics.js";
import { FULL_LOOK } from "./scene.js";
import { TEST_CAMERA } from "./testing.js";
import { shownThings } from "./worldScene.js";

const PARTS = armWorld(TEST_CAMERA, "fridge");
const STEP_MS = 2;
let physics: Physics;
beforeAll(async () => {
  physics = await Physics.load(PARTS, STEP_MS, new WorldMemory(layoutOf(PARTS)));
});
afterAll(() => physics.dispose());

const sceneOf = (seed: number) => drawFridgeScene({ seed, light: "training" }, FULL_LOOK);

describe("the fridge's scene", () => {
  it("gives the same scene for the same seed, with the fridge on its patch and its door well open", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const scene = sceneOf(seed);
        expect(sceneOf(seed)).toEqual(scene);
        const [x, y] = scene.fridge.placeM;
        expect(x).toBeGreaterThanOrEqual(FRIDGE_PATCH_M.x[0]);
        expect(x).toBeLessThan(FRIDGE_PATCH_M.x[1]);
        expect(y).toBeGreaterThanOrEqual(FRIDGE_PATCH_M.y[0]);
        expect(y).toBeLessThan(FRIDGE_PATCH_M.y[1]);
        expect(scene.fridge.doorRad).toBeGreaterThan(0.5);
        expect(scene.fridge.doorRad).toBeLessThan(1.7);
      }),
    );
  });

  it("stands where it is asked to, all else as drawn", () => {
    const { fridge, ...look } = sceneOf(7);
    const moved = drawFridgeScene({ seed: 7, light: "training", blockM: [0.5, 0.01] }, FULL_LOOK);
    expect(moved).toEqual({ ...look, fridge: { ...fridge, placeM: [0.5, 0.01] } });
  });
});

describe("the fridge in the world", () => {
  it("has its door's free edge where `doorEdgeM` says, at any turn and opening", () => {
    for (const seed of [1, 2, 3, 4]) {
      const { fridge } = sceneOf(seed);
      physics.world.placeScene(sceneOf(seed));
      physics.world.kinematics();
      const { positionM, quatXyzw } = physics.world.bodyPose(physics.world.bodyId("fridge_door"));
      const { hingeM, along } = doorPlace(fridge, fridge.doorRad);
      expect(positionM[0]).toBeCloseTo(hingeM[0], 9);
      expect(positionM[1]).toBeCloseTo(hingeM[1], 9);
      // The door lies along -y of its own frame.
      const headingRad = 2 * Math.atan2(quatXyzw[2], quatXyzw[3]);
      const edge = doorEdgeM(fridge, fridge.doorRad);
      expect(edge[0]).toBeCloseTo(hingeM[0] + FRIDGE_M.width * Math.sin(headingRad), 9);
      expect(edge[1]).toBeCloseTo(hingeM[1] - FRIDGE_M.width * Math.cos(headingRad), 9);
      expect(Math.hypot(...along)).toBeCloseTo(1, 12);
    }
  });

  it("leaves the door where it is left, and shuts it no farther than it goes", () => {
    physics.applyScene({ props: "fridge", seed: 5, light: "training" }, FULL_LOOK);
    const { world } = physics;
    const { hingeIndex, velocityCount } = world.layout;
    const before = world.qpos[hingeIndex]!;
    for (let step = 0; step < 250; step++) physics.step();
    expect(world.qpos[hingeIndex]).toBeCloseTo(before, 3);
    // Thrown shut, at three radians a second all the way.
    let least = before;
    for (let step = 0; step < 500; step++) {
      if (world.qpos[hingeIndex]! > 0.02) world.qvel[velocityCount - 1] = -3;
      physics.step();
      least = Math.min(least, world.qpos[hingeIndex]!);
    }
    expect(least).toBeGreaterThan(-0.03);
    expect(least).toBeLessThan(0.01);
  });

  it("shows every part of it that has a name", () => {
    for (const [name, thing] of shownThings(sceneOf(3))) {
      expect(physics.world.geomId(name)).toBeGreaterThan(0);
      expect(thing).toBeDefined();
    }
  });
});
