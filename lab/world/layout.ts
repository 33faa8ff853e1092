/** Where each number of MuJoCo's position vector is: arm, gripper linkage, then 7 numbers a box. */
import { XARM7_JOINT_COUNT } from "../../kinematics/xarm7.js";
import { GRIPPER_JOINTS } from "../../kinematics/xarmGripper.js";
import { DISTRACTORS_MAX } from "./scene.js";

export const ARM_JOINTS = XARM7_JOINT_COUNT;
export const DRIVE_INDEX = ARM_JOINTS;
export const BLOCK_INDEX = ARM_JOINTS + GRIPPER_JOINTS.length;
export const POSITION_COUNT = BLOCK_INDEX + 7 * (1 + DISTRACTORS_MAX);
export const VELOCITY_COUNT = BLOCK_INDEX + 6 * (1 + DISTRACTORS_MAX);
export const GRIPPER_ACTUATOR = ARM_JOINTS;

/** Centre of a box [m], base frame. @param slot 0 is the red block, the others follow */
export function boxCentreM(qpos: ArrayLike<number>, slot: number): [number, number, number] {
  const at = BLOCK_INDEX + 7 * slot;
  return [qpos[at]!, qpos[at + 1]!, qpos[at + 2]!];
}

/** Heading of a box's x axis [rad], -pi to pi; of one that lies on its side, that of its shadow. */
export function boxYawRad(qpos: ArrayLike<number>, slot: number): number {
  const at = BLOCK_INDEX + 7 * slot + 3;
  const [w, x, y, z] = [qpos[at]!, qpos[at + 1]!, qpos[at + 2]!, qpos[at + 3]!];
  return Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
}
