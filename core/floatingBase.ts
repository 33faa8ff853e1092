/** The base of a robot that stands on nothing but its feet, as its own estimator and inertial sensor tell it. */

/**
 * One object, updated in place. Base frame: x forward, y left, z up, in the torso. Whatever convention the device's wire
 * has, the driver has turned it into this one.
 */
export interface FloatingBase {
  /** Orientation of the base frame in the world frame, unit quaternion x y z w. */
  readonly quatWorldBaseXyzw: Float64Array;
  /** Base's origin in the world frame [m]; drifts, because it is odometry. */
  readonly translationWorldM: Float64Array;
  /** Of the base's origin, in the base frame [m/s]. */
  readonly linearVelocityBaseMPerS: Float64Array;
  /** In the base frame [rad/s]. */
  readonly angularVelocityBaseRadPerS: Float64Array;
  /** What the accelerometer feels, in the base frame [m/s²]: +9.8 on z at rest. */
  readonly specificForceBaseMPerS2: Float64Array;
  /** Joints without a motor, in the device's order [rad], [rad/s]. */
  readonly passivePositionRad: Float64Array;
  readonly passiveVelocityRadPerS: Float64Array;
}

export function createFloatingBase(passiveJointCount: number): FloatingBase {
  const vector = (length = 3) => new Float64Array(length);
  return {
    quatWorldBaseXyzw: Float64Array.of(0, 0, 0, 1),
    translationWorldM: vector(),
    linearVelocityBaseMPerS: vector(),
    angularVelocityBaseRadPerS: vector(),
    specificForceBaseMPerS2: vector(),
    passivePositionRad: vector(passiveJointCount),
    passiveVelocityRadPerS: vector(passiveJointCount),
  };
}

/** How fast a walking robot is asked to go, in its heading frame. */
export interface VelocityCommand {
  readonly forwardMPerS: number;
  readonly leftMPerS: number;
  readonly yawRateRadPerS: number;
}
