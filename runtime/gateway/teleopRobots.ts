/** What of a cell a person's hands can lead, and how: an arm's tool, a hand's fingers, or both as one. */
import type { ArmLimits } from "../../core/arm.js";
import { errorText } from "../../core/errors.js";
import type { Refusal, TeleopStatus } from "../../core/gateway/server.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import type { HandModel, HandSide } from "../../kinematics/allegro/hand.js";
import { XARM7_JOINTS } from "../../kinematics/xarm7.js";
import { xarm7Body } from "../../kinematics/xarm7Collision.js";
import type { ServoClient } from "../servo/api.js";
import { servoGroup } from "../servo/group.js";
import { armAndFingers, partOfLimits } from "../teleop/armAndFingers.js";
import { createFingerMapping } from "../teleop/fingerMapping.js";
import { createHandMapping } from "../teleop/handMapping.js";
import type { HandMapping, ToolMapping } from "../teleop/mapping.js";
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
  /** An arm whose hand's fingers could be led with it. */
  readonly carriesHand: boolean;
  /** The same at every call for one robot, so that what was recentred is not forgotten. */
  readonly alignment: HandAlignment;
  readonly connect: () => Promise<ServoClient>;
  /** @param fingersScale metres of the robot's hand per metre of the person's, undefined while not measured */
  readonly createMapping: (limits: ArmLimits, fingersScale: () => number | undefined) => HandMapping;
}

const SNAPSHOT_EVERY_TICKS = 1;
const ARM_JOINTS = XARM7_JOINTS.length;

/** @returns how `robot` is led; with `fingers` an arm and the hand that it carries, if it carries one, as one */
export function teleopRobots(
  services: PartServices,
): (robot: string, fingers: boolean) => LedRobot | Refusal {
  const { setup, trackerFrames } = services;
  const alignments = new Map(
    Object.keys(setup.arms).map((robot) => [robot, new SourceAlignment(trackerFrames, robot)]),
  );
  const connect = (robot: string) =>
    services.connectServo(robot, "commander", "teleop", SNAPSHOT_EVERY_TICKS);
  const ledFingers = (robot: string): LedRobot | Refusal => {
    const hand = setup.hands[robot]!;
    return (
      unknownHand(hand) ?? {
        leads: "fingers",
        hand,
        carriesHand: false,
        alignment: UNNEEDED_ALIGNMENT,
        connect: () => connect(robot),
        createMapping: (limits, scale) => fingerMapping(services, hand, limits, scale),
      }
    );
  };
  const ledBoth = (arm: string, robot: string): LedRobot | Refusal => {
    const hand = setup.hands[robot]!;
    return (
      unknownHand(hand) ?? {
        leads: "toolAndFingers",
        hand,
        carriesHand: true,
        alignment: alignments.get(arm)!,
        connect: () => connectBoth(connect, arm, robot),
        createMapping: (limits, scale) =>
          armAndFingers(
            toolMapping(services, arm, partOfLimits(limits, 0, ARM_JOINTS)),
            fingerMapping(services, hand, partOfLimits(limits, ARM_JOINTS), scale),
            ARM_JOINTS,
          ),
      }
    );
  };
  return (robot, fingers) => {
    if (setup.hands[robot] !== undefined) return ledFingers(robot);
    const carried = Object.keys(setup.hands).find((hand) => setup.hands[hand]!.mountedOn === robot);
    if (carried !== undefined && fingers) return ledBoth(robot, carried);
    return {
      leads: "tool",
      carriesHand: carried !== undefined,
      alignment: alignments.get(robot)!,
      connect: () => connect(robot),
      createMapping: (limits) => toolMapping(services, robot, limits),
    };
  };
}

/** Of both or of none. @throws what the one says that does not answer */
async function connectBoth(
  connect: (robot: string) => Promise<ServoClient>,
  arm: string,
  hand: string,
): Promise<ServoClient> {
  const first = await connect(arm);
  try {
    return servoGroup([first, await connect(hand)]);
  } catch (thrown) {
    await first.close();
    throw thrown;
  }
}

function toolMapping({ setup }: PartServices, robot: string, limits: ArmLimits): ToolMapping {
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
