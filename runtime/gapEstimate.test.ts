import { describe, expect, it } from "vitest";
import { GapEstimate } from "./gapEstimate.js";

const RATE_HZ = 30;

/** Stamps in periods. @returns what was found missing, the end included */
function missing(stamps: readonly number[]): number {
  const gaps = new GapEstimate(RATE_HZ);
  const found = stamps.reduce(
    (sum, period) => sum + gaps.next(1_000_000_000n + BigInt(Math.round((period * 1e9) / RATE_HZ))),
    0,
  );
  return found + gaps.end();
}
const count = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe("messages missing between stamps", () => {
  it.each([
    ["none in a steady stream", count(0, 60), 0],
    ["one", [...count(0, 20), ...count(21, 60)], 1],
    ["three in a row", [...count(0, 20), ...count(23, 60)], 3],
    ["two apart", [...count(0, 10), ...count(11, 40), ...count(41, 60)], 2],
    ["two close to each other", [...count(0, 10), 11, 12, ...count(14, 60)], 2],
    ["the one before the last", [...count(0, 20), 21], 1],
    ["none when a stall is caught up", [...count(0, 20), 22.4, 22.6, 22.9, 23.3, 24, ...count(25, 60)], 0],
    ["one when a stall is caught up but for one", [...count(0, 20), 22.4, 22.8, 23.2, ...count(24, 60)], 1],
    ["none in jitter of a third of a period", count(0, 60).map((at) => at + (at % 2) / 3), 0],
    ["none at a rate that is half a percent off", count(0, 600).map((at) => at * 1.005), 0],
    ["none for stamps that stand or go back", [0, 1, 2, 2, 1.5, 3, 4, 5, 6, 7, 8], 0],
  ])("%s", (_name, stamps, expected) => {
    expect(missing(stamps)).toBe(expected);
  });
});
