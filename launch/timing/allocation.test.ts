/** A million ticks on the bench, fewer here: the servo's tick makes no garbage and keeps nothing. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { measureAllocation } from "./allocation.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Nothing of the servo grows by the number of ticks: 200,000 of them would show a single byte kept in each. */
const GROWTH_BYTES_MAX = 150_000;

describe("the servo's tick", () => {
  it.each(["holding", "following"] as const)("keeps no memory while %s", async (what) => {
    const result = await measureAllocation({ ticks: 200_000, what, collect });
    expect(result.ticks).toBe(200_000);
    expect(result.heapGrowthBytes).toBeLessThan(GROWTH_BYTES_MAX);
  });
});
