import { expect, it } from "vitest";
import { armWord, bytes, degrees, duration, fixed, milliseconds, UNKNOWN } from "./format.js";

it("what is unknown is never a figure", () => {
  for (const write of [(value: null) => fixed(value, 1), milliseconds, degrees, duration, bytes])
    expect(write(null)).toBe(UNKNOWN);
  expect(fixed(Number.NaN, 2)).toBe(UNKNOWN);
  expect(duration(Number.POSITIVE_INFINITY)).toBe(UNKNOWN);
});

it("numbers keep their digits, and zero has no sign", () => {
  expect(fixed(-0.04, 1)).toBe("0.0");
  expect(fixed(-1.25, 1)).toBe("−1.3");
  expect(milliseconds(6.14)).toBe("6.1 ms");
  expect(milliseconds(61.4)).toBe("61 ms");
  expect(degrees(Math.PI)).toBe("180.0");
});

it("times and sizes are short", () => {
  expect(duration(7.9)).toBe("0:07");
  expect(duration(187)).toBe("3:07");
  expect(duration(3661)).toBe("1:01:01");
  expect(bytes(1234)).toBe("1 kB");
  expect(bytes(41.26e6)).toBe("41.3 MB");
  expect(bytes(412e9)).toBe("412 GB");
});

it("states have words, also those that are not known here", () => {
  expect(armWord("holding")).toBe("holds still");
  expect(armWord("levitating")).toBe("levitating");
});
