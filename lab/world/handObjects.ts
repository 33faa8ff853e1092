/**
 * The things that lie on a hand's palm in the lab: those that FingerReach is trained with, others of other shapes and
 * colours that it has never seen, and the cubes of CubeFlip. Each is one body of a few pieces. Its frame has its origin
 * half way up in the middle of what it stands on, and z up as it lies at rest.
 */
import {
  IDENTITY_POSE,
  type Pose,
  type QuatXyzw,
  quatFromRpy,
  transformPoint,
} from "../../kinematics/pose.js";
import type { Vec3 } from "./scene.js";

export interface HandObjectPiece {
  readonly kind: "box" | "capsule";
  /** Half sizes of a box; radius, half length along z without the round ends, and nothing (0) of a capsule [m]. */
  readonly sizeM: Vec3;
  readonly positionM: Vec3;
  readonly quatXyzw?: QuatXyzw;
  /** Linear, 0 to 1. */
  readonly colour: Vec3;
}

export interface HandObject {
  readonly name: string;
  /** Whether policies are trained with it. */
  readonly seen: boolean;
  readonly massKg: number;
  /** One to `OBJECT_PIECES_MAX`. */
  readonly pieces: readonly HandObjectPiece[];
  /** Middle of its upper side, own frame [m]. */
  readonly topM: Vec3;
}

export const OBJECT_PIECES_MAX = 4;

type Numbers3 = readonly [number, number, number];
/** A piece as it is built: sizes and places in millimetres, heights from the ground. */
type Draft = (heightMm: number) => { piece: HandObjectPiece; topMm: Numbers3 };

const millimetres = ([x, y, z]: Numbers3): Vec3 => [x / 1000, y / 1000, z / 1000];

/** @param size width, depth, height @param at x, y of the middle, z of the lower side */
const box =
  (size: Numbers3, [x, y, z]: Numbers3, colour: Vec3, turnDeg = 0): Draft =>
  (heightMm) => ({
    piece: {
      kind: "box",
      sizeM: millimetres([size[0] / 2, size[1] / 2, size[2] / 2]),
      positionM: millimetres([x, y, z + size[2] / 2 - heightMm / 2]),
      ...(turnDeg === 0 ? {} : { quatXyzw: quatFromRpy(0, 0, (turnDeg * Math.PI) / 180) }),
      colour,
    },
    topMm: [x, y, z + size[2]],
  });

/** A lying roll with round ends along x, or along y. @param lengthMm over all @param at middle, z of the lower side */
const roll =
  (radiusMm: number, lengthMm: number, [x, y, z]: Numbers3, colour: Vec3, along: "x" | "y" = "x"): Draft =>
  (heightMm) => ({
    piece: {
      kind: "capsule",
      sizeM: millimetres([radiusMm, lengthMm / 2 - radiusMm, 0]),
      positionM: millimetres([x, y, z + radiusMm - heightMm / 2]),
      quatXyzw: along === "x" ? quatFromRpy(0, Math.PI / 2, 0) : quatFromRpy(Math.PI / 2, 0, 0),
      colour,
    },
    topMm: [x, y, z + 2 * radiusMm],
  });

/** A drum: an octagon of two boxes. */
const drum = (widthMm: number, lengthMm: number, at: Numbers3, colour: Vec3): Draft[] =>
  [0, 45].map((turnDeg) => box([widthMm, widthMm, lengthMm], at, colour, turnDeg));

function object(name: string, massKg: number, seen: boolean, ...drafts: readonly Draft[]): HandObject {
  const tops = drafts.map((draft) => draft(0).topMm);
  const heightMm = Math.max(...tops.map(([, , z]) => z));
  const [x, y] = tops.find(([, , z]) => z === heightMm)!;
  return {
    name,
    seen,
    massKg,
    pieces: drafts.map((draft) => draft(heightMm).piece),
    topM: millimetres([x, y, heightMm / 2]),
  };
}

const RED: Vec3 = [0.82, 0.08, 0.08];
const BLUE: Vec3 = [0.1, 0.2, 0.8];
const GREEN: Vec3 = [0.1, 0.6, 0.15];
const YELLOW: Vec3 = [0.9, 0.78, 0.1];
const ORANGE: Vec3 = [0.9, 0.4, 0.05];
const PURPLE: Vec3 = [0.5, 0.15, 0.65];
const CYAN: Vec3 = [0.1, 0.62, 0.68];
const WHITE: Vec3 = [0.9, 0.9, 0.9];

const seenAs = (name: string, massKg: number, ...drafts: readonly Draft[]) =>
  object(name, massKg, true, ...drafts);
