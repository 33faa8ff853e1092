import { describe, expect, it } from "vitest";
import type { CanFrame } from "./frame.js";
import { frameFault } from "./frameFault.js";
import { decodeSocketCan, ERROR_CLASS, SOCKET_CAN_BYTES, socketCanBytes } from "./socketCanFrame.js";

const frame = (change: Partial<CanFrame>): CanFrame => ({
  id: 0x123,
  isExtended: false,
  isRemote: false,
  length: 2,
  data: Uint8Array.of(0xab, 1),
  ...change,
});
const none = { length: 0, data: new Uint8Array() };

/** Bytes worked out by hand from linux/can.h: identifier and flags, little-endian; length; three zeros; data. */
const VECTORS: readonly (readonly [name: string, frame: CanFrame, hex: string])[] = [
  ["11 bits", frame({}), "23010000 02 000000 ab01000000000000"],
  ["highest 11 bits, no data", frame({ id: 0x7ff, ...none }), "ff070000 00 000000 0000000000000000"],
  ["29 bits", frame({ id: 0x12abcdef, isExtended: true }), "efcdab92 02 000000 ab01000000000000"],
  [
    "highest 29 bits, remote",
    frame({ id: 0x1fff_ffff, isExtended: true, isRemote: true, length: 8, data: new Uint8Array() }),
    "ffffffdf 08 000000 0000000000000000",
  ],
  ["remote", frame({ id: 0x200, isRemote: true, ...none }), "00020040 00 000000 0000000000000000"],
  [
    "eight bytes",
    frame({ length: 8, data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }),
    "23010000 08 000000 0102030405060708",
  ],
];
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

describe.each(VECTORS)("struct can_frame: %s", (_, vector, hex) => {
  it("is written so and read back", () => {
    expect(Buffer.from(socketCanBytes(vector)).toString("hex")).toBe(hex.replaceAll(" ", ""));
    expect(decodeSocketCan(bytesOf(hex))).toEqual({ kind: "frame", frame: vector });
  });

  it("every shorter piece is no frame, and whichever bit flips, what is read is possible or named", () => {
    const bytes = bytesOf(hex);
    for (let length = 0; length < SOCKET_CAN_BYTES; length++)
      expect(decodeSocketCan(bytes.subarray(0, length)).kind).toBe("corrupt");
    for (let bit = 0; bit < 8 * SOCKET_CAN_BYTES; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      const decoded = decodeSocketCan(flipped);
      if (decoded.kind === "frame") expect(frameFault(decoded.frame)).toBeUndefined();
    }
  });
});

it("an error frame is told by its flag, with its classes", () => {
  expect(decodeSocketCan(bytesOf("40000020 08 000000 0000000000000000"))).toEqual({
    kind: "error",
    classes: ERROR_CLASS.busOff,
  });
  expect(decodeSocketCan(bytesOf("04010020 08 000000 0000000000000000"))).toEqual({
    kind: "error",
    classes: ERROR_CLASS.restarted + 4,
  });
});

it("a length beyond eight is corrupt", () => {
  expect(decodeSocketCan(bytesOf("23010000 09 000000 0102030405060708"))).toEqual({
    kind: "corrupt",
    reason: "length 9 is not one of 0 to 8",
  });
});

it("a frame that no bus could carry is refused", () => {
  expect(() => socketCanBytes(frame({ id: 0x800 }))).toThrow(/identifier 2048 is not one of 0 to 2047/);
});
