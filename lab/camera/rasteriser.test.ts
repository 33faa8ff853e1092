/** Pictures against closed-form answers: where a corner lands, how far the table is, what a shadow does. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compose, invert, type Pose, transformPoint } from "../../kinematics/pose.js";
import { sceneCameraOf } from "../world/mjcf.js";
import { WorldModel } from "../world/model.js";
import { type Intrinsics, intrinsicsOf, windowOf } from "../world/mount.js";
import { drawScene, type Scene, type Vec3 } from "../world/scene.js";
import { PLAIN_SCENE, TEST_ARM_WORLD, TEST_CAMERA } from "../world/testing.js";
import { DepthBuffer } from "./depthBuffer.js";
import { Rasteriser } from "./rasteriser.js";
import type { ShapePoses, ShapeSource } from "./shapes.js";
import {
  averageBlocks,
  OBSERVATION_PX,
  OBSERVATION_WINDOW,
  renderObservation,
  WorldView,
} from "./worldView.js";

const SCENE = sceneCameraOf(TEST_ARM_WORLD);
const HOME_RAD = [0, -0.1702, 0, 1.7195, 0, 1.8882, 0];

let world: WorldModel;
let view: WorldView;
beforeAll(async () => {
  world = await WorldModel.load(TEST_ARM_WORLD);
  view = new WorldView(world, TEST_CAMERA, { widthPx: 640, heightPx: 480 });
});
afterAll(() => world.dispose());

function show(scene: Scene, positionRad: readonly number[] = HOME_RAD): Intrinsics {
  world.qpos.set(positionRad);
  world.placeScene(scene);
  world.kinematics();
  view.setScene(scene);
  const intrinsics = view.cameraIntrinsics();
  view.renderCamera(intrinsics);
  return intrinsics;
}

/** Pose of the unmoved wrist camera in the base frame, from MuJoCo's own camera. */
function cameraPose(): Pose {
  const { data, mujoco, model } = world;
  const id = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA.value, "wrist");
  mujoco.mj_camlight(model, data);
  const at: Float64Array = data.cam_xpos;
  const flange = world.bodyId("link7");
  const [w, x, y, z] = world.bodyQuatWxyz.subarray(4 * flange, 4 * flange + 4);
  const pose = compose(
    { positionM: [0, 0, 0], quatXyzw: [x!, y!, z!, w!] },
    { positionM: [0, 0, 0], quatXyzw: TEST_CAMERA.quatXyzw },
  );
  return { positionM: [at[3 * id]!, at[3 * id + 1]!, at[3 * id + 2]!], quatXyzw: pose.quatXyzw };
}

function project(pointBase: Vec3, camera: Pose, { focalPx, centreXPx, centreYPx }: Intrinsics) {
  const [x, y, z] = transformPoint(invert(camera), pointBase);
  return { u: centreXPx + (focalPx * x) / z, v: centreYPx + (focalPx * y) / z, depthM: z };
}

const isRed = (pixel: number): boolean =>
  view.rgb[3 * pixel]! > 2.5 * view.rgb[3 * pixel + 1]! && view.rgb[3 * pixel]! > 40;

