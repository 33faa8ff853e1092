/**
 * The xArm gripper: Modbus RTU frames without checksum that travel inside register 124, host 9 (tool), slave 8.
 * Everything here is big-endian. Opening in metres and vendor pulses are related by the finger linkage.
 */
import { invariant } from "../../../core/errors.js";
import { corrupt, type Decoded } from "./decoded.js";

export const RS485_HOST_TOOL = 9;
export const GRIPPER_SLAVE = 8;
const READ = 0x03;
const WRITE = 0x10;

export const GRIPPER_REGISTER = {
  /** Low two bits: 0 stopped, 1 moving, 2 grasped; gripper firmware 3.4.3 or newer. */
  status: 0x0000,
  error: 0x000f,
  enable: 0x0100,
  /** 0 = position. */
  mode: 0x0101,
  /** Write 1. */
  clearError: 0x0109,
  /** r/min. */
  speed: 0x0303,
  /** int32, two registers. */
  targetPulse: 0x0700,
  currentPulse: 0x0702,
  versionMajor: 0x0801,
  versionMinor: 0x0802,
  versionRevision: 0x0803,
} as const;

/** Tool RS485 rate: read with readTool16, written with writeTool16; index 11 is the gripper's 2 Mbit/s. */
export const TOOL_BAUD = {
  readAddress: 0x0a0b,
  writeAddress: 0x1a0b,
  rebootAddress: 0x0607,
  index2Mbps: 11,
} as const;

export type GripperRequest =
  | { readonly do: "read"; readonly address: number; readonly count: number }
  | { readonly do: "write"; readonly address: number; readonly words: readonly number[] };

/** Parameters of an rs485 request: host, then the frame. */
export function encodeGripperRequest(request: GripperRequest): number[] {
  const { address } = request;
  const head = [RS485_HOST_TOOL, GRIPPER_SLAVE];
  if (request.do === "read") return [...head, READ, address >> 8, address & 0xff, ...word(request.count)];
  const { words } = request;
  return [...head, WRITE, ...word(address), ...word(words.length), words.length * 2, ...words.flatMap(word)];
}

/** The device's side of `encodeGripperRequest`. `values` are the parameters of an rs485 request. */
export function decodeGripperRequest(values: readonly number[]): Decoded<GripperRequest> {
  const [host, slave, fn, ...body] = values;
  if (host !== RS485_HOST_TOOL || slave !== GRIPPER_SLAVE) return corrupt(`host ${host}, slave ${slave}`);
  if (body.length < 4) return corrupt(`frame of ${values.length} bytes`);
  const address = wordAt(body, 0);
  const count = wordAt(body, 2);
  if (fn === READ && body.length === 4 && count > 0 && count <= 125)
    return { kind: "frame", usedBytes: values.length, value: { do: "read", address, count } };
  if (fn === WRITE && count > 0 && body[4] === 2 * count && body.length === 5 + 2 * count) {
    const words = Array.from({ length: count }, (_, i) => wordAt(body, 5 + 2 * i));
    return { kind: "frame", usedBytes: values.length, value: { do: "write", address, words } };
  }
  return corrupt(`function ${fn} with ${body.length} bytes`);
}

/** Parameters of the rs485 reply: to a read with the registers' contents, to a write an echo. */
export function encodeGripperReply(request: GripperRequest, words: readonly number[] = []): number[] {
  const head = [RS485_HOST_TOOL, GRIPPER_SLAVE];
  if (request.do === "write")
    return [...head, WRITE, ...word(request.address), ...word(request.words.length)];
  invariant(words.length === request.count, `${request.count} registers asked, ${words.length} given`);
  return [...head, READ, 2 * words.length, ...words.flatMap(word)];
}

/** Registers read (none after a write) from the parameters of an rs485 reply to `request`. */
export function decodeGripperReply(request: GripperRequest, values: readonly number[]): Decoded<number[]> {
  const [host, slave, fn, ...body] = values;
  if (host !== RS485_HOST_TOOL || slave !== GRIPPER_SLAVE) return corrupt(`host ${host}, slave ${slave}`);
  if (request.do === "write") {
    const isEcho =
      fn === WRITE &&
      body.length === 4 &&
      wordAt(body, 0) === request.address &&
      wordAt(body, 2) === request.words.length;
    return isEcho
      ? { kind: "frame", usedBytes: values.length, value: [] }
      : corrupt("the write was not echoed");
  }
  if (fn !== READ || body[0] !== 2 * request.count || body.length !== 1 + 2 * request.count)
    return corrupt(`function ${fn} with ${body.length} bytes, ${request.count} registers expected`);
  const words = Array.from({ length: request.count }, (_, i) => wordAt(body, 1 + 2 * i));
  return { kind: "frame", usedBytes: values.length, value: words };
}

export const pulseToWords = (pulse: number): number[] => [(pulse >> 16) & 0xffff, pulse & 0xffff];
export const wordsToPulse = (words: readonly number[]): number => ((words[0] ?? 0) << 16) | (words[1] ?? 0);

/** Pulses that the target register takes; the manual says -5..800, devices do -10..850. */
export const GRIPPER_PULSE_MIN = -10;
export const GRIPPER_PULSE_MAX = 850;

/** Driving joint of the linkage when closed [rad]; vendor's ROS mapping (850 - pulse) / 1000. */
const CLOSED_RAD = 0.85;

/**
 * Opening between the finger pads [m] at a pulse: 0 at 0, 0.0873 at 850, rising.
 * From the linkage in the vendor's URDF (xarm_ros 0b5118eb); not confirmed on hardware.
 */
export function openingOfPulse(pulse: number): number {
  const drive = (GRIPPER_PULSE_MAX - pulse) / 1000;
  const shift = 0.035465 * (Math.cos(drive) - Math.cos(CLOSED_RAD));
  return 2 * (shift + 0.042039 * (Math.sin(CLOSED_RAD) - Math.sin(drive)));
}

export const GRIPPER_OPENING_MAX_M = openingOfPulse(GRIPPER_PULSE_MAX);

/** Nearest whole pulse for an opening [m], cut to 0..850: inverse of `openingOfPulse` by bisection. */
export function pulseOfOpening(openingM: number): number {
  let low = 0;
  let high: number = GRIPPER_PULSE_MAX;
  if (!(openingM > 0)) return low;
  if (openingM >= GRIPPER_OPENING_MAX_M) return high;
  for (let i = 0; i < 20; i++) {
    const middle = (low + high) / 2;
    if (openingOfPulse(middle) < openingM) low = middle;
    else high = middle;
  }
  return Math.round(high);
}

const word = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];
const wordAt = (bytes: readonly number[], at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
