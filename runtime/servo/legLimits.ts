/** What a robot on legs may be told: targets inside of its position limits, gains up to what the cell allows. */
import type { ArmLimits } from "../../core/arm.js";
import { CerebellumError } from "../../core/errors.js";
import { REASON_BITS } from "./api.js";
import type { LegServoConfig } from "./config.js";

/** A target and its gains, one number per joint, written in place. */
export interface Impedance {
  readonly positionRad: Float64Array;
  readonly stiffnessNmPerRad: Float64Array;
  readonly dampingNmSPerRad: Float64Array;
}

export const createImpedance = (joints: number): Impedance => ({
  positionRad: new Float64Array(joints),
  stiffnessNmPerRad: new Float64Array(joints),
  dampingNmSPerRad: new Float64Array(joints),
});

export function copyImpedance(from: Impedance, into: Impedance): void {
  into.positionRad.set(from.positionRad);
  into.stiffnessNmPerRad.set(from.stiffnessNmPerRad);
  into.dampingNmSPerRad.set(from.dampingNmSPerRad);
}

/**
 * The device's limits, its position limits narrowed by the cell's margin.
 * @throws CerebellumError CONFIG_INVALID when the device has another number of joints, or the stand lies outside
 */
export function legLimits(device: ArmLimits, config: LegServoConfig): ArmLimits {
  const { positionMarginRad, stand } = config;
  const { jointNames } = device;
  if (stand.poseRad.length !== jointNames.length)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `servo.stand.poseRad has ${stand.poseRad.length} values, the device has ${jointNames.length} joints`,
      "Give one value per motor, in the device's order",
    );
  const positionMinRad = device.positionMinRad.map((min) => min + positionMarginRad);
  const positionMaxRad = device.positionMaxRad.map((max) => max - positionMarginRad);
  const outside = stand.poseRad.findIndex(
    (rad, joint) => !(rad >= positionMinRad[joint]! && rad <= positionMaxRad[joint]!),
  );
  if (outside >= 0)
    throw new CerebellumError(
      "CONFIG_INVALID",
      `servo.stand.poseRad puts ${jointNames[outside]} at ${stand.poseRad[outside]} rad, outside of ` +
        `${positionMinRad[outside]!.toFixed(3)} to ${positionMaxRad[outside]!.toFixed(3)} rad`,
      "Choose a pose inside of the limits, margin included",
    );
  return { ...device, positionMinRad, positionMaxRad };
}

/** Cuts what is asked for to the limits. @returns reason bits of what was cut */
export function limitImpedance(
  wanted: Impedance,
  limits: ArmLimits,
  config: LegServoConfig,
  out: Impedance,
): number {
  const { positionMinRad, positionMaxRad } = limits;
  const { stiffnessMaxNmPerRad, dampingMaxNmSPerRad } = config;
  let reasons = 0;
  for (let joint = 0; joint < out.positionRad.length; joint++) {
    const targetRad = wanted.positionRad[joint]!;
    const withinRad = Math.min(positionMaxRad[joint]!, Math.max(positionMinRad[joint]!, targetRad));
    if (withinRad !== targetRad) reasons |= REASON_BITS.positionLimit;
    out.positionRad[joint] = withinRad;
    const stiffness = Math.min(wanted.stiffnessNmPerRad[joint]!, stiffnessMaxNmPerRad[joint]!);
    const damping = Math.min(wanted.dampingNmSPerRad[joint]!, dampingMaxNmSPerRad[joint]!);
    if (stiffness !== wanted.stiffnessNmPerRad[joint] || damping !== wanted.dampingNmSPerRad[joint])
      reasons |= REASON_BITS.gains;
    out.stiffnessNmPerRad[joint] = stiffness;
    out.dampingNmSPerRad[joint] = damping;
  }
  return reasons;
}
