/**
 * Frames of the command port, both directions, from the client's and from the controller's side.
 * Request: tid u16 | protocol u16 | length u16 | register u8 | parameters. Reply: the same with a state byte after the
 * register. Feedback: register byte 0xFF. Header big-endian; `length` counts everything after itself.
 */
import { corrupt, type Decoded, INCOMPLETE, viewOf } from "./decoded.js";
import { bytesOfValues, readValues, writeValues } from "./layout.js";
import { MESSAGES, type MessageName, messageOfRegister, PROTOCOL_ID } from "./messages.js";

export const HEADER_BYTES = 6;
/** Longest frame accepted. The longest known is an RS485 pass-through reply of about 270 bytes. */
export const COMMAND_FRAME_BYTES_MAX = 1024;
export const FEEDBACK_UNIT = 0xff;

export interface CommandRequest {
  readonly transactionId: number;
  readonly protocolId: number;
  readonly register: number;
  /** Undefined for a register that this table does not know; `values` are then the raw parameter bytes. */
  readonly name: MessageName | undefined;
  readonly values: readonly number[];
}

export interface CommandReply extends CommandRequest {
  readonly stateByte: number;
}

/** Progress of a queued move, sent unasked by firmware 2.0.102 and newer when switched on. */
export interface Feedback {
  readonly transactionId: number;
  readonly protocolId: number;
  /** 1 start, 2 end, 4 trigger. */
  readonly type: number;
  readonly register: number;
  readonly taskId: number;
  /** 0 ok, 1 failed, 2 discarded. */
  readonly code: number;
  readonly timeUs: number;
}

/** Transaction ids run 1..65535 and wrap to 1; the vendor's client never uses 0. */
export const nextTransactionId = (id: number): number => (id >= 0xffff ? 1 : id + 1);

/**
 * Length of the frame that starts at `offset`: 0 when more bytes are needed to know, -1 when no frame can start so.
 * There is no sync word: after -1 only a new connection helps.
 */
export function commandFrameBytes(view: DataView, offset: number, availableBytes: number): number {
  if (availableBytes < HEADER_BYTES) return 0;
  const protocolId = view.getUint16(offset + 2);
  const length = view.getUint16(offset + 4);
  const total = HEADER_BYTES + length;
  if (protocolId > PROTOCOL_ID.current || length === 0 || total > COMMAND_FRAME_BYTES_MAX) return -1;
  return total;
}

export function encodeRequest(
  transactionId: number,
  protocolId: number,
  name: MessageName,
  values: ArrayLike<number> = [],
): Uint8Array {
  const spec = MESSAGES[name];
  const bytes = new Uint8Array(HEADER_BYTES + 1 + bytesOfValues(spec.request, values.length));
  const view = writeHeader(bytes, transactionId, protocolId, spec.register);
  writeValues(spec.request, values, view, HEADER_BYTES + 1);
  return bytes;
}

export function encodeReply(
  transactionId: number,
  protocolId: number,
  name: MessageName,
  stateByte: number,
  values: ArrayLike<number> = [],
): Uint8Array {
  const spec = MESSAGES[name];
  const bytes = new Uint8Array(HEADER_BYTES + 2 + bytesOfValues(spec.reply, values.length));
  const view = writeHeader(bytes, transactionId, protocolId, spec.register);
  view.setUint8(HEADER_BYTES + 1, stateByte);
  writeValues(spec.reply, values, view, HEADER_BYTES + 2);
  return bytes;
}

/** A request outside of the table: raw parameter bytes. */
export function encodeRawRequest(
  transactionId: number,
  protocolId: number,
  register: number,
  parameters: ArrayLike<number> = [],
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 1 + parameters.length);
  writeHeader(bytes, transactionId, protocolId, register);
  bytes.set(Array.from(parameters), HEADER_BYTES + 1);
  return bytes;
}

/** A reply to a register outside of the table: state byte and raw parameter bytes. */
export function encodeRawReply(
  transactionId: number,
  protocolId: number,
  register: number,
  stateByte: number,
  parameters: ArrayLike<number> = [],
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 2 + parameters.length);
  writeHeader(bytes, transactionId, protocolId, register);
  bytes[HEADER_BYTES + 1] = stateByte;
  bytes.set(Array.from(parameters), HEADER_BYTES + 2);
  return bytes;
}

