/** Frames from the host to the hand, made here by the driver and read here by the emulated hand. */
import { invariant } from "../../../core/errors.js";
import { HAND_JOINT_COUNT, JOINTS_PER_FINGER } from "../../../kinematics/allegro/hand.js";
import type { CanFrame } from "../../can/frame.js";
import {
  dataFrame,
  INT16_MAX,
  int16At,
  int16Bytes,
  remoteFrame,
  requireInt16,
  wrongShape,
} from "./frames.js";
import {
  FINGER_INDICES,
  type FingerIndex,
  HAND_MESSAGE,
  HOST_MESSAGE,
  messageIdOf,
  NEVER_SENT,
  type NeverSent,
  requireFinger,
} from "./ids.js";

/** How often the hand sends what [ms]; 0 switches a stream off, all three 0 everything. */
export interface StreamPeriods {
  readonly jointMs: number;
  readonly imuMs: number;
  readonly temperatureMs: number;
}

/** The vendor's V4 node and its ROS 2 node for V5: 333 Hz. The V5 manual says 2 ms, the V5 ROS 1 node uses that [?]. */
export const JOINT_PERIOD_MS = 3;

/** Servo on: from here on the hand follows torques. A third party says that a hand reports positions only while on [?]. */
export const systemOn = (deviceId = 0): CanFrame => dataFrame(HOST_MESSAGE.systemOn, undefined, deviceId);

/** Servo off: the joints are free. */
export const systemOff = (deviceId = 0): CanFrame => dataFrame(HOST_MESSAGE.systemOff, undefined, deviceId);

/**
 * Torques of one finger, as commands that are already limited (`commandOfTorque`).
 * @param command four int16, joint 0 (spread; thumb: opposition) to 3 (distal): PWM on V4, mA on V5
 * @throws a broken invariant for other numbers: nothing is ever wrapped or cut here
 */
export function setTorque(finger: FingerIndex, command: ArrayLike<number>, deviceId = 0): CanFrame {
  requireFinger(finger);
  invariant(command.length === JOINTS_PER_FINGER, `${command.length} torques for a finger's four joints`);
  return dataFrame(HOST_MESSAGE.setTorque + finger, int16Bytes(command), deviceId);
}

/** Torques of the hand: one frame for each finger. @param command sixteen int16 in wire order, as in `setTorque` */
export function torqueFrames(command: ArrayLike<number>, deviceId = 0): CanFrame[] {
  return [...new TorqueFrames(deviceId).fill(command)];
}

/** Zero torque for the four fingers: the first step of going limp. */
export const zeroTorqueFrames = (deviceId = 0): CanFrame[] => [...new TorqueFrames(deviceId).frames];

/** The four torque frames, filled in place once a cycle, so that a loop allocates nothing. All zero at first. */
export class TorqueFrames {
  readonly #frames: readonly CanFrame[];

  constructor(deviceId = 0) {
    this.#frames = FINGER_INDICES.map((finger) =>
      setTorque(finger, new Int16Array(JOINTS_PER_FINGER), deviceId),
    );
  }

  /** As last filled; the next `fill` writes into the same bytes. */
  get frames(): readonly CanFrame[] {
    return this.#frames;
  }

  /**
   * @param command sixteen int16 in wire order, as in `setTorque`
   * @throws a broken invariant for other numbers; the frames are then as they were
   */
  fill(command: ArrayLike<number>): readonly CanFrame[] {
    invariant(command.length === HAND_JOINT_COUNT, `${command.length} torques for 16 joints`);
    requireInt16(command);
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const { data } = this.#frames[joint >> 2]!;
      const value = command[joint]!;
      data[2 * (joint & 3)] = value & 0xff;
      data[2 * (joint & 3) + 1] = (value >> 8) & 0xff;
    }
    return this.#frames;
  }
}

/** @throws a broken invariant unless the periods are whole milliseconds, 0 to 32767 */
export function setPeriod(periods: StreamPeriods, deviceId = 0): CanFrame {
  const values = [periods.jointMs, periods.imuMs, periods.temperatureMs];
  invariant(
    values.every((value) => value >= 0),
    `negative period among ${values.join(", ")} ms`,
  );
  return dataFrame(HOST_MESSAGE.setPeriod, int16Bytes(values), deviceId);
}

/** Versions, side, temperature, status. V5 firmware is said to leave this unanswered often [?]: ask the serial too. */
export const requestInfo = (deviceId = 0): CanFrame => remoteFrame(HAND_MESSAGE.info, deviceId);
export const requestSerial = (deviceId = 0): CanFrame => remoteFrame(HAND_MESSAGE.serial, deviceId);
export const requestImu = (deviceId = 0): CanFrame => remoteFrame(HAND_MESSAGE.imu, deviceId);

