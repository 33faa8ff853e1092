/**
 * A simulated camera as plain values, and where its optical frame (z forward, x right, y down) is. MuJoCo's cameras
 * look along -z with y up, half a turn about x from the optical frame.
 */
import { z } from "zod";
import { CAMERA_PARENTS } from "../../core/cameraParent.js";
import { compose, multiplyQuat, type Pose, type QuatXyzw } from "../../kinematics/pose.js";
import type { Vec3 } from "./scene.js";

const Triple = z.tuple([z.number(), z.number(), z.number()]);

/** The camera as plain values, as it travels to processes and workers. */
export const LabCameraSchema = z.strictObject({
  name: z.string().min(1),
  topic: z.string().min(1).describe("Namespace of its ROS topics"),
  widthPx: z.int().min(16).max(4096),
  heightPx: z.int().min(16).max(4096),
  rateHz: z.number().positive().max(120),
  fovYDeg: z.number().min(5).max(120).describe("Vertical field of view"),
  parentFrame: z
    .enum(CAMERA_PARENTS)
    .describe("What carries it: the arm's flange or base, or the hand's palm"),
  positionM: Triple.describe("Colour optical centre in the parent's frame"),
  quatXyzw: z
    .tuple([z.number(), z.number(), z.number(), z.number()])
    .describe("Rotation of the optical frame in the parent's frame"),
});
export type LabCamera = z.infer<typeof LabCameraSchema>;

/** Pinhole of square pixels; pixel (i, j) covers [i, i + 1) x [j, j + 1), so the centre of the image is (w/2, h/2). */
export interface Intrinsics {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly focalPx: number;
  readonly centreXPx: number;
  readonly centreYPx: number;
}

export const intrinsicsOf = (widthPx: number, heightPx: number, fovYDeg: number): Intrinsics => ({
  widthPx,
  heightPx,
  focalPx: heightPx / 2 / Math.tan((fovYDeg * Math.PI) / 360),
  centreXPx: widthPx / 2,
  centreYPx: heightPx / 2,
});

/** The same camera, of which only a window is rendered; its pixels equal those of the full image. */
export const windowOf = (
  full: Intrinsics,
  window: {
    readonly leftPx: number;
    readonly topPx: number;
    readonly widthPx: number;
    readonly heightPx: number;
  },
): Intrinsics => ({
  widthPx: window.widthPx,
  heightPx: window.heightPx,
  focalPx: full.focalPx,
  centreXPx: full.centreXPx - window.leftPx,
  centreYPx: full.centreYPx - window.topPx,
});

const HALF_TURN_ABOUT_X: QuatXyzw = [1, 0, 0, 0];

/** Rotation of the MuJoCo camera frame for an optical frame. */
export const toMujocoCamera = (opticalXyzw: QuatXyzw): QuatXyzw =>
  multiplyQuat(opticalXyzw, HALF_TURN_ABOUT_X);

/** Optical frame that stands at `fromM`, looks at `atM` and has the base's z upwards in the picture. */
export function lookAt(fromM: Vec3, atM: Vec3): Pose {
  const forward = unit([atM[0] - fromM[0], atM[1] - fromM[1], atM[2] - fromM[2]]);
  const right = unit([forward[1], -forward[0], 0]);
  const down = cross(forward, right);
  // Rotation matrix columns right, down, forward to a quaternion; w > 0 for every view used here.
  const w = Math.sqrt(Math.max(0, 1 + right[0] + down[1] + forward[2])) / 2;
  if (w > 1e-3) {
    return {
      positionM: fromM,
      quatXyzw: [
        (down[2] - forward[1]) / (4 * w),
        (forward[0] - right[2]) / (4 * w),
        (right[1] - down[0]) / (4 * w),
        w,
      ],
    };
  }
  const x = Math.sqrt(Math.max(0, 1 + right[0] - down[1] - forward[2])) / 2;
  return {
    positionM: fromM,
    quatXyzw: [
      x,
      (right[1] + down[0]) / (4 * x),
      (right[2] + forward[0]) / (4 * x),
      (down[2] - forward[1]) / (4 * x),
    ],
  };
}

/** Turns a mount pose by a small rotation vector [rad] in its own frame and moves it [m] in its parent's. */
export function jittered(mount: Pose, translationM: Vec3, rotationRad: Vec3): Pose {
  const angle = Math.hypot(...rotationRad);
  const scale = angle < 1e-12 ? 0.5 : Math.sin(angle / 2) / angle;
  const turn: Pose = {
    positionM: [0, 0, 0],
    quatXyzw: [rotationRad[0] * scale, rotationRad[1] * scale, rotationRad[2] * scale, Math.cos(angle / 2)],
  };
  const turned = compose(mount, turn);
  const [x, y, z] = mount.positionM;
  return {
    positionM: [x + translationM[0], y + translationM[1], z + translationM[2]],
    quatXyzw: turned.quatXyzw,
  };
}

const unit = ([x, y, z]: Vec3): Vec3 => {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
};
const cross = (a: Vec3, b: Vec3): Vec3 => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
