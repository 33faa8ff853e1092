/** The base of a robot on legs as columns of a frame's state, after its joints. */
import type { FloatingBase } from "../../core/floatingBase.js";
import type { Column } from "./resample.js";

const axes = (name: string, unit: Column["unit"], letters = "xyz"): Column[] =>
  [...letters].map((axis) => ({ name: `${name}_${axis}`, unit, part: "base" }));

/** Of the quaternion in `baseVector`. */
const QUAT_AT = 3;
const QUAT_LENGTH = 4;

/** Frames and meanings are those of `FloatingBase`; joints without a motor are numbered as `joint_states` has them. */
export const baseColumns = (passiveCount: number): Column[] => [
  ...axes("base_translation", "m"),
  ...axes("base_quat", "", "xyzw"),
  ...axes("base_linear_velocity", "m/s"),
  ...axes("base_angular_velocity", "rad/s"),
  ...axes("base_specific_force", "m/s2"),
  ...Array.from({ length: passiveCount }, (_, joint): Column => {
    return { name: `passive_joint${joint + 1}`, unit: "rad", part: "base" };
  }),
];

/** In the order of `baseColumns`. */
export const baseVector = (base: FloatingBase): Float64Array =>
  Float64Array.of(
    ...base.translationWorldM,
    ...base.quatWorldBaseXyzw,
    ...base.linearVelocityBaseMPerS,
    ...base.angularVelocityBaseRadPerS,
    ...base.specificForceBaseMPerS2,
    ...base.passivePositionRad,
  );

/**
 * Puts the rotation between two into `values`, which hold everything else between them already: of the two quaternions of
 * one rotation the nearer one, and of unit length again. Between samples of a tick apart this is the shortest arc.
 * @param start of the base in all three
 */
export function turnBetween(
  before: Float64Array,
  after: Float64Array,
  share: number,
  values: Float64Array,
  start: number,
): void {
  const from = start + QUAT_AT;
  let dot = 0;
  for (let i = from; i < from + QUAT_LENGTH; i++) dot += before[i]! * after[i]!;
  const sign = dot < 0 ? -1 : 1;
  for (let i = from; i < from + QUAT_LENGTH; i++)
    values[i] = before[i]! * (1 - share) + sign * after[i]! * share;
  const length = Math.hypot(...values.subarray(from, from + QUAT_LENGTH));
  for (let i = from; i < from + QUAT_LENGTH; i++) values[i]! /= length;
}
