/**
 * Digit's closed loops in a leg whose leaf springs are at rest: which angles of tarsus and toe go with which of the motors,
 * and where the rods point. Knee and achilles rod are a four-bar that keeps the tarsus about parallel to the thigh; two toe
 * motors turn one foot about two axes. Radians and metres; Newton's method on the rods' lengths, so that the only
 * error is the spring's bend.
 */
import { CerebellumError } from "../../core/errors.js";
import {
  compose,
  conjugate,
  IDENTITY_POSE,
  multiplyQuat,
  type Pose,
  type QuatXyzw,
  rotate,
  transformPoint,
} from "../pose.js";
import type { Vector3 } from "../xarm7.js";
import { DIGIT_LOOPS, type DigitLoop, digitBody, type Side } from "./bodies.js";

/** Of joints by their name without the side; one that is absent is at zero. */
export type LegAngles = Readonly<Partial<Record<string, number>>>;

export interface PassiveLeg {
  readonly tarsusRad: number;
  readonly toePitchRad: number;
  readonly toeRollRad: number;
}

/** @throws CerebellumError CHECK_FAILED where the rods do not reach: such a pose cannot be */
export function closeLeg(side: Side, kneeRad: number, toeARad: number, toeBRad: number): PassiveLeg {
  const heel = rodOf(side, "achilles_rod");
  const tarsusRad = solve1(`${side} heel`, -kneeRad, (tarsus) => heel.stretchM({ knee: kneeRad, tarsus }));
  const rodA = rodOf(side, "toe_A_rod");
  const rodB = rodOf(side, "toe_B_rod");
  const [toePitchRad, toeRollRad] = solve2(
    `${side} toe`,
    [-0.52 * (toeARad - toeBRad), 1.66 * (toeARad + toeBRad)],
    (pitch, roll) => {
      const angles = { toe_A: toeARad, toe_B: toeBRad, toe_pitch: pitch, toe_roll: roll };
      return [rodA.stretchM(angles), rodB.stretchM(angles)];
    },
  );
  return { tarsusRad, toePitchRad, toeRollRad };
}

/** The motors' angles that turn a foot to this pitch and roll. */
export function toeMotors(
  side: Side,
  toePitchRad: number,
  toeRollRad: number,
): { toeARad: number; toeBRad: number } {
  const solve = (motor: string, guessRad: number): number => {
    const rod = rodOf(side, `${motor}_rod`);
    return solve1(`${side} ${motor}`, guessRad, (angle) =>
      rod.stretchM({ [motor]: angle, toe_pitch: toePitchRad, toe_roll: toeRollRad }),
    );
  };
  return {
    toeARad: solve("toe_A", -0.957 * toePitchRad + 0.3 * toeRollRad),
    toeBRad: solve("toe_B", 0.957 * toePitchRad + 0.304 * toeRollRad),
  };
}

/** Angle that a rod's ball joint has, so that its end is at its anchor: a turn from where the rod is at zero angles. */
export function rodTurn(side: Side, rod: string, angles: LegAngles): QuatXyzw {
  const { quatXyzw } = digitBody(`${side}_${rod}`);
  const own = rodOf(side, rod);
  const toRod = conjugate(quatXyzw);
  return shortestTurn(rotate(toRod, own.alongM({})), rotate(toRod, own.alongM(angles)));
}

class Rod {
  readonly #side: Side;
  readonly #loop: DigitLoop;
  readonly #parent: readonly string[];
  readonly #far: readonly string[];
  readonly #startM: Vector3;
  readonly #lengthM: number;

  constructor(side: Side, loop: DigitLoop) {
    this.#side = side;
    this.#loop = loop;
    const rod = digitBody(loop.rod);
    const near = ancestors(rod.parent!);
    const far = ancestors(loop.body);
    const shared = near.findLastIndex((name, index) => far[index] === name);
    this.#parent = near.slice(shared + 1);
    this.#far = far.slice(shared + 1);
    this.#startM = rod.positionM;
    this.#lengthM = Math.hypot(...this.alongM({}));
  }

  /** How much farther the anchor is than the rod is long. */
  stretchM(angles: LegAngles): number {
    return Math.hypot(...this.alongM(angles)) - this.#lengthM;
  }

