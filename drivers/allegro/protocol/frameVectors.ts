/**
 * Frames of a vector file through the codec: decoded, compared with what the vector says they mean, made again from that.
 * Answers every mismatch, never throws.
 */
import { Comparison, type VectorCheck } from "../../../core/vectorCheck.js";
import { FINGERS, HAND_JOINT_COUNT, type HandModel } from "../../../kinematics/allegro/hand.js";
import type { CanFrame } from "../../can/frame.js";
import { radOfCounts } from "./counts.js";
import {
  decodeHandFrame,
  encodeError,
  encodeImu,
  encodeInfo,
  encodePose,
  encodePressure,
  encodeSerial,
  encodeTemperature,
  type HandMessage,
  MOTOR_ERROR_BITS,
  printedSerial,
} from "./handFrames.js";
import {
  decodeHostFrame,
  type HostMessage,
  requestImu,
  requestInfo,
  requestPose,
  requestSerial,
  requestTemperature,
  setPeriod,
  setTorque,
  systemOff,
  systemOn,
} from "./hostFrames.js";
import { deviceIdOf, FINGER_INDICES, type FingerIndex } from "./ids.js";
import { commandOfTorque, TORQUE_TABLES } from "./torque.js";
import { type FrameVector, RELATIVE_ERROR_MAX } from "./vectorFile.js";

export interface FrameCheck extends VectorCheck {
  /** False where the vector does not say what its frame means: then only decoding and encoding again was checked. */
  readonly meaningKnown: boolean;
}

class FrameComparison extends Comparison implements FrameCheck {
  meaningKnown = false;

  /** Compares what a frame means, where the vector says it. */
  meaning(what: string, expected: unknown, found: unknown): void {
    if (expected === undefined) return;
    this.meaningKnown = true;
    this.equal(what, shown(expected), shown(found));
  }
}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (inner instanceof Int16Array ? [...inner] : inner)) ?? "none";
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const frameText = (frame: CanFrame): string =>
  `0x${frame.id.toString(16)} ${frame.isRemote ? "remote" : "data"} ${frame.length} ${hexOf(frame.data)}`;

/** The frame of a vector, as a bus would hand it over. */
export function frameOfVector(vector: FrameVector): CanFrame {
  const data = Uint8Array.from(Buffer.from(vector.data, "hex"));
  return { id: vector.id, isExtended: false, isRemote: vector.rtr, length: vector.dlc, data };
}

export const modelOfVector = (vector: FrameVector): HandModel =>
  vector.version === "v4" ? "v4" : vector.hw_type === "B" ? "v5b" : "v5a";

export function checkFrameVector(vector: FrameVector): FrameCheck {
  const comparison = new FrameComparison(vector.tag);
  comparison.guard("frame", () => {
    const frame = frameOfVector(vector);
    comparison.equal("id_hex", vector.id_hex.toLowerCase(), `0x${vector.id.toString(16).padStart(3, "0")}`);
    if (vector.dir === "tx") checkFromHost(comparison, vector, frame);
    else checkFromHand(comparison, vector, frame);
  });
  return comparison;
}

/** What frames without data mean is said by the vector's name alone. */
const NAMED: readonly (readonly [name: RegExp, message: (part: string) => HostMessage])[] = [
  [/system_on$/, () => ({ kind: "systemOn" })],
  [/system_off$/, () => ({ kind: "systemOff" })],
  [/^request_info$/, () => ({ kind: "requestInfo" })],
  [/^request_serial$/, () => ({ kind: "requestSerial" })],
  [/^request_imu$/, () => ({ kind: "requestImu" })],
  [/^request_pose_(index|middle|ring|thumb)$/, (name) => ({ kind: "requestPose", finger: fingerOf(name) })],
  [
    /^request_temperature_([0-3])$/,
    (sensor) => ({ kind: "requestTemperature", sensor: Number(sensor) as FingerIndex }),
  ],
];

function checkFromHost(comparison: FrameComparison, vector: FrameVector, frame: CanFrame): void {
  const message = decodeHostFrame(frame);
  const again = message === undefined ? undefined : hostFrameOf(message, deviceIdOf(frame));
  comparison.equal("frame", frameText(frame), again === undefined ? shown(message) : frameText(again));
  for (const [name, meant] of NAMED) {
    const found = name.exec(vector.name);
    if (found !== null) comparison.meaning("message", meant(found[1] ?? ""), message);
  }
  if (message === undefined) return;
  comparison.meaning(
    "period_ms",
    vector.period_ms,
    message.kind === "period" ? [message.jointMs, message.imuMs, message.temperatureMs] : message,
  );
  const torque = vector.torque ?? vector.torque_nm;
  const command = vector.pwm ?? vector.current_ma;
  if (message.kind !== "torque") {
    comparison.meaning("command", command, message);
    return;
  }
  comparison.meaning("finger", vector.finger, FINGERS[message.finger]);
  comparison.meaning("command", command, [...message.command]);
  if (torque === undefined || command === undefined) return;
  const model = modelOfVector(vector);
  const firstJoint = 4 * message.finger;
  const [all, commands] = [new Float64Array(HAND_JOINT_COUNT), new Int16Array(HAND_JOINT_COUNT)];
  all.set(torque, firstJoint);
  commandOfTorque(model, all, commands);
  comparison.meaning("command of the torque", command, [...commands.subarray(firstJoint, firstJoint + 4)]);
  comparison.meaning(
    "pwm_limit",
    vector.pwm_limit,
    TORQUE_TABLES[model].commandMax.slice(firstJoint, firstJoint + 4),
  );
}

