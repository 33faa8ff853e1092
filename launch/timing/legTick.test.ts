/** Hundreds of thousands of ticks on the bench, fewer here: the servo of a robot on legs keeps nothing and loses nobody. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { systemClock } from "../systemClock.js";
import { measureLegTick } from "./legTick.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** The smallest object has 16 bytes: one kept in each of 50,000 ticks would be 800 kB. */
const GROWTH_BYTES_MAX = 150_000;
/** A tick without a command makes nothing; what else is counted here is the counting. */
const GARBAGE_BYTES_MAX = 16;

it.each([
  ["standing", "holding"],
  ["following", "following"],
] as const)("a robot on legs that is %s keeps no memory", { timeout: 60_000 }, async (what, state) => {
  const result = await measureLegTick({ clock: systemClock, ticks: 50_000, what, collect });
  expect(result.state).toBe(state);
  expect(result.heapGrowthBytes).toBeLessThan(GROWTH_BYTES_MAX);
  if (what === "standing") expect(result.bytesPerRun).toBeLessThan(GARBAGE_BYTES_MAX);
});
