/**
 * Joint limits of the Allegro Hands, in wire order. A hand without a row here is one whose limits nobody has published
 * in a form to be trusted: it is refused until its cell file brings a table of its own.
 *
 * Sources: vendor's URDFs, simlabrobotics/allegro_hand_ros_v4 b19b18ea (V4; the same numbers on both sides) and
 * Wonikrobotics-git/allegro_hand_ros2_v5 (V5 A, right). The vendor's V5 left URDF has a thumb whose signs and zero differ
 * from every other hand's ([-1.78, 0.5] [1.0, 3.22] [-1.85, 0.2] [-1.8, 0.2]), and nobody has measured them on a hand. The
 * geared V5 B has another geometry. So both stay unknown.
 */
import { CerebellumError } from "../../core/errors.js";
import { ALLEGRO_JOINT_NAMES, HAND_JOINT_COUNT, type HandModel, type HandSide } from "./hand.js";

/** Sixteen numbers each, wire order. */
export interface HandLimits {
  readonly positionMinRad: readonly number[];
  readonly positionMaxRad: readonly number[];
  readonly velocityMaxRadPerS: readonly number[];
}

type Range = readonly [min: number, max: number];

/** Nominal in every URDF of the vendor [rad/s]. */
export const HAND_VELOCITY_MAX_RAD_PER_S = 7;

function limits(finger: readonly Range[], thumb: readonly Range[]): HandLimits {
  const all = [...finger, ...finger, ...finger, ...thumb];
  return {
    positionMinRad: all.map(([min]) => min),
    positionMaxRad: all.map(([, max]) => max),
    velocityMaxRadPerS: all.map(() => HAND_VELOCITY_MAX_RAD_PER_S),
  };
}

const V4 = limits(
  [
    [-0.47, 0.47],
    [-0.196, 1.61],
    [-0.174, 1.709],
    [-0.227, 1.618],
  ],
  [
    [0.263, 1.396],
    [-0.105, 1.163],
    [-0.189, 1.644],
    [-0.162, 1.719],
  ],
);

const V5A_RIGHT = limits(
  [
    [-0.47, 0.47],
    [-0.196, 1.8],
    [-0.174, 1.709],
    [-0.227, 1.618],
  ],
  [
    [0, 1.78],
    [-0.26, 1.78],
    [-0.05, 1.85],
    [-0.09, 1.8],
  ],
);

/** Undefined: unknown. */
export const HAND_LIMITS: Readonly<Record<HandModel, Readonly<Record<HandSide, HandLimits | undefined>>>> = {
  v4: { right: V4, left: V4 },
  v5a: { right: V5A_RIGHT, left: undefined },
  v5b: { right: undefined, left: undefined },
};

/**
 * Limits of a hand, or those of `own`, which a cell file can bring for any hand.
 * @throws DEVICE_MISMATCH where nothing is known of this hand, CONFIG_INVALID where `own` is no table of limits
 */
export function limitsOf(model: HandModel, side: HandSide, own?: HandLimits): HandLimits {
  if (own !== undefined) return checked(own);
  const known = HAND_LIMITS[model][side];
  if (known === undefined)
    throw new CerebellumError(
      "DEVICE_MISMATCH",
      `the joint limits of a ${side} Allegro Hand ${model} are not known; known are ${knownHands()}`,
      "Give positionMinRad, positionMaxRad and velocityMaxRadPerS of this very hand, in wire order, in the cell file",
    );
  return known;
}

const knownHands = (): string =>
  Object.entries(HAND_LIMITS)
    .flatMap(([model, sides]) =>
      Object.entries(sides)
        .filter(([, known]) => known !== undefined)
        .map(([side]) => `${model} ${side}`),
    )
    .join(", ");

function checked(own: HandLimits): HandLimits {
  for (const field of ["positionMinRad", "positionMaxRad", "velocityMaxRadPerS"] as const)
    if (own[field].length !== HAND_JOINT_COUNT || !own[field].every(Number.isFinite))
      throw invalid(
        `${field} has ${own[field].length} numbers, ${HAND_JOINT_COUNT} finite ones are expected`,
      );
  ALLEGRO_JOINT_NAMES.forEach((name, joint) => {
    const [min, max] = [own.positionMinRad[joint]!, own.positionMaxRad[joint]!];
    if (!(min < max)) throw invalid(`the limits of ${name} are ${min} to ${max} rad, which is empty`);
    if (!(own.velocityMaxRadPerS[joint]! > 0))
      throw invalid(`the fastest ${name} may be is ${own.velocityMaxRadPerS[joint]} rad/s, not above 0`);
  });
  return own;
}

const invalid = (happened: string): CerebellumError =>
  new CerebellumError("CONFIG_INVALID", happened, "Give 16 limits in wire order: index, middle, ring, thumb");