/** The controller's side. A known register with parameters of another length is corrupt. */
export function decodeRequest(bytes: Uint8Array): Decoded<CommandRequest> {
  const view = viewOf(bytes);
  const total = commandFrameBytes(view, 0, bytes.length);
  if (total < 0) return corrupt(headerReason(view));
  if (total === 0 || bytes.length < total) return INCOMPLETE;
  const register = view.getUint8(HEADER_BYTES);
  const name = messageOfRegister(register);
  const parameterBytes = total - HEADER_BYTES - 1;
  const values =
    name === undefined
      ? Array.from(bytes.subarray(HEADER_BYTES + 1, total))
      : readValues(MESSAGES[name].request, view, HEADER_BYTES + 1, parameterBytes, false);
  if (values === undefined) return corrupt(`register ${register} with ${parameterBytes} parameter bytes`);
  return {
    kind: "frame",
    usedBytes: total,
    value: { transactionId: view.getUint16(0), protocolId: view.getUint16(2), register, name, values },
  };
}

/** The client's side. Surplus bytes are ignored (newer firmware appends); too few are corrupt. */
export function decodeReply(bytes: Uint8Array): Decoded<CommandReply> {
  const view = viewOf(bytes);
  const total = commandFrameBytes(view, 0, bytes.length);
  if (total < 0) return corrupt(headerReason(view));
  if (total === 0 || bytes.length < total) return INCOMPLETE;
  if (total < HEADER_BYTES + 2) return corrupt("a reply without a state byte");
  const register = view.getUint8(HEADER_BYTES);
  const name = messageOfRegister(register);
  const parameterBytes = total - HEADER_BYTES - 2;
  const values =
    name === undefined
      ? Array.from(bytes.subarray(HEADER_BYTES + 2, total))
      : readValues(MESSAGES[name].reply, view, HEADER_BYTES + 2, parameterBytes, true);
  if (values === undefined)
    return corrupt(`reply to register ${register} with ${parameterBytes} parameter bytes`);
  return {
    kind: "frame",
    usedBytes: total,
    value: {
      transactionId: view.getUint16(0),
      protocolId: view.getUint16(2),
      register,
      name,
      stateByte: view.getUint8(HEADER_BYTES + 1),
      values,
    },
  };
}

const FEEDBACK_BYTES = 21;

export function encodeFeedback(feedback: Feedback): Uint8Array {
  const bytes = new Uint8Array(FEEDBACK_BYTES);
  const view = writeHeader(bytes, feedback.transactionId, feedback.protocolId, FEEDBACK_UNIT);
  view.setUint8(8, feedback.type);
  view.setUint8(9, feedback.register);
  view.setUint16(10, feedback.taskId);
  view.setUint8(12, feedback.code);
  view.setBigUint64(13, BigInt(feedback.timeUs));
  return bytes;
}

export function decodeFeedback(bytes: Uint8Array): Decoded<Feedback> {
  const view = viewOf(bytes);
  const total = commandFrameBytes(view, 0, bytes.length);
  if (total < 0) return corrupt(headerReason(view));
  if (total === 0 || bytes.length < total) return INCOMPLETE;
  if (total < FEEDBACK_BYTES || bytes[HEADER_BYTES] !== FEEDBACK_UNIT) return corrupt("no feedback frame");
  return {
    kind: "frame",
    usedBytes: total,
    value: {
      transactionId: view.getUint16(0),
      protocolId: view.getUint16(2),
      type: view.getUint8(8),
      register: view.getUint8(9),
      taskId: view.getUint16(10),
      code: view.getUint8(12),
      timeUs: Number(view.getBigUint64(13)),
    },
  };
}

/** Bits of a reply's state byte. */
export const STATE_BYTE = { error: 0x40, warning: 0x20, notReady: 0x10, invalid: 0x08 } as const;

/** The vendor client's result code: 10 invalid, 1 error, 2 warning, 9 cannot move (motion calls only), 0 well. */
export function resultCode(stateByte: number, isMotion: boolean): number {
  if (stateByte & STATE_BYTE.invalid) return 10;
  if (stateByte & STATE_BYTE.error) return 1;
  if (isMotion && stateByte & STATE_BYTE.notReady) return 9;
  return stateByte & STATE_BYTE.warning ? 2 : 0;
}

function writeHeader(
  bytes: Uint8Array,
  transactionId: number,
  protocolId: number,
  register: number,
): DataView {
  const view = viewOf(bytes);
  view.setUint16(0, transactionId);
  view.setUint16(2, protocolId);
  view.setUint16(4, bytes.length - HEADER_BYTES);
  view.setUint8(HEADER_BYTES, register);
  return view;
}

const headerReason = (view: DataView): string =>
  `protocol id ${view.getUint16(2)} with length ${view.getUint16(4)}`;
