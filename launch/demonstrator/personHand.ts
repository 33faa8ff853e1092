/**
 * A person's hand: bones of an adult, angles of the joints, and the 25 joints that a headset sees of it. Frame of the hand as
 * in kinematics/allegro/keypoints.ts: origin in the wrist, z to the middle finger's knuckle, x out of the palm, y to the
 * thumb's side of a right hand. Metres, radians.
 *
 * Lengths: means of men's and women's hands, rounded (Buryanov and Kotiuk, International Journal of Morphology 28, 2010;
 * Garrett, Human Factors 13, 1971).
 */
import { HAND_JOINTS, NUMBERS_PER_HAND_JOINT } from "../../core/teleop/pose.js";
import type { HandSide } from "../../kinematics/allegro/hand.js";
import { multiplyQuat, type Pose, type QuatXyzw, quatFromRpy, rotate } from "../../kinematics/pose.js";
import type { Vector3 } from "../../kinematics/xarm7.js";
import { plus, scaled } from "./stroke.js";

/** Angles of one digit. */
export interface Bend {
  /** At the knuckle: towards the thumb's side, and the turn about its own axis that comes with it. */
  readonly spreadRad: number;
  readonly leanRad: number;
  /** Flexion at the knuckle and at the middle joint; the last joint goes along with the middle one. */
  readonly knuckleRad: number;
  readonly middleRad: number;
}

export const DIGITS = ["thumb", "index", "middle", "ring", "little"] as const;
export type Digit = (typeof DIGITS)[number];
export type Bends = Readonly<Record<Digit, Bend>>;

interface Bones {
  /** Where it begins in the palm, and its knuckle (of the thumb: the joint at the wrist). */
  readonly rootM: Vector3;
  readonly knuckleM: Vector3;
  /** Attitude of the straight digit. */
  readonly rpyRad: Vector3;
  readonly lengthsM: Vector3;
}

const FINGER_BONES: Readonly<Record<Exclude<Digit, "thumb">, Bones>> = {
  index: {
    rootM: [0, 0.014, 0.03],
    knuckleM: [0, 0.024, 0.091],
    rpyRad: [-0.05, 0, 0],
    lengthsM: [0.043, 0.026, 0.021],
  },
  middle: {
    rootM: [0, 0, 0.03],
    knuckleM: [0, 0, 0.094],
    rpyRad: [0, 0, 0],
    lengthsM: [0.046, 0.029, 0.022],
  },
  ring: {
    rootM: [0.002, -0.012, 0.03],
    knuckleM: [0.003, -0.021, 0.088],
    rpyRad: [0.05, 0, 0],
    lengthsM: [0.043, 0.028, 0.022],
  },
  little: {
    rootM: [0.004, -0.022, 0.03],
    knuckleM: [0.006, -0.04, 0.08],
    rpyRad: [0.12, 0, 0],
    lengthsM: [0.034, 0.019, 0.02],
  },
};
const THUMB_BONES: Bones = {
  rootM: [0.012, 0.022, 0.022],
  knuckleM: [0.012, 0.022, 0.022],
  rpyRad: [-0.95, 0.25, 0],
  lengthsM: [0.045, 0.032, 0.026],
};
const BONES: Readonly<Record<Digit, Bones>> = { thumb: THUMB_BONES, ...FINGER_BONES };

/** The last joint bends by this share of the middle one: one tendon bends both. */
const LAST_SHARE = 0.65;
const MIN_RAD: Bend = { spreadRad: -0.4, leanRad: -0.4, knuckleRad: -0.3, middleRad: 0 };
const MAX_RAD: Bend = { spreadRad: 0.4, leanRad: 0.4, knuckleRad: 1.55, middleRad: 1.9 };
const ANGLES = ["spreadRad", "leanRad", "knuckleRad", "middleRad"] as const;
/** What a tip's place leaves open is decided by comfort: this finger, at this price [m/rad]. */
const COMFORTABLE: Bend = { spreadRad: 0, leanRad: 0, knuckleRad: 0.5, middleRad: 0.8 };
const COMFORT_M_PER_RAD: readonly number[] = [2e-3, 2e-3, 5e-4, 5e-4];
const STEP_RAD = 1e-4;
const STEPS = 4;
const RADIUS_M = 0.008;

/** The bones' axes (x out of the palm, z ahead) to WebXR's: y out of the back of the hand, z backwards. */
const TO_WEBXR: QuatXyzw = [Math.SQRT1_2, -Math.SQRT1_2, 0, 0];

/** An open hand at rest: fingers spread, the thumb beside it. */
const openWith = (spreadRad: number): Bend => ({ spreadRad, leanRad: 0, knuckleRad: -0.05, middleRad: 0.08 });
export const OPEN_HAND: Bends = {
  thumb: openWith(0),
  index: openWith(0.16),
  middle: openWith(0),
  ring: openWith(-0.16),
  little: openWith(-0.25),
};

export class PersonHand {
  readonly #side: HandSide;
  readonly #size: number;

  /** @param size against an adult of medium size */
  constructor(side: HandSide, size = 1) {
    this.#side = side;
    this.#size = size;
  }

  /** Frame of the hand [m]. */
  tipM(digit: Digit, bend: Bend): Vector3 {
    return this.#chain(digit, bend).at(-1)!.positionM;
  }

