/** How Digit starts: every joint of a leg in agreement with its motors, soles on the ground. Radians, metres. */

import { digitBody, SIDES, type Side } from "../../kinematics/digit/bodies.js";
import { FOOT } from "../../kinematics/digit/leftShapes.js";
import { closeLeg, rodTurn, toeMotors } from "../../kinematics/digit/loops.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import type { QuatXyzw } from "../../kinematics/pose.js";
import type { Vector3 } from "../../kinematics/xarm7.js";
import type { DigitGround } from "./scenes.js";

/**
 * Angles of the motors and of the passive joints, leaf springs at rest, by joint.
 * @throws CerebellumError CHECK_FAILED where a leg does not close
 */
export function startAngles(motorsRad: ArrayLike<number>): [joint: string, rad: number][] {
  const motors = DIGIT_MOTORS.map(({ name }, motor): [string, number] => [name, motorsRad[motor]!]);
  return SIDES.reduce<[string, number][]>((angles, side) => {
    const { tarsus, toe_pitch, toe_roll } = legAngles(side, motorsRad);
    angles.push([`${side}_tarsus`, tarsus], [`${side}_toe_pitch`, toe_pitch], [`${side}_toe_roll`, toe_roll]);
    return angles;
  }, motors);
}

/** Where the rods' ball joints are. */
export const rodTurns = (motorsRad: ArrayLike<number>): [rod: string, QuatXyzw][] =>
  SIDES.flatMap((side) => {
    const angles = legAngles(side, motorsRad);
    return ["achilles_rod", "toe_A_rod", "toe_B_rod"].map((rod): [string, QuatXyzw] => [
      `${side}_${rod}`,
      rodTurn(side, rod, angles),
    ]);
  });

function legAngles(side: Side, motorsRad: ArrayLike<number>) {
  const motor = (name: string): number => motorsRad[motorIndex(side, name)]!;
  const [knee, toe_A, toe_B] = [motor("knee"), motor("toe_A"), motor("toe_B")];
  const { tarsusRad, toePitchRad, toeRollRad } = closeLeg(side, knee, toe_A, toe_B);
  return { knee, toe_A, toe_B, tarsus: tarsusRad, toe_pitch: toePitchRad, toe_roll: toeRollRad };
}

const motorIndex = (side: Side, name: string): number =>
  DIGIT_MOTORS.findIndex((motor) => motor.name === `${side}_${name}`);

/** So that a robot on a slope stands upright: the pose with its soles turned with the ground. */
export function poseOn(ground: DigitGround, motorsRad: ArrayLike<number>): Float64Array {
  const pose = Float64Array.from(motorsRad);
  if (ground.kind !== "slope") return pose;
  for (const side of SIDES) {
    const { toe_pitch, toe_roll } = legAngles(side, motorsRad);
    const turnRad = (side === "left" ? SOLE_TURN : -SOLE_TURN) * Math.atan(ground.grade);
    const { toeARad, toeBRad } = toeMotors(side, toe_pitch + turnRad, toe_roll);
    pose[motorIndex(side, "toe_A")] = toeARad;
    pose[motorIndex(side, "toe_B")] = toeBRad;
  }
  return pose;
}

/** Sign of a left toe's pitch that lifts the tip of the foot. */
const SOLE_TURN = 1;

/** Of the plane that carries everything. */
export function groundNormal(ground: DigitGround): Vector3 {
  if (ground.kind !== "slope") return [0, 0, 1];
  const length = Math.hypot(1, ground.grade);
  return [-ground.grade / length, 0, 1 / length];
}

/** Of the lowest corner of the soles, whose frames are at these sites; a rough ground is as high as its highest tile. */
export function heightOverGroundM(
  ground: DigitGround,
  sites: readonly number[],
  siteM: ArrayLike<number>,
  siteRotation: ArrayLike<number>,
): number {
  const normal = groundNormal(ground);
  const sole = digitBody(`left_${FOOT}`).solids[0]!;
  const halfM: Vector3 = sole.kind === "box" ? sole.halfSizeM : [0, 0, 0];
  const heights = sites.map((site) => {
    const middleM = normal.reduce((sum, share, axis) => sum + share * siteM[3 * site + axis]!, 0);
    return middleM - reach(normal, halfM, siteRotation, 9 * site);
  });
  return Math.min(...heights) - (ground.kind === "rough" ? ground.heightMaxM : 0);
}

/** How far a box reaches along a direction from its middle. */
function reach(direction: Vector3, halfM: Vector3, rotation: ArrayLike<number>, start: number): number {
  return halfM.reduce((sum, half, column) => {
    const along = direction.reduce((dot, share, row) => dot + share * rotation[start + 3 * row + column]!, 0);
    return sum + half * Math.abs(along);
  }, 0);
}
