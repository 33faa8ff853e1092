import { describe, expect, it } from "vitest";
import { HELD_S, judgePick, LIFTED_M } from "./pickCube.js";

/** Samples every 50 ms of the cube's height above the table as a function of time. */
const trial = (seconds: number, liftM: (atS: number) => number) =>
  Array.from({ length: Math.round(20 * seconds) + 1 }, (_, i) => ({
    atS: i / 20,
    distanceM: 0,
    blockM: [0.4, 0, 0.02 + liftM(i / 20)] as const,
  }));
/** Lies until `fromS`, then is up until `toS`. */
const up =
  (fromS: number, toS: number, heightM = LIFTED_M + 1e-6) =>
  (atS: number) =>
    atS >= fromS && atS < toS ? heightM : 0;

describe("PickCube verdict", () => {
  it("is a success when the cube is up for all of the last second", () => {
    expect(judgePick(trial(6, up(4, 99)), true)).toMatchObject({
      success: true,
      liftedAtS: 4,
      endedBecause: "held the cube",
    });
    expect(judgePick(trial(6, up(6 - HELD_S, 99)), true).success).toBe(true);
  });
  it("is none when it is up for less than a second", () => {
    expect(judgePick(trial(6, up(5.05, 99)), true)).toMatchObject({ success: false, liftedAtS: 5.05 });
  });
  it("is none when it was dropped again, or for one moment", () => {
    expect(judgePick(trial(6, up(2, 4)), true)).toMatchObject({
      success: false,
      endedBecause: "lost the cube",
    });
    expect(
      judgePick(
        trial(6, (s) => (s === 5.5 ? 0.09 : up(2, 99)(s))),
        true,
      ).success,
    ).toBe(false);
  });
  it("is none when it was not lifted far enough", () => {
    expect(judgePick(trial(6, up(2, 99, 0.099)), true)).toMatchObject({
      success: false,
      endedBecause: "never lifted the cube",
      liftedAtS: undefined,
    });
  });
  it("is none when the trial is shorter than the hold, when the mover gave up, or without ground truth", () => {
    expect(judgePick(trial(0.5, up(0.05, 99)), true).success).toBe(false);
    expect(judgePick(trial(6, up(2, 99)), false)).toMatchObject({
      success: false,
      endedBecause: "policy stopped",
    });
    expect(judgePick([], true)).toMatchObject({ success: false, endedBecause: "no ground truth" });
  });
});
