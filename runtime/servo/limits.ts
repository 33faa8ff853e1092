/** The limits in force: the device's own, narrowed by the cell; never widened. */
import type { ArmLimits } from "../../core/arm.js";
import { CerebellumError } from "../../core/errors.js";
import type { ServoConfig } from "./config.js";

/** Limits in force; position limits have their margin taken off already. */
export interface LimiterLimits extends ArmLimits {
  readonly workspace: ServoConfig["workspace"];
  readonly selfCollisionMarginM: number;
}

/** @throws CerebellumError CONFIG_INVALID when the device has another number of joints, or a margin leaves no room */
export function limitsInForce(device: ArmLimits, config: ServoConfig): LimiterLimits {
  const joints = device.jointNames.length;
  if (config.velocityMaxRadPerS.length !== joints)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `servo.velocityMaxRadPerS has ${config.velocityMaxRadPerS.length} values, the device has ${joints} joints`,
      "Give one value per joint, base to tool",
    );
  const lower = (ours: readonly number[], theirs: readonly number[]) =>
    ours.map((value, joint) => Math.min(value, theirs[joint]!));
  const marginRad = config.positionMarginRad;
  const narrow = device.positionMinRad.findIndex(
    (min, joint) => min + marginRad >= device.positionMaxRad[joint]! - marginRad,
  );
  if (narrow >= 0)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `servo.positionMarginRad of ${marginRad} rad leaves no room to joint ${narrow + 1}`,
      "Choose a smaller margin",
    );
  return {
    jointNames: device.jointNames,
    positionMinRad: device.positionMinRad.map((min) => min + marginRad),
    positionMaxRad: device.positionMaxRad.map((max) => max - marginRad),
    velocityMaxRadPerS: lower(config.velocityMaxRadPerS, device.velocityMaxRadPerS),
    accelerationMaxRadPerS2: lower(config.accelerationMaxRadPerS2, device.accelerationMaxRadPerS2),
    jerkMaxRadPerS3: lower(config.jerkMaxRadPerS3, device.jerkMaxRadPerS3),
    toolSpeedMaxMPerS: Math.min(config.toolSpeedMaxMPerS, device.toolSpeedMaxMPerS),
    workspace: config.workspace,
    selfCollisionMarginM: config.selfCollision.marginM,
  };
}

/** The part that clients are told. */
export const publicLimits = ({
  workspace: _workspace,
  selfCollisionMarginM: _marginM,
  ...limits
}: LimiterLimits): ArmLimits => limits;
