import { describe, expect, it } from "vitest";
import { asEpochNs, asMonotonicNs, type Clock, measureMapping, toEpochNs } from "./clock.js";

/** Every reading takes 1 µs, and the thread loses the processor before the readings that are named. */
function interrupted(pausesNs: ReadonlyMap<number, bigint>): Clock {
  let nowNs = 5_000_000_000n;
  let readings = 0;
  const read = () => {
    nowNs += 1000n + (pausesNs.get(readings++) ?? 0n);
    return nowNs;
  };
  return {
    nowNs: () => asMonotonicNs(read()),
    nowMs: () => Number(read()) / 1e6,
    epochNs: () => asEpochNs(EPOCH_NS + read()),
    sleepUntil: () => Promise.resolve(),
  };
}
const EPOCH_NS = 1_700_000_000_000_000_000n;
const MOMENT = asMonotonicNs(9_000_000_000n);

describe("the mapping between both clocks", () => {
  it.each([
    ["no pause", []],
    ["a pause between the readings", [[1, 4_300_000n]]],
    ["a pause after them", [[2, 4_300_000n]]],
    [
      "three readings in a row with pauses",
      [
        [1, 4_300_000n],
        [4, 800_000n],
        [8, 300_000n],
      ],
    ],
  ] as const)("is good to 10 µs in spite of %s", (_, pauses) => {
    const mapping = measureMapping(interrupted(new Map(pauses)));
    const wrongNs = toEpochNs(mapping, MOMENT) - (EPOCH_NS + MOMENT);
    expect(Math.abs(Number(wrongNs))).toBeLessThan(10_000);
  });

  it("takes the best of four when every reading is interrupted", () => {
    const pauses = [900_000n, 400_000n, 70_000n, 600_000n].map((ns, i) => [3 * i + 1, ns] as const);
    const mapping = measureMapping(interrupted(new Map(pauses)));
    expect(Math.abs(Number(toEpochNs(mapping, MOMENT) - (EPOCH_NS + MOMENT)))).toBeLessThan(40_000);
  });
});
