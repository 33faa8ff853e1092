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
