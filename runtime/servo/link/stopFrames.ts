/**
 * The bytes that stop a servo, without the rest of the link: a stop from the command line must not wait until schemas
 * are loaded. A test holds these bytes to what `codec.ts` writes.
 */
import type { StopCategory } from "../../../drivers/contract.js";

const PROTOCOL_VERSION = 9;
const HELLO = 1;
const STOP = 8;
/** Place of `supervisor` among the roles: anybody may stop, but the last free places are kept for supervisors. */
const SUPERVISOR = 2;
const REASON_BYTES_MAX = 2048;
const NAME_BYTES_MAX = 64;

/** The request that the servo's `result` will name. */
export const STOP_REQUEST_ID = 1;

/** Hello and stop in one piece, to be written on a fresh connection. */
export function stopFrames(name: string, category: StopCategory, reason: string): Buffer {
  return Buffer.concat([
    frame(HELLO, Buffer.from([SUPERVISOR]), text(name, NAME_BYTES_MAX), u16(0)),
    frame(STOP, u32(STOP_REQUEST_ID), Buffer.from([category]), text(reason, REASON_BYTES_MAX)),
  ]);
}

function frame(type: number, ...fields: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(fields);
  return Buffer.concat([u32(payload.length + 2), Buffer.from([PROTOCOL_VERSION, type]), payload]);
}

function text(value: string, bytesMax: number): Buffer {
  const bytes = Buffer.from(value, "utf8").subarray(0, bytesMax);
  return Buffer.concat([u16(bytes.length), bytes]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