describe("the wrist picture", () => {
  it("shows the block's outline where its corners project", () => {
    const scene = drawScene({ seed: 1, light: "training", blockM: [0.5, 0.06] }, PLAIN_SCENE);
    const intrinsics = show(scene);
    const camera = cameraPose();
    const { block } = scene;
    const outline = { left: 1e9, right: -1e9, top: 1e9, bottom: -1e9 };
    for (const [sx, sy, sz] of [0, 1, 2, 3, 4, 5, 6, 7].map((k) =>
      [k & 1, (k >> 1) & 1, k >> 2].map((b) => 2 * b - 1),
    )) {
      const [cos, sin] = [Math.cos(block.yawRad), Math.sin(block.yawRad)];
      const [dx, dy, dz] = [sx! * 0.02, sy! * 0.02, sz! * 0.02];
      const corner: Vec3 = [
        block.positionM[0] + cos * dx - sin * dy,
        block.positionM[1] + sin * dx + cos * dy,
        block.positionM[2] + dz,
      ];
      const { u, v } = project(corner, camera, intrinsics);
      outline.left = Math.min(outline.left, u);
      outline.right = Math.max(outline.right, u);
      outline.top = Math.min(outline.top, v);
      outline.bottom = Math.max(outline.bottom, v);
    }
    const red = Array.from({ length: 640 * 480 }, (_, pixel) => pixel).filter(isRed);
    const columns = red.map((pixel) => pixel % 640);
    const rows = red.map((pixel) => Math.floor(pixel / 640));
    expect(Math.abs(Math.min(...columns) - outline.left)).toBeLessThan(1);
    expect(Math.abs(Math.max(...columns) + 1 - outline.right)).toBeLessThan(1);
    expect(Math.abs(Math.min(...rows) - outline.top)).toBeLessThan(1);
    expect(Math.abs(Math.max(...rows) + 1 - outline.bottom)).toBeLessThan(1);
  });

  it("has the table's depth at every pixel that shows it", () => {
    const scene = drawScene({ seed: 2, light: "training", blockM: [0.3, 0.19] }, PLAIN_SCENE);
    const intrinsics = show(scene);
    const camera = cameraPose();
    const depthMm = new Uint16Array(640 * 480);
    view.depthMm(depthMm);
    let compared = 0;
    let onTable = 0;
    for (let pixel = 0; pixel < depthMm.length; pixel += 97) {
      const u = (pixel % 640) + 0.5;
      const v = Math.floor(pixel / 640) + 0.5;
      const ray = transformPoint({ ...camera, positionM: [0, 0, 0] }, [
        (u - intrinsics.centreXPx) / intrinsics.focalPx,
        (v - intrinsics.centreYPx) / intrinsics.focalPx,
        1,
      ]);
      const expectedMm = (-1000 * camera.positionM[2]) / ray[2];
      compared++;
      // Half a millimetre of rounding; less depth where something stands on the table or is held before it.
      expect(depthMm[pixel]!).toBeLessThan(expectedMm + 0.51);
      if (depthMm[pixel]! > expectedMm - 0.51) onTable++;
    }
    expect(onTable).toBeGreaterThan(0.8 * compared);
  });

  it("keeps a block in the policy's window while the tool point hovers 2 cm above its centre", () => {
    const camera: Pose = { positionM: TEST_CAMERA.positionM, quatXyzw: TEST_CAMERA.quatXyzw };
    const { u, v, depthM } = project([0, 0, 0.192], camera, intrinsicsOf(640, 480, 42));
    const { leftPx, topPx, widthPx, heightPx } = OBSERVATION_WINDOW;
    expect(depthM).toBeGreaterThan(0.1);
    expect(u).toBeGreaterThan(leftPx + 60);
    expect(u).toBeLessThan(leftPx + widthPx - 60);
    expect(v).toBeGreaterThan(topPx + 60);
    expect(v).toBeLessThan(topPx + heightPx - 60);
  });

  it("is the same bytes for the same scene and pose, and other bytes for another picture's noise", () => {
    const scene = drawScene({ seed: 8, light: "changed" });
    show(scene);
    const first = Uint8Array.from(view.rgb);
    show(scene);
    expect(Buffer.compare(first, Buffer.from(view.rgb))).toBe(0);
    view.renderCamera(view.cameraIntrinsics());
    expect(Buffer.compare(first, Buffer.from(view.rgb))).not.toBe(0);
  });

  it("moves with the camera's jitter", () => {
    const request = { seed: 3, light: "training" as const, blockM: [0.5, 0] as const };
    const calm = show(drawScene(request, PLAIN_SCENE));
    const still = Uint8Array.from(view.rgb);
    const jittery = show(drawScene(request, { ...PLAIN_SCENE, cameraJitter: true }));
    expect(jittery.focalPx).not.toBe(calm.focalPx);
    expect(Buffer.compare(still, Buffer.from(view.rgb))).not.toBe(0);
  });
});

