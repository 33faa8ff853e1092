/** Scenes: the same seed is the same scene, and every scene is one that the task allows. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rotate } from "../../kinematics/pose.js";
import { intrinsicsOf, jittered, lookAt, toMujocoCamera, windowOf } from "./mount.js";
import { Random } from "./random.js";
import { drawScene, FULL_LOOK, PATCH_M } from "./scene.js";
import { TEST_CAMERA } from "./testing.js";

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const lights = fc.constantFrom("training" as const, "changed" as const);

describe("drawScene", () => {
  it("gives the same scene for the same request, another for another seed", () => {
    fc.assert(
      fc.property(seeds, lights, (seed, light) => {
        expect(drawScene({ seed, light })).toEqual(drawScene({ seed, light }));
        expect(drawScene({ seed, light })).not.toEqual(drawScene({ seed: seed ^ 1, light }));
      }),
    );
  });

  it("keeps every block and box on its patch, clear of each other, and every light as described", () => {
    fc.assert(
      fc.property(seeds, lights, (seed, light) => {
        const scene = drawScene({ seed, light });
        const boxes = [scene.block, ...scene.distractors];
        expect(scene.distractors.length).toBeLessThanOrEqual(2);
        for (const [index, { positionM, halfSizeM }] of boxes.entries()) {
          expect(positionM[0]).toBeGreaterThanOrEqual(PATCH_M.x[0]);
          expect(positionM[0]).toBeLessThan(PATCH_M.x[1]);
          expect(Math.abs(positionM[1])).toBeLessThanOrEqual(PATCH_M.y[1]);
          expect(positionM[2]).toBe(halfSizeM[2]);
          for (const other of boxes.slice(0, index)) {
            const apart = Math.hypot(positionM[0] - other.positionM[0], positionM[1] - other.positionM[1]);
            const reach =
              Math.hypot(halfSizeM[0], halfSizeM[1]) + Math.hypot(other.halfSizeM[0], other.halfSizeM[1]);
            expect(apart).toBeGreaterThan(reach);
          }
        }
        const tiltRad = Math.acos(scene.light.direction[2]);
        expect(Math.hypot(...scene.light.direction)).toBeCloseTo(1, 12);
        if (light === "training") expect(tiltRad).toBeLessThan(0.7);
        else expect(tiltRad).toBeGreaterThan(0.79);
      }),
    );
  });

  it("changes nothing else when one option is off or the block is given", () => {
    const request = { seed: 42, light: "training" as const };
    const full = drawScene(request);
    const calm = drawScene(request, { ...FULL_LOOK, cameraJitter: false, textures: false });
    expect(calm.block).toEqual(full.block);
    expect(calm.distractors).toEqual(full.distractors);
    expect(calm.light).toEqual(full.light);
    expect(calm.camera).toEqual({ translationM: [0, 0, 0], rotationRad: [0, 0, 0], fovYDeg: 0 });
    const moved = drawScene({ ...request, blockM: [0.3, 0.1] });
    expect(moved.block).toEqual({ ...full.block, positionM: [0.3, 0.1, 0.02] });
    expect(moved.table).toEqual(full.table);
  });
});

describe("Random", () => {
  it("is uniform and normal to within sampling error", () => {
    const random = new Random(1);
    const uniform = Array.from({ length: 20_000 }, () => random.uniform(2, 4));
    const normal = Array.from({ length: 20_000 }, () => random.normal(1, 2));
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(uniform)).toBeCloseTo(3, 1);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...uniform)).toBeLessThan(4);
    expect(mean(normal)).toBeCloseTo(1, 1);
    expect(Math.sqrt(mean(normal.map((value) => (value - 1) ** 2)))).toBeCloseTo(2, 1);
  });

  it("forks streams that differ by name and do not disturb their parent", () => {
    const [a, b] = [new Random(9), new Random(9)];
    expect(a.fork("light").u32()).not.toBe(a.fork("block").u32());
    expect(a.u32()).toBe(b.u32());
  });
});

describe("camera mounts", () => {
  it("looks along +z of the optical frame, which is -z of MuJoCo's camera", () => {
    const [x, y, z] = rotate(toMujocoCamera(TEST_CAMERA.quatXyzw), [0, 0, -1]);
    const forward = rotate(TEST_CAMERA.quatXyzw, [0, 0, 1]);
    expect(x).toBeCloseTo(forward[0], 6);
    expect(y).toBeCloseTo(forward[1], 6);
    expect(z).toBeCloseTo(forward[2], 6);
  });

  it("leans 12 degrees from flange z towards the tool, with flange x upwards in the picture", () => {
    const forward = rotate(TEST_CAMERA.quatXyzw, [0, 0, 1]);
    const down = rotate(TEST_CAMERA.quatXyzw, [0, 1, 0]);
    const leanRad = (12 * Math.PI) / 180;
    expect(forward[0]).toBeCloseTo(-Math.sin(leanRad), 6);
    expect(forward[1]).toBeCloseTo(0, 6);
    expect(forward[2]).toBeCloseTo(Math.cos(leanRad), 6);
    expect(down[0]).toBeCloseTo(-Math.cos(leanRad), 6);
    expect(down[1]).toBeCloseTo(0, 6);
  });

  it.each([
    [
      [1.2, -0.9, 0.8],
      [0.3, 0, 0.2],
    ],
    [
      [0, -2, 0.5],
      [0, 0, 0.5],
    ],
    [
      [-1, 0.4, 2],
      [0.3, 0, 0],
    ],
  ] as const)("looks from %j at %j", (fromM, atM) => {
    const pose = lookAt(fromM, atM);
    const forward = rotate(pose.quatXyzw, [0, 0, 1]);
    const right = rotate(pose.quatXyzw, [1, 0, 0]);
    const length = Math.hypot(atM[0] - fromM[0], atM[1] - fromM[1], atM[2] - fromM[2]);
    forward.forEach((value, axis) => {
      expect(value).toBeCloseTo((atM[axis]! - fromM[axis]!) / length, 9);
    });
    expect(right[2]).toBeCloseTo(0, 9);
    expect(rotate(pose.quatXyzw, [0, 1, 0])[2]).toBeLessThan(0);
  });

  it("cuts a window out of the picture without moving anything", () => {
    const full = intrinsicsOf(640, 480, 42);
    const part = windowOf(full, { leftPx: 96, topPx: 32, widthPx: 448, heightPx: 448 });
    expect(part.focalPx).toBe(full.focalPx);
    expect(part.centreXPx + 96).toBe(full.centreXPx);
    expect(part.centreYPx + 32).toBe(full.centreYPx);
  });

  it("turns a mount by a rotation vector in its own frame", () => {
    const turned = jittered(
      { positionM: [1, 2, 3], quatXyzw: [0, 0, 0, 1] },
      [0.1, 0, 0],
      [0, 0, Math.PI / 2],
    );
    expect(turned.positionM).toEqual([1.1, 2, 3]);
    const x = rotate(turned.quatXyzw, [1, 0, 0]);
    expect(x[1]).toBeCloseTo(1, 12);
  });
});
