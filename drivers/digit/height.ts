/** How high Digit's base is over its lower foot, from the joints alone: odometry drifts, and knows of no steps. */
import { digitBody } from "../../kinematics/digit/bodies.js";
import { type DigitObservation, MOTORS, PASSIVE_JOINTS } from "./protocol/index.js";

const LEG = ["hip_roll", "hip_yaw", "hip_pitch", "knee", "shin", "tarsus", "toe_pitch", "toe_roll"];

interface Link {
  readonly positionM: readonly number[];
  readonly quatXyzw: readonly number[];
  /** The joint turns about its own z axis, this way round. */
  readonly axisZ: number;
  /** Place in the motors' or in the passive joints' positions. */
  readonly motor: number;
  readonly passive: number;
}

function linkOf(name: string): Link {
  const { positionM, quatXyzw, joint } = digitBody(name);
  return {
    positionM,
    quatXyzw,
    axisZ: joint?.kind === "hinge" ? joint.axisZ : 1,
    motor: (MOTORS as readonly string[]).indexOf(name),
    passive: (PASSIVE_JOINTS as readonly string[]).indexOf(name),
  };
}

const LEGS: readonly (readonly Link[])[] = ["left", "right"].map((side) =>
  LEG.map((name) => linkOf(`${side}_${name}`)).reverse(),
);
const point = new Float64Array(3);
const turn = new Float64Array(4);

/**
 * Allocates nothing.
 * @returns [m]; NaN when a joint's angle is no number
 */
export function heightOverFeetM(observation: DigitObservation, quatWorldBase: ArrayLike<number>): number {
  let heightM = Number.NEGATIVE_INFINITY;
  for (let side = 0; side < LEGS.length; side++) {
    footInBase(LEGS[side]!, observation);
    rotateBy(quatWorldBase);
    // Of NaN and a number this gives NaN.
    heightM = Math.max(heightM, -point[2]!);
  }
  return heightM;
}

/** From the foot up to the base: into `point`. */
function footInBase(leg: readonly Link[], { motorPositionRad, jointPositionRad }: DigitObservation): void {
  point.fill(0);
  for (let place = 0; place < leg.length; place++) {
    const { positionM, quatXyzw, axisZ, motor, passive } = leg[place]!;
    const half = (motor >= 0 ? motorPositionRad[motor]! : jointPositionRad[passive]!) / 2;
    turn[2] = axisZ * Math.sin(half);
    turn[3] = Math.cos(half);
    rotateBy(turn);
    rotateBy(quatXyzw);
    for (let part = 0; part < 3; part++) point[part]! += positionM[part]!;
  }
}

/** Turns `point` by a unit quaternion x y z w. */
function rotateBy(quat: ArrayLike<number>): void {
  const [x, y, z] = [point[0]!, point[1]!, point[2]!];
  const [qx, qy, qz, qw] = [quat[0]!, quat[1]!, quat[2]!, quat[3]!];
  const tx = 2 * (qy * z - qz * y);
  const ty = 2 * (qz * x - qx * z);
  const tz = 2 * (qx * y - qy * x);
  point[0] = x + qw * tx + qy * tz - qz * ty;
  point[1] = y + qw * ty + qz * tx - qx * tz;
  point[2] = z + qw * tz + qx * ty - qy * tx;
}