  /**
   * A bend, from a near one, that brings the tip to a place, or as near as the finger goes.
   * @param tipM frame of the hand
   */
  reach(digit: Digit, tipM: Vector3, from: Bend): Bend {
    let bend = from;
    for (let step = 0; step < STEPS; step++) {
      const atM = this.tipM(digit, bend);
      // Rows: the tip's way with each angle, and comfort.
      const columns = ANGLES.map((angle) => {
        const moved = this.tipM(digit, { ...bend, [angle]: bend[angle] + STEP_RAD });
        return moved.map((value, axis) => (value - atM[axis]!) / STEP_RAD);
      });
      const gradient = ANGLES.map((angle, k) => {
        const comfort = COMFORT_M_PER_RAD[k]! ** 2 * (COMFORTABLE[angle] - bend[angle]);
        return columns[k]!.reduce((sum, way, axis) => sum + way * (tipM[axis]! - atM[axis]!), comfort);
      });
      const matrix = columns.map((one, row) =>
        columns.map((other, column) => {
          const product = one.reduce((sum, way, axis) => sum + way * other[axis]!, 0);
          return row === column ? product + COMFORT_M_PER_RAD[row]! ** 2 + DAMPING : product;
        }),
      );
      const change = solved(matrix, gradient);
      bend = bent(bend, (angle, k) => bend[angle] + Math.min(0.3, Math.max(-0.3, change[k]!)));
    }
    return bend;
  }

  /**
   * What a headset sees: (25, 8) flat, as in core/teleop/pose.ts.
   * @param wrist the hand's frame where it is wanted
   */
  joints(bends: Bends, wrist: Pose): number[] {
    const out: number[] = [];
    const put = ({ positionM, quatXyzw }: Pose) => {
      const at = plus(wrist.positionM, rotate(wrist.quatXyzw, positionM));
      const turn = multiplyQuat(multiplyQuat(wrist.quatXyzw, quatXyzw), TO_WEBXR);
      out.push(...at, ...turn, RADIUS_M);
    };
    put({ positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] });
    for (const digit of DIGITS) {
      // The thumb's chain begins with the joint that it has where fingers have their root.
      if (digit !== "thumb") put({ positionM: this.#sized(BONES[digit].rootM), quatXyzw: [0, 0, 0, 1] });
      for (const joint of this.#chain(digit, bends[digit])) put(joint);
    }
    if (out.length !== HAND_JOINTS.length * NUMBERS_PER_HAND_JOINT) throw new Error("a hand has 25 joints");
    return out;
  }

  /** Knuckle, two joints and tip, each with the attitude of the bone after it (the tip: before it). */
  #chain(digit: Digit, { spreadRad, leanRad, knuckleRad, middleRad }: Bend): Pose[] {
    const { knuckleM, rpyRad, lengthsM } = BONES[digit];
    const sign = this.#side === "right" ? 1 : -1;
    const straight = quatFromRpy(sign * rpyRad[0], rpyRad[1], 0);
    const aside = multiplyQuat(quatFromRpy(-sign * spreadRad, 0, 0), quatFromRpy(0, 0, sign * leanRad));
    let quatXyzw = multiplyQuat(straight, aside);
    let positionM = this.#sized(knuckleM);
    const poses: Pose[] = [];
    for (const [index, flexRad] of [knuckleRad, middleRad, LAST_SHARE * middleRad].entries()) {
      quatXyzw = multiplyQuat(quatXyzw, quatFromRpy(0, flexRad, 0));
      poses.push({ positionM, quatXyzw });
      positionM = plus(positionM, scaled(rotate(quatXyzw, [0, 0, 1]), this.#size * lengthsM[index]!));
    }
    return [...poses, { positionM, quatXyzw }];
  }

  #sized([x, y, z]: Vector3): Vector3 {
    return scaled([x, this.#side === "right" ? y : -y, z], this.#size);
  }
}

/** Keeps a step of the finger from being anything when it is straight [m²/rad²]. */
const DAMPING = 4e-6;

/** A bend of these angles, within what a finger can do. */
export function bent(bend: Bend, angleOf: (angle: keyof Bend, place: number) => number): Bend {
  const within = (angle: keyof Bend, place: number) =>
    Math.min(MAX_RAD[angle], Math.max(MIN_RAD[angle], angleOf(angle, place)));
  const [spreadRad, leanRad, knuckleRad, middleRad] = ANGLES.map(within) as [number, number, number, number];
  return { ...bend, spreadRad, leanRad, knuckleRad, middleRad };
}

/** Solves a small symmetric positive definite system by elimination; both arguments are used up. */
function solved(matrix: number[][], right: number[]): number[] {
  const size = right.length;
  for (let pivot = 0; pivot < size; pivot++)
    for (let row = pivot + 1; row < size; row++) {
      const factor = matrix[row]![pivot]! / matrix[pivot]![pivot]!;
      for (let column = pivot; column < size; column++)
        matrix[row]![column]! -= factor * matrix[pivot]![column]!;
      right[row]! -= factor * right[pivot]!;
    }
  const out = new Array<number>(size).fill(0);
  for (let row = size - 1; row >= 0; row--) {
    const known = out.reduce(
      (sum, value, column) => sum + (column > row ? matrix[row]![column]! * value : 0),
      0,
    );
    out[row] = (right[row]! - known) / matrix[row]![row]!;
  }
  return out;
}
