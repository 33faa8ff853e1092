import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REASON_BITS } from "./api.js";
import { GoalShaper } from "./goalShaper.js";
import { Limiter } from "./limiter.js";
import type { LimiterLimits } from "./limits.js";
import { type MovingBody, Zones } from "./zones.js";

const PERIOD_S = 0.004;
/** A gantry: the first three joints are the tool point itself [m], so every expectation is plain arithmetic. */
const gantry = (): MovingBody => {
  const toolM = new Float64Array(3);
  return {
    toolM,
    elbowM: toolM,
    capsules: [],
    pairs: [],
    reachM: Float64Array.of(1, 1, 1),
    toolReachM: Float64Array.of(1, 1, 1),
    update: (positionRad) => {
      for (let axis = 0; axis < 3; axis++) toolM[axis] = positionRad[axis]!;
    },
    farM: 0,
    toolStepM: 0,
    measureHeights: () => {},
    measurePairs: () => {},
    measureToolStep(stepRad) {
      this.toolStepM = Math.hypot(stepRad[0]!, stepRad[1]!, stepRad[2]!);
    },
  };
};
/** Limiter and shaper of an arm that stands somewhere. */
const standing = (limits: LimiterLimits, atRad: Float64Array, body = gantry()) => {
  const zones = new Zones(body, limits);
  const limiter = new Limiter(limits, zones, PERIOD_S);
  limiter.startAt(atRad);
  return { limiter, shaper: new GoalShaper(limits, zones) };
};

const limitsOf = (joints: number, changes: Partial<LimiterLimits> = {}): LimiterLimits => ({
  jointNames: Array.from({ length: joints }, (_, joint) => `joint${joint + 1}`),
  positionMinRad: Array(joints).fill(-1.98),
  positionMaxRad: Array(joints).fill(1.98),
  velocityMaxRadPerS: Array(joints).fill(1),
  accelerationMaxRadPerS2: Array(joints).fill(5),
  jerkMaxRadPerS3: Array(joints).fill(60),
  toolSpeedMaxMPerS: 10,
  workspace: { minM: [-1, -1, 0], maxM: [1, 1, 1], tableM: 0.1, tableMarginM: 0.05 },
  selfCollisionMarginM: 0.02,
  ...changes,
});
const array = (...values: number[]) => Float64Array.from(values);
const zero = array(0, 0, 0);

const check = (limits: LimiterLimits, last: Float64Array, wanted: Float64Array, velocity = zero) => {
  const { limiter } = standing(limits, last);
  const out = new Float64Array(wanted.length);
  const reasons = limiter.check(last, velocity, new Float64Array(wanted.length), wanted, out);
  return { out: [...out], reasons };
};

describe("GoalShaper", () => {
  const shape = (from: Float64Array, goal: number[], limits = limitsOf(3)) => {
    const out = new Float64Array(3);
    const reasons = standing(limits, from).shaper.shape(from, goal, out);
    return { out: [...out], reasons };
  };

  it("leaves a good target alone", () => {
    expect(shape(array(0, 0, 0.5), [0.5, -0.5, 0.6])).toEqual({ out: [0.5, -0.5, 0.6], reasons: 0 });
  });

  it("shortens the whole way at the box and at the table", () => {
    const box = shape(array(0, 0, 0.5), [2, 1, 0.5]);
    expect(box.reasons & REASON_BITS.workspace).toBeTruthy();
    expect(box.out[0]).toBeCloseTo(1, 3);
    expect(box.out[1]).toBeCloseTo(box.out[0]! * (1 / 1.98), 6);
    const table = shape(array(0, 0, 0.5), [0.4, 0, -0.5]);
    expect(table.reasons).toBe(REASON_BITS.tablePlane);
    expect(table.out[2]).toBeGreaterThan(0.15);
    expect(table.out[2]).toBeLessThan(0.1505);
    expect(table.out[0]).toBeCloseTo((0.4 * (0.5 - table.out[2]!)) / 1, 6);
  });

  it("clamps each joint to its limits", () => {
    const wide = limitsOf(3, {
      workspace: { minM: [-9, -9, -9], maxM: [9, 9, 9], tableM: -9, tableMarginM: 0 },
    });
    expect(shape(zero, [5, 1, -5], wide)).toEqual({
      out: [1.98, 1, -1.98],
      reasons: REASON_BITS.positionLimit,
    });
  });

  it("lets an arm that starts outside come back, and go no further", () => {
    const outside = array(0, 0, 0.05);
    expect(shape(outside, [0, 0, 0.4]).out).toEqual([0, 0, 0.4]);
    expect(shape(outside, [0, 0, 0.0]).out[2]).toBeGreaterThan(0.05 - 1.1e-4);
    expect(shape(array(2.5, 0, 0.5), [0, 0, 0.5]).out).toEqual([0, 0, 0.5]);
  });

  it("does not let being outside of one face excuse another", () => {
    const besides = array(1.5, 0, 0.5);
    expect(shape(besides, [1.5, 0, -0.5]).out[2]).toBeCloseTo(0.15, 3);
    expect(shape(besides, [1.5, 0.5, 0.5]).out).toEqual([1.5, 0.5, 0.5]);
  });

  it("stops at the first bad place on the way, even when the target is good", () => {
    const body = gantry();
    // A wall of no thickness to speak of stands at x = 0.3, as an elbow that folds through the arm would meet it.
    const wall: MovingBody = {
      ...body,
      pairs: ["tool|wall"],
      measurePairs: (outM) => outM.fill(Math.abs(body.toolM[0]! - 0.3)),
    };
    const limits = limitsOf(3);
    const out = new Float64Array(3);
    const reasons = new GoalShaper(limits, new Zones(wall, limits)).shape(
      array(0, 0, 0.5),
      [0.35, 0, 0.5],
      out,
    );
    expect(reasons).toBe(REASON_BITS.selfCollision);
    expect(out[0]!).toBeCloseTo(0.28, 3);
  });
});

