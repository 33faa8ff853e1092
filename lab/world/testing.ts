/** Cameras and worlds that the lab's tests use. The wrist camera is ahead of the gripper, leaning 12 degrees towards the tool. */
import { layoutOf } from "./layout.js";
import type { LabCamera } from "./mount.js";
import { armWorld, type WorldParts } from "./parts.js";
import type { SceneOptions } from "./scene.js";

export const TEST_CAMERA: LabCamera = {
  name: "wrist",
  topic: "/camera/wrist",
  widthPx: 640,
  heightPx: 480,
  rateHz: 30,
  fovYDeg: 42,
  parentFrame: "flange",
  positionM: [0.075, 0, 0.025],
  quatXyzw: [-0.07391279, -0.07391279, 0.70323318, 0.70323318],
};

export const TEST_ARM_WORLD = armWorld(TEST_CAMERA);
export const TEST_ARM_LAYOUT = layoutOf(TEST_ARM_WORLD);

/** Off the table, opposite the arm, looking at (0.45, 0, 0.06). */
export const TEST_BESIDE_CAMERA: LabCamera = {
  ...TEST_CAMERA,
  name: "beside",
  topic: "/camera/beside",
  parentFrame: "base",
  positionM: [1.05, 0, 0.62],
  quatXyzw: [-0.6485211, -0.6485211, 0.2818163, 0.2818163],
};

/** Above the palm, the fingers upwards in the picture. */
export const TEST_OVERHEAD_CAMERA: LabCamera = {
  ...TEST_CAMERA,
  name: "overhead",
  topic: "/camera/overhead",
  parentFrame: "palm",
  positionM: [0.4, 0, 0.03],
  quatXyzw: [-0.5, -0.5, 0.5, 0.5],
};

/** A hand alone, palm up. */
export const standWorld = (side: "right" | "left" = "right"): WorldParts => ({
  hand: {
    model: "v4",
    side,
    on: "stand",
    positionM: [0, 0, 0.15],
    quatXyzw: [Math.SQRT1_2, 0, Math.SQRT1_2, 0],
  },
  props: "palm",
  camera: TEST_OVERHEAD_CAMERA,
});

/** Nothing in it is drawn at random but what a request asks for. */
export const PLAIN_SCENE: SceneOptions = {
  lighting: false,
  textures: false,
  shadows: false,
  cameraJitter: false,
  noise: false,
  distractorsMax: 0,
};
