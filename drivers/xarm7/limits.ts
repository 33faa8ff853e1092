/**
 * Limits of the arm by hardware generation (digits 2 to 5 of the serial number). Positions: xarm-python-sdk 1.18.4,
 * which narrows joints 2 and 4 from generation 1305 on. Dynamics: vendor's user manual.
 */
import type { ArmLimits } from "../../core/arm.js";
import { JOINT_COUNT } from "./protocol/index.js";

const TURN = 2 * Math.PI;
const OLD_MIN_RAD = [-TURN, -2.059488, -TURN, -0.191986, -TURN, -1.692969, -TURN];
const OLD_MAX_RAD = [TURN, 2.094395, TURN, 3.92699, TURN, Math.PI, TURN];
const NEW_MIN_RAD = [-TURN, -2.042035, -TURN, -0.10472, -TURN, -1.692969, -TURN];
const NEW_MAX_RAD = [TURN, 2.024581, TURN, 3.92699, TURN, Math.PI, TURN];
const NEW_GENERATION = 1305;

const each = (value: number): number[] => Array(JOINT_COUNT).fill(value);

/** @param generation 0 while it is not known: the narrower limits then hold */
export function limitsOfGeneration(generation: number): ArmLimits {
  const isOld = generation > 0 && generation < NEW_GENERATION;
  return {
    jointNames: Array.from({ length: JOINT_COUNT }, (_, i) => `joint${i + 1}`),
    positionMinRad: isOld ? OLD_MIN_RAD : NEW_MIN_RAD,
    positionMaxRad: isOld ? OLD_MAX_RAD : NEW_MAX_RAD,
    velocityMaxRadPerS: each(Math.PI),
    accelerationMaxRadPerS2: each(20),
    jerkMaxRadPerS3: each(500),
    toolSpeedMaxMPerS: 1,
  };
}
