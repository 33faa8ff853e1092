/**
 * The UFACTORY xArm7 and its parallel gripper as data: one table that forward kinematics, URDF, the lab's MJCF and
 * the limits all read. Lengths in metres, angles in radians, masses in kg, inertias in kg m² about the link's centre
 * of mass with axes parallel to the link frame.
 *
 * Frames: a joint frame is its parent's frame moved by `originM`, turned by `rpyRad` (fixed axes, R = Rz Ry Rx) and
 * then by the joint angle about `axis`. The flange is the frame of link7, z out of the arm. Right angles are exact,
 * where the vendor's URDF rounds them to 1.5708.
 *
 * Sources: xArm-Developer/xarm_ros2 3654ba7 and xarm_ros 0b5118eb (BSD-3-Clause) for joints and gripper;
 * xarm-python-sdk 1.18.4 for limits; google-deepmind/mujoco_menagerie xarm7 (BSD-3-Clause) for inertials, servo gains
 * and pads. Collision shapes are our own.
 */

export type Vector3 = readonly [x: number, y: number, z: number];

export interface Inertial {
  readonly massKg: number;
  readonly centreOfMassM: Vector3;
  /** xx, yy, zz, xy, xz, yz. */
  readonly inertiaKgM2: readonly [number, number, number, number, number, number];
}

/** Capsules and boxes only, so that GPU physics engines can load the same shapes. Positions in the link frame. */
export type CollisionShape =
  | { readonly kind: "capsule"; readonly fromM: Vector3; readonly toM: Vector3; readonly radiusM: number }
  | { readonly kind: "box"; readonly centreM: Vector3; readonly halfSizeM: Vector3 };

export interface Link {
  readonly name: string;
  readonly inertial: Inertial;
  readonly shapes: readonly CollisionShape[];
}

export interface Joint {
  readonly name: string;
  readonly parent: string;
  readonly child: string;
  readonly originM: Vector3;
  readonly rpyRad: Vector3;
  readonly axis: Vector3;
  readonly positionMinRad: number;
  readonly positionMaxRad: number;
  readonly effortMaxNm: number;
  readonly velocityMaxRadPerS: number;
  readonly dampingNmSPerRad: number;
  readonly frictionNm: number;
}

/** Position servo of one joint as the public MJCF of the arm models it. */
export interface JointServo {
  readonly armatureKgM2: number;
  readonly frictionLossNm: number;
  readonly dampingNmSPerRad: number;
  readonly stiffnessNmPerRad: number;
  readonly velocityGainNmSPerRad: number;
  readonly effortMaxNm: number;
}

/** One row of the modified (Craig) Denavit-Hartenberg table; theta equals the joint angle, without offset. */
export interface ModifiedDhRow {
  readonly alphaRad: number;
  readonly aM: number;
  readonly dM: number;
}

const QUARTER = Math.PI / 2;
const TURN = 2 * Math.PI;
const Z: Vector3 = [0, 0, 1];

const capsule = (fromM: Vector3, toM: Vector3, radiusM: number): CollisionShape => ({
  kind: "capsule",
  fromM,
  toM,
  radiusM,
});
const box = (centreM: Vector3, halfSizeM: Vector3): CollisionShape => ({ kind: "box", centreM, halfSizeM });

function armJoint(
  number: number,
  originM: Vector3,
  rollRad: number,
  [positionMinRad, positionMaxRad]: readonly [number, number],
  effortMaxNm: number,
  dampingNmSPerRad: number,
): Joint {
  return {
    name: `joint${number}`,
    parent: number === 1 ? XARM7_BASE_LINK : `link${number - 1}`,
    child: `link${number}`,
    originM,
    rpyRad: [rollRad, 0, 0],
    axis: Z,
    positionMinRad,
    positionMaxRad,
    effortMaxNm,
    velocityMaxRadPerS: Math.PI,
    dampingNmSPerRad,
    frictionNm: 1,
  };
}