const unseenAs = (name: string, massKg: number, ...drafts: readonly Draft[]) =>
  object(name, massKg, false, ...drafts);

/** Of FingerReach. Footprints are 26 to 48 mm, heights 24 to 48 mm. */
const SEEN_OBJECTS: readonly HandObject[] = [
  seenAs("red-brick", 0.05, box([32, 32, 30], [0, 0, 0], RED)),
  seenAs("blue-bar", 0.05, box([46, 22, 26], [0, 0, 0], BLUE)),
  seenAs("green-tower", 0.05, box([28, 28, 46], [0, 0, 0], GREEN)),
  seenAs("yellow-drum", 0.05, ...drum(31, 34, [0, 0, 0], YELLOW)),
  seenAs("orange-steps", 0.05, box([40, 30, 20], [0, 0, 0], ORANGE), box([22, 30, 20], [-9, 0, 20], ORANGE)),
  seenAs("purple-tee", 0.05, box([18, 30, 26], [0, 0, 0], PURPLE), box([44, 30, 14], [0, 0, 26], PURPLE)),
  seenAs("cyan-ell", 0.05, box([42, 26, 16], [0, 0, 0], CYAN), box([18, 26, 26], [-12, 0, 16], CYAN)),
  seenAs(
    "white-pyramid",
    0.05,
    box([42, 42, 12], [0, 0, 0], WHITE),
    box([30, 30, 12], [0, 0, 12], WHITE),
    box([18, 18, 12], [0, 0, 24], WHITE),
  ),
];

const PINK: Vec3 = [0.9, 0.4, 0.55];
const BROWN: Vec3 = [0.4, 0.22, 0.1];
const LIME: Vec3 = [0.6, 0.85, 0.1];
const NAVY: Vec3 = [0.05, 0.07, 0.3];
const TEAL: Vec3 = [0.05, 0.4, 0.38];
const GREY: Vec3 = [0.45, 0.45, 0.47];
const BLACK: Vec3 = [0.06, 0.06, 0.07];
const SALMON: Vec3 = [0.92, 0.5, 0.4];
const GOLD: Vec3 = [0.75, 0.55, 0.15];
const MAROON: Vec3 = [0.4, 0.05, 0.1];
const MINT: Vec3 = [0.5, 0.85, 0.65];
const VIOLET: Vec3 = [0.65, 0.45, 0.9];
const BEIGE: Vec3 = [0.8, 0.7, 0.52];
const OLIVE: Vec3 = [0.4, 0.42, 0.12];
const MAGENTA: Vec3 = [0.85, 0.1, 0.6];
const SKY: Vec3 = [0.45, 0.7, 0.92];

