/**
 * The bodies of the Allegro Hand as data: where its joints are, how long and how heavy its links. Palm frame: z along
 * the stretched fingers, x out of the palm, index at +y on the right hand and at -y on the left. Metres, kilograms, rad.
 *
 * Sources: the vendor's URDF of V4 (right and left) and of V5 A (right). Masses of V5 are those of V4: nothing better is
 * known. What a motor resists with is measured nowhere; see `MOTOR`.
 */
import type { Finger, HandModel, HandSide } from "../../kinematics/allegro/hand.js";
import type { Vector3 } from "../../kinematics/pose.js";

export interface FingerChain {
  readonly finger: Finger;
  /** Of the first joint in the palm frame. */
  readonly baseM: Vector3;
  readonly baseRpyRad: Vector3;
  readonly axes: readonly [Vector3, Vector3, Vector3, Vector3];
  /** From each joint to the next, last to the vendor's fingertip: the centre of its ball. */
  readonly offsetsM: readonly [Vector3, Vector3, Vector3, Vector3];
}

/** Of the left hand there is no trustworthy V5 table: its vendor's thumb has other signs. */
export type ModelledHand = "v4 right" | "v4 left" | "v5a right";
export const modelledHand = (model: HandModel, side: HandSide): ModelledHand | undefined => {
  const name = model === "v5b" ? (`v5a ${side}` as const) : (`${model} ${side}` as const);
  return name === "v5a left" ? undefined : name;
};

const X: Vector3 = [1, 0, 0];
const Y: Vector3 = [0, 1, 0];
const Z: Vector3 = [0, 0, 1];
const FINGER_TILT_RAD = 0.08726646255;
const THUMB_PITCH_RAD = -1.65806278845;
const THUMB_YAW_RAD = 1.5707963259;

/** Numbers of a right hand; a left one has the opposite y. */
interface HandLengths {
  readonly indexM: Vector3;
  readonly middleM: Vector3;
  readonly ringM: Vector3;
  readonly thumbM: Vector3;
  /** Along z from each joint to the next, last to the tip. */
  readonly fingerM: readonly [number, number, number, number];
  readonly thumbFirstM: Vector3;
  readonly thumbRestM: readonly [number, number, number];
}

const V4: HandLengths = {
  indexM: [0, 0.0435, -0.001542],
  middleM: [0, 0, 0.0007],
  ringM: [0, -0.0435, -0.001542],
  thumbM: [-0.0182, 0.019333, -0.045987],
  fingerM: [0.0164, 0.054, 0.0384, 0.0267],
  thumbFirstM: [-0.027, 0.005, 0.0399],
  thumbRestM: [0.0177, 0.0514, 0.0423],
};
const V5A: HandLengths = {
  indexM: [0, 0.0405, -0.00945],
  middleM: [0, 0, -0.0079],
  ringM: [0.0025, -0.0405, -0.00945],
  thumbM: [0.002, 0.027, -0.06342],
  fingerM: [0.021, 0.051, 0.0384, 0.0267],
  thumbFirstM: [-0.001, 0, 0.06874],
  thumbRestM: [0, 0.038, 0.05],
};

/** The four fingers in wire order. */
export function fingerChains(hand: ModelledHand): readonly FingerChain[] {
  const lengths = hand === "v5a right" ? V5A : V4;
  const side = hand === "v4 left" ? -1 : 1;
  const mirrored = ([x, y, z]: Vector3): Vector3 => [x, side * y, z];
  const along = (m: number): Vector3 => [0, 0, m];
  const [first, second, third, tip] = lengths.fingerM;
  const finger = (name: Finger, baseM: Vector3, tiltRad: number): FingerChain => ({
    finger: name,
    baseM: mirrored(baseM),
    baseRpyRad: [side * tiltRad, 0, 0],
    axes: [Z, Y, Y, Y],
    offsetsM: [along(first), along(second), along(third), along(tip)],
  });
  const [thumbSecond, thumbThird, thumbTip] = lengths.thumbRestM;
  return [
    finger("index", lengths.indexM, -FINGER_TILT_RAD),
    finger("middle", lengths.middleM, 0),
    finger("ring", lengths.ringM, FINGER_TILT_RAD),
    {
      finger: "thumb",
      baseM: mirrored(lengths.thumbM),
      baseRpyRad: [0, THUMB_PITCH_RAD, -side * THUMB_YAW_RAD],
      axes: [scaled(X, -side), scaled(Z, side), Y, Y],
      offsetsM: [mirrored(lengths.thumbFirstM), along(thumbSecond), along(thumbThird), along(thumbTip)],
    },
  ];
}

