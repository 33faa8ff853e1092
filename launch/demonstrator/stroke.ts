/**
 * One stroke of a hand: from rest to rest along a slightly curved line with the least jerk, the way people reach.
 * Source: Flash and Hogan, Journal of Neuroscience 5(7), 1985. Pure; metres, radians, seconds.
 */
import { conjugate, multiplyQuat, type Pose, type QuatXyzw } from "../../kinematics/pose.js";
import type { Vector3 } from "../../kinematics/xarm7.js";

export interface Stroke {
  readonly from: Pose;
  readonly to: Pose;
  /** Departures from the straight line [m]: a bow, and a wave that is to one side first and to the other after. */
  readonly bowM: Vector3;
  readonly waveM: Vector3;
  readonly durationS: number;
}

/** Peak speed of a least-jerk stroke over its mean speed. */
export const PEAK_OVER_MEAN = 1.875;

/** Share of the way after a share of the time, both 0 to 1. */
export function leastJerk(time: number): number {
  const t = Math.min(1, Math.max(0, time));
  return t * t * t * (10 + t * (6 * t - 15));
}

export function poseOnStroke({ from, to, bowM, waveM, durationS }: Stroke, atS: number): Pose {
  const share = leastJerk(durationS > 0 ? atS / durationS : 1);
  const [bow, wave] = [Math.sin(Math.PI * share), Math.sin(2 * Math.PI * share)];
  const along = (axis: 0 | 1 | 2) =>
    from.positionM[axis] +
    share * (to.positionM[axis] - from.positionM[axis]) +
    bow * bowM[axis] +
    wave * waveM[axis];
  const turn = rotationVector(multiplyQuat(to.quatXyzw, conjugate(from.quatXyzw)));
  return {
    positionM: [along(0), along(1), along(2)],
    quatXyzw: multiplyQuat(quatOfVector(scaled(turn, share)), from.quatXyzw),
  };
}

/** Rotation vector [rad] of a unit quaternion: the short way round. */
export function rotationVector([x, y, z, w]: QuatXyzw): Vector3 {
  const sign = w < 0 ? -1 : 1;
  const sine = Math.hypot(x, y, z);
  const scale = sine < 1e-12 ? 2 : (2 * Math.atan2(sine, sign * w)) / sine;
  return [sign * scale * x, sign * scale * y, sign * scale * z];
}

export function quatOfVector(vectorRad: Vector3): QuatXyzw {
  const angle = Math.hypot(...vectorRad);
  const scale = angle < 1e-12 ? 0.5 : Math.sin(angle / 2) / angle;
  const [x, y, z] = scaled(vectorRad, scale);
  return [x, y, z, Math.cos(angle / 2)];
}

export const scaled = ([x, y, z]: Vector3, by: number): Vector3 => [by * x, by * y, by * z];
export const plus = (a: Vector3, b: Vector3): Vector3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const minus = (a: Vector3, b: Vector3): Vector3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
