import { describe, expect, it } from "vitest";
import { multiplyQuat, type QuatXyzw, quatFromRpy } from "../../kinematics/pose.js";
import { CUBE_FLIP_TRIAL_S, judgeCubeFlip } from "./cubeFlip.js";
import type { HandSample } from "./handTruth.js";

/** A cube that lies on the palm, turned about the palm's x. */
const LYING = multiplyQuat(quatFromRpy(0.4, 0, 0), [0.5, 0.5, 0.5, 0.5]);
/** Over the fingers' bases: about the palm's y. */
const over = (rad: number): QuatXyzw => multiplyQuat(quatFromRpy(0, -rad, 0), LYING);

interface Moment {
  readonly turnRad: number;
  readonly flexionRad?: number;
  readonly x?: number;
}

function trial(at: (atS: number) => Moment): HandSample[] {
  const far: [number, number, number] = [0.02, 0, 0.13];
  return Array.from({ length: 20 * CUBE_FLIP_TRIAL_S + 1 }, (_, k) => {
    const { turnRad, flexionRad = 0, x = 0.03 } = at(k / 20);
    const positionRad = new Array<number>(16).fill(0);
    positionRad[1] = positionRad[5] = flexionRad;
    return {
      atS: k / 20,
      tipsM: [far, far, far, far],
      topM: [0.05, 0, 0],
      centreM: [x, 0, -0.02],
      quatXyzw: [...over(turnRad)],
      positionRad,
    } satisfies HandSample;
  });
}
const turning = (toRad: number) => (atS: number) => ({ turnRad: toRad * Math.min(1, atS / 3) });

describe("CubeFlip", () => {
  it("succeeds with another face up, at rest, on an open hand", () => {
    const verdict = judgeCubeFlip(trial(turning(Math.PI / 2)), true);
    expect(verdict).toMatchObject({ success: true, isOpen: true, endedBecause: "turned over" });
    expect(verdict.finalTurnRad).toBeCloseTo(Math.PI / 2, 6);
  });

  it("does not count a turn about the vertical, or a cube that leans", () => {
    const spun = trial(() => ({ turnRad: 0 })).map((sample, k) => ({
      ...sample,
      quatXyzw: [...multiplyQuat(quatFromRpy(0.02 * k, 0, 0), LYING)] as HandSample["quatXyzw"],
    }));
    expect(judgeCubeFlip(spun, true).endedBecause).toBe("never turned over");
    expect(judgeCubeFlip(trial(turning(Math.PI / 4)), true).endedBecause).toBe("never turned over");
  });

  it("fails when it turns back, moves at the end, or falls off", () => {
    const back = (atS: number) => ({ turnRad: atS < 1 || atS > 5 ? 0 : Math.PI / 2 });
    expect(judgeCubeFlip(trial(back), true).endedBecause).toBe("turned back");
    const rolling = (atS: number) => ({ turnRad: Math.PI / 2, x: 0.03 + 0.01 * atS });
    const moved = trial((atS) => (atS < 1 ? { turnRad: 0 } : rolling(atS)));
    expect(judgeCubeFlip(moved, true).endedBecause).toBe("not at rest");
    const fallen = (atS: number) => ({ turnRad: atS < 1 ? 0 : Math.PI / 2, x: atS < 2 ? 0.03 : -0.12 });
    expect(judgeCubeFlip(trial(fallen), true).endedBecause).toBe("the cube fell off");
  });

  it("fails while the hand stays closed", () => {
    const closed = (atS: number) => ({ turnRad: atS < 2 ? 0 : Math.PI / 2, flexionRad: 1.2 });
    expect(judgeCubeFlip(trial(closed), true)).toMatchObject({
      success: false,
      isOpen: false,
      endedBecause: "the hand stayed closed",
    });
  });

  it("says so without truth and when the policy stopped", () => {
    expect(judgeCubeFlip([], true).endedBecause).toBe("no ground truth");
    expect(judgeCubeFlip(trial(turning(Math.PI / 2)), false).endedBecause).toBe("policy stopped");
  });
});