const scaled = ([x, y, z]: Vector3, factor: number): Vector3 => [factor * x, factor * y, factor * z];

/** Each joint's range [rad], wire order. */
export function jointRangesRad(hand: ModelledHand): readonly (readonly [number, number])[] {
  const { finger, thumb } = RANGES_RAD[hand === "v5a right" ? "v5a" : "v4"];
  return [...finger, ...finger, ...finger, ...thumb];
}

const RANGES_RAD = {
  v4: {
    finger: [
      [-0.47, 0.47],
      [-0.196, 1.61],
      [-0.174, 1.709],
      [-0.227, 1.618],
    ],
    thumb: [
      [0.263, 1.396],
      [-0.105, 1.163],
      [-0.189, 1.644],
      [-0.162, 1.719],
    ],
  },
  v5a: {
    finger: [
      [-0.47, 0.47],
      [-0.196, 1.8],
      [-0.174, 1.709],
      [-0.227, 1.618],
    ],
    thumb: [
      [0, 1.78],
      [-0.26, 1.78],
      [-0.05, 1.85],
      [-0.09, 1.8],
    ],
  },
} as const;

/** The vendor's rest pose, wire order; the lab's hand begins in it. */
export const HOME_RAD: readonly number[] = [
  [0, -10, 45, 45],
  [0, -10, 45, 45],
  [5, -5, 50, 45],
  [60, 25, 15, 45],
].flatMap((finger) => finger.map((deg) => (deg * Math.PI) / 180));

/**
 * Masses of the vendor's table. Its inertia tensors are not used: they are about the joints, called "about the centre of
 * mass", which most of them cannot be (the sum of two moments is less than the third). Shapes give the inertia instead.
 */
export const MASS_KG = {
  palm: 0.4154,
  finger: [0.0119, 0.065, 0.0355, 0.0096],
  thumb: [0.0176, 0.0119, 0.038, 0.0388],
  fingertip: 0.0168,
} as const;

/** Shapes in half sizes; cross sections are the same for all links but the palm and the thumb's base. */
export const SHAPE = {
  palm: { centreM: [-0.0093, 0, -0.0475], halfM: [0.0204, 0.0565, 0.0475] },
  /** Of a finger's links: across the palm's normal, and along y. */
  linkHalfM: [0.0098, 0.01375],
  fingertipRadiusM: 0.012,
  /** The last link's box ends so much before the centre of the fingertip's ball. */
  fingertipLengthM: 0.0107,
  thumbBase: {
    v4: { centreM: [-0.0179, 0.009, 0.0145], halfM: [0.0179, 0.017, 0.02275] },
    v5a: { centreM: [-0.0005, 0, 0.0344], halfM: [0.0125, 0.015, 0.0244] },
  },
} as const;

/**
 * What stands between a motor and its joint. None of it is published. The gear is 369 : 1 (V4), so that a rotor of some
 * 1.5e-8 kg m² weighs more than the finger; damping makes the speed at a joint's torque limit about the nominal 7 rad/s.
 */
export const MOTOR = { armatureKgM2: 0.002, dampingNmSPerRad: 0.04, frictionLossNm: 0.015 } as const;