/** Names of the root of the tree of links, and of the link whose frame is the flange. */
export const XARM7_BASE_LINK = "link_base";
export const XARM7_FLANGE_LINK = "link7";

/**
 * Base to tool. Limits are the vendor SDK's for arms of serial generation below 1305; `NARROW_LIMITS_RAD` holds the
 * tighter ones of newer arms.
 */
export const XARM7_JOINTS: readonly Joint[] = [
  armJoint(1, [0, 0, 0.267], 0, [-TURN, TURN], 50, 10),
  armJoint(2, [0, 0, 0], -QUARTER, [-2.059488, 2.094395], 50, 10),
  armJoint(3, [0, -0.293, 0], QUARTER, [-TURN, TURN], 30, 5),
  armJoint(4, [0.0525, 0, 0], QUARTER, [-0.191986, 3.92699], 30, 5),
  armJoint(5, [0.0775, -0.3425, 0], QUARTER, [-TURN, TURN], 30, 5),
  armJoint(6, [0, 0, 0], QUARTER, [-1.692969, Math.PI], 20, 2),
  armJoint(7, [0.076, 0.097, 0], -QUARTER, [-TURN, TURN], 20, 2),
];

export const XARM7_JOINT_NAMES: readonly string[] = XARM7_JOINTS.map((joint) => joint.name);
export const XARM7_JOINT_COUNT = 7;

/** Joint limits of arms whose serial number says generation 1305 or newer; inside those of `XARM7_JOINTS`. */
export const NARROW_LIMITS_RAD: readonly (readonly [min: number, max: number])[] = [
  [-TURN, TURN],
  [-2.042035, 2.024581],
  [-TURN, TURN],
  [-0.10472, 3.92699],
  [-TURN, TURN],
  [-1.692969, Math.PI],
  [-TURN, TURN],
];

/** What the device itself never exceeds, every joint alike. */
export const XARM7_VELOCITY_MAX_RAD_PER_S = Math.PI;
export const XARM7_ACCELERATION_MAX_RAD_PER_S2 = 20;
export const XARM7_JERK_MAX_RAD_PER_S3 = 500;

/** Equal to the chain of `XARM7_JOINTS` (a test holds it). */
export const XARM7_MODIFIED_DH: readonly ModifiedDhRow[] = [
  { alphaRad: 0, aM: 0, dM: 0.267 },
  { alphaRad: -QUARTER, aM: 0, dM: 0 },
  { alphaRad: QUARTER, aM: 0, dM: 0.293 },
  { alphaRad: QUARTER, aM: 0.0525, dM: 0 },
  { alphaRad: QUARTER, aM: 0.0775, dM: 0.3425 },
  { alphaRad: QUARTER, aM: 0, dM: 0 },
  { alphaRad: -QUARTER, aM: 0.076, dM: 0.097 },
];

/**
 * Inertials of the newer hardware (11.3 kg in all). A second set in circulation has 3.65 kg and is far too light.
 * Neighbouring shapes overlap on purpose; the pairs are in `CONTACT_EXCLUDES`.
 */
