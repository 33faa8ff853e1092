/** The shape of a cell's robot, as its servo process has it and whoever judges motion before the servo does. */
import type { MovingBody } from "../runtime/servo/zones.js";
import { HandBody } from "./allegro/handBody.js";
import { armBody } from "./armBody.js";
import type { ArmRobotConfig, HandRobotConfig } from "./cell/robotConfig.js";

export const robotBody = (robot: ArmRobotConfig | HandRobotConfig): MovingBody =>
  robot.device === "xarm7" ? armBody(robot.xarm7, robot.servo) : new HandBody(robot.servo.workspace);
