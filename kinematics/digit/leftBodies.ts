/**
 * The left side of Digit V3 as numbers: where each body is in its parent, about which axis it turns, what it weighs.
 * Metres, kilograms, degrees as published; Euler angles about the rotating axes x, y, z; moments of inertia about the centre
 * of mass, parallel to the body's frame. `bodies.ts` turns them into radians and quaternions and mirrors them.
 *
 * Source: the vendor's description of Digit V3 as public copies of it agree on it (numbers only, no file of theirs).
 */
import type { Vector3 } from "../xarm7.js";

/** xx, yy, zz, xy, xz, yz [kg m²]. */
export type Moments = readonly [number, number, number, number, number, number];

/** About the body's own z axis. */
export interface HingeRow {
  readonly kind: "hinge";
  readonly axisZ: 1 | -1;
  readonly rangeDeg: readonly [number, number] | undefined;
  readonly dampingNmSPerRad: number;
  /** Of a leaf spring, at rest at zero. */
  readonly stiffnessNmPerRad: number;
  readonly frictionNm: number;
  readonly armatureKgM2: number;
}

/** A rod's end. */
export interface BallRow {
  readonly kind: "ball";
  readonly dampingNmSPerRad: number;
}

export interface BodyRow {
  readonly name: string;
  readonly parent: string;
  readonly positionM: Vector3;
  readonly eulerDeg: Vector3;
  readonly joint: HingeRow | BallRow;
  readonly massKg: number;
  readonly centreOfMassM: Vector3;
  readonly inertiaKgM2: Moments;
}

const BALL: BallRow = { kind: "ball", dampingNmSPerRad: 0.01 };
const hinge = (row: Partial<Omit<HingeRow, "kind">>): HingeRow => ({
  kind: "hinge",
  axisZ: 1,
  rangeDeg: undefined,
  dampingNmSPerRad: 0,
  stiffnessNmPerRad: 0,
  frictionNm: 0,
  armatureKgM2: 0,
  ...row,
});

/** The torso; its frame is the base frame. */
export const TORSO: Pick<BodyRow, "massKg" | "centreOfMassM" | "inertiaKgM2"> = {
  massKg: 15.028392,
  centreOfMassM: [0.0016366125, 0.00020011808, 0.25930645],
  inertiaKgM2: [0.37590525, 0.3441935, 0.098732327, -8.7767328e-5, 0.0084986112, 6.6216118e-5],
};

