/**
 * Message numbers of the Allegro Hand's CAN wire, V4 and V5, and how an identifier is made of them: classic CAN, 11-bit
 * identifiers, 1 Mbit/s, `identifier = message << 2 | device`, device 0 to 3 (0 as delivered). Whoever receives drops the
 * device's two bits. Fingers and joints follow in wire order (kinematics/allegro/hand.ts) on both hands.
 *
 * Sources: simlabrobotics/allegro_hand_ros_v4 b19b18ea, Wonikrobotics-git/allegro_hand_ros2_v5 2a6de970; nothing of this
 * has been tried on a hand. In this folder [?] marks what sources disagree on or nobody says, [I] what is inferred.
 */
import { invariant } from "../../../core/errors.js";
import { type CanFrame, STANDARD_ID_MAX } from "../../can/frame.js";

/** Place of a finger on the wire and in every array: 0 index, 1 middle, 2 ring, 3 thumb. */
export type FingerIndex = 0 | 1 | 2 | 3;
export const FINGER_INDICES: readonly FingerIndex[] = [0, 1, 2, 3];

export const DEVICE_ID_MAX = 3;

/** What the host sends with data. Torque of finger f is `setTorque + f`. */
export const HOST_MESSAGE = { systemOn: 0x40, systemOff: 0x41, setTorque: 0x60, setPeriod: 0x81 } as const;

/**
 * What the hand sends, by itself in its periods or as the answer to a remote frame of length 0 on the same identifier.
 * Pose of finger f is `pose + f`, temperature of sensor s is `temperature + s`.
 */
export const HAND_MESSAGE = { pose: 0x20, imu: 0x30, temperature: 0x38, info: 0x80, serial: 0x88 } as const;

/**
 * What only a V5 sends. Pressure comes in two frames: index and middle, ring and thumb. A V5 Plus was seen to use 0xf0 and
 * 0xf2, its manual (1.3) names 0x50 and 0x52 [?]: both are understood.
 */
export const V5_MESSAGE = {
  pressure: [0xf0, 0xf2],
  pressureOfManual: [0x50, 0x52],
  error: 0xee,
} as const;

/**
 * Messages that this codec has no way to send. `config` sets the device id or the RS-485 rate FOR GOOD, across power
 * cycles. `setPose` is in the vendor's header but no controller uses it, and its effect is unknown [?]; `pick` and `place`
 * make a V5 move by itself; `calibrate` is known from one third party only [?].
 */
export const NEVER_SENT: ReadonlyMap<number, NeverSent> = new Map<number, NeverSent>([
  [0x68, "config"],
  [0xe0, "setPose"],
  [0xe1, "setPose"],
  [0xe2, "setPose"],
  [0xe3, "setPose"],
  [0x11, "pick"],
  [0x12, "place"],
  [0x89, "calibrate"],
]);
export type NeverSent = "config" | "setPose" | "pick" | "place" | "calibrate";

/** The message number of a frame with an 11-bit identifier, -1 of any other. */
export function messageIdOf(frame: CanFrame): number {
  const { id } = frame;
  return frame.isExtended || !Number.isInteger(id) || id < 0 || id > STANDARD_ID_MAX ? -1 : id >> 2;
}

/** Which of the four devices that a bus can carry a frame is of. */
export const deviceIdOf = (frame: CanFrame): number => frame.id & DEVICE_ID_MAX;

/** Whether a frame is one of those that must never leave; `dataFrame` makes none, and tests look for them. */
export const isNeverSent = (frame: CanFrame): boolean => NEVER_SENT.has(messageIdOf(frame));

/** CAN identifier under which the pose of a finger comes. */
export const FINGER_POSE_ID = (finger: FingerIndex, deviceId = 0): number =>
  ((HAND_MESSAGE.pose + finger) << 2) | deviceId;

/** CAN identifier under which a finger takes its torques. */
export const FINGER_TORQUE_ID = (finger: FingerIndex, deviceId = 0): number =>
  ((HOST_MESSAGE.setTorque + finger) << 2) | deviceId;

export function requireFinger(finger: number): asserts finger is FingerIndex {
  invariant(finger === 0 || finger === 1 || finger === 2 || finger === 3, `finger ${finger} is not 0 to 3`);
}
