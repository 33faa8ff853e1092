import { describe, expect, it } from "vitest";
import { KEY_CODES, type KeyEvent, KeyEventReader } from "./keyEvents.js";

/** Laid out by hand after struct input_event of linux/input.h: scan code, Escape down, report end, repeat, Escape up. */
const ESCAPE = Buffer.from(
  [
    "6fa8ca6600000000d0d40a0000000000" + "0400" + "0400" + "29000700",
    "6fa8ca6600000000d0d40a0000000000" + "0100" + "0100" + "01000000",
    "6fa8ca6600000000d0d40a0000000000" + "0000" + "0000" + "00000000",
    "6fa8ca6600000000a0b40e0000000000" + "0100" + "0100" + "02000000",
    "70a8ca6600000000d0d4010000000000" + "0100" + "0100" + "00000000",
  ].join(""),
  "hex",
);
const ESCAPE_EVENTS: KeyEvent[] = [
  { code: KEY_CODES.KEY_ESC!, change: "pressed" },
  { code: KEY_CODES.KEY_ESC!, change: "released" },
];

function read(...chunks: readonly Buffer[]): KeyEvent[] {
  const events: KeyEvent[] = [];
  const reader = new KeyEventReader();
  for (const chunk of chunks) reader.push(chunk, (event) => events.push(event));
  return events;
}

describe("key events", () => {
  it("come out of the bytes of an input device, without scan codes, repeats and report ends", () => {
    expect(read(ESCAPE)).toEqual(ESCAPE_EVENTS);
  });

  it("come out however the bytes are cut", () => {
    for (let at = 0; at <= ESCAPE.length; at++)
      expect(read(ESCAPE.subarray(0, at), ESCAPE.subarray(at))).toEqual(ESCAPE_EVENTS);
    expect(read(...[...ESCAPE].map((byte) => Buffer.from([byte])))).toEqual(ESCAPE_EVENTS);
  });

  it("wait for the whole event", () => {
    expect(read(ESCAPE.subarray(0, 47))).toEqual([]);
    expect(read(ESCAPE.subarray(0, 48))).toEqual([ESCAPE_EVENTS[0]]);
  });
});
