/**
 * From what Digit's wire says to our frames: the base's x forward, y left, z up, velocities in the base frame. Public
 * software disagrees about the frames on the wire, so the cell file names them and `selfCheck.ts` tries them.
 */
import type { FloatingBase } from "../../core/floatingBase.js";
import type { DigitConfig } from "./config.js";
import type { DigitObservation } from "./protocol/index.js";

export type WireFrames = DigitConfig["frames"];

/** Writes the base of an observation. Allocates nothing. */
export function readBase(observation: DigitObservation, frames: WireFrames, into: FloatingBase): void {
  const { baseOrientationWxyz, baseLinearVelocityMPerS, baseAngularVelocityRadPerS } = observation;
  const quat = into.quatWorldBaseXyzw;
  for (let part = 0; part < 3; part++) quat[part] = baseOrientationWxyz[part + 1]!;
  quat[3] = baseOrientationWxyz[0]!;
  into.translationWorldM.set(observation.baseTranslationM);
  into.linearVelocityBaseMPerS.set(baseLinearVelocityMPerS);
  if (frames.linearVelocity === "heading") turnByHeading(quat, into.linearVelocityBaseMPerS);
  if (frames.linearVelocity !== "base") turnIntoBase(quat, into.linearVelocityBaseMPerS);
  if (frames.angularVelocity === "imu") {
    into.angularVelocityBaseRadPerS.set(observation.imuAngularVelocityRadPerS);
    if (frames.imu === "mount") turnFromMount(into.angularVelocityBaseRadPerS);
  } else {
    into.angularVelocityBaseRadPerS.set(baseAngularVelocityRadPerS);
    if (frames.angularVelocity === "world") turnIntoBase(quat, into.angularVelocityBaseRadPerS);
  }
  into.specificForceBaseMPerS2.set(observation.imuLinearAccelerationMPerS2);
  if (frames.imu === "mount") turnFromMount(into.specificForceBaseMPerS2);
  into.passivePositionRad.set(observation.jointPositionRad);
  into.passiveVelocityRadPerS.set(observation.jointVelocityRadPerS);
}

/** Angle between the base's z axis and the world's [rad]. */
export const tiltRad = (quatXyzw: ArrayLike<number>): number =>
  2 * Math.asin(Math.min(1, Math.hypot(quatXyzw[0]!, quatXyzw[1]!)));

/** The sensor's own axes: x up, y left, z backward. */
function turnFromMount(vector: Float64Array): void {
  const up = vector[0]!;
  vector[0] = -vector[2]!;
  vector[2] = up;
}

/** World to base: the inverse of the base's orientation, in place. */
export function turnIntoBase(quat: ArrayLike<number>, vector: Float64Array): void {
  const qx = -quat[0]!;
  const qy = -quat[1]!;
  const qz = -quat[2]!;
  const w = quat[3]!;
  const x = vector[0]!;
  const y = vector[1]!;
  const z = vector[2]!;
  const tx = 2 * (qy * z - qz * y);
  const ty = 2 * (qz * x - qx * z);
  const tz = 2 * (qx * y - qy * x);
  vector[0] = x + w * tx + qy * tz - qz * ty;
  vector[1] = y + w * ty + qz * tx - qx * tz;
  vector[2] = z + w * tz + qx * ty - qy * tx;
}

/** Heading frame (the base's, without lean) to world, in place. */
function turnByHeading(quat: ArrayLike<number>, vector: Float64Array): void {
  const x = quat[0]!;
  const y = quat[1]!;
  const z = quat[2]!;
  const w = quat[3]!;
  const yawRad = Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
  const cosine = Math.cos(yawRad);
  const sine = Math.sin(yawRad);
  const forward = vector[0]!;
  const left = vector[1]!;
  vector[0] = cosine * forward - sine * left;
  vector[1] = sine * forward + cosine * left;
}
