/**
 * Digit's motors and passive joints by the names that they have on the wire, in the order of the vendor's low-level
 * interface. Every vector of twenty has the first order, every vector of passive joints the second.
 */

const LEG_MOTORS = ["hip_roll", "hip_yaw", "hip_pitch", "knee", "toe_A", "toe_B"] as const;
const ARM_MOTORS = ["shoulder_roll", "shoulder_pitch", "shoulder_yaw", "elbow"] as const;
const LEG_JOINTS = ["shin", "tarsus", "toe_pitch", "toe_roll", "heel_spring"] as const;

type Sided<Name extends string> = `${"left" | "right"}_${Name}`;
const both = <Name extends string>(names: readonly Name[]): Sided<Name>[] =>
  (["left", "right"] as const).flatMap((side) => names.map((name): Sided<Name> => `${side}_${name}`));

export type MotorName = Sided<(typeof LEG_MOTORS)[number] | (typeof ARM_MOTORS)[number]>;
export type PassiveJointName = Sided<(typeof LEG_JOINTS)[number]>;

/** Left leg, right leg, left arm, right arm. */
export const MOTORS: readonly MotorName[] = [...both(LEG_MOTORS), ...both(ARM_MOTORS)];
/** Left leg, right leg. */
export const PASSIVE_JOINTS: readonly PassiveJointName[] = both(LEG_JOINTS);

export const MOTOR_COUNT = MOTORS.length;
export const PASSIVE_JOINT_COUNT = PASSIVE_JOINTS.length;
