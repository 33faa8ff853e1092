/**
 * What the emulated Digit says and does where its real counterpart has a number: motor limits as the vendor's interface
 * tells them, and what the robot's own controller does in each of its operation modes.
 *
 * Certainty: limits and time-out are verified from public configuration and client code; the stand's gains are another
 * laboratory's on hardware; how strongly the vendor damps and how long a change of mode takes is not public, so
 * those are assumptions.
 */
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";

interface MotorLimits {
  readonly torqueNm: number;
  readonly dampingNmSPerRad: number;
  readonly velocityRadPerS: number;
}

/** In wire order. */
export const MOTOR_LIMITS: readonly MotorLimits[] = DIGIT_MOTORS.map((motor) => ({
  torqueNm: motor.announcedTorqueMaxNm,
  dampingNmSPerRad: motor.announcedDampingMaxNmSPerRad,
  velocityRadPerS: motor.announcedVelocityMaxRadPerS,
}));

/** Of the robot's own controller. */
export const STAND_STIFFNESS_NM_PER_RAD = 1000;
export const STAND_DAMPING_NM_S_PER_RAD = 30;
/** From whatever pose to the stand's [ms]. */
export const STAND_RAMP_MS = 500;

/** Its fastest walk, assumed: what is asked beyond is refused. Heading frame [m/s], [rad/s]. */
export const WALK_MAX: WalkVelocity = { forwardMPerS: 1, leftMPerS: 0.5, yawRateRadPerS: 1 };

/** Share of each motor's damping limit in the mode `damping`. */
export const DAMPING_SHARE = 0.2;
/** Longest gap between command packets before the robot falls back [ms]. */
export const COMMAND_TIMEOUT_MS = 50;
/** From the request for a mode until it is entered [ms]. */
export const MODE_CHANGE_MS = 20;
/** The robot's own controller gives up a robot that leans farther. */
export const FALLEN_TILT_RAD = 1;
/** Farther from upright, or lower, its own controller does not take over. */
export const UPRIGHT_TILT_RAD = 0.5;
export const UPRIGHT_HEIGHT_M = 0.6;
export const ERROR_SHUTDOWN_DELAY_S = 0.5;
