/** Poses as the wire has them, from what WebXR gives: checked, and put together. Metres, quaternions x y z w. */
import { QUATERNION_TOLERANCE, TRACKED_RANGE_M, type TrackedPose } from "../../core/teleop/pose.js";
import type { XrPoseLike } from "./xrTypes.js";

export type PositionM = TrackedPose["positionM"];
export type QuatXyzw = TrackedPose["quatXyzw"];

/** Null for anything that is no pose: absent, not finite, out of range, or with a quaternion of another norm than 1. */
export function toTrackedPose(pose: XrPoseLike | null | undefined): TrackedPose | null {
  if (pose == null) return null;
  const { position: p, orientation: q } = pose.transform;
  return checkedPose([p.x, p.y, p.z], [q.x, q.y, q.z, q.w]);
}

export function checkedPose(positionM: PositionM, quatXyzw: QuatXyzw): TrackedPose | null {
  if (!positionM.every((value) => Math.abs(value) <= TRACKED_RANGE_M)) return null;
  const norm = Math.hypot(...quatXyzw);
  if (!(Math.abs(norm - 1) <= QUATERNION_TOLERANCE)) return null;
  const [x, y, z, w] = quatXyzw;
  return { positionM, quatXyzw: [x / norm, y / norm, z / norm, w / norm] };
}

/** Pose of C in A from those of B in A and of C in B. */
export function compose(poseAB: TrackedPose, poseBC: TrackedPose): TrackedPose {
  const moved = rotate(poseAB.quatXyzw, poseBC.positionM);
  return {
    positionM: [0, 1, 2].map((axis) => poseAB.positionM[axis]! + moved[axis]!) as PositionM,
    quatXyzw: multiply(poseAB.quatXyzw, poseBC.quatXyzw),
  };
}

export function inverse({ positionM, quatXyzw: [x, y, z, w] }: TrackedPose): TrackedPose {
  const back: QuatXyzw = [-x, -y, -z, w];
  return { positionM: rotate(back, positionM).map((value) => -value) as PositionM, quatXyzw: back };
}

function rotate([x, y, z, w]: QuatXyzw, [a, b, c]: PositionM): PositionM {
  // v + 2w (u x v) + 2 u x (u x v), with u the quaternion's vector part.
  const [p, q, r] = [2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)];
  return [a + w * p + y * r - z * q, b + w * q + z * p - x * r, c + w * r + x * q - y * p];
}

const multiply = ([a, b, c, d]: QuatXyzw, [x, y, z, w]: QuatXyzw): QuatXyzw => [
  d * x + a * w + b * z - c * y,
  d * y - a * z + b * w + c * x,
  d * z + a * y - b * x + c * w,
  d * w - a * x - b * y - c * z,
];

/**
 * Pose in a column-major 4x4 matrix; the rotation by its largest component, which is never near zero. The quaternion's
 * norm is 1 only when the matrix is a rotation: see `checkedPose`.
 * Source: S. W. Shepperd, J. Guidance and Control 1(3), 1978.
 */
export function poseOfMatrix(matrix: ArrayLike<number>, offset = 0): TrackedPose {
  const m = (index: number): number => matrix[offset + index]!;
  return { positionM: [m(12), m(13), m(14)], quatXyzw: quatOfMatrix(m) };
}

function quatOfMatrix(m: (index: number) => number): QuatXyzw {
  const [xx, yy, zz] = [m(0), m(5), m(10)];
  const trace = xx + yy + zz;
  if (trace > Math.max(xx, yy, zz)) {
    const s = 2 * Math.sqrt(1 + trace);
    return [(m(6) - m(9)) / s, (m(8) - m(2)) / s, (m(1) - m(4)) / s, s / 4];
  }
  if (xx >= yy && xx >= zz) {
    const s = 2 * Math.sqrt(1 + xx - yy - zz);
    return [s / 4, (m(4) + m(1)) / s, (m(8) + m(2)) / s, (m(6) - m(9)) / s];
  }
  if (yy >= zz) {
    const s = 2 * Math.sqrt(1 - xx + yy - zz);
    return [(m(4) + m(1)) / s, s / 4, (m(9) + m(6)) / s, (m(8) - m(2)) / s];
  }
  const s = 2 * Math.sqrt(1 - xx - yy + zz);
  return [(m(8) + m(2)) / s, (m(9) + m(6)) / s, s / 4, (m(1) - m(4)) / s];
}

/** Column-major 4x4 matrix of a pose. */
export function matrixOf({ positionM, quatXyzw: [x, y, z, w] }: TrackedPose): number[] {
  return [
    ...[1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w), 0],
    ...[2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w), 0],
    ...[2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y), 0],
    ...[...positionM, 1],
  ];
}
