/** What of a cell a person's hands can lead, and how: an arm's tool, a hand's fingers, or both as one. */
import type { ArmLimits } from "../../core/arm.js";
import { errorText } from "../../core/errors.js";
import type { Refusal, TeleopStatus } from "../../core/gateway/server.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import type { HandModel, HandSide } from "../../kinematics/allegro/hand.js";
import { xarm7Body } from "../../kinematics/xarm7Collision.js";
import type { ServoClient } from "../servo/api.js";
import { createFingerMapping } from "../teleop/fingerMapping.js";
import { createHandMapping } from "../teleop/handMapping.js";
import type { HandMapping } from "../teleop/mapping.js";
import type { HandAlignment } from "../teleop/session.js";
import { SourceAlignment } from "../teleop/sourceAlignment.js";
import { UNNEEDED_ALIGNMENT } from "../teleop/unneededAlignment.js";
import type { PartServices } from "./part.js";

/** The robot's hand whose fingers are led. */
export interface LedHand {
  readonly model: HandModel;
  readonly side: HandSide;
}

export interface LedRobot {
  readonly leads: TeleopStatus["leads"];
  /** Present where fingers are led. */
  readonly hand?: LedHand;
  /** The same at every call for one robot, so that what was recentred is not forgotten. */
  readonly alignment: HandAlignment;
  readonly connect: () => Promise<ServoClient>;
  /** @param fingersScale metres of the robot's hand per metre of the person's, undefined while not measured */
  readonly createMapping: (limits: ArmLimits, fingersScale: () => number | undefined) => HandMapping;
}

const SNAPSHOT_EVERY_TICKS = 1;

export function teleopRobots(services: PartServices): (robot: string) => LedRobot | Refusal {
  const { setup, trackerFrames } = services;
  const alignments = new Map(
    Object.keys(setup.arms).map((robot) => [robot, new SourceAlignment(trackerFrames, robot)]),
  );
  const connect = (robot: string) =>
    services.connectServo(robot, "commander", "teleop", SNAPSHOT_EVERY_TICKS);
  return (robot) => {
    const hand = setup.hands[robot];
    if (hand === undefined)
      return {
        leads: "tool",
        alignment: alignments.get(robot)!,
        connect: () => connect(robot),
        createMapping: (limits) => toolMapping(services, robot, limits),
      };
    return (
      unknownHand(hand) ?? {
        leads: "fingers",
        hand,
        alignment: UNNEEDED_ALIGNMENT,
        connect: () => connect(robot),
        createMapping: (limits, scale) => fingerMapping(services, hand, limits, scale),
      }
    );
  };
}

function toolMapping({ setup }: PartServices, robot: string, limits: ArmLimits): HandMapping {
  const { gripper, workspace, selfCollision } = setup.arms[robot]!;
  const toolPointM = setup.toolPointsM[robot]!;
  return createHandMapping({
    config: setup.teleop.mapping,
    limits,
    workspace,
    toolPointM,
    body: xarm7Body({ gripper, toolPointM, attached: selfCollision.attached }),
    selfCollisionMarginM: selfCollision.marginM,
  });
}

function fingerMapping(
  { setup }: PartServices,
  { model, side }: LedHand,
  limits: ArmLimits,
  scale: () => number | undefined,
): HandMapping {
  const { retargeting, ...follow } = setup.teleop.fingers;
  return createFingerMapping(limits, { model, side, retargeting, follow, scale });
}

/** Before anybody takes it, not when a clutch is pressed. */
function unknownHand({ model, side }: LedHand): Refusal | undefined {
  try {
    new HandChain(model, side);
    return undefined;
  } catch (thrown) {
    return {
      code: "TELEOP_REFUSED",
      happened: `No fingers can be led: ${errorText(thrown).replace(/\.$/, "")}`,
      remedy: "Move this hand by joint targets over ROS, or by a policy",
    };
  }
}