  /** From the rod's start to the anchor, in the frame of the rod's parent. */
  alongM(angles: LegAngles): Vector3 {
    const [px, py, pz] = transformPoint(this.#chain(this.#parent, angles), this.#startM);
    const [ax, ay, az] = transformPoint(this.#chain(this.#far, angles), this.#loop.anchorM);
    return rotate(conjugate(this.#chain(this.#parent, angles).quatXyzw), [ax - px, ay - py, az - pz]);
  }

  #chain(bodies: readonly string[], angles: LegAngles): Pose {
    return bodies.reduce((pose, name) => {
      const { positionM, quatXyzw, joint } = digitBody(name);
      const angle = angles[name.slice(this.#side.length + 1)] ?? 0;
      const half = (angle * (joint?.kind === "hinge" ? joint.axisZ : 1)) / 2;
      const turned = multiplyQuat(quatXyzw, [0, 0, Math.sin(half), Math.cos(half)]);
      return compose(pose, { positionM, quatXyzw: turned });
    }, IDENTITY_POSE);
  }
}

/** From the torso's child down to the body itself. */
function ancestors(name: string): string[] {
  const { parent } = digitBody(name);
  return parent === undefined ? [] : [...ancestors(parent), name];
}

const rods = new Map<string, Rod>();
function rodOf(side: Side, rod: string): Rod {
  const name = `${side}_${rod}`;
  let known = rods.get(name);
  if (known === undefined) {
    known = new Rod(side, DIGIT_LOOPS.find((loop) => loop.rod === name)!);
    rods.set(name, known);
  }
  return known;
}

const STEPS_MAX = 30;
const TOLERANCE_M = 1e-12;
const PROBE_RAD = 1e-6;

function solve1(what: string, guess: number, errorM: (rad: number) => number): number {
  let rad = guess;
  for (let step = 0; step < STEPS_MAX; step++) {
    const now = errorM(rad);
    if (Math.abs(now) < TOLERANCE_M) return rad;
    const slope = (errorM(rad + PROBE_RAD) - errorM(rad - PROBE_RAD)) / (2 * PROBE_RAD);
    rad -= bounded(now / slope);
  }
  throw cannotClose(what);
}

function solve2(
  what: string,
  guess: readonly [number, number],
  errorsM: (first: number, second: number) => readonly [number, number],
): readonly [number, number] {
  let [first, second] = guess;
  for (let step = 0; step < STEPS_MAX; step++) {
    const [a, b] = errorsM(first, second);
    if (Math.hypot(a, b) < TOLERANCE_M) return [first, second];
    const [aHigh, bHigh] = errorsM(first + PROBE_RAD, second);
    const [aLow, bLow] = errorsM(first - PROBE_RAD, second);
    const [aUp, bUp] = errorsM(first, second + PROBE_RAD);
    const [aDown, bDown] = errorsM(first, second - PROBE_RAD);
    const [a1, b1, a2, b2] = [aHigh - aLow, bHigh - bLow, aUp - aDown, bUp - bDown].map(
      (difference) => difference / (2 * PROBE_RAD),
    ) as [number, number, number, number];
    const determinant = a1 * b2 - a2 * b1;
    first -= bounded((a * b2 - b * a2) / determinant);
    second -= bounded((a1 * b - b1 * a) / determinant);
  }
  throw cannotClose(what);
}

/** A step of Newton's method that leaves the neighbourhood of the guess would find another way to close the loop. */
const bounded = (stepRad: number): number => Math.max(-0.2, Math.min(0.2, stepRad));

const cannotClose = (what: string): CerebellumError =>
  new CerebellumError(
    "CHECK_FAILED",
    `no angles close Digit's loop at the ${what} in this pose: the rod is too short or too long`,
    "Ask for a pose inside the motors' ranges and near the standing ones",
  );

function shortestTurn(from: Vector3, to: Vector3): QuatXyzw {
  const scale = 1 / (Math.hypot(...from) * Math.hypot(...to));
  const [x, y, z] = [
    from[1] * to[2] - from[2] * to[1],
    from[2] * to[0] - from[0] * to[2],
    from[0] * to[1] - from[1] * to[0],
  ].map((value) => value * scale) as [number, number, number];
  const w = 1 + scale * (from[0] * to[0] + from[1] * to[1] + from[2] * to[2]);
  const norm = Math.hypot(x, y, z, w);
  return [x / norm, y / norm, z / norm, w / norm];
}
