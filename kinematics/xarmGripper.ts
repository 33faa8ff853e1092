/**
 * The xArm gripper as data: a parallel linkage of six bodies on a base that is fixed to the flange (rpy 0). Every
 * joint follows `drive_joint` one to one, and since inner and outer links are parallel this is exact. Side sign
 * s = +1 is left (y > 0), -1 right. Units and sources as in `xarm7.ts`; inertia order xx, yy, zz, xy, xz, yz.
 */
import type { Inertial, Joint, Link, Vector3 } from "./xarm7.js";

export type GripperSide = "left" | "right";
export const GRIPPER_SIDES: readonly { readonly side: GripperSide; readonly sign: 1 | -1 }[] = [
  { side: "left", sign: 1 },
  { side: "right", sign: -1 },
];

/** A joint that copies another: position = multiplier x position of `follows`. */
export interface GripperJoint extends Joint {
  readonly follows: string | undefined;
  readonly multiplier: number;
}

/** One of the two soft pads: a box in its finger's frame. */
export interface FingerPad {
  readonly side: GripperSide;
  readonly link: string;
  readonly centreM: Vector3;
  readonly halfSizeM: Vector3;
}

export const DRIVE_JOINT = "drive_joint";
/** Fully open at 0. */
export const DRIVE_MIN_RAD = 0;
export const DRIVE_MAX_RAD = 0.85;

const KNUCKLE_Y_M = 0.035;
const KNUCKLE_Z_M = 0.059098;
const LINK_Y_M = 0.035465;
const LINK_Z_M = 0.042039;
const INNER_Y_M = 0.02;
const INNER_Z_M = 0.074098;
const PAD_Y_M = 0.024003;
const PAD_HALF_Y_M = 0.002;

function gripperJoint(
  name: string,
  parent: string,
  child: string,
  originM: Vector3,
  axisX: 1 | -1,
): GripperJoint {
  return {
    name,
    parent,
    child,
    originM,
    rpyRad: [0, 0, 0],
    axis: [axisX, 0, 0],
    positionMinRad: DRIVE_MIN_RAD,
    positionMaxRad: DRIVE_MAX_RAD,
    effortMaxNm: 50,
    velocityMaxRadPerS: 2,
    dampingNmSPerRad: 0,
    frictionNm: 0,
    follows: name === DRIVE_JOINT ? undefined : DRIVE_JOINT,
    multiplier: 1,
  };
}

const negative = (sign: 1 | -1): 1 | -1 => (sign === 1 ? -1 : 1);

/** Parents before children; `drive_joint` first. */
export const GRIPPER_JOINTS: readonly GripperJoint[] = GRIPPER_SIDES.flatMap(({ side, sign }) => [
  gripperJoint(
    sign === 1 ? DRIVE_JOINT : "right_outer_knuckle_joint",
    "gripper_base",
    `${side}_outer_knuckle`,
    [0, sign * KNUCKLE_Y_M, KNUCKLE_Z_M],
    sign,
  ),
  gripperJoint(
    `${side}_finger_joint`,
    `${side}_outer_knuckle`,
    `${side}_finger`,
    [0, sign * LINK_Y_M, LINK_Z_M],
    negative(sign),
  ),
  gripperJoint(
    `${side}_inner_knuckle_joint`,
    "gripper_base",
    `${side}_inner_knuckle`,
    [0, sign * INNER_Y_M, INNER_Z_M],
    sign,
  ),
]);

const outerKnuckle = (sign: number): Inertial => ({
  massKg: 0.033618,
  centreOfMassM: [0, sign * 0.021559, 0.015181],
  inertiaKgM2: [1.9111e-5, 6.6256e-6, 1.3185e-5, 0, 0, sign * -7.3008e-6],
});
const finger = (sign: number): Inertial => ({
  massKg: 0.048304,
  centreOfMassM: [0, sign * -0.016413, 0.029258],
  inertiaKgM2: [1.7493e-5, 1.7225e-5, 5.1466e-6, 0, 0, sign * 4.6434e-6],
});
const innerKnuckle = (sign: number): Inertial => ({
  massKg: 0.023013,
  centreOfMassM: [1.866e-6, sign * 0.022047, 0.026133],
  inertiaKgM2: [6.0949e-6, 6.0196e-6, 5.0786e-6, 0, 0, sign * -2.7532e-6],
});

