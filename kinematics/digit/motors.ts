/**
 * Digit's twenty motors in the order of the vendor's low-level interface (left leg, right leg, left arm, right arm) and
 * its ten joints without motor, by the names that they have on the wire. Radians, N·m, at the joint.
 */
import { rangeRadOf } from "./bodies.js";

const LEG = ["hip_roll", "hip_yaw", "hip_pitch", "knee", "toe_A", "toe_B"] as const;
const ARM = ["shoulder_roll", "shoulder_pitch", "shoulder_yaw", "elbow"] as const;
const PASSIVE = ["shin", "tarsus", "toe_pitch", "toe_roll", "heel_spring"] as const;
type MotorKind = (typeof LEG)[number] | (typeof ARM)[number];

interface MotorRow {
  readonly gear: number;
  /** What the motor gives in the vendor's model. */
  readonly torqueMaxNm: number;
  /** What the robot's interface announces. */
  readonly announcedTorqueMaxNm: number;
  readonly announcedDampingMaxNmSPerRad: number;
  readonly announcedVelocityMaxRadPerS: number;
}

const row = (
  gear: number,
  torqueMaxNm: number,
  announcedTorqueMaxNm: number,
  announcedDampingMaxNmSPerRad: number,
  announcedVelocityMaxRadPerS: number,
): MotorRow => ({
  gear,
  torqueMaxNm,
  announcedTorqueMaxNm,
  announcedDampingMaxNmSPerRad,
  announcedVelocityMaxRadPerS,
});
/** The model gives a motor with this gear 113 N·m, the interface 126.7; nobody says which is true. */
const GEAR_80 = row(80, 113, 126.682458, 66.849046, 4.581489);
const GEAR_50 = row(50, 79.1765, 79.176536, 26.112909, 7.330383);
const TOE = row(50, 41.9759, 41.975942, 28.553161, 11.519173);

/** Sources: the vendor's model (gear, torque); limits as the low-level interface announces them in two public programs. */
const KINDS: Readonly<Record<MotorKind, MotorRow>> = {
  hip_roll: GEAR_80,
  hip_yaw: GEAR_50,
  hip_pitch: row(16, 216.928, 216.927898, 38.05002, 8.50848),
  knee: row(16, 231.317, 231.31695, 38.05002, 8.50848),
  toe_A: TOE,
  toe_B: TOE,
  shoulder_roll: GEAR_80,
  shoulder_pitch: GEAR_80,
  shoulder_yaw: GEAR_50,
  elbow: GEAR_80,
};

export interface DigitMotor extends MotorRow {
  readonly name: string;
  readonly positionMinRad: number;
  readonly positionMaxRad: number;
}

const SIDES = ["left", "right"] as const;
const motors = (kinds: readonly MotorKind[]): DigitMotor[] =>
  SIDES.flatMap((side) =>
    kinds.map((kind) => {
      const name = `${side}_${kind}`;
      const [positionMinRad, positionMaxRad] = rangeRadOf(name);
      return { name, ...KINDS[kind], positionMinRad, positionMaxRad };
    }),
  );

export const DIGIT_MOTORS: readonly DigitMotor[] = [...motors(LEG), ...motors(ARM)];
/** Motors that belong together, in their order. */
export const DIGIT_JOINT_GROUPS: readonly { readonly name: string; readonly joints: number }[] = [
  ...SIDES.map((side) => ({ name: `${side} leg`, joints: LEG.length })),
  ...SIDES.map((side) => ({ name: `${side} arm`, joints: ARM.length })),
];
/** Left leg, right leg. */
export const DIGIT_PASSIVE_JOINTS: readonly string[] = SIDES.flatMap((side) =>
  PASSIVE.map((name) => `${side}_${name}`),
);

const mirrored = (leftLeg: readonly number[], leftArm: readonly number[]): readonly number[] => [
  ...leftLeg,
  ...leftLeg.map((rad) => -rad),
  ...leftArm,
  ...leftArm.map((rad) => -rad),
];

/** Poses of the twenty motors [rad] that public programs stand in. */
export const DIGIT_POSES = {
  /** Upright, knees little bent; where a public walking policy has its zero. */
  upright: mirrored([0.333, -0.0266, 0.1924, 0.229, -0.013, -0.0204], [-0.1055, 0.8949, -0.0086, 0.3448]),
  /** Of a public program's stand on the robot itself. */
  stand: mirrored([0.3747, -0.0002, 0.3113, 0.344, -0.1231, 0.1228], [-0.0773, 1.1451, 0.0013, -0.0426]),
} as const;

/** Between the two: legs less bent than the stand of the real robot, which to the side bears 40 N where this bears 60 N. */
const STAND_LEG_RAD = [0.35385, -0.0134, 0.25185, 0.2865, -0.06805, 0.0512];
const STAND_ARM_RAD = [-0.0773, 1.1451, 0.0013, -0.0426];

const each = (leg: number, arm: number): readonly number[] =>
  DIGIT_MOTORS.map((_, motor) => (motor < 2 * LEG.length ? leg : arm));

/** As a public program has it on the robot itself; no drive is told more than its own limit allows. */
const STAND_DAMPING_NM_S_PER_RAD = 30;
const STAND_DAMPING_SHARE_MAX = 0.95;

/**
 * What holds Digit up where no policy does: targets, gains a motor, and `addBalance` on top. Stiffness of the legs and
 * damping are those of a public program that stands on the robot. In the lab it bears 50 N for 200 ms. 2000 N·m/rad with a
 * fifth of the announced damping bears 70 N, as long as no command is more than 3 ms old: at 6 ms its knees swing up, where
 * this one stands as at none.
 */
export const DIGIT_STAND = {
  positionRad: mirrored(STAND_LEG_RAD, STAND_ARM_RAD),
  stiffnessNmPerRad: each(1000, 500),
  dampingNmSPerRad: DIGIT_MOTORS.map(({ announcedDampingMaxNmSPerRad }) =>
    Math.min(STAND_DAMPING_NM_S_PER_RAD, STAND_DAMPING_SHARE_MAX * announcedDampingMaxNmSPerRad),
  ),
} as const;
