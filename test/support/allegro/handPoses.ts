/** A synthetic hand that moves, from the poses of the shared vectors: 21 keypoints in the hand's frame, or WebXR's joints. */
import { readFileSync } from "node:fs";
import { repositoryRootUrl } from "../../../core/entry.js";
import { HAND_JOINTS, NUMBERS_PER_HAND_JOINT } from "../../../core/teleop/pose.js";
import { HAND_JOINT_COUNT, type HandSide } from "../../../kinematics/allegro/hand.js";
import {
  KEYPOINT_COUNT,
  PARENT_OF_KEYPOINT,
  WEBXR_OF_KEYPOINT,
} from "../../../kinematics/allegro/keypoints.js";
import { type QuatXyzw, rotate } from "../../../kinematics/pose.js";
import type { Vector3 } from "../../../kinematics/xarm7.js";

/** One solve of dex_retargeting 0.4.6 on the dex-urdf hands, tips at the ends of the balls, converged. */
export interface ReferenceCase {
  readonly tag: string;
  readonly side: HandSide;
  readonly type: "vector" | "dexpilot";
  readonly pose: string;
  readonly keypoints21: Vector3[];
  readonly q_wire_order: number[];
  readonly robot_tip_vectors_from_wrist: Record<"index" | "middle" | "ring" | "thumb", Vector3>;
  readonly projected: boolean[] | null;
  readonly ref: Vector3[];
  readonly final_objective: number;
}

export const REFERENCE_CASES: readonly ReferenceCase[] = (
  JSON.parse(
    readFileSync(new URL("kinematics/vectors/allegro/dex_retargeting.json", repositoryRootUrl()), "utf8"),
  ) as { cases: ReferenceCase[] }
).cases;

/** A right hand in one of the poses of the vectors; (21, 3) [m]. */
export function handPose(pose: string): Float64Array {
  const found = REFERENCE_CASES.find((each) => each.pose === pose && each.side === "right");
  if (found === undefined) throw new Error(`the vectors have no right hand in pose ${pose}`);
  return Float64Array.from(found.keypoints21.flat());
}

/** Between two poses: every bone keeps the length it has in `one` and turns the shorter way. 0 <= share <= 1. */
export function blend(one: Float64Array, other: Float64Array, share: number): Float64Array {
  const out = new Float64Array(3 * KEYPOINT_COUNT);
  for (let k = 1; k < KEYPOINT_COUNT; k++) {
    const from = 3 * PARENT_OF_KEYPOINT[k]!;
    const bone = (hand: Float64Array) => [0, 1, 2].map((axis) => hand[3 * k + axis]! - hand[from + axis]!);
    const [a, b] = [bone(one), bone(other)];
    const [lengthA, lengthB] = [Math.hypot(...a), Math.hypot(...b)];
    const mixed = a.map((value, axis) => ((1 - share) * value) / lengthA + (share * b[axis]!) / lengthB);
    const length = Math.hypot(...mixed);
    for (let axis = 0; axis < 3; axis++)
      out[3 * k + axis] = out[from + axis]! + (lengthA * mixed[axis]!) / length;
  }
  return out;
}

/** Mirrored: a right hand as a left one. */
export const mirrored = (hand: Float64Array): Float64Array =>
  hand.map((value, i) => (i % 3 === 1 ? 0 - value : value));

/** As WebXR gives it, anywhere in a room; metacarpals that keypoints lack lie between wrist and knuckle. */
export function webxrJoints(
  hand: Float64Array,
  positionM: Vector3 = [0.2, 1.1, -0.4],
  quatXyzw: QuatXyzw = [0.1, 0.7, -0.1, 0.7],
): number[] {
  const norm = Math.hypot(...quatXyzw);
  const turn = quatXyzw.map((value) => value / norm) as unknown as QuatXyzw;
  const points: Vector3[] = Array.from({ length: HAND_JOINTS.length }, () => [0, 0, 0]);
  WEBXR_OF_KEYPOINT.forEach((joint, k) => {
    points[joint] = [hand[3 * k]!, hand[3 * k + 1]!, hand[3 * k + 2]!];
  });
  for (const metacarpal of [5, 10, 15, 20])
    points[metacarpal] = points[metacarpal + 1]!.map((value) => 0.3 * value) as unknown as Vector3;
  return points.flatMap((point) => {
    const [x, y, z] = rotate(turn, point);
    const numbers = [x + positionM[0], y + positionM[1], z + positionM[2], ...turn, 0.008];
    if (numbers.length !== NUMBERS_PER_HAND_JOINT) throw new Error("not a WebXR joint");
    return numbers;
  });
}

/** Small and seeded (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The largest change of any of the sixteen joints [rad]. */
export function largestStep(before: Float64Array, after: Float64Array): number {
  let most = 0;
  for (let joint = 0; joint < HAND_JOINT_COUNT; joint++)
    most = Math.max(most, Math.abs(after[joint]! - before[joint]!));
  return most;
}