function checkFromHand(comparison: FrameComparison, vector: FrameVector, frame: CanFrame): void {
  const model = modelOfVector(vector);
  const message = decodeHandFrame(frame, model);
  const again = message === undefined ? undefined : handFrameOf(message, model, deviceIdOf(frame));
  comparison.equal("frame", frameText(frame), again === undefined ? shown(message) : frameText(again));
  if (message === undefined) return;
  const { counts, rad, info, error } = vector;
  const isPose = message.kind === "pose";
  comparison.meaning("finger", vector.finger, isPose ? FINGERS[message.finger] : message);
  comparison.meaning("counts", counts, isPose ? message.counts : message);
  if (rad !== undefined && isPose)
    comparison.near(
      "rad",
      rad,
      Array.from(message.counts, (count) => radOfCounts(model, count)),
      RELATIVE_ERROR_MAX,
    );
  if (info !== undefined) {
    comparison.meaning("info", { kind: "info", ...infoOfVector(info) }, message);
    comparison.meaning("info status", info.status, frame.data[6]);
  }
  const text = message.kind === "serial" ? message.text : undefined;
  comparison.meaning("serial_raw", vector.serial_raw, text);
  comparison.meaning("serial_printed", vector.serial_printed, printedSerial(model, text ?? ""));
  comparison.meaning("sensor", vector.sensor, message.kind === "temperature" ? message.sensor : message);
  comparison.meaning("celsius", vector.celsius, message.kind === "temperature" ? message.celsius : message);
  comparison.meaning("words", vector.words, message.kind === "imu" ? message.words : message);
  comparison.meaning(
    "pressure_pa",
    vector.pressure_pa,
    message.kind === "pressure" ? paOf(message) : message,
  );
  if (error !== undefined)
    comparison.meaning(
      "error",
      [error.motor, errorBits(error)],
      message.kind === "error" ? [message.motor, message.bits] : message,
    );
}

/** The message's own frame; undefined for what this host never sends. */
function hostFrameOf(message: HostMessage, deviceId: number): CanFrame | undefined {
  switch (message.kind) {
    case "systemOn":
      return systemOn(deviceId);
    case "systemOff":
      return systemOff(deviceId);
    case "requestInfo":
      return requestInfo(deviceId);
    case "requestSerial":
      return requestSerial(deviceId);
    case "requestImu":
      return requestImu(deviceId);
    case "requestPose":
      return requestPose(message.finger, deviceId);
    case "requestTemperature":
      return requestTemperature(message.sensor, deviceId);
    case "torque":
      return setTorque(message.finger, message.command, deviceId);
    case "period":
      return setPeriod(message, deviceId);
    default:
      return undefined;
  }
}

/** The message's own frame; undefined for a malformed one. */
function handFrameOf(message: HandMessage, model: HandModel, deviceId: number): CanFrame | undefined {
  switch (message.kind) {
    case "pose":
      return encodePose(message.finger, message.counts, deviceId);
    case "info":
      return encodeInfo(message, deviceId);
    case "serial":
      return encodeSerial(message.text, deviceId);
    case "imu":
      return encodeImu(message.words, deviceId);
    case "temperature":
      return encodeTemperature(
        model,
        message.sensor,
        model === "v4" ? message.celsius : message.jointCelsius,
        deviceId,
      );
    case "pressure":
      return encodePressure(message.fingers[0] === 0 ? 0 : 2, message.pressurePa, deviceId);
    case "error":
      return encodeError(message.motor, message.bits, deviceId);
    default:
      return undefined;
  }
}

const fingerOf = (name: string): FingerIndex =>
  FINGER_INDICES.find((finger) => FINGERS[finger] === name) ?? 0;

const infoOfVector = (info: NonNullable<FrameVector["info"]>) => ({
  hardware: info.hw,
  firmware: info.fw,
  side: info.hand_type,
  temperatureC: info.temperature_c,
  servoOn: info.servo_on,
  overTemperature: info.overtemp,
  communicationFault: info.comm_fault,
});

const paOf = (message: Extract<HandMessage, { kind: "pressure" }>): Record<string, number> =>
  Object.fromEntries(message.fingers.map((finger, i) => [FINGERS[finger], message.pressurePa[i] ?? 0]));

/** The vectors' words for the bits of an error. */
const ERROR_WORDS: Readonly<Record<string, keyof typeof MOTOR_ERROR_BITS>> = {
  voltage: "voltage",
  overheating: "overheat",
  electrical_shock: "electricalShock",
  overload: "overload",
};
const errorBits = (error: Readonly<Record<string, boolean | number>>): number =>
  Object.entries(ERROR_WORDS).reduce(
    (bits, [word, name]) => (error[word] === true ? bits | (1 << MOTOR_ERROR_BITS[name]) : bits),
    0,
  );
