/** Frames from the hand to the host, read here by the driver and made here by the emulated hand. */
import { invariant } from "../../../core/errors.js";
import { type HandModel, type HandSide, JOINTS_PER_FINGER } from "../../../kinematics/allegro/hand.js";
import type { CanFrame } from "../../can/frame.js";
import { dataFrame, int16At, int16Bytes, int32At, int32Bytes, uint16At, wrongShape } from "./frames.js";
import {
  FINGER_INDICES,
  type FingerIndex,
  HAND_MESSAGE,
  messageIdOf,
  requireFinger,
  V5_MESSAGE,
} from "./ids.js";

/** How a hand introduces itself. */
export interface HandInfo {
  /** The upper byte is the hand's generation (`generationOf`). */
  readonly hardware: number;
  readonly firmware: number;
  /** Undefined where the hand does not say: the V5 manual has 0 here for every hand [?]; see `identityOfV5Serial`. */
  readonly side: HandSide | undefined;
  /** [°C], a byte without sign. Undefined for a V5 that sends 0, as its manual has it [?]. */
  readonly temperatureC: number | undefined;
  readonly servoOn: boolean;
  readonly overTemperature: boolean;
  /** The hand's own bus between its boards. */
  readonly communicationFault: boolean;
}

export type HandMessage =
  /** Angles of a finger as counts (`radOfCounts`), joint 0 to 3; the array is a copy. */
  | { readonly kind: "pose"; readonly finger: FingerIndex; readonly counts: Int16Array }
  | ({ readonly kind: "info" } & HandInfo)
  /** Eight characters; anything unprintable as "?", cut at the first NUL (`printedSerial`). */
  | { readonly kind: "serial"; readonly text: string }
  /** Three unsigned 16-bit words that the vendor prints as roll, pitch, yaw, high byte first; unit and order unknown [?]. */
  | { readonly kind: "imu"; readonly words: readonly [number, number, number] }
  | {
      readonly kind: "temperature";
      readonly sensor: FingerIndex;
      /** [°C] V4: of the sensor. V5: of the hottest joint. */
      readonly celsius: number;
      /** [°C] V5: joints 0 to 3 of finger `sensor` [I]. V4: empty. */
      readonly jointCelsius: readonly number[];
    }
  /** Of V5's fingertips [Pa]; what lies outside of 0 to 5000 is 0, as in the vendor's driver. */
  | {
      readonly kind: "pressure";
      readonly fingers: readonly [FingerIndex, FingerIndex];
      readonly pressurePa: readonly [number, number];
    }
  /** A motor of V5 complains (`motorErrorsOf`). Whether motors count from 0 or from 1 is not said [?]. */
  | { readonly kind: "error"; readonly motor: number; readonly bits: number }
  /** One of the hand's identifiers with content that it cannot mean. */
  | { readonly kind: "malformed"; readonly why: string };

/** Bits of V5's error message. */
export const MOTOR_ERROR_BITS = { voltage: 0, overheat: 2, electricalShock: 4, overload: 5 } as const;
export type MotorError = keyof typeof MOTOR_ERROR_BITS;

export const motorErrorsOf = (bits: number): MotorError[] =>
  (Object.keys(MOTOR_ERROR_BITS) as MotorError[]).filter((name) => bits & (1 << MOTOR_ERROR_BITS[name]));

/** Generation of a hand: 4, 5, or what an unknown one says. */
export const generationOf = (info: Pick<HandInfo, "hardware">): number => info.hardware >> 8;

/** The generation that a model's info shows. */
export const GENERATION: Readonly<Record<HandModel, number>> = { v4: 4, v5a: 5, v5b: 5 };

/** What a V5's serial number says: character 2 is A (not geared) or B (geared), 3 is R or L. Undefined for other texts. */
export function identityOfV5Serial(text: string): { model: HandModel; side: HandSide } | undefined {
  const found = /^..([AB])([RL])/.exec(text);
  if (found === null) return undefined;
  return { model: found[1] === "A" ? "v5a" : "v5b", side: found[2] === "R" ? "right" : "left" };
}

/** A serial number as the vendor's software prints it. */
export const printedSerial = (model: HandModel, text: string): string =>
  model === "v4" ? `SAH040 ${text}` : text;

const SERIAL_BYTES = 8;
const PRESSURE_MAX_PA = 5000;
const STATUS_SERVO_ON = 1;
const STATUS_OVER_TEMPERATURE = 2;
const STATUS_COMMUNICATION_FAULT = 4;

