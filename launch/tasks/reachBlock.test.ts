import { describe, expect, it } from "vitest";
import { judgeTrial, TRIAL_S } from "./reachBlock.js";

/** Samples every 0.1 s of a distance as a function of time. */
const trial = (distanceM: (atS: number) => number) =>
  Array.from({ length: TRIAL_S * 10 + 1 }, (_, i) => ({ atS: i / 10, distanceM: distanceM(i / 10) }));

describe("ReachBlock verdict", () => {
  it("is a success when the arm comes and stays", () => {
    expect(
      judgeTrial(
        trial((s) => Math.max(0.02, 0.4999 - 0.1 * s)),
        true,
      ),
    ).toMatchObject({ success: true, stayed: true, reachedAtS: 4.6, finalM: 0.02 });
  });
  it("is none when it only passes by", () => {
    expect(
      judgeTrial(
        trial((s) => Math.abs(0.5 - 0.1 * s) + 0.01),
        true,
      ),
    ).toMatchObject({ success: false, stayed: false, endedBecause: "left the block" });
  });
  it("is none when it leaves for one moment near the end", () => {
    expect(
      judgeTrial(
        trial((s) => (s === 11 ? 0.05 : 0.02)),
        true,
      ).success,
    ).toBe(false);
  });
  it("is none when it never comes near", () => {
    expect(
      judgeTrial(
        trial(() => 0.041),
        true,
      ),
    ).toMatchObject({ success: false, endedBecause: "never reached the block" });
  });
  it("is none when the policy gave up, even at the block", () => {
    expect(
      judgeTrial(
        trial(() => 0.01),
        false,
      ),
    ).toMatchObject({ success: false, endedBecause: "policy stopped" });
  });
  it("is none without ground truth", () => {
    expect(judgeTrial([], true)).toMatchObject({ success: false, endedBecause: "no ground truth" });
  });
});
