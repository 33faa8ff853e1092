/**
 * Poses as the controller's wire has them: x y z [mm], then roll pitch yaw [rad] with R = Rz Ry Rx, or a rotation
 * vector in the axis-angle forms. Turns them into the chain's metres and back, and solves the inverse.
 */
import { ArmChain, flangePose, poseBuffer } from "../../kinematics/chain.js";
import { InverseKinematics, type JointLimits } from "../../kinematics/inverse.js";
import {
  compose,
  invert,
  type Pose,
  type QuatXyzw,
  quatFromRpy,
  rotationFromQuat,
  rpyFromQuat,
} from "../../kinematics/pose.js";
import { XARM7_JOINTS } from "../../kinematics/xarm7.js";

/** Six numbers: x y z [mm], roll pitch yaw [rad]. */
export type WirePose = ArrayLike<number>;

const MM_PER_M = 1000;

/** The chain that ends at the flange: the wire's poses carry the tool offset themselves. */
const flangeSolver = new InverseKinematics(new ArmChain(XARM7_JOINTS, [0, 0, 0]));
const scratch = poseBuffer();

export const poseFromWire = (pose: WirePose): Pose => ({
  positionM: [pose[0]! / MM_PER_M, pose[1]! / MM_PER_M, pose[2]! / MM_PER_M],
  quatXyzw: quatFromRpy(pose[3]!, pose[4]!, pose[5]!),
});

export const poseToWire = ({ positionM, quatXyzw }: Pose): number[] => [
  ...positionM.map((value) => value * MM_PER_M),
  ...rpyFromQuat(quatXyzw),
];

/** x y z [mm], then the rotation vector [rad]. */
export const poseToAxisAngle = ({ positionM, quatXyzw }: Pose): number[] => [
  ...positionM.map((value) => value * MM_PER_M),
  ...rotationVector(quatXyzw),
];

export const poseFromAxisAngle = (pose: WirePose): Pose => ({
  positionM: [pose[0]! / MM_PER_M, pose[1]! / MM_PER_M, pose[2]! / MM_PER_M],
  quatXyzw: quatFromRotationVector(pose[3]!, pose[4]!, pose[5]!),
});

/** Tool point's pose in the base frame for joint positions [rad] and a tool offset in the flange frame. */
export function toolPose(positionRad: ArrayLike<number>, toolOffset: Pose): Pose {
  flangePose(positionRad, scratch);
  const [x, y, z] = scratch.positionM as unknown as [number, number, number];
  const [qx, qy, qz, qw] = scratch.quatXyzw as unknown as [number, number, number, number];
  return compose({ positionM: [x, y, z], quatXyzw: [qx, qy, qz, qw] }, toolOffset);
}

/**
 * Joint positions [rad] that bring the tool point to a pose in the base frame, near the seed and inside the limits;
 * undefined when none was found to 0.01 mm and 0.0001 rad.
 */
export function solveToolPose(
  poseBaseTool: Pose,
  toolOffset: Pose,
  seedRad: ArrayLike<number>,
  limits: JointLimits,
): Float64Array | undefined {
  const flange = compose(poseBaseTool, invert(toolOffset));
  const solution = flangeSolver.solveTool(flange.positionM, rotationFromQuat(flange.quatXyzw), {
    seedRad,
    limits,
    step: { damping: 0.005, postureGain: 0 },
  });
  return solution.converged ? solution.positionRad : undefined;
}

/** Axis times angle [rad], angle in [0, π]. */
export function rotationVector([x, y, z, w]: QuatXyzw): [number, number, number] {
  const sine = Math.hypot(x, y, z);
  if (sine < 1e-12) return [0, 0, 0];
  const angleRad = 2 * Math.atan2(sine, Math.abs(w));
  const scale = ((w < 0 ? -1 : 1) * angleRad) / sine;
  return [x * scale, y * scale, z * scale];
}

export function quatFromRotationVector(x: number, y: number, z: number): QuatXyzw {
  const angleRad = Math.hypot(x, y, z);
  const scale = angleRad < 1e-12 ? 0.5 : Math.sin(angleRad / 2) / angleRad;
  return [x * scale, y * scale, z * scale, Math.cos(angleRad / 2)];
}
