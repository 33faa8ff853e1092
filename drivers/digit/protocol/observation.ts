/** What Digit tells of itself, by the names of its wire; raw: units are SI, frames are whatever the wire has. */
import type { Description } from "./description.js";
import { MOTOR_COUNT, MOTORS, PASSIVE_JOINT_COUNT, PASSIVE_JOINTS } from "./joints.js";
import { mapNumbers, type NumberKind, type NumberMap, readNumbers, type WantedField } from "./numbers.js";

/** The 97 fields, each with the place of its first number in `DigitObservation.values`. */
export const OBSERVATION_FIELDS: readonly WantedField[] = layOut();
const COUNT = OBSERVATION_FIELDS.reduce((sum, { rows }) => sum + rows, 0);
const placeOf = (name: string): number => OBSERVATION_FIELDS.find((field) => field.name === name)!.at;

/** One object, updated in place. Vectors of twenty follow MOTORS, vectors of ten PASSIVE_JOINTS. */
export class DigitObservation {
  /** All numbers; the vectors below are views of it. */
  readonly values = new Float64Array(COUNT);
  readonly baseTranslationM = this.#view("base.translation", 3);
  readonly baseOrientationWxyz = this.#view("base.orientation.w", 4);
  readonly baseLinearVelocityMPerS = this.#view("base.linear_velocity", 3);
  readonly baseAngularVelocityRadPerS = this.#view("base.angular_velocity", 3);
  readonly imuOrientationWxyz = this.#view("imu.orientation.w", 4);
  readonly imuAngularVelocityRadPerS = this.#view("imu.angular_velocity", 3);
  readonly imuLinearAccelerationMPerS2 = this.#view("imu.linear_acceleration", 3);
  /** Its unit is not public. */
  readonly imuMagneticField = this.#view("imu.magnetic_field", 3);
  readonly motorPositionRad = this.#view(`${MOTORS[0]}.position`, MOTOR_COUNT);
  readonly motorVelocityRadPerS = this.#view(`${MOTORS[0]}.velocity`, MOTOR_COUNT);
  readonly motorTorqueNm = this.#view(`${MOTORS[0]}.torque`, MOTOR_COUNT);
  readonly jointPositionRad = this.#view(`${PASSIVE_JOINTS[0]}.position`, PASSIVE_JOINT_COUNT);
  readonly jointVelocityRadPerS = this.#view(`${PASSIVE_JOINTS[0]}.velocity`, PASSIVE_JOINT_COUNT);

  /** Since the robot's control program started [s]. */
  get timeS(): number {
    return this.values[TIME]!;
  }

  /** Reduced performance, or a fault that is coming: the robot ends low-level control by itself soon. */
  get error(): boolean {
    return this.values[ERROR] !== 0;
  }

  /** State of charge, 0 to 100. */
  get batteryPercent(): number {
    return this.values[BATTERY]!;
  }

  #view(firstField: string, length: number): Float64Array {
    const at = placeOf(firstField);
    return this.values.subarray(at, at + length);
  }
}

const TIME = placeOf("time");
const ERROR = placeOf("error");
const BATTERY = placeOf("battery.state_of_charge");

/** Reads observations of one description, whose places are worked out once. */
export class ObservationReader {
  readonly #numbers: NumberMap;

  constructor(readonly description: Description) {
    this.#numbers = mapNumbers(description, OBSERVATION_FIELDS);
  }

  /** Names of fields that this robot does not send as they must be; they stay as they were. */
  get missing(): readonly string[] {
    return this.#numbers.missing;
  }

  /** Allocates nothing. The message, `description.messageBytes` long, begins at `start` [bytes]. */
  read(view: DataView, start: number, into: DigitObservation): void {
    readNumbers(this.#numbers, view, start, into.values);
  }
}

function layOut(): WantedField[] {
  const fields: WantedField[] = [];
  let at = 0;
  const add = (name: string, kind: NumberKind = "float", rows = 1) => {
    fields.push({ name, kind, rows, at });
    at += rows;
  };
  const addEach = (names: readonly string[], what: string) => {
    for (const name of names) add(`${name}.${what}`);
  };
  const addQuaternion = (name: string) => {
    for (const part of ["w", "x", "y", "z"]) add(`${name}.${part}`);
  };
  add("time");
  add("error", "bool");
  add("base.translation", "float", 3);
  addQuaternion("base.orientation");
  add("base.linear_velocity", "float", 3);
  add("base.angular_velocity", "float", 3);
  addQuaternion("imu.orientation");
  add("imu.angular_velocity", "float", 3);
  add("imu.linear_acceleration", "float", 3);
  add("imu.magnetic_field", "float", 3);
  for (const what of ["position", "velocity", "torque"]) addEach(MOTORS, what);
  for (const what of ["position", "velocity"]) addEach(PASSIVE_JOINTS, what);
  add("battery.state_of_charge", "integer");
  return fields;
}
