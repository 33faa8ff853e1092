/** The texts by which a controller introduces itself, and what hangs on them: firmware gates, generation, limits. */
import { textBytes, textOf } from "./decoded.js";

/** Answer to getVersion, e.g. "7,7,XS1305,AC1304,v2.7.1". */
export interface Version {
  readonly axes: number;
  readonly type: number;
  /** Prefix of the arm's serial number; digits 2 to 5 are the hardware generation. */
  readonly armModel: string;
  readonly boxModel: string;
  /** Three numbers. */
  readonly firmware: readonly [number, number, number];
  readonly text: string;
}

export const VERSION_BYTES = 40;

/** Undefined when the text has not this shape. */
export function parseVersion(bytes: ArrayLike<number>): Version | undefined {
  const text = textOf(bytes).trim();
  const found = /^(\d+),(\d+),([^,]*),([^,]*),.*?v(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (found === null) return undefined;
  const [, axes, type, armModel = "", boxModel = "", major, minor, revision] = found;
  return {
    axes: Number(axes),
    type: Number(type),
    armModel,
    boxModel,
    firmware: [Number(major), Number(minor), Number(revision)],
    text,
  };
}

export const encodeVersion = (text: string): number[] => textBytes(text, VERSION_BYTES);

export function firmwareAtLeast(
  firmware: readonly [number, number, number],
  major: number,
  minor: number,
  revision: number,
): boolean {
  const wanted = [major, minor, revision];
  for (const [i, number] of firmware.entries()) if (number !== wanted[i]) return number > (wanted[i] ?? 0);
  return true;
}

/** Answer to getSerial: arm and box serial numbers, NUL terminated. */
export function parseSerials(bytes: ArrayLike<number>): { arm: string; box: string } {
  const arm = textOf(bytes);
  const rest = Array.from(bytes).slice(arm.length + 1);
  return { arm, box: textOf(rest) };
}

export const encodeSerials = (arm: string, box: string): number[] =>
  textBytes(`${arm}\0${box}`, VERSION_BYTES);

/** Hardware generation, e.g. 1305 of "XS1305...", 0 when the text has none. */
export const generationOf = (serial: string): number => Number(/^..(\d{4})/.exec(serial)?.[1] ?? 0);

/** Firmware from which a client speaks protocol id 3, and from which the 30000 stream exists. */
export const FIRMWARE_PROTOCOL_3 = [1, 8, 6] as const;
export const FIRMWARE_TWO_BYTE_MODE = [1, 10, 0] as const;
export const FIRMWARE_HIGH_RATE_REPORT = [2, 1, 0] as const;
/** Highest servo_j rate is 250 Hz from here on, 100 Hz before. */
export const FIRMWARE_SERVO_250_HZ = [1, 4, 0] as const;
