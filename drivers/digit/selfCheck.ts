/**
 * Before Digit may be enabled: does what it tells fit together, in the frames that the cell file says? Nothing moves for
 * this. Each check is a row with what was found, what was expected, and which field to change. What only motion can show
 * is checked as far as there is any.
 */
import { CerebellumError } from "../../core/errors.js";
import type { FloatingBase } from "../../core/floatingBase.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { turnIntoBase, type WireFrames } from "./frames.js";
import { heightOverFeetM } from "./height.js";
import { type DigitLimits, DigitObservation, MOTORS, PASSIVE_JOINTS } from "./protocol/index.js";
import { RODS, readStretches, stretchInWords } from "./rods.js";
import { ROD_STRETCH_M_MAX } from "./watch.js";

/** [m/s²] */
const GRAVITY_MPER_S2 = 9.806;
/** Announced limits may differ from the known ones by this share: another version of the robot, not another robot. */
const LIMIT_SHARE = 0.2;
const GRAVITY_SLACK_MPER_S2 = 2;
const LEAN_SLACK_RAD = 0.2;
const RATE_SLACK_RAD_PER_S = 0.3;
const SPEED_SLACK_M_PER_S = 0.15;
/** Slower than this on the whole, turning tells nothing about frames. */
const MOVES_RAD_PER_S = 0.15;
const MOVES_M_PER_S = 0.1;
/** The leg's four-bar keeps tarsus at minus the knee, within its springs and its own geometry. */
const FOUR_BAR_SLACK_RAD = 0.35;
const RANGE_SLACK_RAD = 0.1;
/** Looks at what it tells within one self-check. */
const MOMENTS = 20;

export interface Moment {
  readonly timeS: number;
  readonly observation: DigitObservation;
  readonly base: FloatingBase;
}

/** What was observed while the self-check lasts, a moment each so often. Copies: both objects are updated in place. */
export class MomentLog {
  readonly moments: Moment[] = [];
  readonly #everyMs: number;
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor(checkMs: number) {
    this.#everyMs = checkMs / MOMENTS;
  }

  clear(): void {
    this.moments.length = 0;
    this.#dueMs = Number.NEGATIVE_INFINITY;
  }

