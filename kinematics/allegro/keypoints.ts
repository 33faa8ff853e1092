/**
 * A person's hand for retargeting: WebXR's 25 joints become 21 keypoints (wrist, then thumb, index, middle, ring and
 * little finger with four points each) in the frame of that hand, which has the robot's axes: origin in the wrist, z to
 * the middle finger's knuckle, x out of the palm, y to the thumb's side on a right hand and away from it on a left one.
 *
 * The frame needs positions only, since sources differ in what they call a wrist's attitude: z from wrist and middle
 * knuckle, the palm's plane from wrist, index and middle knuckle. Through three points that plane is exact; it is the
 * one that dex_retargeting's singular value decomposition finds.
 *
 * What is read is judged: a stream of hands has gaps, zeros and nonsense in it. Nothing is thrown, and nothing is allocated
 * unless somebody asks why.
 */
import { HAND_JOINTS, NUMBERS_PER_HAND_JOINT, TRACKED_RANGE_M } from "../../core/teleop/pose.js";
import { measureSegments } from "../segments.js";
import type { HandSide } from "./hand.js";

export const KEYPOINT_COUNT = 21;
/** WebXR joint of each keypoint: all but the metacarpals of the four fingers. */
export const WEBXR_OF_KEYPOINT = [
  0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 21, 22, 23, 24,
] as const;
/** Each keypoint's bone begins at: the wrist for a knuckle, or the point before. */
export const PARENT_OF_KEYPOINT = [
  -1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19,
] as const;
export const KNUCKLES = { index: 5, middle: 9, ring: 13, little: 17 } as const;
export const TIPS = { thumb: 4, index: 8, middle: 12, ring: 16, little: 20 } as const;

export type HandVerdict = "good" | "missing" | "notFinite" | "collapsed" | "impossible";

/** Bones of hands from a child's to the largest known, with room for what trackers make of them [m]. */
const BONE_MIN_M = 0.004;
const PALM_BONE_MAX_M = 0.15;
const BONE_MAX_M = 0.09;
const PALM_MIN_M = 0.04;
/** Sine of the angle, seen from the wrist, between index and middle knuckle; people have 0.2 to 0.35. */
const KNUCKLES_SINE_MIN = 0.05;
/** Of knuckle to tip, along x: 44 degrees behind the palm's plane; further back no finger goes by itself. */
const BACKWARDS_MIN = -0.7;
/** Bones of two fingers are thicker than this together [m]. */
const CROSSING_M = 0.003;

/** Two bones of each digit that cannot pass through those of another; a pinch's last bones may touch. */
const SOLID = [1, 2, 5, 6, 9, 10, 13, 14, 17, 18] as const;
const SOLID_PER_DIGIT = 2;

export class HandKeypoints {
  /** After a good `read`: x y z [m] of each keypoint, frame of the hand. Keeps the last good hand otherwise. */
  readonly pointsM = new Float64Array(3 * KEYPOINT_COUNT);
  verdict: HandVerdict = "missing";

  readonly #rawM = new Float64Array(3 * KEYPOINT_COUNT);
  readonly #handM = new Float64Array(3 * KEYPOINT_COUNT);
  readonly #axes = new Float64Array(9);
  readonly #segmentsM = new Float64Array(6 * SOLID.length);
  readonly #measuredM = new Float64Array(1);
  /** What the verdict is about: numbers for `why`. */
  #rule: Rule = "absent";
  #at = 0;
  #other = 0;
  #found = 0;

