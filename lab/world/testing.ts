/** The wrist camera that the lab's tests use: ahead of the gripper, leaning 12 degrees towards the tool. */
import type { LabCamera } from "./mount.js";

export const TEST_CAMERA: LabCamera = {
  name: "wrist",
  topic: "/camera/wrist",
  widthPx: 640,
  heightPx: 480,
  rateHz: 30,
  fovYDeg: 42,
  positionM: [0.075, 0, 0.025],
  quatXyzw: [-0.07391279, -0.07391279, 0.70323318, 0.70323318],
};
