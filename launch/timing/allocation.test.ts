/** A million ticks on the bench, fewer here: the servo's tick makes no garbage and keeps nothing. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { measureAllocation } from "./allocation.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** The smallest object has 16 bytes: one kept in each of 50,000 ticks would be 800 kB. */
const GROWTH_BYTES_MAX = 150_000;

describe("the servo's tick", () => {
  it.each([
    ["holding", 200_000],
    ["following", 50_000],
  ] as const)("keeps no memory while %s", { timeout: 120_000 }, async (what, ticks) => {
    const result = await measureAllocation({ ticks, what, collect });
    expect(result.ticks).toBe(ticks);
    expect(result.heapGrowthBytes).toBeLessThan(GROWTH_BYTES_MAX);
  });
});
