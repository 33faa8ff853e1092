/**
 * Masses and collision shapes of the Allegro Hand V4, in the style of `kinematics/xarm7.ts`: positions in the link's frame.
 *
 * Sources: masses and inertias, vendor's URDF (simlabrobotics/allegro_hand_ros_v4 b19b18ea, right hand); the left hand's
 * are mirrored in y, which is ours. Shapes: google-deepmind/mujoco_menagerie wonik_allegro, a fingertip's capsule as half
 * its length and radius.
 *
 * The vendor's inertias of distal links are no real body's: the largest moment exceeds the sum of the others. MuJoCo needs
 * `balanceinertia`, or takes masses only.
 */
import type { CollisionShape, Inertial, Link, Vector3 } from "../xarm7.js";
import { FINGERS, type HandSide } from "./hand.js";

type Moments = Inertial["inertiaKgM2"];

export const PALM_LINK = "palm_link";
export const linkName = (joint: number): string => `link_${joint}`;
export const tipName = (lastJoint: number): string => `${linkName(lastJoint)}_tip`;

const box = (centreM: Vector3, halfSizeM: Vector3): CollisionShape => ({ kind: "box", centreM, halfSizeM });
/** Along z. */
const capsule = (middleM: number, halfLengthM: number, radiusM: number): CollisionShape => ({
  kind: "capsule",
  fromM: [0, 0, middleM - halfLengthM],
  toM: [0, 0, middleM + halfLengthM],
  radiusM,
});
const along = (halfZM: number): CollisionShape => box([0, 0, halfZM], [0.0098, 0.01375, halfZM]);

interface Body {
  readonly massKg: number;
  readonly moments: Moments;
  readonly shapes: readonly CollisionShape[];
}

const PALM: Body = {
  massKg: 0.4154,
  moments: [1e-4, 1e-4, 1e-4, 0, 0, 0],
  shapes: [box([-0.0093, 0, -0.0475], [0.0204, 0.0565, 0.0475])],
};
const PALM_CENTRE_M: Vector3 = [0, 0, 0.0475];

const FINGER: readonly Body[] = [
  {
    massKg: 0.0119,
    moments: [1.0166666e-6, 6.4767733e-7, 1.0166666e-6, 0, 0, 0],
    shapes: [along(0.0082)],
  },
  {
    massKg: 0.065,
    moments: [8.0872888e-5, 2.8570049e-5, 7.9664706e-5, 1.4838616e-5, 4.2343546e-6, 2.1434765e-5],
    shapes: [along(0.027)],
  },
  {
    massKg: 0.0355,
    moments: [2.7108908e-5, 1.4971629e-5, 2.6628735e-5, 5.4115226e-6, 2.8507982e-6, 7.9365719e-6],
    shapes: [along(0.0192)],
  },
  {
    massKg: 0.0096,
    moments: [4.701248e-6, 3.649312e-6, 4.701248e-6, 1.255968e-6, 1.2936e-6, 1.7622e-6],
    shapes: [along(0.008), capsule(0.019, 0.01, 0.012)],
  },
];

const THUMB: readonly Body[] = [
  {
    massKg: 0.0176,
    moments: [1.9673194e-5, 1.5588586e-5, 1.975059e-5, 5.3471494e-6, 3.2837182e-6, 5.0204642e-6],
    shapes: [box([-0.0179, 0.009, 0.0145], [0.0179, 0.017, 0.02275])],
  },
  {
    massKg: 0.0119,
    moments: [4.3875111e-6, 4.6542298e-6, 4.3409729e-6, 7.9592951e-7, 1.3522633e-6, 1.1890429e-6],
    shapes: [along(0.00885)],
  },
  {
    massKg: 0.038,
    moments: [4.3811817e-5, 1.6605945e-5, 4.3132357e-5, 8.1829964e-6, 2.5540423e-6, 1.1844769e-5],
    shapes: [along(0.0257)],
  },
  {
    massKg: 0.0388,
    moments: [3.2922317e-5, 1.4749303e-5, 3.2922317e-5, 8.042076e-6, 5.2283e-6, 1.1283525e-5],
    shapes: [along(0.0157), capsule(0.035, 0.008, 0.012)],
  },
];

/** The ball's own body, fixed to the last link; its shape is that link's capsule. */
const TIP: Body = { massKg: 0.0168, moments: [9.68e-7, 9.68e-7, 9.68e-7, 0, 0, 0], shapes: [] };

/** The palm, then each finger's four links and its tip. */
export function handLinks(side: HandSide): Link[] {
  const link = (name: string, body: Body, centreOfMassM: Vector3 = [0, 0, 0]): Link => ({
    name,
    inertial: {
      massKg: body.massKg,
      centreOfMassM,
      inertiaKgM2: side === "right" ? body.moments : mirroredMoments(body.moments),
    },
    shapes: side === "right" ? body.shapes : body.shapes.map(mirroredShape),
  });
  return [
    link(PALM_LINK, PALM, PALM_CENTRE_M),
    ...FINGERS.flatMap((name, finger) => {
      const bodies = name === "thumb" ? THUMB : FINGER;
      return [
        ...bodies.map((body, k) => link(linkName(4 * finger + k), body)),
        link(tipName(4 * finger + 3), TIP),
      ];
    }),
  ];
}

const mirrored = ([x, y, z]: Vector3): Vector3 => [x, 0 - y, z];
const mirroredMoments = ([xx, yy, zz, xy, xz, yz]: Moments): Moments => [xx, yy, zz, 0 - xy, xz, 0 - yz];
const mirroredShape = (shape: CollisionShape): CollisionShape =>
  shape.kind === "box"
    ? { ...shape, centreM: mirrored(shape.centreM) }
    : { ...shape, fromM: mirrored(shape.fromM), toM: mirrored(shape.toM) };
