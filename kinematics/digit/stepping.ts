/**
 * Where Digit's legs go that step beneath a torso which is carried: feet lifted in turn, swung forward and drawn back. To first
 * order about the stand, so soles stay level and where they should be within a centimetre; it keeps no balance.
 */
import { invariant } from "../../core/errors.js";
import { compose, conjugate, IDENTITY_POSE, multiplyQuat, type Pose } from "../pose.js";
import { digitBody, SIDES, type Side } from "./bodies.js";
import { closeLeg } from "./loops.js";
import { DIGIT_STAND } from "./motors.js";

/** In the heading frame: forward, left [m/s]; to the left [rad/s]. */
export interface WalkVelocity {
  readonly forwardMPerS: number;
  readonly leftMPerS: number;
  readonly yawRateRadPerS: number;
}

/** Of both feet, one after the other [s]. */
export const STEP_PERIOD_S = 0.8;
const LIFT_M = 0.05;
/** A foot goes no farther from its place in the stand; a torso that is carried faster drags its feet [m]. */
const REACH_M_MAX = 0.12;
const REACH_RAD_MAX = 0.2;

const MOTORS = 6;
/** Of a foot in the base: x, y, z, and its turn about x, y, z. */
const TWIST = 6;
const PROBE_RAD = 1e-4;
const CHAIN = ["hip_roll", "hip_yaw", "hip_pitch", "knee", "shin", "tarsus", "toe_pitch", "toe_roll"];

interface Leg {
  readonly firstMotor: number;
  /** Where the foot is in the stand, in the base [m]. */
  readonly footM: readonly [number, number, number];
  /** Row by row: how the motors turn for a foot that is moved [rad/m], [rad/rad]. */
  readonly motorsPerTwist: readonly Float64Array[];
}

/** Of a foot in the base; motors in the vendor's order. */
function footOf(side: Side, motorsRad: readonly number[]): Pose {
  const [hipRoll, hipYaw, hipPitch, knee, toeA, toeB] = motorsRad;
  const { tarsusRad, toePitchRad, toeRollRad } = closeLeg(side, knee!, toeA!, toeB!);
  const angles = [hipRoll!, hipYaw!, hipPitch!, knee!, 0, tarsusRad, toePitchRad, toeRollRad];
  return CHAIN.reduce((pose, name, place) => {
    const { positionM, quatXyzw, joint } = digitBody(`${side}_${name}`);
    const half = (angles[place]! * (joint?.kind === "hinge" ? joint.axisZ : 1)) / 2;
    return compose(pose, {
      positionM,
      quatXyzw: multiplyQuat(quatXyzw, [0, 0, Math.sin(half), Math.cos(half)]),
    });
  }, IDENTITY_POSE);
}

/** From one pose of the foot to another that is near [m], [rad]. */
function twistBetween(from: Pose, to: Pose): number[] {
  const [x, y, z, w] = multiplyQuat(to.quatXyzw, conjugate(from.quatXyzw));
  const turn = [x, y, z].map((part) => 2 * Math.sign(w) * part);
  return [...to.positionM.map((m, axis) => m - from.positionM[axis]!), ...turn];
}

/** Columns: what the foot does for each motor. Inverted by elimination with the largest pivot. */
function inverse(columns: readonly (readonly number[])[]): Float64Array[] {
  const rows = Array.from({ length: TWIST }, (_, row) =>
    Float64Array.from([
      ...columns.map((column) => column[row]!),
      ...columns.map((_, at) => (at === row ? 1 : 0)),
    ]),
  );
  for (let pivot = 0; pivot < MOTORS; pivot++) {
    const size = (row: number) => Math.abs(rows[row]![pivot]!);
    let best = pivot;
    for (let row = pivot + 1; row < TWIST; row++) if (size(row) > size(best)) best = row;
    invariant(size(best) > 1e-6, "a leg in the stand can move its foot every way");
    [rows[pivot], rows[best]] = [rows[best]!, rows[pivot]!];
    const own = rows[pivot]!;
    const scale = 1 / own[pivot]!;
    own.forEach((value, at) => {
      own[at] = value * scale;
    });
    for (const other of rows) {
      if (other === own) continue;
      const share = other[pivot]!;
      other.forEach((value, at) => {
        other[at] = value - share * own[at]!;
      });
    }
  }
  return rows.map((row) => row.slice(MOTORS));
}

function legOf(side: Side, place: number): Leg {
  const firstMotor = MOTORS * place;
  const standRad = DIGIT_STAND.positionRad.slice(firstMotor, firstMotor + MOTORS);
  const foot = footOf(side, standRad);
  const columns = standRad.map((_, motor) => {
    const moved = standRad.map((rad, at) => (at === motor ? rad + PROBE_RAD : rad));
    return twistBetween(foot, footOf(side, moved)).map((change) => change / PROBE_RAD);
  });
  const [x, y, z] = foot.positionM;
  return { firstMotor, footM: [x, y, z], motorsPerTwist: inverse(columns) };
}

let legs: readonly Leg[] | undefined;
const twist = new Float64Array(TWIST);

/**
 * Adds to a stand's targets what makes its legs step.
 *
 * @param targetRad twenty, in the vendor's order; changed in place [rad]
 * @param phase of the left foot's step, 0 to 1: lifted in the first half, on the ground in the second; the right one's is half a
 *   period later
 * @param share of the steps' size, 0 to 1
 */
export function addSteps(
  targetRad: Float64Array,
  phase: number,
  velocity: WalkVelocity,
  share: number,
): void {
  legs ??= SIDES.map(legOf);
  for (const [place, leg] of legs.entries()) {
    reach((phase + place / 2) % 1, leg, velocity, share);
    for (let motor = 0; motor < MOTORS; motor++) {
      const row = leg.motorsPerTwist[motor]!;
      let changeRad = 0;
      for (let part = 0; part < TWIST; part++) changeRad += row[part]! * twist[part]!;
      targetRad[leg.firstMotor + motor]! += changeRad;
    }
  }
}

/** How far the foot is from its place in the stand, into `twist`. On the ground it goes back as fast as the torso goes on. */
function reach(phase: number, { footM }: Leg, velocity: WalkVelocity, share: number): void {
  const { forwardMPerS, leftMPerS, yawRateRadPerS } = velocity;
  const isLifted = phase < 0.5;
  const along = isLifted ? -Math.cos(2 * Math.PI * phase) / 2 : 1 - phase * 2 + 0.5;
  const stepS = share * along * (STEP_PERIOD_S / 2);
  twist[0] = clamp(stepS * (forwardMPerS - yawRateRadPerS * footM[1]), REACH_M_MAX);
  twist[1] = clamp(stepS * (leftMPerS + yawRateRadPerS * footM[0]), REACH_M_MAX);
  twist[2] = isLifted ? share * LIFT_M * Math.sin(2 * Math.PI * phase) : 0;
  twist[3] = 0;
  twist[4] = 0;
  twist[5] = clamp(stepS * yawRateRadPerS, REACH_RAD_MAX);
}

const clamp = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value));

/** Where a foot is that the motors put there, leaf springs at rest; for tests and for people. */
export const soleInBaseM = (side: Side, motorsRad: ArrayLike<number>): readonly [number, number, number] => {
  const first = MOTORS * SIDES.indexOf(side);
  const [x, y, z] = footOf(
    side,
    Array.from({ length: MOTORS }, (_, motor) => motorsRad[first + motor]!),
  ).positionM;
  return [x, y, z];
};
