/**
 * URDF text of Digit, written from the tables in `bodies.ts` and `motors.ts`: what `robot_description` publishes. Motors
 * and passive joints have their names on the wire, links the name of the joint that moves them. URDF knows no loops: the
 * six rods are weights, fixed where they are with every joint at zero, and nobody sees them.
 */
import { rotate, rpyFromQuat } from "../pose.js";
import {
  escapeXml,
  type FixedFrame,
  fixedXml,
  jointXml,
  linkOfSolids,
  numbers,
  primitives,
  solid,
} from "../urdf.js";
import type { Joint, Vector3 } from "../xarm7.js";
import { DIGIT_BASE, DIGIT_BODIES, type DigitBody, type DigitHinge, type DigitSolid } from "./bodies.js";
import { DIGIT_MOTORS } from "./motors.js";

export interface DigitUrdfOptions {
  readonly robotName?: string;
  /** Put before every link name, so that several robots share one tf tree. */
  readonly framePrefix?: string;
}

export const DIGIT_BASE_LINK = DIGIT_BASE;

/** A leaf spring bends so far at its joint's largest torque, and more [rad]. */
const SPRING_RANGE_RAD = 0.2;
/** Of joints without motor: nobody says how fast they may turn. */
const PASSIVE_VELOCITY_RAD_PER_S = 20;

/** All joints that turn, in the order of the bodies: twenty with motors and ten without. */
export const digitJoints = (): Joint[] =>
  DIGIT_BODIES.flatMap((body) => (body.joint?.kind === "hinge" ? [jointOf(body, body.joint)] : []));

function jointOf({ name, parent, positionM, quatXyzw }: DigitBody, hinge: DigitHinge): Joint {
  const motor = DIGIT_MOTORS.find((other) => other.name === name);
  const [positionMinRad, positionMaxRad] = hinge.rangeRad ?? [-SPRING_RANGE_RAD, SPRING_RANGE_RAD];
  return {
    name,
    parent: parent!,
    child: name,
    originM: positionM,
    rpyRad: rpyFromQuat(quatXyzw),
    axis: [0, 0, hinge.axisZ],
    positionMinRad,
    positionMaxRad,
    effortMaxNm: motor?.announcedTorqueMaxNm ?? 0,
    velocityMaxRadPerS: motor?.announcedVelocityMaxRadPerS ?? PASSIVE_VELOCITY_RAD_PER_S,
    dampingNmSPerRad: hinge.dampingNmSPerRad,
    frictionNm: hinge.frictionNm,
  };
}

/** The rods, which are weights here. */
export const digitFixedFrames = (): FixedFrame[] =>
  DIGIT_BODIES.filter(({ joint }) => joint?.kind === "ball").map(({ name, parent, positionM, quatXyzw }) => ({
    parent: parent!,
    child: name,
    positionM,
    rpyRad: rpyFromQuat(quatXyzw),
  }));

export function digitUrdf(options: DigitUrdfOptions = {}): string {
  const prefix = options.framePrefix ?? "";
  return [
    '<?xml version="1.0"?>',
    `<robot name="${escapeXml(options.robotName ?? "digit")}">`,
    ...DIGIT_BODIES.map(({ name, inertial, solids, joint }) =>
      linkOfSolids(name, inertial, joint?.kind === "ball" ? [] : solids.flatMap(solidXml), prefix),
    ),
    ...digitJoints().map((joint) => jointXml(joint, prefix)),
    ...digitFixedFrames().map((frame) => fixedXml(frame, prefix)),
    "</robot>",
    "",
  ].join("\n");
}

/** A box may be turned; a capsule, which URDF lacks, becomes a cylinder with a ball at each end. */
function solidXml(shape: DigitSolid): string[] {
  const rpyRad = rpyFromQuat(shape.quatXyzw);
  if (shape.kind === "box") {
    const size = shape.halfSizeM.map((half) => 2 * half);
    return [solid(shape.positionM, rpyRad, `<box size="${numbers(size)}"/>`)];
  }
  if (shape.halfLengthM === 0) {
    return [solid(shape.positionM, [0, 0, 0], `<sphere radius="${shape.radiusM}"/>`)];
  }
  const ends = ([-1, 1] as const).map((sign): Vector3 => {
    const [x, y, z] = rotate(shape.quatXyzw, [0, 0, sign * shape.halfLengthM]);
    return [shape.positionM[0] + x, shape.positionM[1] + y, shape.positionM[2] + z];
  }) as [Vector3, Vector3];
  return primitives({ kind: "capsule", fromM: ends[0], toM: ends[1], radiusM: shape.radiusM });
}
