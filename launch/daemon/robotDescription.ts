/** What the gateway's clients are told of a robot: identity and limits as its servo has them, shape from its tables. */
import { FINGERS, JOINTS_PER_FINGER } from "../../kinematics/allegro/hand.js";
import { handUrdf } from "../../kinematics/allegro/handUrdf.js";
import { DIGIT_JOINT_GROUPS, DIGIT_PASSIVE_JOINTS } from "../../kinematics/digit/motors.js";
import { digitUrdf } from "../../kinematics/digit/urdf.js";
import { urdf } from "../../kinematics/urdf.js";
import type { GatewaySetup } from "../../runtime/gateway/messages.js";
import type { ServoInfo } from "../../runtime/servo/api.js";
import { type HandRobotConfig, hasGripper, type RobotConfig } from "../cell/robotConfig.js";

export function describeRobot(
  robot: string,
  config: RobotConfig,
  info: Pick<ServoInfo, "device" | "rateHz" | "limits">,
): GatewaySetup["robots"][number] {
  const { minM, maxM, tableM } = config.device === "digit" ? AROUND_LEGS : config.servo.workspace;
  const { jointNames, positionMinRad, positionMaxRad, velocityMaxRadPerS } = info.limits;
  return {
    robot,
    device: info.device,
    rateHz: info.rateHz,
    jointNames: [...jointNames],
    positionMinRad: [...positionMinRad],
    positionMaxRad: [...positionMaxRad],
    velocityMaxRadPerS: [...velocityMaxRadPerS],
    workspaceMinM: [...minM],
    workspaceMaxM: [...maxM],
    tableM,
    urdf: shapeOf(robot, config, info),
    hasGripper: hasGripper(config),
    ...(config.device === "allegro" ? handParts(config) : {}),
    ...(config.device === "digit" ? LEGS : {}),
  };
}

/** What is drawn around a robot on legs, whose workspace is wherever it walks: about its own size. */
const AROUND_LEGS = { minM: [-0.6, -0.6, 0], maxM: [0.6, 0.6, 1.8], tableM: 0 };
const LEGS = {
  jointGroups: DIGIT_JOINT_GROUPS.map(({ name, joints }) => ({ name, joints })),
  legs: { passiveJointNames: [...DIGIT_PASSIVE_JOINTS] },
};

function handParts({ mount: { robot, positionM, quatXyzw } }: HandRobotConfig) {
  return {
    jointGroups: FINGERS.map((name) => ({ name, joints: JOINTS_PER_FINGER })),
    mount: { robot: robot ?? null, positionM: [...positionM], quatXyzw: [...quatXyzw] },
  };
}

function shapeOf(robotName: string, config: RobotConfig, { limits }: Pick<ServoInfo, "limits">): string {
  if (config.device === "digit") return digitUrdf({ robotName });
  if (config.device === "xarm7") return urdf({ robotName, gripper: hasGripper(config), cameras: [] });
  const { model, side } = config.allegro;
  return handUrdf(model, side, { robotName, limits });
}