interface HandRow {
  readonly what: string;
  readonly lengthBytes: number;
  readonly v5Only?: true;
  readonly decode: (data: Uint8Array, model: HandModel) => HandMessage;
}

const pressureRow = (first: 0 | 2): HandRow => ({
  what: "pressure",
  lengthBytes: 8,
  v5Only: true,
  decode: (data) => ({
    kind: "pressure",
    fingers: first === 0 ? [0, 1] : [2, 3],
    pressurePa: [plausiblePa(int32At(data, 0)), plausiblePa(int32At(data, 4))],
  }),
});

const HAND_ROWS: ReadonlyMap<number, HandRow> = new Map<number, HandRow>([
  [HAND_MESSAGE.info, { what: "info", lengthBytes: 7, decode: infoOf }],
  [HAND_MESSAGE.serial, { what: "serial", lengthBytes: SERIAL_BYTES, decode: serialOf }],
  [HAND_MESSAGE.imu, { what: "IMU", lengthBytes: 6, decode: imuOf }],
  ...FINGER_INDICES.flatMap((finger): [number, HandRow][] => [
    [HAND_MESSAGE.pose + finger, { what: "pose", lengthBytes: 8, decode: (data) => poseOf(data, finger) }],
    [
      HAND_MESSAGE.temperature + finger,
      {
        what: "temperature",
        lengthBytes: 4,
        decode: (data, model) => temperatureOf(data, finger, model),
      },
    ],
  ]),
  [V5_MESSAGE.pressure[0], pressureRow(0)],
  [V5_MESSAGE.pressure[1], pressureRow(2)],
  [V5_MESSAGE.pressureOfManual[0], pressureRow(0)],
  [V5_MESSAGE.pressureOfManual[1], pressureRow(2)],
  [
    V5_MESSAGE.error,
    {
      what: "error",
      lengthBytes: 2,
      v5Only: true,
      decode: (data) => ({ kind: "error", motor: data[0] ?? 0, bits: data[1] ?? 0 }),
    },
  ],
]);

/**
 * The host's side: what a hand of this model tells. Never throws; every number in the answer is finite.
 * @returns undefined for a frame that is not this hand's, among them everything that a host sends
 */
export function decodeHandFrame(frame: CanFrame, model: HandModel): HandMessage | undefined {
  const row = HAND_ROWS.get(messageIdOf(frame));
  if (row === undefined || (row.v5Only && GENERATION[model] !== 5)) return undefined;
  const wrong = wrongShape(frame, row.lengthBytes);
  return wrong === undefined
    ? row.decode(frame.data, model)
    : { kind: "malformed", why: `${row.what}: ${wrong}` };
}

/**
 * `decodeHandFrame` for the one message that comes four times a cycle, without allocating: a finger's counts go to their
 * places in wire order.
 * @param counts sixteen int16, changed only when a finger is returned
 * @returns undefined for anything but a well-formed pose: ask `decodeHandFrame` what it is
 */
export function readPose(frame: CanFrame, counts: Int16Array): FingerIndex | undefined {
  const finger = messageIdOf(frame) - HAND_MESSAGE.pose;
  if (finger !== 0 && finger !== 1 && finger !== 2 && finger !== 3) return undefined;
  const { data } = frame;
  if (frame.isRemote || frame.length !== 8 || data.length !== 8) return undefined;
  for (let joint = 0; joint < JOINTS_PER_FINGER; joint++)
    counts[JOINTS_PER_FINGER * finger + joint] = int16At(data, 2 * joint);
  return finger;
}

/** @param counts four int16, joint 0 to 3 */
export function encodePose(finger: FingerIndex, counts: ArrayLike<number>, deviceId = 0): CanFrame {
  requireFinger(finger);
  invariant(counts.length === JOINTS_PER_FINGER, `${counts.length} angles for a finger's four joints`);
  return dataFrame(HAND_MESSAGE.pose + finger, int16Bytes(counts), deviceId);
}

export function encodeInfo(info: HandInfo, deviceId = 0): CanFrame {
  const status =
    (info.servoOn ? STATUS_SERVO_ON : 0) |
    (info.overTemperature ? STATUS_OVER_TEMPERATURE : 0) |
    (info.communicationFault ? STATUS_COMMUNICATION_FAULT : 0);
  const data = Uint8Array.of(
    info.hardware & 0xff,
    info.hardware >> 8,
    info.firmware & 0xff,
    info.firmware >> 8,
    info.side === "left" ? 1 : 0,
    info.temperatureC ?? 0,
    status,
  );
  return dataFrame(HAND_MESSAGE.info, data, deviceId);
}

