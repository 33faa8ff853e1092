/**
 * What a robot of any device is on ROS: names of joints and frames, its description, and the joints that move links.
 * `armModel` and `handModel` fill it in; `robotNode.ts` publishes it.
 */
import { type Pose, quatFromRpy } from "../../kinematics/pose.js";
import { type CameraMount, type FixedFrame, opticalFrame } from "../../kinematics/urdf.js";
import type { Joint } from "../../kinematics/xarm7.js";
import type { ServoSnapshot } from "../servo/api.js";
import type { FrameNames } from "./stateMessages.js";

/** A frame that another frame carries, by their names in the tf tree. */
export interface Placement extends FrameNames {
  readonly pose: Pose;
}

/** One more joint than the servo drives: it is published once it is known. */
export interface FurtherJoint {
  readonly name: string;
  /** NaN while unknown. */
  readonly angleRad: (snapshot: ServoSnapshot) => number;
}

export interface RobotModel {
  /** Text of `robot_description`. */
  readonly urdf: string;
  /** Those that the servo drives, in its order. */
  readonly jointNames: readonly string[];
  readonly furtherJoint?: FurtherJoint;
  /** Links that move, by their names in the tf tree, and the joint that moves each. */
  readonly links: readonly (FrameNames & { readonly joint: Joint })[];
  /** Angle of each of `links` [rad]. */
  readonly anglesRad: (snapshot: ServoSnapshot, out: Float64Array) => void;
  readonly fixed: readonly Placement[];
  readonly fingertips?: Fingertips;
  /** Where a trajectory begins and ends: where the joints are, or where the servo holds them. */
  readonly trajectoryReference: (snapshot: ServoSnapshot) => Float64Array;
}

export interface Fingertips {
  /** In which they are told. */
  readonly frame: string;
  readonly count: number;
  /** x y z [m] and quaternion x y z w of each, seven numbers a tip. */
  readonly update: (positionRad: Float64Array, out: Float64Array) => void;
}

/** What every device's model needs to know of its cell. */
export interface ModelPlace {
  readonly robotName: string;
  /** Put before every link name where several robots share one tf tree; "" for one robot. */
  readonly framePrefix: string;
  /** What carries this robot, by its name in the tf tree; absent for the root of the tree. */
  readonly carriedBy?: { readonly frame: string; readonly pose: Pose };
  readonly cameras: readonly CameraMount[];
}

export const movingLinks = (joints: readonly Joint[], prefix: string): RobotModel["links"] =>
  joints.map((joint) => ({ joint, parent: prefix + joint.parent, child: prefix + joint.child }));

/** Frames of one robot by their names in the tf tree. A camera has one name in the whole cell, so that has no prefix. */
export function placed(
  frames: readonly FixedFrame[],
  { framePrefix, cameras, carriedBy }: ModelPlace,
  root: string,
): Placement[] {
  const bare = new Set(cameras.map(({ name }) => opticalFrame(name)));
  return [
    ...(carriedBy === undefined
      ? []
      : [{ parent: carriedBy.frame, child: framePrefix + root, pose: carriedBy.pose }]),
    ...frames.map((frame) => ({
      parent: framePrefix + frame.parent,
      child: bare.has(frame.child) ? frame.child : framePrefix + frame.child,
      pose: { positionM: frame.positionM, quatXyzw: quatFromRpy(...frame.rpyRad) },
    })),
  ];
}
