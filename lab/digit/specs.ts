/**
 * What the emulated Digit says and does where its real counterpart has a number: motor limits as the vendor's interface
 * tells them, and what the robot's own controller does in each of its operation modes.
 *
 * Certainty: limits and time-out are verified from public configuration and client code; the stand's pose and gains are
 * another laboratory's on hardware; how strongly the vendor damps and how long a change of mode takes is not public, so
 * those are assumptions.
 */
import { MOTORS } from "../../drivers/digit/protocol/joints.js";

interface MotorLimits {
  readonly torqueNm: number;
  readonly dampingNmSPerRad: number;
  readonly velocityRadPerS: number;
}

const GEAR_80: MotorLimits = { torqueNm: 126.682458, dampingNmSPerRad: 66.849046, velocityRadPerS: 4.581489 };
const YAW: MotorLimits = { torqueNm: 79.176536, dampingNmSPerRad: 26.112909, velocityRadPerS: 7.330383 };
const HIP_PITCH: MotorLimits = {
  torqueNm: 216.927898,
  dampingNmSPerRad: 38.05002,
  velocityRadPerS: 8.50848,
};
const KNEE: MotorLimits = { ...HIP_PITCH, torqueNm: 231.31695 };
const TOE: MotorLimits = { torqueNm: 41.975942, dampingNmSPerRad: 28.553161, velocityRadPerS: 11.519173 };

const LIMITS: Readonly<Record<string, MotorLimits>> = {
  hip_roll: GEAR_80,
  hip_yaw: YAW,
  hip_pitch: HIP_PITCH,
  knee: KNEE,
  toe_A: TOE,
  toe_B: TOE,
  shoulder_roll: GEAR_80,
  shoulder_pitch: GEAR_80,
  shoulder_yaw: YAW,
  elbow: GEAR_80,
};

/** In wire order. */
export const MOTOR_LIMITS: readonly MotorLimits[] = MOTORS.map(
  (name) => LIMITS[name.replace(/^(left|right)_/, "")]!,
);

const LEFT_LEG_RAD = [0.3747, -0.0002, 0.3113, 0.344, -0.1231, 0.1228];
const LEFT_ARM_RAD = [-0.0773, 1.1451, 0.0013, -0.0426];
const mirrored = (anglesRad: readonly number[]): number[] => anglesRad.map((angle) => -angle);

/** In which the robot's own controller stands [rad]. */
export const STAND_RAD: readonly number[] = [
  ...LEFT_LEG_RAD,
  ...mirrored(LEFT_LEG_RAD),
  ...LEFT_ARM_RAD,
  ...mirrored(LEFT_ARM_RAD),
];
export const STAND_STIFFNESS_NM_PER_RAD = 1000;
export const STAND_DAMPING_NM_S_PER_RAD = 30;
/** From whatever pose to the stand's [ms]. */
export const STAND_RAMP_MS = 500;

/** Share of each motor's damping limit in the mode `damping`. */
export const DAMPING_SHARE = 0.2;
/** Longest gap between command packets before the robot falls back [ms]. */
export const COMMAND_TIMEOUT_MS = 50;
/** Without a valid chunk for so long a stream is given up [ms]. */
export const STREAM_TIMEOUT_MS = 100;
/** From the request for a mode until it is entered [ms]. */
export const MODE_CHANGE_MS = 20;
/** The robot's own controller gives up a robot that leans farther. */
export const FALLEN_TILT_RAD = 1;
/** Farther from upright, or lower, its own controller does not take over. */
export const UPRIGHT_TILT_RAD = 0.5;
export const UPRIGHT_HEIGHT_M = 0.6;
export const ERROR_SHUTDOWN_DELAY_S = 0.5;