/** @param text up to eight ASCII characters, filled up with NUL */
export function encodeSerial(text: string, deviceId = 0): CanFrame {
  invariant(text.length <= SERIAL_BYTES, `serial number "${text}" is longer than ${SERIAL_BYTES} characters`);
  const data = Uint8Array.from({ length: SERIAL_BYTES }, (_, i) => text.charCodeAt(i) || 0);
  return dataFrame(HAND_MESSAGE.serial, data, deviceId);
}

/** @param celsius [°C], sent as the nearest whole one: one number, on V5 one for all or each of the four joints */
export function encodeTemperature(
  model: HandModel,
  sensor: FingerIndex,
  celsius: number | readonly number[],
  deviceId = 0,
): CanFrame {
  requireFinger(sensor);
  const values = (typeof celsius === "number" ? [celsius] : celsius).map(Math.round);
  const data =
    GENERATION[model] === 5
      ? Uint8Array.from({ length: JOINTS_PER_FINGER }, (_, joint) => values[joint] ?? values[0] ?? 0)
      : int32Bytes(values.slice(0, 1));
  return dataFrame(HAND_MESSAGE.temperature + sensor, data, deviceId);
}

/** @param words three unsigned 16-bit words, written high byte first */
export function encodeImu(words: readonly [number, number, number], deviceId = 0): CanFrame {
  const data = Uint8Array.from(words.flatMap((word) => [(word >> 8) & 0xff, word & 0xff]));
  return dataFrame(HAND_MESSAGE.imu, data, deviceId);
}

/** V5 only. @param first 0 for index and middle, 2 for ring and thumb; pressures whole [Pa] */
export function encodePressure(first: 0 | 2, pressurePa: readonly [number, number], deviceId = 0): CanFrame {
  return dataFrame(V5_MESSAGE.pressure[first === 0 ? 0 : 1], int32Bytes(pressurePa), deviceId);
}

/** V5 only. @param bits as in `MOTOR_ERROR_BITS` */
export const encodeError = (motor: number, bits: number, deviceId = 0): CanFrame =>
  dataFrame(V5_MESSAGE.error, Uint8Array.of(motor, bits), deviceId);

function poseOf(data: Uint8Array, finger: FingerIndex): HandMessage {
  const counts = new Int16Array(JOINTS_PER_FINGER);
  for (let joint = 0; joint < JOINTS_PER_FINGER; joint++) counts[joint] = int16At(data, 2 * joint);
  return { kind: "pose", finger, counts };
}

function infoOf(data: Uint8Array, model: HandModel): HandMessage {
  const [side = 0, temperatureC = 0, status = 0] = data.subarray(4);
  if (side > 1) return { kind: "malformed", why: `info: hand type ${side}, expected 0 (right) or 1 (left)` };
  const saysNothing = (byte: number) => GENERATION[model] === 5 && byte === 0;
  return {
    kind: "info",
    hardware: uint16At(data, 0),
    firmware: uint16At(data, 2),
    side: saysNothing(side) ? undefined : side === 1 ? "left" : "right",
    temperatureC: saysNothing(temperatureC) ? undefined : temperatureC,
    servoOn: (status & STATUS_SERVO_ON) !== 0,
    overTemperature: (status & STATUS_OVER_TEMPERATURE) !== 0,
    communicationFault: (status & STATUS_COMMUNICATION_FAULT) !== 0,
  };
}

function serialOf(data: Uint8Array): HandMessage {
  const end = data.indexOf(0);
  const shown = end < 0 ? data : data.subarray(0, end);
  const text = Array.from(shown, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?",
  ).join("");
  return { kind: "serial", text };
}

function imuOf(data: Uint8Array): HandMessage {
  const word = (at: number): number => ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
  return { kind: "imu", words: [word(0), word(2), word(4)] };
}

function temperatureOf(data: Uint8Array, sensor: FingerIndex, model: HandModel): HandMessage {
  const jointCelsius = GENERATION[model] === 5 ? [...data] : [];
  const celsius = GENERATION[model] === 5 ? Math.max(...jointCelsius) : int32At(data, 0);
  return { kind: "temperature", sensor, celsius, jointCelsius };
}

const plausiblePa = (pressurePa: number): number =>
  pressurePa >= 0 && pressurePa <= PRESSURE_MAX_PA ? pressurePa : 0;
