/** Limits of a Digit: ranges of its own model, speeds as its interface announces them. */
import type { ArmLimits } from "../../core/arm.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { type DigitLimits, MOTORS } from "./protocol/index.js";

/** Nothing interpolates towards a walking policy's targets: these two bound nothing, and are there for the contract. */
const ACCELERATION_MAX_RAD_PER_S2 = 10_000;
const JERK_MAX_RAD_PER_S3 = 1e7;
/** Faster than any part of it goes. */
const TOOL_SPEED_MAX_M_PER_S = 10;

/** @param announced none: as the interface of every known robot announces them */
export function armLimitsOf(announced?: DigitLimits): ArmLimits {
  const each = (value: number): number[] => MOTORS.map(() => value);
  return {
    jointNames: MOTORS,
    positionMinRad: DIGIT_MOTORS.map(({ positionMinRad }) => positionMinRad),
    positionMaxRad: DIGIT_MOTORS.map(({ positionMaxRad }) => positionMaxRad),
    velocityMaxRadPerS: DIGIT_MOTORS.map(
      ({ announcedVelocityMaxRadPerS }, motor) =>
        announced?.velocityRadPerS[motor] ?? announcedVelocityMaxRadPerS,
    ),
    accelerationMaxRadPerS2: each(ACCELERATION_MAX_RAD_PER_S2),
    jerkMaxRadPerS3: each(JERK_MAX_RAD_PER_S3),
    toolSpeedMaxMPerS: TOOL_SPEED_MAX_M_PER_S,
  };
}