/** Parents before children. */
export const LEFT_BODIES: readonly BodyRow[] = [
  {
    name: "hip_roll",
    parent: "base",
    positionM: [-0.001, 0.091, 0],
    eulerDeg: [21.499945, -90, 0],
    joint: hinge({ rangeDeg: [-60, 60], dampingNmSPerRad: 1, frictionNm: 1, armatureKgM2: 0.17382394 }),
    massKg: 0.915088,
    centreOfMassM: [-0.001967, 0.000244, 0.031435],
    inertiaKgM2: [0.001017, 0.001148, 0.000766, -3e-6, 1.3e-5, -4e-6],
  },
  {
    name: "hip_yaw",
    parent: "hip_roll",
    positionM: [-0.0505, 0, 0.044],
    eulerDeg: [0, -90, 0],
    joint: hinge({ rangeDeg: [-40, 40], dampingNmSPerRad: 1, frictionNm: 1, armatureKgM2: 0.067899975 }),
    massKg: 0.818753,
    centreOfMassM: [1e-5, -0.001945, 0.042033],
    inertiaKgM2: [0.001627, 0.001929, 0.00077, -1e-6, 2e-6, 5.3e-5],
  },
  {
    name: "hip_pitch",
    parent: "hip_yaw",
    positionM: [0, 0.004, 0.068],
    eulerDeg: [90, 0, 134.99998],
    joint: hinge({
      axisZ: -1,
      rangeDeg: [-60, 90],
      dampingNmSPerRad: 1,
      frictionNm: 0.5,
      armatureKgM2: 0.12047319,
    }),
    massKg: 6.244279,
    centreOfMassM: [0.060537, 0.000521, -0.038857],
    inertiaKgM2: [0.011533, 0.033345, 0.033958, -0.000171, 0.000148, 0.000178],
  },
  {
    name: "achilles_rod",
    parent: "hip_pitch",
    positionM: [0, 0, 0.046],
    eulerDeg: [4.0899849, 0.050029085, -82.270041],
    joint: BALL,
    massKg: 0.178148,
    centreOfMassM: [0.2506, 0, 0],
    inertiaKgM2: [3e-6, 0.004501, 0.004501, 0, 0, 0],
  },
  {
    name: "knee",
    parent: "hip_pitch",
    positionM: [0.12, 0, 0.0045],
    eulerDeg: [0, 0, -90],
    joint: hinge({ rangeDeg: [-80, 58.4], dampingNmSPerRad: 1, frictionNm: 0.5, armatureKgM2: 0.12047319 }),
    massKg: 1.227077,
    centreOfMassM: [0.045641, 0.042154, 0.001657],
    inertiaKgM2: [0.002643, 0.005098, 0.007019, -0.001832, 6.6e-5, 4.5e-5],
  },
  {
    name: "shin",
    parent: "knee",
    positionM: [0.060677, 0.047406, 0],
    eulerDeg: [0, 0, 0],
    joint: hinge({ stiffnessNmPerRad: 6000 }),
    massKg: 0.895793,
    centreOfMassM: [0.174265, 0.010265, 0.00107],
    inertiaKgM2: [0.001128, 0.022492, 0.022793, 0.001098, 0.000196, -3e-6],
  },
  {
    name: "tarsus",
    parent: "shin",
    positionM: [0.434759, 0.02, 0],
    eulerDeg: [0, 0, 102.99996],
    joint: hinge({ rangeDeg: [-50.3, 71.6] }),
    massKg: 1.322865,
    centreOfMassM: [0.100777, -0.029183, 0.000678],
    inertiaKgM2: [0.000932, 0.016409, 0.016501, 0.00061, 0.000102, 9e-6],
  },
  {
    name: "heel_spring",
    parent: "tarsus",
    positionM: [-0.01766, -0.029456, 0.00104],
    eulerDeg: [4.4700286, 0.31997864, 155.79997],
    joint: hinge({ rangeDeg: [-6, 6], stiffnessNmPerRad: 4375 }),
    massKg: 0.230018,
    centreOfMassM: [0.049086, 0.004739, -4.5e-5],
    inertiaKgM2: [5.5e-5, 0.00074, 0.000701, 1.5e-5, 1e-6, 0],
  },
  {
    name: "toe_A",
    parent: "tarsus",
    positionM: [0.059, -0.034, -0.0276],
    eulerDeg: [180, 0, 88.959985],
    joint: hinge({
      rangeDeg: [-46.2755, 44.9815],
      dampingNmSPerRad: 1,
      frictionNm: 1,
      armatureKgM2: 0.036089475,
    }),
    massKg: 0.139557,
    centreOfMassM: [0.005161, 1e-6, -0.002248],
    inertiaKgM2: [2.9e-5, 5.8e-5, 7.4e-5, 0, -4e-6, 0],
  },
  {
    name: "toe_A_rod",
    parent: "toe_A",
    positionM: [0.057, 0, -0.008],
    eulerDeg: [0.3399877, 2.1400282, -88.449953],
    joint: BALL,
    massKg: 0.090983,
    centreOfMassM: [0.171071, 0, 0],
    inertiaKgM2: [1e-6, 0.001182, 0.001182, 0, 0, 0],
  },
  {
    name: "toe_B",
    parent: "tarsus",
    positionM: [0.111, -0.034, 0.0276],
    eulerDeg: [0, 0, -88.959985],
    joint: hinge({
      rangeDeg: [-45.8918, 45.5476],
      dampingNmSPerRad: 1,
      frictionNm: 1,
      armatureKgM2: 0.036089475,
    }),
    massKg: 0.139557,
    centreOfMassM: [0.005161, 1e-6, -0.002248],
    inertiaKgM2: [2.9e-5, 5.8e-5, 7.4e-5, 0, -4e-6, 0],
  },
  {
    name: "toe_B_rod",
    parent: "toe_B",
    positionM: [0.057, 0, -0.008],
    eulerDeg: [-0.22005776, -3.0799979, 88.34004],
    joint: BALL,
    massKg: 0.079507,
    centreOfMassM: [0.142991, 0, 0],
    inertiaKgM2: [1e-6, 0.000768, 0.000768, 0, 0, 0],
  },
  {
    name: "toe_pitch",
    parent: "tarsus",
    positionM: [0.408, -0.04, 0],
    eulerDeg: [0, 0, 71.750042],
    joint: hinge({ rangeDeg: [-44, 34] }),
    massKg: 0.043881,
    centreOfMassM: [-0.000141, 2e-6, 3e-6],
    inertiaKgM2: [5e-6, 8e-6, 4e-6, 0, 0, 0],
  },
  {
    name: "toe_roll",
    parent: "toe_pitch",
    positionM: [0, 0, 0],
    eulerDeg: [0, 90, 0],
    joint: hinge({ rangeDeg: [-37, 33] }),
    massKg: 0.531283,
    centreOfMassM: [9e-6, -0.028084, -0.023204],
    inertiaKgM2: [0.00187, 0.001616, 0.000843, 0, 0, 0.000566],
  },
  {
    name: "shoulder_roll",
    parent: "base",
    positionM: [-0.001, 0.12, 0.4],
    eulerDeg: [-9.9999331, -90, 0],
    joint: hinge({ rangeDeg: [-75, 75], dampingNmSPerRad: 2, frictionNm: 2, armatureKgM2: 0.17382394 }),
    massKg: 0.535396,
    centreOfMassM: [-0.000819, -0.003158, 0.023405],
    inertiaKgM2: [0.000704, 0.00075, 0.000298, 1.4e-5, 1.2e-5, 3.5e-5],
  },
  {
    name: "shoulder_pitch",
    parent: "shoulder_roll",
    positionM: [-0.00317, -0.011055, 0.0555],
    eulerDeg: [89.99999, -16.000041, -44.999972],
    joint: hinge({
      axisZ: -1,
      rangeDeg: [-145, 145],
      dampingNmSPerRad: 2,
      frictionNm: 2,
      armatureKgM2: 0.17382394,
    }),
    massKg: 1.440357,
    centreOfMassM: [-4.2e-5, -0.061882, -0.073788],
    inertiaKgM2: [0.006761, 0.002087, 0.005778, -6e-6, -3e-6, -0.002046],
  },
  {
    name: "shoulder_yaw",
    parent: "shoulder_pitch",
    positionM: [0, -0.165, -0.1],
    eulerDeg: [90, 0, 0],
    joint: hinge({ rangeDeg: [-100, 100], dampingNmSPerRad: 2, frictionNm: 2, armatureKgM2: 0.067899975 }),
    massKg: 1.065387,
    centreOfMassM: [-3e-5, 0.001937, 0.11407],
    inertiaKgM2: [0.006967, 0.007003, 0.000673, -1e-6, -1e-6, -1.5e-5],
  },
  {
    name: "elbow",
    parent: "shoulder_yaw",
    positionM: [0, -0.0385, 0.185],
    eulerDeg: [90, 0, 22.500047],
    joint: hinge({ rangeDeg: [-77.5, 77.5], dampingNmSPerRad: 2, frictionNm: 2, armatureKgM2: 0.17382394 }),
    massKg: 0.550582,
    centreOfMassM: [0.107996, 0.000521, -0.017765],
    inertiaKgM2: [0.000476, 0.009564, 0.009437, -2.9e-5, 0.001403, 9e-6],
  },
];