  /**
   * @param joints flat, as in `core/teleop/pose.ts`: 8 numbers a joint, of which x y z [m] are used, any frame
   * @returns whether this is a hand; else `verdict` and `why` say what it is
   */
  read(joints: ArrayLike<number> | null | undefined, side: HandSide): boolean {
    if (joints === null || joints === undefined) return this.#refuse("missing", "absent");
    if (joints.length !== HAND_JOINTS.length * NUMBERS_PER_HAND_JOINT)
      return this.#refuse("missing", "length", joints.length);
    for (let k = 0; k < KEYPOINT_COUNT; k++) {
      for (let axis = 0; axis < 3; axis++) {
        const value = joints[NUMBERS_PER_HAND_JOINT * WEBXR_OF_KEYPOINT[k]! + axis]!;
        if (!(Math.abs(value) <= TRACKED_RANGE_M)) return this.#refuse("notFinite", "number", value, k);
        this.#rawM[3 * k + axis] = value;
      }
    }
    if (!this.#hasBones() || !this.#findAxes()) return false;
    this.#turn(side);
    if (!this.#bendsForwards() || !this.#keepsApart()) return false;
    this.pointsM.set(this.#handM);
    this.verdict = "good";
    return true;
  }

  /** What was found and expected, in words; "a hand" when good. */
  get why(): string {
    if (this.verdict === "good") return "a hand";
    const name = (keypoint: number) => HAND_JOINTS[WEBXR_OF_KEYPOINT[keypoint]!]!;
    return SAYINGS[this.#rule](name(this.#at), name(this.#other), this.#found);
  }

  #refuse(verdict: HandVerdict, rule: Rule, found = 0, at = 0, other = 0): false {
    this.verdict = verdict;
    this.#rule = rule;
    this.#found = found;
    this.#at = at;
    this.#other = other;
    return false;
  }

  #hasBones(): boolean {
    const raw = this.#rawM;
    for (let k = 1; k < KEYPOINT_COUNT; k++) {
      const from = PARENT_OF_KEYPOINT[k]!;
      const x = raw[3 * k]! - raw[3 * from]!;
      const y = raw[3 * k + 1]! - raw[3 * from + 1]!;
      const z = raw[3 * k + 2]! - raw[3 * from + 2]!;
      const length = Math.sqrt(x * x + y * y + z * z);
      if (length < BONE_MIN_M) return this.#refuse("collapsed", "short", length, k, from);
      if (length > (from === 0 ? PALM_BONE_MAX_M : BONE_MAX_M))
        return this.#refuse("impossible", "long", length, k, from);
      if (k === KNUCKLES.middle && length < PALM_MIN_M)
        return this.#refuse("collapsed", "palm", length, k, from);
    }
    return true;
  }

  /** Rows of `#axes`: away from the wrist's back to the middle knuckle's, the palm's normal, and radially. */
  #findAxes(): boolean {
    const raw = this.#rawM;
    const m = this.#axes;
    let forward = 0;
    let side = 0;
    let dot = 0;
    for (let axis = 0; axis < 3; axis++) {
      const wrist = raw[axis]!;
      const middle = raw[3 * KNUCKLES.middle + axis]! - wrist;
      const index = raw[3 * KNUCKLES.index + axis]! - wrist;
      m[6 + axis] = middle;
      m[3 + axis] = index;
      forward += middle * middle;
      side += index * index;
      dot += middle * index;
    }
    const sine = Math.sqrt(Math.max(0, 1 - (dot * dot) / (forward * side)));
    // Written so that not-a-number is refused too.
    if (!(sine >= KNUCKLES_SINE_MIN))
      return this.#refuse("collapsed", "line", sine, KNUCKLES.index, KNUCKLES.middle);
    let length = 0;
    for (let axis = 0; axis < 3; axis++) {
      m[3 + axis]! -= (dot / forward) * m[6 + axis]!;
      length += m[3 + axis]! ** 2;
    }
    for (let axis = 0; axis < 3; axis++) {
      m[3 + axis]! /= Math.sqrt(length);
      m[6 + axis]! /= Math.sqrt(forward);
    }
    // x = y × z with y towards the index: out of a right hand's palm.
    m[0] = m[4]! * m[8]! - m[5]! * m[7]!;
    m[1] = m[5]! * m[6]! - m[3]! * m[8]!;
    m[2] = m[3]! * m[7]! - m[4]! * m[6]!;
    return true;
  }

  /** Points minus the wrist, in the hand's frame. A left hand's y points away from its index, and x with it. */
  #turn(side: HandSide): void {
    const sign = side === "right" ? 1 : -1;
    const m = this.#axes;
    const raw = this.#rawM;
    for (let k = 0; k < KEYPOINT_COUNT; k++) {
      const x = raw[3 * k]! - raw[0]!;
      const y = raw[3 * k + 1]! - raw[1]!;
      const z = raw[3 * k + 2]! - raw[2]!;
      this.#handM[3 * k] = sign * (m[0]! * x + m[1]! * y + m[2]! * z);
      this.#handM[3 * k + 1] = sign * (m[3]! * x + m[4]! * y + m[5]! * z);
      this.#handM[3 * k + 2] = m[6]! * x + m[7]! * y + m[8]! * z;
    }
  }

