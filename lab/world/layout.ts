/**
 * Where each number of MuJoCo's vectors is, computed from a world's parts: the arm's joints, its gripper's linkage, the
 * hand's joints, 7 numbers of position (6 of velocity) for each thing that lies free, then the hinges of things that stand.
 * Motors come in the same order.
 */
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { XARM7_JOINT_COUNT } from "../../kinematics/xarm7.js";
import { GRIPPER_JOINTS } from "../../kinematics/xarmGripper.js";
import type { WorldParts } from "./parts.js";
import { tableOf } from "./tables.js";

export interface WorldLayout {
  /** Of the arm, which comes first: 7, or 0 without one. */
  readonly armJoints: number;
  /** First joint of the gripper's linkage, which its motor drives; and how many there are. */
  readonly driveIndex: number;
  readonly gripperJoints: number;
  readonly handIndex: number;
  readonly handJoints: number;
  /** First number of the first free thing. */
  readonly freeIndex: number;
  readonly freeCount: number;
  /** First hinge of a thing that stands. */
  readonly hingeIndex: number;
  readonly positionCount: number;
  readonly velocityCount: number;
  readonly gripperMotor: number;
  readonly handMotor: number;
}

/** The one object. */
const ON_PALM = { freeCount: 1, hingeCount: 0 };

export function layoutOf({ arm, hand, props }: Pick<WorldParts, "arm" | "hand" | "props">): WorldLayout {
  const armJoints = arm === undefined ? 0 : XARM7_JOINT_COUNT;
  const gripperJoints = arm?.gripper ? GRIPPER_JOINTS.length : 0;
  const handJoints = hand === undefined ? 0 : HAND_JOINT_COUNT;
  const handIndex = armJoints + gripperJoints;
  const freeIndex = handIndex + handJoints;
  const { freeCount, hingeCount } = props === "palm" ? ON_PALM : tableOf(props);
  const hingeIndex = freeIndex + 7 * freeCount;
  return {
    armJoints,
    driveIndex: armJoints,
    gripperJoints,
    handIndex,
    handJoints,
    freeIndex,
    freeCount,
    hingeIndex,
    positionCount: hingeIndex + hingeCount,
    velocityCount: freeIndex + 6 * freeCount + hingeCount,
    gripperMotor: armJoints,
    handMotor: armJoints + (gripperJoints > 0 ? 1 : 0),
  };
}

/** Centre of a free thing [m], base frame. @param slot 0 is the red block, or the object; others follow */
export function boxCentreM(
  { freeIndex }: WorldLayout,
  qpos: ArrayLike<number>,
  slot: number,
): [number, number, number] {
  const at = freeIndex + 7 * slot;
  return [qpos[at]!, qpos[at + 1]!, qpos[at + 2]!];
}

/** Heading of a box's x axis [rad], -pi to pi; of one that lies on its side, that of its shadow. */
export function boxYawRad({ freeIndex }: WorldLayout, qpos: ArrayLike<number>, slot: number): number {
  const at = freeIndex + 7 * slot + 3;
  const [w, x, y, z] = [qpos[at]!, qpos[at + 1]!, qpos[at + 2]!, qpos[at + 3]!];
  return Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
}
