/** An xArm7 on ROS, with its gripper where it has one. */
import { fixedFrames, urdf } from "../../kinematics/urdf.js";
import { XARM7_BASE_LINK, XARM7_JOINT_NAMES, XARM7_JOINTS } from "../../kinematics/xarm7.js";
import { DRIVE_JOINT, driveFromOpeningRad, GRIPPER_JOINTS } from "../../kinematics/xarmGripper.js";
import { type ModelPlace, movingLinks, placed, type RobotModel } from "./robotModel.js";

export function armModel(place: ModelPlace, { gripper }: { readonly gripper: boolean }): RobotModel {
  const description = { ...place, gripper };
  const joints = gripper ? [...XARM7_JOINTS, ...GRIPPER_JOINTS] : XARM7_JOINTS;
  return {
    urdf: urdf(description),
    jointNames: XARM7_JOINT_NAMES,
    furtherJoint: {
      name: DRIVE_JOINT,
      angleRad: ({ gripperOpeningM }) =>
        Number.isFinite(gripperOpeningM) ? driveFromOpeningRad(gripperOpeningM) : Number.NaN,
    },
    links: movingLinks(joints, place.framePrefix),
    anglesRad: ({ positionRad, gripperOpeningM }, out) => {
      // An opening that is unknown draws the gripper open.
      out.fill(Number.isFinite(gripperOpeningM) ? driveFromOpeningRad(gripperOpeningM) : 0);
      out.set(positionRad);
    },
    fixed: placed(fixedFrames(description), place, XARM7_BASE_LINK),
    trajectoryReference: ({ positionRad }) => positionRad,
  };
}
