import { describe, expect, it } from "vitest";
import { rangeOf } from "./range.js";

const AT_S = [-3, -2, -1, 0];

describe("range of a plot", () => {
  it("holds all that is shown, and a tenth more on each side", () => {
    expect(rangeOf([AT_S, [10, 20, 30, 40], [5, 45, 20, 20]], false)).toEqual([1, 49]);
  });

  it("leaves gaps out", () => {
    const [min, max] = rangeOf([AT_S, [Number.NaN, 120, Number.NaN, 124]], false);
    expect([min, max]).toEqual([119.5, 124.5]);
  });

  it("a value that stands still is in the middle", () => {
    expect(rangeOf([AT_S, [7, 7, 7, 7]], false)).toEqual([6.5, 7.5]);
  });

  it("what came after a pause does not count", () => {
    expect(
      rangeOf(
        [
          [-1, 0, 1],
          [10, 20, 500],
        ],
        false,
      ),
    ).toEqual([9, 21]);
  });

  it("begins at zero where that is asked for, and is never empty", () => {
    expect(rangeOf([AT_S, [2, 4, 8, 20]], true)).toEqual([0, 23]);
    expect(rangeOf([[], []], false)).toEqual([0, 1]);
  });
});
