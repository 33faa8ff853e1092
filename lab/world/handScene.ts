/**
 * What the simulated palm looks like and what lies on it, drawn from one seed: light, surfaces, the object, its place,
 * and how far the camera is from where the cell file puts it. Places are in the palm's frame, x out of the palm.
 */

import { CerebellumError } from "../../core/errors.js";
import type { HandSide } from "../../kinematics/allegro/hand.js";
import { compose, type Pose, type QuatXyzw, quatFromRpy, rotate } from "../../kinematics/pose.js";
import {
  HAND_OBJECTS,
  type HandObject,
  type HandObjectPiece,
  REACH_OBJECTS,
  REACH_PATCH,
} from "./handObjects.js";
import { Random } from "./random.js";
import { drawLook, FULL_LOOK, type SceneLook, type SceneOptions, type Vec3 } from "./scene.js";

export interface HandSceneRequest {
  readonly props: "palm";
  readonly seed: number;
  /** Name of the object; drawn from those that policies are trained with when absent. */
  readonly object?: string | undefined;
  /** y, z of the object's centre [m], palm frame; drawn from the patch when absent. */
  readonly placeM?: readonly [number, number] | undefined;
  /** Of the hand: what is drawn for a left one is mirrored. Right when absent. */
  readonly side?: HandSide | undefined;
  /** About the palm's x axis [rad]; drawn when absent. */
  readonly yawRad?: number | undefined;
  readonly light: "training" | "changed";
}

export interface HandScene extends SceneLook {
  readonly props: "palm";
  readonly object: HandObject;
  readonly placeM: readonly [number, number];
  readonly yawRad: number;
}

/** The palm's upper side [m], along its x axis: what `kinematics/allegro/links.ts` gives for every hand. */
export const TOP_OF_PALM_M = 0.0111;
/** An object begins so much above the palm: nothing is pressed into anything. */
const GAP_M = 0.0002;

/** @throws CerebellumError LAB_REFUSED for an object that nobody knows */
export function drawHandScene(request: HandSceneRequest, options: SceneOptions = FULL_LOOK): HandScene {
  const random = new Random(request.seed);
  const place = random.fork("object");
  const drawn = place.pick(REACH_OBJECTS.filter(({ seen }) => seen));
  const sign = request.side === "left" ? -1 : 1;
  const drawnM = [sign * place.uniform(...REACH_PATCH.y), place.uniform(...REACH_PATCH.z)] as const;
  const drawnRad = sign * place.uniform(...REACH_PATCH.yawRad);
  return {
    props: "palm",
    ...drawLook(random, request, options),
    object: request.object === undefined ? drawn : objectOf(request.object),
    placeM: request.placeM ?? drawnM,
    yawRad: request.yawRad ?? drawnRad,
  };
}

export function objectOf(name: string): HandObject {
  const found = HAND_OBJECTS.find((object) => object.name === name);
  if (found !== undefined) return found;
  throw new CerebellumError(
    "LAB_REFUSED",
    `No object is called ${name}; there are ${HAND_OBJECTS.map((object) => object.name).join(", ")}`,
    "Name one of them; lab/world/handObjects.ts describes them",
  );
}

/** An object's z is the palm's x, its x the palm's y. */
const LYING: QuatXyzw = [0.5, 0.5, 0.5, 0.5];

/** Where the scene's object begins, palm frame: lying on the palm. */
export function objectStart({ object, placeM, yawRad }: HandScene): Pose {
  const [y, z] = placeM;
  const quatXyzw = compose(
    { positionM: [0, 0, 0], quatXyzw: quatFromRpy(yawRad, 0, 0) },
    { positionM: [0, 0, 0], quatXyzw: LYING },
  ).quatXyzw;
  return { positionM: [TOP_OF_PALM_M + GAP_M - lowestM(object), y, z], quatXyzw };
}

/** Of an object at rest, in its own frame [m]: negative. */
const lowestM = ({ pieces }: HandObject): number =>
  Math.min(...pieces.map((piece) => piece.positionM[2] - reachM(piece, [0, 0, 1])));

/** How far a piece reaches from its middle along a unit vector of the object's frame [m]. */
export function reachM({ kind, sizeM, quatXyzw = [0, 0, 0, 1] }: HandObjectPiece, along: Vec3): number {
  const axes = AXES.map((axis) => dot(rotate(quatXyzw, axis), along));
  if (kind === "capsule") return sizeM[0] + sizeM[1] * Math.abs(axes[2]!);
  return axes.reduce((sum, share, axis) => sum + sizeM[axis]! * Math.abs(share), 0);
}

export const AXES: readonly Vec3[] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
export const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