describe("shadows", () => {
  /** A box that floats over a plane, lit at 45 degrees along x, seen from straight above. */
  const sources: ShapeSource[] = [
    { name: "floor", kind: "plane", sizeM: [2, 2, 0], colour: [0.5, 0.5, 0.5] },
    { name: "box", kind: "box", sizeM: [0.05, 0.05, 0.01], colour: [0.5, 0.5, 0.5] },
  ];
  const upright = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const poses: ShapePoses = {
    geomM: Float64Array.from([0, 0, 0, 0, 0, 0.2]),
    geomRotation: Float64Array.from([...upright, ...upright]),
  };
  /** Looks down from 1 m; x of the base to the right, y upwards in the picture. */
  const above = { positionM: [0, 0, 1] as const, quatXyzw: [1, 0, 0, 0] as const };
  const intrinsics = intrinsicsOf(200, 200, 53.13010235); // 1 m of floor fills the picture: 5 mm a pixel
  const scene = (shadows: boolean): Scene => {
    const plain = drawScene({ seed: 1, light: "training" }, PLAIN_SCENE);
    const light = {
      direction: [Math.SQRT1_2, 0, Math.SQRT1_2] as const,
      ambient: 0.4,
      diffuse: 0.6,
      tint: [1, 1, 1] as const,
      shadows,
      shadowDepth: 0.5,
    };
    return { ...plain, light };
  };
  const grey = (shadows: boolean, xM: number, yM: number): number => {
    const rgb = new Uint8ClampedArray(200 * 200 * 3);
    const rasteriser = new Rasteriser(sources, 200, 200);
    rasteriser.setScene(scene(shadows));
    rasteriser.render(poses, above, intrinsics, rgb);
    const pixel = Math.floor(100 - yM * 200) * 200 + Math.floor(100 + xM * 200);
    return rgb[3 * pixel]!;
  };

  it("fall where the light's rays say, and take away the share that the scene says", () => {
    const floor = scene(true).floor.colourA[0];
    const facing = Math.SQRT1_2;
    const litGrey = 255 * floor * (0.4 + 0.6 * facing);
    const darkGrey = 255 * floor * (0.4 + 0.6 * facing * 0.5);
    // Light from +x at 45 degrees: the shadow of a box at height 0.2 lies 0.2 towards -x, from -0.26 to -0.14.
    expect(grey(true, -0.2, 0)).toBeCloseTo(darkGrey, -0.5);
    expect(grey(true, -0.245, 0.03)).toBeCloseTo(darkGrey, -0.5);
    for (const [x, y] of [
      [-0.28, 0],
      [-0.12, 0],
      [-0.2, 0.06],
      [0.2, 0],
    ] as const) {
      expect(grey(true, x, y), `lit at ${x}, ${y}`).toBeCloseTo(litGrey, -0.5);
    }
    expect(grey(false, -0.2, 0)).toBeCloseTo(litGrey, -0.5);
  });

  it("never fall on a face that the light meets first", () => {
    const rgb = new Uint8ClampedArray(200 * 200 * 3);
    const rasteriser = new Rasteriser(sources, 200, 200);
    const values = new Set<number>();
    rasteriser.setScene(scene(true));
    rasteriser.render(poses, above, intrinsics, rgb);
    for (let row = 94; row < 106; row++)
      for (let column = 94; column < 106; column++) values.add(rgb[3 * (row * 200 + column)]!);
    expect(values.size).toBe(1);
  });
});

