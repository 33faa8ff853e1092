/** An Allegro Hand on ROS. One whose geometry nobody knows is its palm, and has no fingertips to tell of. */
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { isGeometryKnown } from "../../kinematics/allegro/geometry.js";
import {
  ALLEGRO_JOINT_NAMES,
  FINGERS,
  type HandModel,
  type HandSide,
} from "../../kinematics/allegro/hand.js";
import { handJoints, handUrdf, tipFrames } from "../../kinematics/allegro/handUrdf.js";
import type { HandLimits } from "../../kinematics/allegro/limits.js";
import { PALM_LINK } from "../../kinematics/allegro/links.js";
import { quatFromRotation } from "../../kinematics/pose.js";
import { cameraFrames } from "../../kinematics/urdf.js";
import { type Fingertips, type ModelPlace, movingLinks, placed, type RobotModel } from "./robotModel.js";

export interface WhichHand {
  readonly model: HandModel;
  readonly side: HandSide;
  readonly limits: HandLimits;
}

export function handModel(place: ModelPlace, { model, side, limits }: WhichHand): RobotModel {
  const isKnown = isGeometryKnown(model, side);
  const joints = isKnown ? handJoints(model, side, limits) : [];
  const fixed = [...(isKnown ? tipFrames(model, side) : []), ...cameraFrames(place.cameras)];
  return {
    urdf: handUrdf(model, side, { ...place, limits }),
    jointNames: ALLEGRO_JOINT_NAMES,
    links: movingLinks(joints, place.framePrefix),
    anglesRad: ({ positionRad }, out) => out.set(positionRad.subarray(0, out.length)),
    fixed: placed(fixed, place, PALM_LINK),
    ...(isKnown ? { fingertips: fingertipsOf(model, side, place.framePrefix + PALM_LINK) } : {}),
    // Its PD leaves a sag, and an object keeps a finger from its setpoint: neither is a reason to jump, or not to arrive.
    trajectoryReference: ({ sentRad }) => sentRad,
  };
}

function fingertipsOf(model: HandModel, side: HandSide, frame: string): Fingertips {
  const chain = new HandChain(model, side);
  const quatXyzw = new Float64Array(4);
  return {
    frame,
    count: FINGERS.length,
    update: (positionRad, out) => {
      chain.update(positionRad);
      for (let tip = 0; tip < FINGERS.length; tip++) {
        quatFromRotation(chain.tipRotations.subarray(9 * tip, 9 * tip + 9), quatXyzw);
        out.set(chain.tipsM.subarray(3 * tip, 3 * tip + 3), 7 * tip);
        out.set(quatXyzw, 7 * tip + 3);
      }
    },
  };
}
