/**
 * Rigid transforms. A pose names reference and target (`poseBaseTool`): it maps points of the target frame into the
 * reference frame, and inner names cancel: poseBaseTool = compose(poseBaseFlange, poseFlangeTool).
 * Lengths in metres, quaternions x y z w of unit norm, rotation matrices row-major in 9 numbers.
 */
import { matrixOf } from "./rotationVector.js";
import type { Vector3 } from "./xarm7.js";

export type QuatXyzw = readonly [x: number, y: number, z: number, w: number];

export interface Pose {
  readonly positionM: Vector3;
  readonly quatXyzw: QuatXyzw;
}

export const IDENTITY_POSE: Pose = { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] };

export const compose = (outer: Pose, inner: Pose): Pose => ({
  positionM: transformPoint(outer, inner.positionM),
  quatXyzw: multiplyQuat(outer.quatXyzw, inner.quatXyzw),
});

export function invert(pose: Pose): Pose {
  const quatXyzw = conjugate(pose.quatXyzw);
  const [x, y, z] = rotate(quatXyzw, pose.positionM);
  return { positionM: [-x, -y, -z], quatXyzw };
}

/** A point of the target frame [m], expressed in the reference frame [m]. */
export function transformPoint(pose: Pose, pointM: Vector3): Vector3 {
  const [x, y, z] = rotate(pose.quatXyzw, pointM);
  const [px, py, pz] = pose.positionM;
  return [x + px, y + py, z + pz];
}

export const conjugate = ([x, y, z, w]: QuatXyzw): QuatXyzw => [-x, -y, -z, w];

/** Hamilton product: the rotation `second` first, then `first`, both in the frame of `first`'s reference. */
export function multiplyQuat(first: QuatXyzw, second: QuatXyzw): QuatXyzw {
  const [ax, ay, az, aw] = first;
  const [bx, by, bz, bw] = second;
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}

/** v' = v + 2 q × (q × v + w v). */
export function rotate([qx, qy, qz, qw]: QuatXyzw, [x, y, z]: Vector3): Vector3 {
  const tx = qy * z - qz * y + qw * x;
  const ty = qz * x - qx * z + qw * y;
  const tz = qx * y - qy * x + qw * z;
  return [x + 2 * (qy * tz - qz * ty), y + 2 * (qz * tx - qx * tz), z + 2 * (qx * ty - qy * tx)];
}

/** Fixed axes: R = Rz(yaw) Ry(pitch) Rx(roll), as in URDF and in the arm's own pose reports. */
export function quatFromRpy(rollRad: number, pitchRad: number, yawRad: number): QuatXyzw {
  const [sr, cr] = [Math.sin(rollRad / 2), Math.cos(rollRad / 2)];
  const [sp, cp] = [Math.sin(pitchRad / 2), Math.cos(pitchRad / 2)];
  const [sy, cy] = [Math.sin(yawRad / 2), Math.cos(yawRad / 2)];
  return [
    sr * cp * cy - cr * sp * sy,
    cr * sp * cy + sr * cp * sy,
    cr * cp * sy - sr * sp * cy,
    cr * cp * cy + sr * sp * sy,
  ];
}

/** Inverse of `quatFromRpy`: pitch in [-pi/2, pi/2]; at pitch = ±pi/2 yaw is 0 and roll carries both. */
export function rpyFromQuat(quat: QuatXyzw): Vector3 {
  const m = rotationFromQuat(quat);
  const horizontal = Math.hypot(m[0]!, m[3]!);
  const pitchRad = Math.atan2(-m[6]!, horizontal);
  if (horizontal < 1e-12) return [Math.atan2(-m[5]!, m[4]!), pitchRad, 0];
  return [Math.atan2(m[7]!, m[8]!), pitchRad, Math.atan2(m[3]!, m[0]!)];
}

export function rotationFromQuat(quat: QuatXyzw, out: Float64Array = new Float64Array(9)): Float64Array {
  matrixOf(quat, out);
  return out;
}

/**
 * Writes the unit quaternion of a rotation matrix into `out` (x y z w, w >= 0) without allocating. Divides by the
 * largest of the four components, so it is accurate to about 1e-15 for every rotation.
 * Source: Shepperd, J. Guidance and Control 1(3), 1978.
 */
export function quatFromRotation(m: Float64Array, out: Float64Array): void {
  const xx = m[0]!;
  const yy = m[4]!;
  const zz = m[8]!;
  if (xx + yy + zz >= 0) setUnit(out, m[7]! - m[5]!, m[2]! - m[6]!, m[3]! - m[1]!, 1 + xx + yy + zz);
  else if (xx >= yy && xx >= zz) {
    setUnit(out, 1 + xx - yy - zz, m[1]! + m[3]!, m[2]! + m[6]!, m[7]! - m[5]!);
  } else if (yy >= zz) {
    setUnit(out, m[1]! + m[3]!, 1 - xx + yy - zz, m[5]! + m[7]!, m[2]! - m[6]!);
  } else setUnit(out, m[2]! + m[6]!, m[5]! + m[7]!, 1 - xx - yy + zz, m[3]! - m[1]!);
}

function setUnit(out: Float64Array, x: number, y: number, z: number, w: number): void {
  const scale = (w < 0 ? -1 : 1) / Math.sqrt(x * x + y * y + z * z + w * w);
  out[0] = x * scale;
  out[1] = y * scale;
  out[2] = z * scale;
  out[3] = w * scale;
}