export const XARM7_LINKS: readonly Link[] = [
  {
    name: XARM7_BASE_LINK,
    inertial: {
      massKg: 0.88556,
      centreOfMassM: [-0.021131, -0.0016302, 0.056488],
      inertiaKgM2: [0.0030595, 0.0037783, 0.0020125, 0.00012259, -0.00062705, 0.00027023],
    },
    shapes: [capsule([0, 0, 0.06], [0, 0, 0.13], 0.06)],
  },
  {
    name: "link1",
    inertial: {
      massKg: 2.382,
      centreOfMassM: [-0.0002, 0.02905, -0.01233],
      inertiaKgM2: [0.0056905, 0.0049566, 0.003316654, -1.579e-5, 5.125e-6, -0.000873378],
    },
    shapes: [capsule([0, 0, -0.1], [0, 0, 0], 0.055)],
  },
  {
    name: "link2",
    inertial: {
      massKg: 1.869,
      centreOfMassM: [0.00022, -0.12856, 0.01735],
      inertiaKgM2: [0.0095989, 0.00382472, 0.007565669, 1.541e-6, 5.56e-6, -0.00317156],
    },
    shapes: [capsule([0, 0, 0], [0, -0.2, 0], 0.055)],
  },
  {
    name: "link3",
    inertial: {
      massKg: 1.6383,
      centreOfMassM: [0.0466, -0.02463, -0.00768],
      inertiaKgM2: [0.00310955, 0.00264483, 0.0026624, 0.00030837, -0.00058453, 0.000338893],
    },
    shapes: [capsule([0, 0, -0.04], [0.0525, 0, 0], 0.05)],
  },
  {
    name: "link4",
    inertial: {
      massKg: 1.7269,
      centreOfMassM: [0.07047, -0.11575, 0.012],
      inertiaKgM2: [0.005889, 0.00359703, 0.00543244, 0.00137112, 0.00088143, -0.001762155],
    },
    shapes: [capsule([0.02, -0.02, 0], [0.0775, -0.2, 0], 0.048)],
  },
  {
    name: "link5",
    inertial: {
      massKg: 1.3203,
      centreOfMassM: [-0.00032, 0.01604, -0.026],
      inertiaKgM2: [0.00534665, 0.0049779, 0.0013624, 1.5117e-5, -3.69e-7, -0.00022132],
    },
    shapes: [capsule([0, 0, -0.1], [0, 0.02, -0.02], 0.042)],
  },
  {
    name: "link6",
    inertial: {
      massKg: 1.325,
      centreOfMassM: [0.06469, 0.03278, 0.02141],
      inertiaKgM2: [0.0014745, 0.0019037, 0.0023652, -0.000488, 0.0002953, 0.00014749],
    },
    shapes: [capsule([0.02, 0.01, 0], [0.076, 0.05, 0], 0.038)],
  },
  {
    name: "link7",
    inertial: {
      massKg: 0.17,
      centreOfMassM: [0, -0.00677, -0.01098],
      inertiaKgM2: [9.3e-5, 5.87e-5, 0.000132, 0, 0, -3.6e-6],
    },
    shapes: [box([0, 0, -0.015], [0.033, 0.033, 0.015])],
  },
];

const servo = (dampingNmSPerRad: number, stiffnessNmPerRad: number, effortMaxNm: number): JointServo => ({
  armatureKgM2: 0.1,
  frictionLossNm: 1,
  dampingNmSPerRad,
  stiffnessNmPerRad,
  velocityGainNmSPerRad: stiffnessNmPerRad / 10,
  effortMaxNm,
});

/** Base to tool. Without gravity compensation these sag by about 14 mrad at joints 2 and 4. */
export const XARM7_SERVOS: readonly JointServo[] = [
  servo(10, 1500, 50),
  servo(10, 1500, 50),
  servo(5, 1000, 30),
  servo(5, 1000, 30),
  servo(5, 1000, 30),
  servo(2, 800, 20),
  servo(2, 800, 20),
];

/** A comfortable pose with the tool pointing down. */
export const XARM7_HOME_RAD: readonly number[] = [0, -0.247, 0, 0.909, 0, 1.15644, 0];

/** Tool point (between the pads of the closed gripper) in the flange frame; equals the vendor's joint_tcp. */
export const TOOL_POINT_FLANGE_M: Vector3 = [0, 0, 0.172];

/**
 * Pairs of bodies whose shapes overlap or touch by design. MuJoCo drops parent-child pairs itself except where the
 * parent is fixed to the world, hence link_base and link1.
 */
export const CONTACT_EXCLUDES: readonly (readonly [string, string])[] = [
  ["link_base", "link1"],
  ["link_base", "link2"],
  ["link1", "link3"],
  ["link2", "link4"],
  ["link3", "link5"],
  ["link4", "link6"],
  ["link5", "link7"],
  ["link5", "link6"],
  ["link6", "gripper_base"],
  ["gripper_base", "left_finger"],
  ["gripper_base", "right_finger"],
];
