/**
 * Names of frames in the tf tree of a cell. One robot has its links' plain names; where several share the tree each puts
 * its own name before them. A camera has one name in the whole cell, and so have its frames.
 */
import { PALM_LINK } from "../../kinematics/allegro/links.js";
import { DIGIT_BASE_LINK } from "../../kinematics/digit/urdf.js";
import { XARM7_BASE_LINK, XARM7_FLANGE_LINK } from "../../kinematics/xarm7.js";
import type { CameraConfig } from "../../runtime/policy/config.js";
import type { RobotConfig } from "./robotConfig.js";

type Robots = Readonly<Record<string, RobotConfig>>;

/** Carries what stands by itself, in cells with several robots or with a hand on a stand. */
export const WORLD_FRAME = "world";

export const framePrefixOf = (robots: Robots, robot: string): string =>
  Object.keys(robots).length > 1 ? `${robot}_` : "";

/** In which a robot on legs tells where it is: its own odometry, which drifts. */
export const odometryFrameOf = (robots: Robots, robot: string): string =>
  `${framePrefixOf(robots, robot)}odom`;

/** Where cameras can be fixed to each device, as cell files name it. */
export const CAMERA_FRAMES: Readonly<Record<RobotConfig["device"], readonly string[]>> = {
  xarm7: ["flange", "base"],
  allegro: ["palm"],
  digit: ["torso"],
};
const PARENT_LINK = { xarm7: XARM7_FLANGE_LINK, allegro: PALM_LINK, digit: DIGIT_BASE_LINK } as const;
const ROOT_LINK = { xarm7: XARM7_BASE_LINK, allegro: PALM_LINK, digit: DIGIT_BASE_LINK } as const;

/** Frame of a robot to which things are fixed: an arm's flange, a hand's palm. */
export const parentFrameOf = (robots: Robots, robot: string): string =>
  framePrefixOf(robots, robot) + PARENT_LINK[robots[robot]!.device];

/** The link that carries all of a robot's others. */
export const rootFrameOf = (robots: Robots, robot: string): string =>
  framePrefixOf(robots, robot) + ROOT_LINK[robots[robot]!.device];

/** Link of its robot that carries a camera, without the robot's prefix. */
export const cameraLinkOf = (robots: Robots, { mount }: Pick<CameraConfig, "mount">): string =>
  (mount.parentFrame === "base" ? ROOT_LINK : PARENT_LINK)[robots[mount.robot]!.device];

/** Frame that carries a camera. */
export const cameraParentOf = (robots: Robots, camera: Pick<CameraConfig, "mount">): string =>
  framePrefixOf(robots, camera.mount.robot) + cameraLinkOf(robots, camera);

/** Frame and pose in which a robot stands; undefined for the only arm of a cell, whose base is the root of the tree. */
export function carrierOf(robots: Robots, robot: string) {
  const config = robots[robot]!;
  if (config.device === "xarm7") {
    if (Object.keys(robots).length === 1) return undefined;
    return { frame: WORLD_FRAME, pose: { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] } } as const;
  }
  // Its base moves in its odometry's frame, tick by tick: nothing fixed carries it.
  if (config.device === "digit") return undefined;
  const { robot: arm, positionM, quatXyzw } = config.mount;
  return {
    frame: arm === undefined ? WORLD_FRAME : parentFrameOf(robots, arm),
    pose: { positionM, quatXyzw },
  };
}
