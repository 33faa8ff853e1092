/** Failures that a test can not bring about everywhere; the others are met in slcanBus.system.test.ts. */
import { expect, it } from "vitest";
import { openFailure } from "./serialLine.js";

it.each([
  ["Error: Permission denied, cannot open /dev/ttyACM0", "DEVICE_UNREACHABLE", "dialout"],
  ["EACCES: permission denied, access '/dev/ttyACM0'", "DEVICE_UNREACHABLE", "dialout"],
  ["Error: Device or resource busy, cannot open /dev/ttyACM0", "PORT_IN_USE", "fuser"],
  ["Error Resource temporarily unavailable Cannot lock port", "PORT_IN_USE", "fuser"],
  ["Error: No such device or address, cannot open /dev/ttyACM0", "DEVICE_UNREACHABLE", "Plug the adapter in"],
  ["Error: Input/output error, cannot open /dev/ttyACM0", "DEVICE_UNREACHABLE", "another USB port"],
])("%s", (text, code, remedy) => {
  const error = openFailure("/dev/ttyACM0", new Error(text), "/dev/ttyUSB0");
  expect(error.code).toBe(code);
  expect(error.remedy).toContain(remedy);
  expect(error.happened).toContain("/dev/ttyACM0");
  expect(error.cause).toBeInstanceOf(Error);
});
