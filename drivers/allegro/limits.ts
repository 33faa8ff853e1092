/** Limits of a hand in use: the table of its model and side, narrowed by the cell file. */
import type { ArmLimits } from "../../core/arm.js";
import { CerebellumError } from "../../core/errors.js";
import { ALLEGRO_JOINT_NAMES, HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { HAND_LIMITS, limitsOf as handLimitsOf } from "../../kinematics/allegro/limits.js";
import type { AllegroConfig } from "./config.js";

/** Our own choice, not the vendor's: full speed within 35 ms, full acceleration within 10 ms. */
const ACCELERATION_MAX_RAD_PER_S2 = 200;
const JERK_MAX_RAD_PER_S3 = 20_000;
/** A finger of 0.12 m at 7 rad/s. */
const TIP_SPEED_MAX_M_PER_S = 0.85;

const each = (value: number): number[] => Array(HAND_JOINT_COUNT).fill(value);

/**
 * @throws CerebellumError CONFIG_INVALID when the cell file leaves a joint no room, DEVICE_MISMATCH for a hand whose limits
 * nobody knows and the cell file does not give
 */
export function limitsOf(config: AllegroConfig): ArmLimits {
  const { model, side, positionMinRad, positionMaxRad, velocityMaxRadPerS } = config;
  const isOwn =
    positionMinRad && positionMaxRad && velocityMaxRadPerS && HAND_LIMITS[model][side] === undefined;
  const hand = handLimitsOf(
    model,
    side,
    isOwn ? { positionMinRad, positionMaxRad, velocityMaxRadPerS } : undefined,
  );
  const minRad = hand.positionMinRad.map((min, joint) => Math.max(min, positionMinRad?.[joint] ?? min));
  const maxRad = hand.positionMaxRad.map((max, joint) => Math.min(max, positionMaxRad?.[joint] ?? max));
  const narrow = minRad.findIndex((min, joint) => !(min < maxRad[joint]!));
  if (narrow >= 0)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `allegro.positionMinRad and positionMaxRad leave ${ALLEGRO_JOINT_NAMES[narrow]} no room: ${minRad[narrow]} to ${maxRad[narrow]} rad`,
      `Its own range is ${hand.positionMinRad[narrow]} to ${hand.positionMaxRad[narrow]} rad`,
    );
  return {
    jointNames: ALLEGRO_JOINT_NAMES,
    positionMinRad: minRad,
    positionMaxRad: maxRad,
    velocityMaxRadPerS: hand.velocityMaxRadPerS.map((max, joint) =>
      Math.min(max, velocityMaxRadPerS?.[joint] ?? max),
    ),
    accelerationMaxRadPerS2: each(ACCELERATION_MAX_RAD_PER_S2),
    jerkMaxRadPerS3: each(JERK_MAX_RAD_PER_S3),
    toolSpeedMaxMPerS: TIP_SPEED_MAX_M_PER_S,
  };
}
