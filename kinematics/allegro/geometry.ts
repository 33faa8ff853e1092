/**
 * The Allegro Hands as data: one table that forward kinematics, URDF and the lab read. Lengths in metres, angles in
 * radians; conventions of `kinematics/xarm7.ts`.
 *
 * Frame palm_link: z along the fingers, x out of the palm, so that flexion about +y moves tips towards +x; the index is
 * at +y on the right hand and at -y on the left. Its origin is where the middle finger begins; the wrist is 95 mm below.
 * The spread joints 0, 4 and 8 turn about +z on both hands, they are not mirrored. A tip is the centre of the ball that
 * the finger ends in.
 *
 * Sources: vendor's URDFs, simlabrobotics/allegro_hand_ros_v4 b19b18ea (both sides) and Wonikrobotics-git/
 * allegro_hand_ros2_v5 1f33eea4 (V5 A, right). Angles of 5, 90 and 95 degrees are exact, where the URDFs round. Hands that
 * are missing: see `limits.ts`.
 */
import { CerebellumError } from "../../core/errors.js";
import type { Vector3 } from "../xarm7.js";
import type { Finger, HandModel, HandSide } from "./hand.js";

export interface FingerGeometry {
  /** First joint in the palm's frame. */
  readonly originM: Vector3;
  readonly rpyRad: Vector3;
  /** Of the four joints, each in its own frame; all frames of a finger are parallel at zero. */
  readonly axes: readonly [Vector3, Vector3, Vector3, Vector3];
  /** Second, third and fourth joint, each in the frame of the one before. */
  readonly offsetsM: readonly [Vector3, Vector3, Vector3];
  /** Centre of the ball in the frame of the fourth joint. */
  readonly tipM: Vector3;
}

export type HandGeometry = Readonly<Record<Finger, FingerGeometry>>;

/** Radius of the ball that a finger ends in. V5: not published, taken as V4's. */
export const TIP_RADIUS_M = 0.012;
/** Origin of the wrist in the palm's frame: what vectors of retargeting begin at. */
export const WRIST_PALM_M: Vector3 = [0, 0, -0.095];

const DEGREE = Math.PI / 180;
const X: Vector3 = [1, 0, 0];
const Y: Vector3 = [0, 1, 0];
const Z: Vector3 = [0, 0, 1];
const times = ([x, y, z]: Vector3, sign: 1 | -1): Vector3 => [sign * x, sign * y, sign * z];

/** A finger of three equal ones; `tiltRad` turns it outwards about x. */
function finger(
  originM: Vector3,
  tiltRad: number,
  [proximalM, middleM, distalM, tipM]: readonly [number, number, number, number],
): FingerGeometry {
  return {
    originM,
    rpyRad: [tiltRad, 0, 0],
    axes: [Z, Y, Y, Y],
    offsetsM: [
      [0, 0, proximalM],
      [0, 0, middleM],
      [0, 0, distalM],
    ],
    tipM: [0, 0, tipM],
  };
}

function v4(sign: 1 | -1): HandGeometry {
  const lengthsM = [0.0164, 0.054, 0.0384, 0.0267] as const;
  return {
    index: finger([0, sign * 0.0435, -0.001542], sign * -5 * DEGREE, lengthsM),
    middle: finger([0, 0, 0.0007], 0, lengthsM),
    ring: finger([0, sign * -0.0435, -0.001542], sign * 5 * DEGREE, lengthsM),
    thumb: {
      originM: [-0.0182, sign * 0.019333, -0.045987],
      rpyRad: [0, -95 * DEGREE, sign * -90 * DEGREE],
      axes: [times(X, sign === 1 ? -1 : 1), times(Z, sign), Y, Y],
      offsetsM: [
        [-0.027, sign * 0.005, 0.0399],
        [0, 0, 0.0177],
        [0, 0, 0.0514],
      ],
      tipM: [0, 0, 0.0423],
    },
  };
}

const V5A_LENGTHS_M = [0.021, 0.051, 0.0384, 0.0267] as const;
const V5A_RIGHT: HandGeometry = {
  index: finger([0, 0.0405, -0.00945], -5 * DEGREE, V5A_LENGTHS_M),
  middle: finger([0, 0, -0.0079], 0, V5A_LENGTHS_M),
  ring: finger([0.0025, -0.0405, -0.00945], 5 * DEGREE, V5A_LENGTHS_M),
  thumb: {
    originM: [0.002, 0.027, -0.06342],
    rpyRad: [0, -95 * DEGREE, -90 * DEGREE],
    axes: [times(X, -1), Z, Y, Y],
    offsetsM: [
      [-0.001, 0, 0.06874],
      [0, 0, 0],
      [0, 0, 0.038],
    ],
    tipM: [0, 0, 0.05],
  },
};

/** Undefined: unknown. */
export const HAND_GEOMETRY: Readonly<
  Record<HandModel, Readonly<Record<HandSide, HandGeometry | undefined>>>
> = {
  v4: { right: v4(1), left: v4(-1) },
  v5a: { right: V5A_RIGHT, left: undefined },
  v5b: { right: undefined, left: undefined },
};

export const isGeometryKnown = (model: HandModel, side: HandSide): boolean =>
  HAND_GEOMETRY[model][side] !== undefined;

/** @throws DEVICE_MISMATCH where nobody has published the geometry of this hand in a form to be trusted */
export function geometryOf(model: HandModel, side: HandSide): HandGeometry {
  const known = HAND_GEOMETRY[model][side];
  if (known === undefined)
    throw new CerebellumError(
      "DEVICE_MISMATCH",
      `the geometry of a ${side} Allegro Hand ${model} is not known; known are V4 on both sides and V5 A right`,
      "Use this hand without fingertips and retargeting, or one of those that are known",
    );
  return known;
}
