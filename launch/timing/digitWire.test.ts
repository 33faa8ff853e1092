/** Half a million periods on the bench, fewer here: reading and packing make no garbage and keep nothing. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { systemClock } from "../systemClock.js";
import { measureDigitWire } from "./digitWire.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** The smallest object has 16 bytes: one kept in each period would be 800 kB, one made in each 16 bytes. */
const GROWTH_BYTES_MAX = 150_000;
const GARBAGE_BYTES_MAX = 16;

it("Digit's wire makes no garbage once it is described", { timeout: 60_000 }, () => {
  const result = measureDigitWire({ clock: systemClock, periods: 50_000, collect });
  expect(result.heapGrowthBytes).toBeLessThan(GROWTH_BYTES_MAX);
  expect(result.bytesPerRun).toBeLessThan(GARBAGE_BYTES_MAX);
});