  #bendsForwards(): boolean {
    const hand = this.#handM;
    for (let knuckle = KNUCKLES.index; knuckle <= KNUCKLES.little; knuckle += 4) {
      const tip = knuckle + 3;
      const x = hand[3 * tip]! - hand[3 * knuckle]!;
      const y = hand[3 * tip + 1]! - hand[3 * knuckle + 1]!;
      const z = hand[3 * tip + 2]! - hand[3 * knuckle + 2]!;
      const length = Math.sqrt(x * x + y * y + z * z);
      // A tip that is on its own knuckle has no direction.
      if (x < BACKWARDS_MIN * length && length > BONE_MIN_M)
        return this.#refuse("impossible", "backwards", x / length, tip, knuckle);
    }
    return true;
  }

  #keepsApart(): boolean {
    const ends = this.#segmentsM;
    for (let s = 0; s < SOLID.length; s++) {
      const from = SOLID[s]!;
      for (let i = 0; i < 6; i++) ends[6 * s + i] = this.#handM[3 * from + i]!;
    }
    for (let s = 0; s < SOLID.length; s++) {
      const nextDigit = (Math.floor(s / SOLID_PER_DIGIT) + 1) * SOLID_PER_DIGIT;
      for (let t = nextDigit; t < SOLID.length; t++) {
        measureSegments(ends, 6 * s, 6 * t, this.#measuredM, 0);
        if (this.#measuredM[0]! < CROSSING_M)
          return this.#refuse("impossible", "crossing", this.#measuredM[0], SOLID[s]! + 1, SOLID[t]! + 1);
      }
    }
    return true;
  }
}

type Rule = "absent" | "length" | "number" | "short" | "long" | "palm" | "line" | "backwards" | "crossing";

const mm = (metres: number): string => `${(1000 * metres).toFixed(1)} mm`;
const SAYINGS: Readonly<Record<Rule, (at: string, other: string, found: number) => string>> = {
  absent: () => "the source tracks no hand joints",
  length: (_at, _other, found) =>
    `${found} numbers are there, ${HAND_JOINTS.length * NUMBERS_PER_HAND_JOINT} are expected`,
  number: (at, _other, found) => `${at} is at ${found} m, expected is a number within ±${TRACKED_RANGE_M} m`,
  short: (at, other, found) =>
    `${other} to ${at} is ${mm(found)} long, expected are ${mm(BONE_MIN_M)} or more`,
  long: (at, other, found) =>
    `${other} to ${at} is ${mm(found)} long, expected are at most ${mm(BONE_MAX_M)} (${mm(PALM_BONE_MAX_M)} in the palm)`,
  palm: (at, other, found) =>
    `${other} to ${at} is ${mm(found)} long, expected are ${mm(PALM_MIN_M)} or more`,
  line: (at, other) => `wrist, ${at} and ${other} lie on one line, so the palm has no plane`,
  backwards: (at) => `${at} is bent behind the back of the hand: it may be the other hand`,
  crossing: (at, other, found) =>
    `${at} and ${other} run through each other: their bones are ${mm(found)} apart, expected are ${mm(CROSSING_M)} or more`,
};
