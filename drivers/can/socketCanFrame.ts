/**
 * The 16 bytes of Linux' `struct can_frame` (linux/can.h): identifier with three flags, length, three bytes that mean
 * nothing, eight of data. The identifier is in the computer's byte order, which is little-endian wherever this runs.
 * In an error frame the identifier holds classes of errors instead (linux/can/error.h).
 */
import { CerebellumError } from "../../core/errors.js";
import { type CanFrame, DATA_BYTES_MAX, EXTENDED_ID_MAX, STANDARD_ID_MAX } from "./frame.js";
import { frameFault } from "./frameFault.js";

export const SOCKET_CAN_BYTES = 16;
const EXTENDED_FLAG = 0x8000_0000;
const REMOTE_FLAG = 0x4000_0000;
const ERROR_FLAG = 0x2000_0000;
const LENGTH_AT = 4;
const DATA_AT = 8;

/** Classes of an error frame that change what can be done with the bus. */
export const ERROR_CLASS = { busOff: 0x40, restarted: 0x100 } as const;

export type SocketCanDecoded =
  | { readonly kind: "frame"; readonly frame: CanFrame }
  | { readonly kind: "error"; readonly classes: number }
  | { readonly kind: "corrupt"; readonly reason: string };

/** @throws CerebellumError COMMAND_REFUSED for a frame that no bus could carry */
export function socketCanBytes(frame: CanFrame): Uint8Array {
  const fault = frameFault(frame);
  if (fault !== undefined)
    throw new CerebellumError("COMMAND_REFUSED", `this is no CAN frame: ${fault}`, "Correct the caller");
  const bytes = new Uint8Array(SOCKET_CAN_BYTES);
  const flags = (frame.isExtended ? EXTENDED_FLAG : 0) + (frame.isRemote ? REMOTE_FLAG : 0);
  new DataView(bytes.buffer).setUint32(0, frame.id + flags, true);
  bytes[LENGTH_AT] = frame.length;
  bytes.set(frame.data, DATA_AT);
  return bytes;
}

export function decodeSocketCan(bytes: Uint8Array): SocketCanDecoded {
  if (bytes.length !== SOCKET_CAN_BYTES)
    return { kind: "corrupt", reason: `${bytes.length} bytes instead of ${SOCKET_CAN_BYTES}` };
  const word = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  if ((word & ERROR_FLAG) !== 0) return { kind: "error", classes: word & EXTENDED_ID_MAX };
  const length = bytes[LENGTH_AT]!;
  if (length > DATA_BYTES_MAX)
    return { kind: "corrupt", reason: `length ${length} is not one of 0 to ${DATA_BYTES_MAX}` };
  const isExtended = (word & EXTENDED_FLAG) !== 0;
  const isRemote = (word & REMOTE_FLAG) !== 0;
  const frame: CanFrame = {
    id: word & (isExtended ? EXTENDED_ID_MAX : STANDARD_ID_MAX),
    isExtended,
    isRemote,
    length,
    data: bytes.slice(DATA_AT, DATA_AT + (isRemote ? 0 : length)),
  };
  return { kind: "frame", frame };
}
