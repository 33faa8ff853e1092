/** Motion commands: what each register asks of the planner, in which mode, and what it answers. */
import { JOINT_COUNT, type MessageName, MODE } from "../../drivers/xarm7/protocol/index.js";
import { compose, conjugate, multiplyQuat, type Pose, type QuatXyzw } from "../../kinematics/pose.js";
import type { Controller, Origin } from "./controller.js";
import { ARM_ERROR } from "./motion.js";
import { jointProfile, type Move } from "./moveQueue.js";
import { poseFromAxisAngle, poseFromWire, rotationVector, solveToolPose, toolPose } from "./pose.js";
import { trapezoid } from "./profile.js";

export const WARNING = { bufferFull: 11, badParameter: 12, unknownCommand: 13, noSolution: 14 } as const;

/** Undefined: accepted, nothing to answer; numbers: the reply's values; "refused": not in this mode or state. */
export type MoveAnswer = readonly number[] | undefined | "refused";

/** Modes in which a motion command is executed. */
export const MOTION_MODES: Partial<Record<MessageName, readonly number[]>> = {
  moveLine: [MODE.position, MODE.cartesianOnline],
  moveLineBlended: [MODE.position],
  moveLineTool: [MODE.position],
  moveJoint: [MODE.position, MODE.jointOnline],
  moveJointBlended: [MODE.position],
  moveHome: [MODE.position],
  moveRelative: [MODE.position],
  moveServoJoint: [MODE.servo],
  moveServoCartesian: [MODE.servo],
  moveJointVelocity: [MODE.jointVelocity],
  moveCartesianVelocity: [MODE.cartesianVelocity],
};

/** Straight lines are solved at this many points and followed in joint space between them. */
const LINE_POINTS = 40;
/** A turn without way is planned as if this many mm lay on one radian. */
const TURN_MM_PER_RAD = 200;
const HOME_RAD = new Float64Array(JOINT_COUNT);

/** Executes one motion command; the caller has checked mode and state. */
export function move(
  controller: Controller,
  name: MessageName,
  values: readonly number[],
  origin: Origin,
): MoveAnswer {
  const { motion } = controller;
  if (values.some(Number.isNaN)) return badParameter(controller);
  switch (name) {
    case "moveServoJoint": {
      const target = keep(values, motion.setpointRad);
      motion.servoTo(target);
      return undefined;
    }
    case "moveServoCartesian": {
      const shift = poseFromWire(values);
      const target = values[8] === 1 ? compose(poseAt(controller, motion.setpointRad), shift) : shift;
      const solved = solve(controller, target, motion.setpointRad);
      if (solved !== undefined) motion.servoTo(solved);
      return undefined;
    }
    case "moveJoint":
      if (controller.state.mode === MODE.jointOnline) {
        const target = keep(values, motion.setpointRad);
        if (!motion.withinLimits(target)) controller.state.fault(ARM_ERROR.jointLimit);
        else motion.onlineTo(target, values[7]!, values[8]!);
        return [0];
      }
      return queueJoint(controller, keep(values, start(controller)), values[7]!, values[8]!, false, origin);
    case "moveJointBlended":
      return queueJoint(
        controller,
        keep(values, start(controller)),
        values[7]!,
        values[8]!,
        values[9]! > 0,
        origin,
      );
    case "moveHome":
      return queueJoint(controller, HOME_RAD, values[0]!, values[1]!, false, origin);
    case "moveRelative":
      return queueRelative(controller, values, origin);
    case "moveLine":
    case "moveLineTool":
    case "moveLineBlended":
      return queueLine(controller, name, values, origin);
    case "moveJointVelocity":
      motion.velocityFor(values.slice(0, JOINT_COUNT), values[8] ?? 0);
      return undefined;
    case "moveCartesianVelocity":
      motion.velocityFor(values.slice(0, 6), values[7] ?? 0, values[6] === 1);
      return undefined;
    default:
      return badParameter(controller);
  }
}

/** +inf keeps a joint where it is. */
const keep = (values: readonly number[], standingRad: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: JOINT_COUNT }, (_, joint) =>
    values[joint] === Number.POSITIVE_INFINITY ? standingRad[joint]! : values[joint]!,
  );

/** Where the next queued move starts. */
function start(controller: Controller): Float64Array {
  const { motion } = controller;
  return Float64Array.from(motion.queue.count === 0 ? motion.setpointRad : motion.queue.endRad);
}

function queueJoint(
  controller: Controller,
  targetRad: Float64Array,
  speed: number,
  acceleration: number,
  blended: boolean,
  origin: Origin,
): MoveAnswer {
  if (!controller.motion.withinLimits(targetRad)) {
    controller.state.fault(ARM_ERROR.jointLimit);
    return [0];
  }
  const from = start(controller);
  const profile = jointProfile(from, targetRad, speed, acceleration);
  return queue(controller, { waypointsRad: [from, targetRad], profile, blended }, origin);
}