describe("DepthBuffer", () => {
  it("covers every pixel of two triangles that share an edge exactly once", () => {
    for (let k = 0; k < 200; k++) {
      const at = (n: number) => 1 + 30 * ((0.5 + 0.618 * (k + 1) * (n + 3)) % 1);
      const [ax, ay, bx, by] = [at(0), at(1), at(2), at(3)];
      const side = (x: number, y: number) => (bx - ax) * (y - ay) - (by - ay) * (x - ax);
      const [c, d] = [
        [at(4), at(5)],
        [at(6), at(7)],
      ] as const;
      if (side(c[0], c[1]) * side(d[0], d[1]) >= 0) continue;
      const count = new Uint8Array(32 * 32);
      for (const [x, y] of [c, d]) {
        const buffer = new DepthBuffer(32, 32);
        buffer.fill(ax, ay, 1, bx, by, 1, x, y, 1, 1);
        buffer.surface.forEach((surface, pixel) => {
          count[pixel]! += surface;
        });
      }
      expect(Math.max(...count), `case ${k}`).toBeLessThanOrEqual(1);
    }
  });

  it("keeps the nearer of two surfaces, whichever comes first", () => {
    for (const order of [
      [1, 2],
      [2, 1],
    ]) {
      const buffer = new DepthBuffer(8, 8);
      for (const surface of order) {
        buffer.fill(-20, -20, surface, 40, -20, surface, -20, 40, surface, surface);
      }
      expect(new Set(buffer.surface)).toEqual(new Set([2]));
      expect(new Set(buffer.nearness)).toEqual(new Set([2]));
    }
  });
});

describe("observations", () => {
  it("are the averaged window of the whole picture", () => {
    const scene = drawScene(
      { seed: 4, light: "training" },
      { ...PLAIN_SCENE, textures: true, shadows: true, lighting: true },
    );
    const whole = new Uint8Array(OBSERVATION_PX * OBSERVATION_PX * 3);
    show(scene);
    const { leftPx, topPx, widthPx, heightPx } = OBSERVATION_WINDOW;
    const cut = new Uint8Array(widthPx * heightPx * 3);
    for (let row = 0; row < heightPx; row++) {
      const from = 3 * ((topPx + row) * 640 + leftPx);
      cut.set(view.rgb.subarray(from, from + 3 * widthPx), 3 * row * widthPx);
    }
    averageBlocks(cut, widthPx, 4, whole);
    const out = new Uint8Array(whole.length);
    renderObservation(new WorldView(world, TEST_CAMERA, OBSERVATION_WINDOW), world, scene, HOME_RAD, out);
    const worst = Math.max(...out.map((value, at) => Math.abs(value - whole[at]!)));
    // The shadow map is fitted to what the window sees, so soft edges may differ a little.
    expect(out.filter((value, at) => Math.abs(value - whole[at]!) > 2).length).toBeLessThan(out.length / 100);
    expect(worst).toBeLessThan(60);
  });

  it("average each block of pixels, rounded to nearest", () => {
    const out = new Uint8Array(3);
    averageBlocks([0, 10, 255, 1, 20, 255, 0, 30, 255, 1, 41, 255], 2, 2, out);
    expect([...out]).toEqual([1, 25, 255]);
  });
});

describe("the scene camera", () => {
  it("sees arm, table and block", () => {
    const scene = drawScene({ seed: 1, light: "training", blockM: [0.45, 0] }, PLAIN_SCENE);
    show(scene);
    const intrinsics = intrinsicsOf(640, 480, SCENE.fovYDeg);
    view.renderScene(intrinsics);
    for (const point of [
      [0, 0, 0],
      [0, 0, 0.56],
      [0.45, 0, 0.02],
    ] as const) {
      const { u, v } = project(point, SCENE, intrinsics);
      expect(u).toBeGreaterThan(0);
      expect(u).toBeLessThan(640);
      expect(v).toBeGreaterThan(0);
      expect(v).toBeLessThan(480);
    }
    const { u, v } = project([0.45, 0, 0.04], SCENE, intrinsics);
    expect(isRed(Math.round(v) * 640 + Math.round(u))).toBe(true);
  });
});

describe("windowed intrinsics", () => {
  it("keep the focal length", () => {
    expect(windowOf(intrinsicsOf(640, 480, 42), OBSERVATION_WINDOW).focalPx).toBeCloseTo(625.2, 1);
  });
});
