/** What turning a cube over on a hand is about. Palm frame; the palm faces up, so x is up. */
import type { Finger } from "../../kinematics/allegro/hand.js";
import { type QuatXyzw, rotate } from "../../kinematics/pose.js";
import type { Point } from "./toolGoal.js";

const AXES: readonly Point[] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

/** The face of a cube that is up: its normal in the cube's frame. */
export function faceUp(quatXyzw: QuatXyzw): Point {
  const heights = AXES.map((axis) => rotate(quatXyzw, axis)[0]);
  const axis = heights.reduce(
    (best, height, at) => (Math.abs(height) > Math.abs(heights[best]!) ? at : best),
    0,
  );
  const [x, y, z] = AXES[axis]!;
  return heights[axis]! > 0 ? [x, y, z] : [-x, -y, -z];
}

/** How far a face has turned away from looking up [rad]: 0 to pi. */
export const turnedRad = (face: Point, quatXyzw: QuatXyzw): number =>
  Math.acos(Math.min(1, Math.max(-1, rotate(quatXyzw, face)[0])));

/** The two fingers that a cube lies on: those nearest to its middle. The index is at +y of a right hand. */
export const fingersUnder = ([, y]: Point): readonly Finger[] =>
  y > 0 ? ["index", "middle"] : ["middle", "ring"];