/** 7 values, speed, acceleration, time, radius, joint motion, axis-angle. */
function queueRelative(controller: Controller, values: readonly number[], origin: Origin): MoveAnswer {
  const [speed, acceleration, , radius, isJoint, isAxisAngle] = values.slice(JOINT_COUNT) as number[];
  const from = start(controller);
  if (isJoint === 1) {
    const target = from.map((value, joint) => value + values[joint]!);
    return queueJoint(controller, target, speed!, acceleration!, radius! > 0, origin);
  }
  const shift = isAxisAngle === 1 ? poseFromAxisAngle(values) : poseFromWire(values);
  const standing = poseAt(controller, from);
  const target: Pose = {
    positionM: standing.positionM.map((value, i) => value + shift.positionM[i]!) as [number, number, number],
    quatXyzw: multiplyQuat(shift.quatXyzw, standing.quatXyzw),
  };
  return queueWay(controller, from, target, speed!, acceleration!, origin);
}

/**
 * 6 pose values, speed, acceleration, time; then, as raw bytes, newer firmware's radius float32, coordinates u8,
 * axis-angle u8, check-only u8.
 */
function queueLine(
  controller: Controller,
  name: MessageName,
  values: readonly number[],
  origin: Origin,
): MoveAnswer {
  const extra = values.slice(9);
  const isCommon = name === "moveLine" && extra.length >= 7;
  const inTool = name === "moveLineTool" || (isCommon && extra[4] === 1);
  const shift = isCommon && extra[5] === 1 ? poseFromAxisAngle(values) : poseFromWire(values);
  const from = start(controller);
  const target = inTool ? compose(poseAt(controller, from), shift) : shift;
  if (controller.state.mode === MODE.cartesianOnline) {
    const solved = solve(controller, target, controller.motion.setpointRad);
    // The online planner works on joints; the speed of the leading joint stands in for the tool's.
    if (solved !== undefined) controller.motion.onlineTo(solved, Math.PI / 2, 5);
    return [0];
  }
  return queueWay(controller, from, target, values[6]!, values[7]!, origin);
}

/** A straight way of the tool point, turning evenly. Speeds in mm/s and mm/s². */
function queueWay(
  controller: Controller,
  fromRad: Float64Array,
  target: Pose,
  speed: number,
  acceleration: number,
  origin: Origin,
): MoveAnswer {
  const begin = poseAt(controller, fromRad);
  const between: QuatXyzw = multiplyQuat(conjugate(begin.quatXyzw), target.quatXyzw);
  const turn = rotationVector(between);
  const wayMm = 1000 * Math.hypot(...target.positionM.map((value, i) => value - begin.positionM[i]!));
  const lengthMm = Math.max(wayMm, TURN_MM_PER_RAD * Math.hypot(...turn));
  const waypointsRad = [fromRad];
  for (let point = 1; point <= LINE_POINTS; point++) {
    const share = point / LINE_POINTS;
    const local = poseFromAxisAngle([0, 0, 0, ...turn.map((value) => value * share)]);
    const pose: Pose = {
      positionM: begin.positionM.map((value, i) => value + share * (target.positionM[i]! - value)) as [
        number,
        number,
        number,
      ],
      quatXyzw: multiplyQuat(begin.quatXyzw, local.quatXyzw),
    };
    const solved = solve(controller, pose, waypointsRad.at(-1)!);
    if (solved === undefined) return [0];
    waypointsRad.push(solved);
  }
  const profile = trapezoid(lengthMm, clamp(speed, 0.1, 1000), clamp(acceleration, 1, 50_000));
  return queue(controller, { waypointsRad, profile, blended: false }, origin);
}

function queue(controller: Controller, planned: Move, origin: Origin): MoveAnswer {
  const count = controller.motion.addMove(controller.withFeedback(planned, origin));
  if (count !== undefined) return [count];
  controller.state.warn(WARNING.bufferFull);
  return [controller.motion.queue.count];
}

/** Faults where there is no solution. */
function solve(controller: Controller, pose: Pose, seedRad: ArrayLike<number>): Float64Array | undefined {
  const solved = solveToolPose(pose, controller.motion.toolOffset, seedRad, controller.limits);
  if (solved === undefined) controller.state.fault(ARM_ERROR.kinematic);
  return solved;
}

function badParameter(controller: Controller): "refused" {
  controller.state.warn(WARNING.badParameter);
  return "refused";
}

const poseAt = (controller: Controller, positionRad: ArrayLike<number>): Pose =>
  toolPose(positionRad, controller.motion.toolOffset);

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
