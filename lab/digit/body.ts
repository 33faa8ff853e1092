/**
 * The moving mass behind the emulated Digit: motors that are driven, a body that follows, and what a perfect observer
 * would see of it. Implementations: an ideal one on a gantry for tests of the wire, and MuJoCo's.
 */
import { MOTOR_COUNT, PASSIVE_JOINT_COUNT } from "../../drivers/digit/protocol/joints.js";
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";
import type { Cable } from "./disturbances.js";

/** Torque at a motor = torque + damping (velocity - measured velocity), within its torque limit. One number per motor. */
export interface MotorDrive {
  readonly torqueNm: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly dampingNmSPerRad: Float64Array;
}

/** Live values, updated in place by each step; vectors of joints in wire order. */
export interface DigitTruth {
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  /** What the motors exert [N m]. */
  readonly torqueNm: Float64Array;
  readonly passivePositionRad: Float64Array;
  readonly passiveVelocityRadPerS: Float64Array;
  /** Base's origin in the world [m]: z is its height over the ground's zero. */
  readonly positionWorldM: Float64Array;
  readonly quatWorldBaseXyzw: Float64Array;
  readonly linearVelocityWorldMPerS: Float64Array;
  readonly angularVelocityBaseRadPerS: Float64Array;
  /** Of the base's origin in the base frame [m/s²]: +9.8 on z at rest. */
  readonly specificForceBaseMPerS2: Float64Array;
  /** Whether a foot bears weight: left, right. */
  readonly footContact: Uint8Array;
}

export interface DigitBody {
  readonly truth: DigitTruth;
  /** Whoever controls the motors writes it; it acts until it is written again. */
  readonly drive: MotorDrive;
  /** In which the robot's own controller stands [rad]. */
  readonly standRad: ArrayLike<number>;
  /** Lets time pass, a whole number of milliseconds [s]. */
  step(dtS: number): void;
  /** Stands again as at the start, at rest. */
  reset(): void;
  /** A force on the torso for a while, world frame [N], [s]. */
  push(forceWorldN: readonly [number, number, number], durationS: number): void;
  /** A rope at the torso for a while [s]. */
  pull(cable: Cable, durationS: number): void;
  /** Level ground, on which the torso can be carried. */
  readonly isOnLevelGround: boolean;
  /**
   * Something moves the torso upright and level at this velocity, whatever the legs do, from now on; `undefined` lets go of
   * it. No robot is moved so: it is the kinematic part of a controller that the lab does not have.
   */
  carry(velocity: WalkVelocity | undefined): void;
}

export const createDrive = (): MotorDrive => ({
  torqueNm: new Float64Array(MOTOR_COUNT),
  velocityRadPerS: new Float64Array(MOTOR_COUNT),
  dampingNmSPerRad: new Float64Array(MOTOR_COUNT),
});

export const createTruth = (): DigitTruth => ({
  positionRad: new Float64Array(MOTOR_COUNT),
  velocityRadPerS: new Float64Array(MOTOR_COUNT),
  torqueNm: new Float64Array(MOTOR_COUNT),
  passivePositionRad: new Float64Array(PASSIVE_JOINT_COUNT),
  passiveVelocityRadPerS: new Float64Array(PASSIVE_JOINT_COUNT),
  positionWorldM: new Float64Array(3),
  quatWorldBaseXyzw: Float64Array.of(0, 0, 0, 1),
  linearVelocityWorldMPerS: new Float64Array(3),
  angularVelocityBaseRadPerS: new Float64Array(3),
  specificForceBaseMPerS2: Float64Array.of(0, 0, GRAVITY_M_PER_S2),
  footContact: Uint8Array.of(1, 1),
});

export const GRAVITY_M_PER_S2 = 9.806;

/** Angle between the base's z axis and the vertical [rad]. */
export function tiltRad({ quatWorldBaseXyzw: q }: Pick<DigitTruth, "quatWorldBaseXyzw">): number {
  const upZ = 1 - 2 * (q[0]! * q[0]! + q[1]! * q[1]!);
  return Math.acos(Math.min(1, Math.max(-1, upZ)));
}
