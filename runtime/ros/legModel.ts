/** A Digit on ROS. Its torso moves in the frame of its own odometry; joints without a motor are told like the others. */
import { DIGIT_MOTORS, DIGIT_PASSIVE_JOINTS } from "../../kinematics/digit/motors.js";
import { DIGIT_BASE_LINK, digitFixedFrames, digitJoints, digitUrdf } from "../../kinematics/digit/urdf.js";
import { cameraFrames } from "../../kinematics/urdf.js";
import { type ModelPlace, movingLinks, placed, type RobotModel } from "./robotModel.js";

/** What a robot on legs has besides. */
export interface LegModel extends RobotModel {
  /** In the order of `FloatingBase.passivePositionRad`. */
  readonly passiveJointNames: readonly string[];
  /** The base and the frame in which it moves, by their names in the tf tree. */
  readonly base: { readonly odometryFrame: string; readonly link: string };
}

export function legModel(place: ModelPlace, odometryFrame: string): LegModel {
  const joints = digitJoints();
  const motors = DIGIT_MOTORS.map(({ name }) => name);
  // Place of each moving link's joint among the motors, or after them among the passive joints.
  const all = [...motors, ...DIGIT_PASSIVE_JOINTS];
  const places = joints.map(({ name }) => all.indexOf(name));
  return {
    urdf: digitUrdf(place),
    jointNames: motors,
    passiveJointNames: DIGIT_PASSIVE_JOINTS,
    base: { odometryFrame, link: place.framePrefix + DIGIT_BASE_LINK },
    links: movingLinks(joints, place.framePrefix),
    anglesRad: ({ positionRad, base }, out) => {
      for (let link = 0; link < places.length; link++) {
        const at = places[link]!;
        out[link] =
          at < motors.length ? positionRad[at]! : (base?.passivePositionRad[at - motors.length] ?? 0);
      }
    },
    fixed: placed([...digitFixedFrames(), ...cameraFrames(place.cameras)], place, DIGIT_BASE_LINK),
    trajectoryReference: ({ positionRad }) => positionRad,
  };
}