/** The base first. The shapes of the inner knuckles are for show: they lie between the others. */
export const GRIPPER_LINKS: readonly Link[] = [
  {
    name: "gripper_base",
    inertial: {
      massKg: 0.54156,
      centreOfMassM: [-0.00065489, -0.0018497, 0.048028],
      inertiaKgM2: [0.00047106, 0.00033072, 0.00025642, 3.9292e-7, 2.6537e-6, -1.0975e-5],
    },
    shapes: [{ kind: "box", centreM: [0, 0, 0.045], halfSizeM: [0.03, 0.055, 0.03] }],
  },
  ...GRIPPER_SIDES.flatMap(({ side, sign }): Link[] => [
    {
      name: `${side}_outer_knuckle`,
      inertial: outerKnuckle(sign),
      shapes: [{ kind: "capsule", fromM: [0, 0, 0], toM: [0, sign * LINK_Y_M, LINK_Z_M], radiusM: 0.008 }],
    },
    {
      name: `${side}_finger`,
      inertial: finger(sign),
      shapes: [{ kind: "box", centreM: [0, sign * -0.0155, 0.02], halfSizeM: [0.01, 0.008, 0.018] }],
    },
    {
      name: `${side}_inner_knuckle`,
      inertial: innerKnuckle(sign),
      shapes: [{ kind: "capsule", fromM: [0, 0, 0], toM: [0, sign * LINK_Y_M, LINK_Z_M], radiusM: 0.006 }],
    },
  ]),
];

/** One box a finger covers both of the public model's. Friction 1, condim 4 and priority 1 hold a 50 g cube. */
export const FINGER_PADS: readonly FingerPad[] = GRIPPER_SIDES.map(({ side, sign }) => ({
  side,
  link: `${side}_finger`,
  centreM: [0, sign * -PAD_Y_M, 0.041],
  halfSizeM: [0.0105, PAD_HALF_Y_M, 0.0185],
}));

/** Measured in simulation: these hold a 50 g cube of 4 cm at a drive angle of 0.505 rad. */
export const GRIPPER_SERVO = {
  armatureKgM2: 0.005,
  dampingNmSPerRad: 0.1,
  stiffnessNmPerRad: 20,
  velocityGainNmSPerRad: 1,
  effortMaxNm: 5,
} as const;

/**
 * Opening [m] at a drive angle [rad]: the distance between the inner faces of the pads less the 1.6 mm that the
 * model's pads keep at the closed end, which the device calls closed. 0.0873 when fully open.
 */
export function openingFromDriveM(driveRad: number): number {
  return Math.max(0, padGapM(driveRad) - padGapM(DRIVE_MAX_RAD));
}

/** Drive angle [rad] for an opening [m]; openings beyond the range give its nearer end. Inverse of `openingFromDriveM`. */
export function driveFromOpeningRad(openingM: number): number {
  const reach = Math.hypot(LINK_Y_M, LINK_Z_M);
  const cosine = ((openingM + padGapM(DRIVE_MAX_RAD)) / 2 - KNUCKLE_Y_M + PAD_Y_M + PAD_HALF_Y_M) / reach;
  const driveRad = Math.acos(Math.min(1, Math.max(-1, cosine))) - Math.atan2(LINK_Z_M, LINK_Y_M);
  return Math.min(DRIVE_MAX_RAD, Math.max(DRIVE_MIN_RAD, driveRad));
}

export const OPENING_MAX_M = openingFromDriveM(DRIVE_MIN_RAD);

/** y of one pad's inner face, doubled: the finger keeps its attitude while its root swings about the knuckle. */
function padGapM(driveRad: number): number {
  const rootYM = KNUCKLE_Y_M + LINK_Y_M * Math.cos(driveRad) - LINK_Z_M * Math.sin(driveRad);
  return 2 * (rootYM - PAD_Y_M - PAD_HALF_Y_M);
}
