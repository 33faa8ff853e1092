/** Points of Digit's legs by its measured joints, a thousand times a second: chains of links, worked out once, without garbage. */
import { digitBody } from "../../kinematics/digit/bodies.js";
import { type DigitObservation, MOTORS, PASSIVE_JOINTS } from "./protocol/index.js";

/** Its numbers lie in memory of one kind, all of them: a number out of many kinds becomes an object on the heap. */
export interface Link {
  readonly positionM: Float64Array;
  readonly quatXyzw: Float64Array;
  /** The joint turns about its own z axis, this way round. */
  readonly axisZ: number;
  /** Place in the motors' or in the passive joints' positions. */
  readonly motor: number;
  readonly passive: number;
}

/** Of a body and all above it, up to the base. */
export function ancestors(name: string): string[] {
  const { parent } = digitBody(name);
  return parent === undefined ? [] : [name, ...ancestors(parent)];
}

export function linkOf(name: string): Link {
  const { positionM, quatXyzw, joint } = digitBody(name);
  return {
    positionM: Float64Array.from(positionM),
    quatXyzw: Float64Array.from(quatXyzw),
    axisZ: joint?.kind === "hinge" ? joint.axisZ : 1,
    motor: (MOTORS as readonly string[]).indexOf(name),
    passive: (PASSIVE_JOINTS as readonly string[]).indexOf(name),
  };
}

const turn = new Float64Array(4);

/**
 * Takes a point from the frame of the first link to that of the last one's parent.
 * @param pointM changed in place; NaN where a joint's angle is no number
 */
export function raise(
  chain: readonly Link[],
  { motorPositionRad, jointPositionRad }: DigitObservation,
  pointM: Float64Array,
): void {
  for (let place = 0; place < chain.length; place++) {
    const { positionM, quatXyzw, axisZ, motor, passive } = chain[place]!;
    const half = 0.5 * (motor >= 0 ? motorPositionRad[motor]! : jointPositionRad[passive]!);
    turn[2] = axisZ * Math.sin(half);
    turn[3] = Math.cos(half);
    rotateBy(turn, pointM);
    rotateBy(quatXyzw, pointM);
    for (let part = 0; part < 3; part++) pointM[part]! += positionM[part]!;
  }
}

/** In place, by a unit quaternion x y z w. */
export function rotateBy(quat: ArrayLike<number>, pointM: Float64Array): void {
  const x = pointM[0]!;
  const y = pointM[1]!;
  const z = pointM[2]!;
  const qx = quat[0]!;
  const qy = quat[1]!;
  const qz = quat[2]!;
  const qw = quat[3]!;
  const tx = 2 * (qy * z - qz * y);
  const ty = 2 * (qz * x - qx * z);
  const tz = 2 * (qx * y - qy * x);
  pointM[0] = x + qw * tx + qy * tz - qz * ty;
  pointM[1] = y + qw * ty + qz * tx - qx * tz;
  pointM[2] = z + qw * tz + qx * ty - qy * tx;
}