describe("Limiter.check", () => {
  const limits = limitsOf(3, { toolSpeedMaxMPerS: 0.5 });
  const start = array(0, 0, 0.5);

  it("passes a step within all limits unchanged", () => {
    expect(check(limits, start, array(0.0008, -0.0004, 0.5), array(0.2, -0.1, 0))).toEqual({
      out: [0.0008, -0.0004, 0.5],
      reasons: 0,
    });
  });

  it.each([
    ["velocity", array(0.1, 0.05, 0.5), array(1, 0.5, 0), REASON_BITS.velocity],
    ["acceleration", array(0.002, 0.001, 0.5), zero, REASON_BITS.acceleration],
    ["tool speed", array(0.003, 0.002, 0.5), array(0.75, 0.5, 0), REASON_BITS.toolSpeed],
  ])("scales the whole step for %s", (_name, wanted, velocity, bit) => {
    const { out, reasons } = check(limits, start, wanted, velocity);
    expect(reasons & bit).toBe(bit);
    expect(out[0]!).toBeGreaterThan(0);
    expect(out[0]!).toBeLessThan(wanted[0]!);
    expect(out[1]! / out[0]!).toBeCloseTo(wanted[1]! / wanted[0]!, 9);
  });

  it("answers not-a-number with standing still", () => {
    const { out, reasons } = check(limits, start, array(0, Number.NaN, 0.5));
    expect(out).toEqual([...start]);
    expect(reasons).not.toBe(0);
  });

  it("takes a step out of the workspace back", () => {
    const edge = array(0.9999999, 0, 0.5);
    const { out, reasons } = check(limits, edge, array(1.002, 0, 0.5), array(0.5, 0, 0));
    expect(out).toEqual([...edge]);
    expect(reasons & REASON_BITS.workspace).toBeTruthy();
  });

  it("never amplifies, keeps the direction, and never goes further out", () => {
    const near = fc.double({ min: -1.2, max: 1.2, noNaN: true });
    const step = fc.double({ min: -0.02, max: 0.02, noNaN: true });
    const speed = fc.double({ min: -1, max: 1, noNaN: true });
    const outside = (p: ArrayLike<number>) =>
      Math.max(0, Math.abs(p[0]!) - 1, Math.abs(p[1]!) - 1, p[2]! - 1, 0.15 - p[2]!);
    fc.assert(
      fc.property(
        fc.tuple(near, near, near),
        fc.tuple(step, step, step),
        fc.tuple(speed, speed, speed),
        (last, delta, velocity) => {
          const wanted = array(...last.map((value, joint) => value + delta[joint]!));
          const { out, reasons } = check(limits, array(...last), wanted, array(...velocity));
          const shares = delta.flatMap((d, joint) =>
            Math.abs(d) > 1e-6 ? [(out[joint]! - last[joint]!) / d] : [],
          );
          for (const share of shares) {
            expect(share).toBeGreaterThanOrEqual(-1e-9);
            expect(share).toBeLessThanOrEqual(1 + 1e-9);
            expect(share).toBeCloseTo(shares[0]!, 5);
          }
          if (shares.some((share) => share < 0.999)) expect(reasons).not.toBe(0);
          expect(outside(out)).toBeLessThanOrEqual(outside(last) + 5e-4);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
