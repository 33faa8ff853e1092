/**
 * What the emulated Digit tells of itself, by the fields of the wire: the truth, in the frames that its software is said to
 * use, with whatever is wrong with the measurement.
 */
import {
  DigitObservation,
  MOTOR_COUNT,
  OBSERVATION_FIELDS,
  PASSIVE_JOINT_COUNT,
} from "../../drivers/digit/protocol/index.js";
import { conjugate, multiplyQuat, type QuatXyzw, rotate } from "../../kinematics/pose.js";
import type { DigitTruth } from "./body.js";
import type { Conventions, DigitFaults } from "./digitFaults.js";
import type { EmulatedRobot } from "./robot.js";

type Vector = readonly [number, number, number];

const LEG_MOTORS = 6;
const LEG_JOINTS = 5;
export const BATTERY_PERCENT = 80;
/** Of the earth in the world frame, roughly that of central Europe [T]; the wire's unit is not public. */
const MAGNETIC_WORLD_T: Vector = [2e-5, 0, -4.4e-5];
/** The sensor's own axes: x up, y left, z backward. */
const QUAT_BASE_MOUNT: QuatXyzw = [0, -Math.SQRT1_2, 0, Math.SQRT1_2];
const NO_TURN: QuatXyzw = [0, 0, 0, 1];

const placeOf = new Map(OBSERVATION_FIELDS.map(({ name, at }) => [name, at]));
const [TIME, ERROR, BATTERY] = ["time", "error", "battery.state_of_charge"].map(
  (name) => placeOf.get(name)!,
) as [number, number, number];

export class Readings {
  readonly observation = new DigitObservation();
  readonly #robot: EmulatedRobot;
  readonly #faults: DigitFaults;
  readonly #conventions: Conventions;
  #stoodStillS: number | undefined;

  constructor(robot: EmulatedRobot, faults: DigitFaults, conventions: Conventions) {
    this.#robot = robot;
    this.#faults = faults;
    this.#conventions = conventions;
  }

  /** Reads the robot anew. */
  update(): void {
    const { values } = this.observation;
    values[TIME] = this.#timeS();
    values[ERROR] = this.#robot.hasError ? 1 : 0;
    values[BATTERY] = this.#faults.get("batteryIs")?.percent ?? BATTERY_PERCENT;
    const { truth } = this.#robot.body;
    const turned = this.#faults.get("turnsFrames");
    const { linearVelocity, angularVelocity, imu } = this.#conventions;
    this.#readBase(
      truth,
      turned?.linearVelocity ?? linearVelocity,
      turned?.angularVelocity ?? angularVelocity,
    );
    this.#readImu(truth, turned?.imu ?? imu);
    this.#readJoints(truth);
    this.#spoil();
  }

  #timeS(): number {
    const { timeS } = this.#robot;
    this.#stoodStillS = this.#faults.has("timeStandsStill") ? (this.#stoodStillS ?? timeS) : undefined;
    return this.#stoodStillS ?? timeS;
  }

  #readBase(
    truth: DigitTruth,
    linearVelocity: Conventions["linearVelocity"],
    angularVelocity: Conventions["angularVelocity"],
  ): void {
    const to = this.observation;
    const quat = quatOf(truth);
    to.baseTranslationM.set(truth.positionWorldM);
    setWxyz(to.baseOrientationWxyz, quat, this.#faults.get("stretchesQuaternion")?.factor ?? 1);
    const velocity = vectorOf(truth.linearVelocityWorldMPerS);
    to.baseLinearVelocityMPerS.set(LINEAR_VELOCITY[linearVelocity](quat, velocity));
    const turning = vectorOf(truth.angularVelocityBaseRadPerS);
    to.baseAngularVelocityRadPerS.set(angularVelocity === "base" ? turning : rotate(quat, turning));
  }

  #readImu(truth: DigitTruth, imu: Conventions["imu"]): void {
    const to = this.observation;
    const quatBaseImu = imu === "mount" ? QUAT_BASE_MOUNT : NO_TURN;
    const quatWorldImu = multiplyQuat(quatOf(truth), quatBaseImu);
    const toImu = conjugate(quatBaseImu);
    setWxyz(to.imuOrientationWxyz, quatWorldImu, 1);
    to.imuAngularVelocityRadPerS.set(rotate(toImu, vectorOf(truth.angularVelocityBaseRadPerS)));
    to.imuLinearAccelerationMPerS2.set(rotate(toImu, vectorOf(truth.specificForceBaseMPerS2)));
    to.imuMagneticField.set(rotate(conjugate(quatWorldImu), MAGNETIC_WORLD_T));
  }

  #readJoints(truth: DigitTruth): void {
    const to = this.observation;
    const swaps = this.#faults.has("swapsLegs");
    const { encoderOffsetRad } = this.#robot;
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      const from = swaps && motor < 2 * LEG_MOTORS ? (motor + LEG_MOTORS) % (2 * LEG_MOTORS) : motor;
      to.motorPositionRad[motor] = truth.positionRad[from]! + encoderOffsetRad[from]!;
      to.motorVelocityRadPerS[motor] = truth.velocityRadPerS[from]!;
      to.motorTorqueNm[motor] = truth.torqueNm[from]!;
    }
    for (let joint = 0; joint < PASSIVE_JOINT_COUNT; joint++) {
      const from = swaps ? (joint + LEG_JOINTS) % PASSIVE_JOINT_COUNT : joint;
      to.jointPositionRad[joint] = truth.passivePositionRad[from]!;
      to.jointVelocityRadPerS[joint] = truth.passiveVelocityRadPerS[from]!;
    }
  }

  #spoil(): void {
    const reads = this.#faults.get("reads");
    const at = reads && placeOf.get(reads.field);
    if (at === undefined) return;
    const { as } = reads!;
    this.observation.values[at] =
      as === "nan" ? Number.NaN : as === "infinity" ? Number.POSITIVE_INFINITY : as;
  }
}

const vectorOf = ([x, y, z]: Float64Array): Vector => [x!, y!, z!];
const quatOf = ({ quatWorldBaseXyzw: [x, y, z, w] }: DigitTruth): QuatXyzw => [x!, y!, z!, w!];

function setWxyz(to: Float64Array, [x, y, z, w]: QuatXyzw, factor: number): void {
  to[0] = factor * w;
  to[1] = factor * x;
  to[2] = factor * y;
  to[3] = factor * z;
}

/** The base's velocity in the world, as each convention tells it. */
const LINEAR_VELOCITY: Readonly<
  Record<Conventions["linearVelocity"], (quat: QuatXyzw, velocityWorld: Vector) => Vector>
> = {
  world: (_quat, velocity) => velocity,
  base: (quat, velocity) => rotate(conjugate(quat), velocity),
  heading: (quat, velocity) => {
    const [forwardX, forwardY] = rotate(quat, [1, 0, 0]);
    const half = Math.atan2(forwardY, forwardX) / 2;
    return rotate([0, 0, -Math.sin(half), Math.cos(half)], velocity);
  },
};
