/** A camera that looks on: where it sees things, and what of the other cameras stands in its world. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type QuatXyzw, rotate } from "../../kinematics/pose.js";
import { XARM7_HOME_RAD } from "../../kinematics/xarm7.js";
import { worldMjcf } from "../world/mjcf.js";
import { WorldModel } from "../world/model.js";
import type { LabCamera } from "../world/mount.js";
import { armWorld, housedOf } from "../world/parts.js";
import { drawScene, type Scene } from "../world/scene.js";
import {
  PLAIN_SCENE,
  TEST_ARM_WORLD,
  TEST_BESIDE_CAMERA,
  TEST_CAMERA,
  TEST_OVERHEAD_CAMERA,
} from "../world/testing.js";
import { WorldView } from "./worldView.js";

const REQUEST = { seed: 1, light: "training", blockM: [0.5, -0.12] } as const;

let world: WorldModel;
beforeAll(async () => {
  world = await WorldModel.load(TEST_ARM_WORLD);
});
afterAll(() => world.dispose());

function picture(camera: LabCamera, scene: Scene, positionRad: readonly number[]): Uint8ClampedArray {
  const view = new WorldView(world, camera, camera);
  world.qpos.set(positionRad);
  world.placeScene(scene);
  world.kinematics();
  view.setScene(scene);
  view.renderCamera(view.cameraIntrinsics());
  return view.rgb;
}

/** Mean column and row [px] of what is red. */
function redCentrePx(rgb: Uint8ClampedArray, widthPx: number): [number, number] {
  let [count, columns, rows] = [0, 0, 0];
  for (let pixel = 0; pixel < rgb.length / 3; pixel++) {
    const [red, green, blue] = [rgb[3 * pixel]!, rgb[3 * pixel + 1]!, rgb[3 * pixel + 2]!];
    if (red < 40 || red < 2.5 * green || red < 2.5 * blue) continue;
    count++;
    columns += (pixel % widthPx) + 0.5;
    rows += Math.floor(pixel / widthPx) + 0.5;
  }
  return [columns / count, rows / count];
}

describe("a camera in the base", () => {
  it("sees the block where a pinhole at its pose does, wherever the arm is", () => {
    const { positionM, quatXyzw, widthPx, heightPx, fovYDeg } = TEST_BESIDE_CAMERA;
    const scene = drawScene(REQUEST, PLAIN_SCENE);
    const [x, y] = REQUEST.blockM;
    const inverse = quatXyzw.map((value, axis) => (axis < 3 ? -value : value)) as unknown as QuatXyzw;
    const [right, down, ahead] = rotate(inverse, [x - positionM[0], y - positionM[1], 0.02 - positionM[2]]);
    const focalPx = heightPx / 2 / Math.tan((fovYDeg * Math.PI) / 360);
    const expected = [widthPx / 2 + (focalPx * right) / ahead, heightPx / 2 + (focalPx * down) / ahead];
    const lowered = XARM7_HOME_RAD.map((rad, joint) => (joint === 1 ? rad + 0.4 : rad));
    const [home, other] = [XARM7_HOME_RAD, lowered].map((rad) => picture(TEST_BESIDE_CAMERA, scene, rad));
    for (const rgb of [home!, other!])
      redCentrePx(rgb, widthPx).forEach((px, axis) => {
        expect(Math.abs(px - expected[axis]!)).toBeLessThan(3);
      });
    expect(other, "the arm came into the picture").not.toEqual(home);
  });

  it("is jittered from scene to scene as the others are", () => {
    const centres = [1, 2, 3].map((seed) =>
      redCentrePx(
        picture(
          TEST_BESIDE_CAMERA,
          drawScene({ ...REQUEST, seed }, { ...PLAIN_SCENE, cameraJitter: true }),
          XARM7_HOME_RAD,
        ),
        TEST_BESIDE_CAMERA.widthPx,
      ),
    );
    expect(new Set(centres.map(([column]) => Math.round(column))).size).toBe(3);
  });
});

describe("the camera whose housing is in the world", () => {
  it("is the first on the flange, in whatever order a cell has them and whichever is looked through", () => {
    const second = { ...TEST_CAMERA, name: "second" };
    expect(housedOf([TEST_BESIDE_CAMERA, TEST_CAMERA, second])).toBe(TEST_CAMERA);
    expect(housedOf([TEST_OVERHEAD_CAMERA])).toBe(TEST_OVERHEAD_CAMERA);
    expect(worldMjcf(armWorld(housedOf([TEST_BESIDE_CAMERA, TEST_CAMERA])))).toEqual(
      worldMjcf(TEST_ARM_WORLD),
    );
  });

  it("is none where nothing is on the flange", () => {
    expect(worldMjcf(TEST_ARM_WORLD)).toContain("wrist_housing");
    expect(worldMjcf(armWorld(TEST_BESIDE_CAMERA))).not.toContain("wrist_housing");
  });
});