const UNSEEN_OBJECTS: readonly HandObject[] = [
  unseenAs("pink-mug", 0.06, ...drum(30, 36, [0, 0, 0], PINK), box([14, 8, 22], [22, 0, 7], PINK)),
  unseenAs("brown-cup", 0.06, ...drum(26, 28, [0, 0, 0], BROWN), box([12, 6, 16], [19, 0, 6], BEIGE)),
  unseenAs("lime-cross", 0.05, box([46, 16, 28], [0, 0, 0], LIME), box([16, 46, 28], [0, 0, 0], LIME)),
  unseenAs(
    "navy-arch",
    0.05,
    box([12, 28, 24], [-16, 0, 0], NAVY),
    box([12, 28, 24], [16, 0, 0], NAVY),
    box([44, 28, 14], [0, 0, 24], NAVY),
  ),
  unseenAs("teal-house", 0.05, box([34, 30, 24], [0, 0, 0], TEAL), box([22, 30, 10], [0, 0, 24], MAROON)),
  unseenAs(
    "grey-hourglass",
    0.06,
    box([34, 34, 12], [0, 0, 0], GREY),
    box([16, 16, 14], [0, 0, 12], GREY),
    box([34, 34, 12], [0, 0, 26], GREY),
  ),
  unseenAs("black-post", 0.04, box([24, 24, 48], [0, 0, 0], BLACK)),
  unseenAs("salmon-mushroom", 0.05, ...drum(22, 22, [0, 0, 0], BEIGE), ...drum(34, 16, [0, 0, 22], SALMON)),
  unseenAs("gold-log", 0.05, box([34, 22, 12], [0, 0, 0], BROWN), roll(11, 46, [0, 0, 10], GOLD)),
  unseenAs(
    "maroon-logs",
    0.05,
    roll(10, 44, [0, -10, 0], MAROON),
    roll(10, 44, [0, 10, 0], MAROON),
    roll(10, 40, [0, 0, 16], MAROON),
  ),
  unseenAs("mint-slab", 0.05, box([44, 40, 24], [0, 0, 0], MINT)),
  unseenAs(
    "violet-zed",
    0.05,
    box([34, 24, 16], [7, 0, 0], VIOLET),
    box([16, 24, 12], [0, 0, 16], VIOLET),
    box([30, 24, 14], [-5, 0, 28], VIOLET),
  ),
  unseenAs(
    "beige-tub",
    0.05,
    box([40, 30, 26], [0, 0, 0], BEIGE),
    box([40, 8, 10], [0, 14, 26], OLIVE),
    box([40, 8, 10], [0, -14, 26], OLIVE),
    box([24, 20, 12], [0, 0, 26], BEIGE),
  ),
  unseenAs("olive-tank", 0.06, box([44, 32, 20], [0, 0, 0], OLIVE), ...drum(20, 14, [-4, 0, 20], OLIVE)),
  unseenAs(
    "magenta-wedge",
    0.05,
    box([36, 28, 10], [0, 0, 0], MAGENTA),
    box([26, 28, 10], [-5, 0, 10], MAGENTA),
    box([16, 28, 10], [-10, 0, 20], MAGENTA),
  ),
  unseenAs("sky-tower", 0.05, ...drum(24, 44, [0, 0, 0], SKY)),
  unseenAs(
    "grey-aitch",
    0.05,
    box([12, 40, 32], [-14, 0, 0], GREY),
    box([12, 40, 32], [14, 0, 0], GREY),
    box([20, 16, 36], [0, 0, 0], GREY),
  ),
  unseenAs("black-plus", 0.05, box([40, 14, 36], [0, 0, 0], BLACK), box([14, 40, 36], [0, 0, 0], YELLOW)),
  unseenAs("pink-ziggurat", 0.05, box([40, 40, 18], [0, 0, 0], PINK), box([20, 20, 18], [0, 0, 18], MAGENTA)),
  unseenAs(
    "lime-bench",
    0.05,
    box([48, 20, 10], [0, 0, 20], LIME),
    box([10, 20, 20], [-16, 0, 0], BROWN),
    box([10, 20, 20], [16, 0, 0], BROWN),
  ),
  unseenAs("navy-bolt", 0.06, ...drum(36, 14, [0, 0, 0], NAVY), ...drum(18, 22, [0, 0, 14], GREY)),
  unseenAs("teal-cube", 0.05, box([36, 36, 36], [0, 0, 0], TEAL)),
  unseenAs("gold-brick", 0.06, box([48, 26, 32], [0, 0, 0], GOLD)),
  unseenAs("mint-chair", 0.05, box([30, 30, 22], [0, 0, 0], MINT), box([10, 30, 24], [-10, 0, 22], TEAL)),
];

/** Of CubeFlip; edges of 36 to 46 mm. */
const cube = (name: string, seen: boolean, edgeMm: number, colour: Vec3): HandObject =>
  object(name, 0.05, seen, box([edgeMm, edgeMm, edgeMm], [0, 0, 0], colour));
export const FLIP_CUBES: readonly HandObject[] = [
  cube("cube-36-orange", true, 36, ORANGE),
  cube("cube-38-blue", true, 38, BLUE),
  cube("cube-40-red", true, 40, RED),
  cube("cube-42-green", true, 42, GREEN),
  cube("cube-44-yellow", true, 44, YELLOW),
  cube("cube-46-purple", true, 46, PURPLE),
];

export const REACH_OBJECTS: readonly HandObject[] = [...SEEN_OBJECTS, ...UNSEEN_OBJECTS];
export const HAND_OBJECTS: readonly HandObject[] = [...REACH_OBJECTS, ...FLIP_CUBES];

/** Where tasks put the middle of a thing: y and z [m] in the palm's frame, and its heading about the palm's x [rad]. */
export interface PalmPatch {
  readonly y: readonly [number, number];
  readonly z: readonly [number, number];
  readonly yawRad: readonly [number, number];
}

/** On the palm below the index finger, as far as its tip comes down on what lies there. */
export const REACH_PATCH: PalmPatch = { y: [0.01, 0.046], z: [-0.038, 0.002], yawRad: [-Math.PI, Math.PI] };
/** On the first links of index, middle and ring finger, which stand level with the palm. */
export const FLIP_PATCH: PalmPatch = { y: [-0.035, 0.035], z: [0.024, 0.046], yawRad: [-0.7, 0.7] };

/** Middle of an object's upper side, where the object is [m]. @param pose of the object */
export const topOf = ({ topM }: HandObject, pose: Pose = IDENTITY_POSE): Vec3 => transformPoint(pose, topM);
