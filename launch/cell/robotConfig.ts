/** The `robots.<name>` section of a cell file: one form for each device. */
import { z } from "zod";
import { AllegroConfig } from "../../drivers/allegro/config.js";
import { DigitConfig } from "../../drivers/digit/config.js";
import { XArm7Config } from "../../drivers/xarm7/config.js";
import { HandServoConfig, LegServoConfig, ServoConfig } from "../../runtime/servo/config.js";

/** Also a ROS namespace. */
export const Name = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/, { error: "must be lower case letters, digits and _ (it becomes a ROS name)" });

export const ArmRobotConfig = z.strictObject({
  device: z.literal("xarm7"),
  xarm7: XArm7Config,
  servo: ServoConfig.prefault({}),
});
export type ArmRobotConfig = z.infer<typeof ArmRobotConfig>;

export const HandRobotConfig = z.strictObject({
  device: z.literal("allegro"),
  allegro: AllegroConfig,
  servo: HandServoConfig.prefault({}),
  mount: z
    .strictObject({
      robot: Name.optional().describe("The arm whose flange carries it; on a stand when absent"),
      positionM: z
        .tuple([z.number(), z.number(), z.number()])
        .default([0, 0, 0])
        .describe("Palm frame in that flange's frame, or in the world's for a hand on a stand"),
      quatXyzw: z
        .tuple([z.number(), z.number(), z.number(), z.number()])
        .refine((q) => Math.abs(Math.hypot(...q) - 1) < 1e-3, { error: "must be a unit quaternion" })
        .default([0, 0, 0, 1]),
    })
    .prefault({}),
});
export type HandRobotConfig = z.infer<typeof HandRobotConfig>;

export const DigitRobotConfig = z.strictObject({
  device: z.literal("digit"),
  digit: DigitConfig,
  servo: LegServoConfig.prefault({}),
});
export type DigitRobotConfig = z.infer<typeof DigitRobotConfig>;

export const RobotConfig = z.discriminatedUnion("device", [
  ArmRobotConfig,
  HandRobotConfig,
  DigitRobotConfig,
]);
export type RobotConfig = z.infer<typeof RobotConfig>;

type Robots = Readonly<Record<string, RobotConfig>>;

/** Those of a cell's robots that are arms, in the file's order. */
export const armsOf = (robots: Robots): [name: string, arm: ArmRobotConfig][] =>
  Object.entries(robots).flatMap(([name, robot]) => (robot.device === "xarm7" ? [[name, robot]] : []));

/** Those of a cell's robots that are hands, in the file's order. */
export const handsOf = (robots: Robots): [name: string, hand: HandRobotConfig][] =>
  Object.entries(robots).flatMap(([name, robot]) => (robot.device === "allegro" ? [[name, robot]] : []));

/** Those of a cell's robots that stand on legs, in the file's order. */
export const digitsOf = (robots: Robots): [name: string, digit: DigitRobotConfig][] =>
  Object.entries(robots).flatMap(([name, robot]) => (robot.device === "digit" ? [[name, robot]] : []));

export const hasGripper = (robot: RobotConfig): boolean =>
  robot.device === "xarm7" && robot.xarm7.gripper !== "none";

/** Of the device, for people. */
export function addressOf(robot: RobotConfig): string {
  if (robot.device === "xarm7") return `${robot.xarm7.host}:${robot.xarm7.commandPort}`;
  if (robot.device === "digit") return `${robot.digit.host}:${robot.digit.commandPort}`;
  const { slcan, socketcan } = robot.allegro.can;
  return slcan?.path ?? socketcan?.interface ?? "";
}