  add(observation: DigitObservation, base: FloatingBase, nowMs: number): void {
    if (nowMs < this.#dueMs || this.moments.length >= 2 * MOMENTS) return;
    this.#dueMs = nowMs + this.#everyMs;
    const kept = new DigitObservation();
    kept.values.set(observation.values);
    this.moments.push({ timeS: observation.timeS, observation: kept, base: structuredClone(base) });
  }
}

/** @throws CerebellumError DEVICE_MISMATCH with the first name that is missing */
export function refuseMissing(missing: readonly string[]): void {
  const [first] = missing;
  if (first === undefined) return;
  const others = missing.length === 1 ? "" : `, and ${missing.length - 1} more`;
  throw new CerebellumError(
    "DEVICE_MISMATCH",
    `Digit's description lacks ${first}, or has it with another type or shape${others}`,
    "Use the robot's software of a version that sends all fields of the low-level interface",
  );
}

/** @throws CerebellumError DEVICE_MISMATCH with the first motor whose limits cannot be this robot's */
export function refuseLimits(limits: DigitLimits): void {
  for (const [motor, known] of DIGIT_MOTORS.entries()) {
    const rows = [
      ["torque limit", limits.torqueNm[motor]!, known.announcedTorqueMaxNm, "Nm"],
      ["damping limit", limits.dampingNmSPerRad[motor]!, known.announcedDampingMaxNmSPerRad, "Nms/rad"],
      ["velocity limit", limits.velocityRadPerS[motor]!, known.announcedVelocityMaxRadPerS, "rad/s"],
    ] as const;
    for (const [what, found, expected, unit] of rows) {
      if (found > 0 && Math.abs(found / expected - 1) <= LIMIT_SHARE) continue;
      throw new CerebellumError(
        "DEVICE_MISMATCH",
        `Digit announces a ${what} of ${found} ${unit} for ${MOTORS[motor]}; expected about ${expected.toFixed(2)} ${unit}`,
        "Check that `host` is a Digit V3 and its software unchanged; wrong limits mean a wrong motor order",
      );
    }
  }
}

/**
 * @param moments in order, some hundred milliseconds of them
 * @throws CerebellumError DEVICE_MISMATCH, whose text names the first field that does not fit
 */
export function refuseContradictions(moments: readonly Moment[], frames: WireFrames): void {
  const [first, last] = [moments[0], moments.at(-1)];
  if (first === undefined || last === undefined || !(last.timeS > first.timeS))
    throw mismatch("time", "does not advance", "Start the robot anew");
  refuseNumbers(last.observation, last.base);
  refuseJoints(last.observation);
  refuseRods(last.observation);
  refuseGravity(moments, frames);
  refuseRates(moments, frames);
}

/** @throws CerebellumError DEVICE_MISMATCH for one observation that cannot be, with the field */
export function refuseImplausible(
  observation: DigitObservation,
  base: FloatingBase,
  heightMMin: number,
): void {
  refuseNumbers(observation, base);
  refuseJoints(observation);
  refuseRods(observation);
  const heightM = heightOverFeetM(observation, base.quatWorldBaseXyzw);
  if (heightM < heightMMin)
    throw mismatch(
      "leg joints",
      `put the base ${heightM.toFixed(2)} m over the lower foot; it is driven from ${heightMMin} m on`,
      "Stand it up or hang it; if it stands, the names of its legs are swapped, or encoders have slipped",
    );
}

function refuseNumbers(observation: DigitObservation, base: FloatingBase): void {
  if (!observation.values.every(Number.isFinite))
    throw mismatch("an observation", "holds a number that is none", "Start the robot anew");
  const norm = Math.hypot(...base.quatWorldBaseXyzw);
  if (Math.abs(norm - 1) > 0.01)
    throw mismatch(
      "base.orientation",
      `has the length ${norm.toFixed(3)}, not 1`,
      "Check the robot's software",
    );
}

/** A leg whose knee and tarsus do not go together has its names, its side or its order wrong. */
function refuseJoints({ motorPositionRad, jointPositionRad }: DigitObservation): void {
  for (const [motor, { name, positionMinRad, positionMaxRad }] of DIGIT_MOTORS.entries()) {
    const rad = motorPositionRad[motor]!;
    if (rad >= positionMinRad - RANGE_SLACK_RAD && rad <= positionMaxRad + RANGE_SLACK_RAD) continue;
    throw mismatch(
      `${name}.position`,
      `is ${rad.toFixed(2)} rad, outside of ${positionMinRad.toFixed(2)} to ${positionMaxRad.toFixed(2)} rad`,
      "Its encoder has slipped, or sides and order of the joints are not the vendor's",
    );
  }
  for (const side of ["left", "right"] as const) {
    const kneeRad = motorPositionRad[MOTORS.indexOf(`${side}_knee`)]!;
    const tarsusRad = jointPositionRad[PASSIVE_JOINTS.indexOf(`${side}_tarsus`)]!;
    if (Math.abs(kneeRad + tarsusRad) <= FOUR_BAR_SLACK_RAD) continue;
    throw mismatch(
      `${side}_tarsus.position`,
      `is ${tarsusRad.toFixed(2)} rad at a knee of ${kneeRad.toFixed(2)} rad; the leg's rods keep it near ${(-kneeRad).toFixed(2)} rad`,
      "The legs are swapped, or an encoder has slipped",
    );
  }
}

/** Finer than the check of knee and tarsus, and of toes too. */
function refuseRods(observation: DigitObservation): void {
  const stretchM = new Float64Array(RODS.length);
  readStretches(observation, stretchM);
  const rod = stretchM.findIndex((m) => Math.abs(m) > ROD_STRETCH_M_MAX);
  if (rod < 0) return;
  throw mismatch(
    "leg joints",
    `do not close: ${stretchInWords(rod, stretchM[rod]!)}`,
    "One of these encoders has slipped: have it calibrated",
  );
}

function refuseGravity(moments: readonly Moment[], frames: WireFrames): void {
  const force = meanOf(moments, ({ base }) => base.specificForceBaseMPerS2);
  const sizeMPerS2 = Math.hypot(...force);
  if (Math.abs(sizeMPerS2 - GRAVITY_MPER_S2) > GRAVITY_SLACK_MPER_S2)
    throw mismatch(
      "imu.linear_acceleration",
      `is ${sizeMPerS2.toFixed(2)} m/s² on the whole; at rest it is ${GRAVITY_MPER_S2} m/s²`,
      "Keep the robot still while it is connected",
    );
  const up = Float64Array.of(0, 0, 1);
  turnIntoBase(moments.at(-1)!.base.quatWorldBaseXyzw, up);
  const cosine = (force[0]! * up[0]! + force[1]! * up[1]! + force[2]! * up[2]!) / sizeMPerS2;
  const offRad = Math.acos(Math.max(-1, Math.min(1, cosine)));
  if (offRad <= LEAN_SLACK_RAD) return;
  const other = frames.imu === "mount" ? "base" : "mount";
  throw mismatch(
    "imu.linear_acceleration",
    `says that up is ${offRad.toFixed(2)} rad from where base.orientation has it, with \`frames.imu: ${frames.imu}\``,
    `Set \`frames.imu\` to ${other}, or keep the robot still while it is connected`,
  );
}

/** Gyroscope against orientation, odometry against velocity: only where there is motion enough to tell. */
function refuseRates(moments: readonly Moment[], frames: WireFrames): void {
  const [first, last] = [moments[0]!, moments.at(-1)!];
  const spanS = last.timeS - first.timeS;
  const turned = turnBetween(first.base.quatWorldBaseXyzw, last.base.quatWorldBaseXyzw);
  const turnRate = turned.map((rad) => rad / spanS);
  const gyro = meanOf(moments, ({ base }) => base.angularVelocityBaseRadPerS);
  const moves = Math.max(Math.hypot(...turnRate), Math.hypot(...gyro)) > MOVES_RAD_PER_S;
  if (moves && distance(turnRate, gyro) > RATE_SLACK_RAD_PER_S)
    throw mismatch(
      frames.angularVelocity === "imu" ? "imu.angular_velocity" : "base.angular_velocity",
      `says ${inWords(gyro)} rad/s where the orientation turns by ${inWords(turnRate)} rad/s`,
      "Correct `frames.angularVelocity` or `frames.imu`, or keep the robot still while it is connected",
    );
  const went = last.base.translationWorldM.map(
    (m, axis) => (m - first.base.translationWorldM[axis]!) / spanS,
  );
  turnIntoBase(last.base.quatWorldBaseXyzw, went);
  const speed = meanOf(moments, ({ base }) => base.linearVelocityBaseMPerS);
  const goes = Math.max(Math.hypot(...went), Math.hypot(...speed)) > MOVES_M_PER_S;
  if (goes && distance(went, speed) > SPEED_SLACK_M_PER_S)
    throw mismatch(
      "base.linear_velocity",
      `says ${inWords(speed)} m/s where base.translation moves by ${inWords(went)} m/s, with \`frames.linearVelocity: ${frames.linearVelocity}\``,
      "Correct `frames.linearVelocity`, or keep the robot still while it is connected",
    );
}

function meanOf(moments: readonly Moment[], of: (moment: Moment) => Float64Array): Float64Array {
  const sum = new Float64Array(3);
  for (const moment of moments) for (let axis = 0; axis < 3; axis++) sum[axis]! += of(moment)[axis]!;
  return sum.map((value) => value / moments.length);
}

/** Rotation vector from one orientation to the next, in the base frame; small turns [rad]. */
function turnBetween(from: ArrayLike<number>, to: ArrayLike<number>): Float64Array {
  const [ax, ay, az, aw] = [-from[0]!, -from[1]!, -from[2]!, from[3]!];
  const [bx, by, bz, bw] = [to[0]!, to[1]!, to[2]!, to[3]!];
  const w = aw * bw - ax * bx - ay * by - az * bz;
  const sign = w < 0 ? -2 : 2;
  return Float64Array.of(
    sign * (aw * bx + ax * bw + ay * bz - az * by),
    sign * (aw * by - ax * bz + ay * bw + az * bx),
    sign * (aw * bz + ax * by - ay * bx + az * bw),
  );
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!, a[2]! - b[2]!);
const inWords = (vector: Float64Array): string => `(${[...vector].map((v) => v.toFixed(2)).join(", ")})`;
const mismatch = (field: string, found: string, remedy: string) =>
  new CerebellumError("DEVICE_MISMATCH", `Digit's ${field} ${found}`, remedy);