/** One pose of a finger, without a stream. */
export function requestPose(finger: FingerIndex, deviceId = 0): CanFrame {
  requireFinger(finger);
  return remoteFrame(HAND_MESSAGE.pose + finger, deviceId);
}

/** @param sensor 0 to 3; on V5 a finger [I] */
export function requestTemperature(sensor: FingerIndex, deviceId = 0): CanFrame {
  requireFinger(sensor);
  return remoteFrame(HAND_MESSAGE.temperature + sensor, deviceId);
}

export type HostMessage =
  | { readonly kind: "systemOn" | "systemOff" | "requestInfo" | "requestSerial" | "requestImu" }
  /** As `setTorque`; the array is a copy. */
  | { readonly kind: "torque"; readonly finger: FingerIndex; readonly command: Int16Array }
  | ({ readonly kind: "period" } & StreamPeriods)
  | { readonly kind: "requestPose"; readonly finger: FingerIndex }
  | { readonly kind: "requestTemperature"; readonly sensor: FingerIndex }
  /** A message that this host never sends: somebody else writes on the bus, or the host is broken. */
  | { readonly kind: "neverSent"; readonly what: NeverSent }
  | { readonly kind: "malformed"; readonly why: string };

interface HostRow {
  readonly what: string;
  /** Bytes of data; "remote" for a request. */
  readonly length: number | "remote";
  readonly decode: (data: Uint8Array) => HostMessage;
}

const HOST_ROWS: ReadonlyMap<number, HostRow> = new Map<number, HostRow>([
  [HOST_MESSAGE.systemOn, { what: "servo on", length: 0, decode: () => ({ kind: "systemOn" }) }],
  [HOST_MESSAGE.systemOff, { what: "servo off", length: 0, decode: () => ({ kind: "systemOff" }) }],
  [HOST_MESSAGE.setPeriod, { what: "periods", length: 6, decode: periodsOf }],
  [HAND_MESSAGE.info, { what: "info", length: "remote", decode: () => ({ kind: "requestInfo" }) }],
  [HAND_MESSAGE.serial, { what: "serial", length: "remote", decode: () => ({ kind: "requestSerial" }) }],
  [HAND_MESSAGE.imu, { what: "IMU", length: "remote", decode: () => ({ kind: "requestImu" }) }],
  ...FINGER_INDICES.flatMap((finger): [number, HostRow][] => [
    [HOST_MESSAGE.setTorque + finger, { what: "torques", length: 8, decode: torqueOf(finger) }],
    [
      HAND_MESSAGE.pose + finger,
      { what: "pose", length: "remote", decode: () => ({ kind: "requestPose", finger }) },
    ],
    [
      HAND_MESSAGE.temperature + finger,
      {
        what: "temperature",
        length: "remote",
        decode: () => ({ kind: "requestTemperature", sensor: finger }),
      },
    ],
  ]),
]);

/**
 * The hand's side: what a host asks of it. Never throws.
 * @returns undefined for a frame that no host of this wire sends, among them the hand's own data frames
 */
export function decodeHostFrame(frame: CanFrame): HostMessage | undefined {
  const messageId = messageIdOf(frame);
  const what = NEVER_SENT.get(messageId);
  if (what !== undefined) return { kind: "neverSent", what };
  const row = HOST_ROWS.get(messageId);
  if (row === undefined) return undefined;
  if (row.length === "remote") {
    if (!frame.isRemote) return undefined;
    if (frame.length !== 0)
      return { kind: "malformed", why: `request for ${row.what}: length ${frame.length}, expected 0` };
    return row.decode(frame.data);
  }
  const wrong = wrongShape(frame, row.length);
  return wrong === undefined ? row.decode(frame.data) : { kind: "malformed", why: `${row.what}: ${wrong}` };
}

function torqueOf(finger: FingerIndex) {
  return (data: Uint8Array): HostMessage => {
    const command = new Int16Array(JOINTS_PER_FINGER);
    for (let joint = 0; joint < JOINTS_PER_FINGER; joint++) command[joint] = int16At(data, 2 * joint);
    return { kind: "torque", finger, command };
  };
}

function periodsOf(data: Uint8Array): HostMessage {
  const [jointMs, imuMs, temperatureMs] = [int16At(data, 0), int16At(data, 2), int16At(data, 4)];
  if (jointMs < 0 || imuMs < 0 || temperatureMs < 0)
    return {
      kind: "malformed",
      why: `periods: ${jointMs}, ${imuMs}, ${temperatureMs} ms, expected 0 to ${INT16_MAX}`,
    };
  return { kind: "period", jointMs, imuMs, temperatureMs };
}
