import { describe, expect, it } from "vitest";
import { FINGER_REACH_TRIAL_S, judgeFingerReach, TOUCHED_M } from "./fingerReach.js";
import type { HandSample } from "./handTruth.js";

/** Radius of a fingertip's ball. */
const BALL_M = 0.012;
const TOP_M: [number, number, number] = [0.045, 0.03, -0.02];

/** The ball so far from where it would lie on the object, along one axis of the palm. */
function sample(atS: number, offM: readonly number[], centreX = 0.03): HandSample {
  const tip: [number, number, number] = [
    TOP_M[0] + BALL_M + offM[0]!,
    TOP_M[1] + offM[1]!,
    TOP_M[2] + offM[2]!,
  ];
  const far: [number, number, number] = [0.02, -0.04, 0.13];
  return {
    atS,
    tipsM: [tip, far, far, far],
    topM: TOP_M,
    centreM: [centreX, 0.03, -0.02],
    quatXyzw: [0, 0, 0, 1],
    positionRad: new Array<number>(16).fill(0),
  };
}

/** Twenty a second. */
const trial = (offAt: (atS: number) => readonly number[], centreX?: (atS: number) => number): HandSample[] =>
  Array.from({ length: 20 * FINGER_REACH_TRIAL_S + 1 }, (_, k) =>
    sample(k / 20, offAt(k / 20), centreX?.(k / 20)),
  );

describe("FingerReach", () => {
  it("succeeds where the ball comes to the middle of the upper side and stays", () => {
    const verdict = judgeFingerReach(
      trial((atS) => [0.05 * Math.max(0, 1 - atS / 3), 0.004, 0]),
      true,
    );
    expect(verdict).toMatchObject({ success: true, stayed: true, endedBecause: "stayed on the object" });
    expect(verdict.finalM).toBeCloseTo(0.004, 9);
    expect(verdict.touchedAtS).toBeGreaterThan(1);
  });

  it("fails at once beyond the tolerance, within the last second", () => {
    const just = 0.9 * TOUCHED_M;
    const off = (atS: number) => [0, atS < 7.5 ? just : TOUCHED_M + 1e-4, 0];
    expect(judgeFingerReach(trial(off), true)).toMatchObject({
      success: false,
      endedBecause: "left the object",
    });
    expect(
      judgeFingerReach(
        trial(() => [0, just, 0]),
        true,
      ).success,
    ).toBe(true);
  });

  it("fails beside the object, at the height of its side", () => {
    const verdict = judgeFingerReach(
      trial(() => [-BALL_M - 0.005, 0, 0]),
      true,
    );
    expect(verdict.success).toBe(false);
  });

  it("fails when the object falls off, even where the tip follows it", () => {
    const verdict = judgeFingerReach(
      trial(
        () => [0, 0, 0],
        (atS) => (atS < 4 ? 0.03 : -0.1),
      ),
      true,
    );
    expect(verdict).toMatchObject({ success: false, endedBecause: "the object fell off" });
  });

  it("says why without touch, without truth and when the policy stopped", () => {
    expect(
      judgeFingerReach(
        trial(() => [0, 0.1, 0]),
        true,
      ).endedBecause,
    ).toBe("never touched the object");
    expect(judgeFingerReach([], true)).toMatchObject({ success: false, endedBecause: "no ground truth" });
    expect(
      judgeFingerReach(
        trial(() => [0, 0, 0]),
        false,
      ),
    ).toMatchObject({
      success: false,
      endedBecause: "policy stopped",
    });
  });
});
