/** The shape of a cell's arm, as its servo process has it and whoever judges motion before the servo does. */
import type { XArm7Config } from "../drivers/xarm7/config.js";
import type { ArmBody } from "../kinematics/armBody.js";
import { xarm7Body } from "../kinematics/xarm7Collision.js";
import type { ServoConfig } from "../runtime/servo/config.js";

export const armBody = ({ gripper, toolPointM }: XArm7Config, servo: ServoConfig): ArmBody =>
  xarm7Body({ gripper, toolPointM, attached: servo.selfCollision.attached });
