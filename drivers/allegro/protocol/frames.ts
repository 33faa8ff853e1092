/** How both sides make a frame, and read numbers from one. Inside this folder only: from outside, no free identifier. */
import { invariant } from "../../../core/errors.js";
import type { CanFrame } from "../../can/frame.js";
import { DEVICE_ID_MAX, NEVER_SENT } from "./ids.js";

const NO_DATA = new Uint8Array(0);

export const INT16_MIN = -0x8000;
export const INT16_MAX = 0x7fff;

/** @throws a broken invariant for a device id that does not exist, or a message that must never be sent */
export function dataFrame(messageId: number, data: Uint8Array = NO_DATA, deviceId = 0): CanFrame {
  return { id: idOf(messageId, deviceId), isExtended: false, isRemote: false, length: data.length, data };
}

/** A request: a remote frame of length 0. */
export function remoteFrame(messageId: number, deviceId = 0): CanFrame {
  return { id: idOf(messageId, deviceId), isExtended: false, isRemote: true, length: 0, data: NO_DATA };
}

function idOf(messageId: number, deviceId: number): number {
  const never = NEVER_SENT.get(messageId);
  invariant(never === undefined, `message 0x${messageId.toString(16)} (${never}) is never sent`);
  invariant(
    Number.isInteger(deviceId) && deviceId >= 0 && deviceId <= DEVICE_ID_MAX,
    `device id ${deviceId} is not 0 to ${DEVICE_ID_MAX}`,
  );
  return (messageId << 2) | deviceId;
}

/** Undefined when a frame has data of exactly this length, else what is wrong with it, for people. */
export function wrongShape(frame: CanFrame, lengthBytes: number): string | undefined {
  if (frame.isRemote) return "remote frame where data is expected";
  if (frame.length !== lengthBytes || frame.data.length !== lengthBytes)
    return `length ${frame.length} with ${frame.data.length} bytes, expected ${lengthBytes}`;
  return undefined;
}

/** Everything on this wire is little-endian, but the IMU's words. */
export const int16At = (data: Uint8Array, at: number): number => (uint16At(data, at) << 16) >> 16;
export const uint16At = (data: Uint8Array, at: number): number =>
  (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8);
export const int32At = (data: Uint8Array, at: number): number =>
  uint16At(data, at) | (uint16At(data, at + 2) << 16);

/** int16 values, little-endian. @throws a broken invariant where one is none */
export function int16Bytes(values: ArrayLike<number>): Uint8Array {
  requireInt16(values);
  const bytes = new Uint8Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    bytes[2 * i] = value & 0xff;
    bytes[2 * i + 1] = (value >> 8) & 0xff;
  }
  return bytes;
}

/** @throws a broken invariant where a number is no int16: a torque that wraps would turn its sign */
export function requireInt16(values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN;
    if ((value << 16) >> 16 !== value) invariant(false, `${value} is no 16-bit integer`);
  }
}

/** int32 values, little-endian, of whole numbers. */
export function int32Bytes(values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN;
    invariant((value | 0) === value, `${value} is no 32-bit integer`);
    view.setInt32(4 * i, value, true);
  }
  return bytes;
}
