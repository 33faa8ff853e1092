/**
 * Digit V3 as data: 37 bodies in one table that the lab's MJCF, the closed loops and the URDF read. Metres, radians,
 * kilograms. The right side is the left one mirrored in y.
 *
 * Frames: a body's frame is its parent's moved by `positionM`, turned by `quatXyzw` and then by the joint about its own
 * z axis. The base frame is the torso's: x forward, y left, z up.
 */
import { invariant } from "../../core/errors.js";
import { multiplyQuat, type QuatXyzw } from "../pose.js";
import type { Inertial, Vector3 } from "../xarm7.js";
import { type BallRow, type BodyRow, type HingeRow, LEFT_BODIES, type Moments, TORSO } from "./leftBodies.js";
import { LEFT_SOLIDS, type SolidRow, TORSO_SOLIDS } from "./leftShapes.js";

export const DIGIT_BASE = "base";

export interface DigitHinge extends Omit<HingeRow, "rangeDeg"> {
  /** Undefined where only a spring holds the joint. */
  readonly rangeRad: readonly [minRad: number, maxRad: number] | undefined;
}
export type DigitJoint = DigitHinge | BallRow;

export type DigitSolid =
  | {
      readonly kind: "box";
      readonly halfSizeM: Vector3;
      readonly positionM: Vector3;
      readonly quatXyzw: QuatXyzw;
    }
  /** Along its own z axis; `halfLengthM` is of the straight part, 0 for a ball. */
  | {
      readonly kind: "capsule";
      readonly radiusM: number;
      readonly halfLengthM: number;
      readonly positionM: Vector3;
      readonly quatXyzw: QuatXyzw;
    };

export interface DigitBody {
  /** A body has the name of its joint. */
  readonly name: string;
  /** Undefined for the torso. */
  readonly parent: string | undefined;
  readonly positionM: Vector3;
  readonly quatXyzw: QuatXyzw;
  /** Undefined for the torso, which floats. */
  readonly joint: DigitJoint | undefined;
  readonly inertial: Inertial;
  readonly solids: readonly DigitSolid[];
}

export type Side = "left" | "right";
export const SIDES: readonly Side[] = ["left", "right"];

/** A rod's ball joint at one end closes a loop at the other: `anchorM` of `body` is where the rod ends. */
export interface DigitLoop {
  readonly rod: string;
  readonly body: string;
  readonly anchorM: Vector3;
}

const LEFT_LOOPS: readonly DigitLoop[] = [
  { rod: "achilles_rod", body: "heel_spring", anchorM: [0.113789, -0.011056, 0] },
  { rod: "toe_A_rod", body: "toe_roll", anchorM: [0.0179, -0.009551, -0.054164] },
  { rod: "toe_B_rod", body: "toe_roll", anchorM: [-0.0181, -0.009551, -0.054164] },
];

/** Rotation about x, then the new y, then the newest z. */
export function quatFromEulerDeg([x, y, z]: Vector3): QuatXyzw {
  const [a, b, c] = [x, y, z].map((deg) => (deg * Math.PI) / 360) as [number, number, number];
  return multiplyQuat(multiplyQuat([Math.sin(a), 0, 0, Math.cos(a)], [0, Math.sin(b), 0, Math.cos(b)]), [
    0,
    0,
    Math.sin(c),
    Math.cos(c),
  ]);
}

const mirrorPoint = (side: Side, [x, y, z]: Vector3): Vector3 => (side === "left" ? [x, y, z] : [x, -y, z]);
const mirrorEuler = (side: Side, [x, y, z]: Vector3): Vector3 => (side === "left" ? [x, y, z] : [-x, y, -z]);
const mirrorMoments = (side: Side, [xx, yy, zz, xy, xz, yz]: Moments): Moments =>
  side === "left" ? [xx, yy, zz, xy, xz, yz] : [xx, yy, zz, -xy, xz, -yz];

const sided = (side: Side, name: string): string => (name === DIGIT_BASE ? name : `${side}_${name}`);

function bodyOf(side: Side, row: BodyRow): DigitBody {
  return {
    name: sided(side, row.name),
    parent: sided(side, row.parent),
    positionM: mirrorPoint(side, row.positionM),
    quatXyzw: quatFromEulerDeg(mirrorEuler(side, row.eulerDeg)),
    joint: row.joint.kind === "ball" ? row.joint : hingeOf(side, row.joint),
    inertial: {
      massKg: row.massKg,
      centreOfMassM: mirrorPoint(side, row.centreOfMassM),
      inertiaKgM2: mirrorMoments(side, row.inertiaKgM2),
    },
    solids: LEFT_SOLIDS.filter(({ body }) => body === row.name).map((solid) => solidOf(side, solid)),
  };
}

function hingeOf(side: Side, { rangeDeg, ...rest }: HingeRow): DigitHinge {
  if (rangeDeg === undefined) return { ...rest, rangeRad: undefined };
  const [min, max] = rangeDeg.map((deg) => (deg * Math.PI) / 180) as [number, number];
  return { ...rest, rangeRad: side === "left" ? [min, max] : [-max, -min] };
}

function solidOf(side: Side, { body: _, eulerDeg, ...solid }: SolidRow): DigitSolid {
  return {
    ...solid,
    positionM: mirrorPoint(side, solid.positionM),
    quatXyzw: quatFromEulerDeg(mirrorEuler(side, eulerDeg)),
  };
}

/** Parents before children: the torso, the left side, the right side. */
export const DIGIT_BODIES: readonly DigitBody[] = [
  {
    name: DIGIT_BASE,
    parent: undefined,
    positionM: [0, 0, 0],
    quatXyzw: [0, 0, 0, 1],
    joint: undefined,
    inertial: TORSO,
    solids: TORSO_SOLIDS.map((solid) => solidOf("left", solid)),
  },
  ...SIDES.flatMap((side) => LEFT_BODIES.map((row) => bodyOf(side, row))),
];

/** Left, right; each the heel's, then the toe's two. */
export const DIGIT_LOOPS: readonly DigitLoop[] = SIDES.flatMap((side) =>
  LEFT_LOOPS.map(({ rod, body, anchorM }) => ({
    rod: sided(side, rod),
    body: sided(side, body),
    anchorM: mirrorPoint(side, anchorM),
  })),
);

export const DIGIT_MASS_KG = DIGIT_BODIES.reduce((sum, { inertial }) => sum + inertial.massKg, 0);

const byName = new Map(DIGIT_BODIES.map((body) => [body.name, body]));

export function digitBody(name: string): DigitBody {
  const body = byName.get(name);
  invariant(body !== undefined, `Digit has a body ${name}`);
  return body;
}

/** Of a joint that has stops [rad]. */
export function rangeRadOf(name: string): readonly [number, number] {
  const { joint } = digitBody(name);
  invariant(joint?.kind === "hinge" && joint.rangeRad !== undefined, `${name} has a range`);
  return joint.rangeRad;
}
