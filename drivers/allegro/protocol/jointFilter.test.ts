/** The filter's gain, start and delay, each against closed forms; and how the vendor's differs. */
import { describe, expect, it } from "vitest";
import { JointFilter } from "./jointFilter.js";

/** 333 Hz: the hand's period is whole milliseconds. */
const PERIOD_S = 0.003;
const hand = (rad: number) => new Float64Array(16).fill(rad);

/** Feeds a motion of all joints and answers the first joint's angle and speed at the end. */
function follow(filter: JointFilter, motion: (seconds: number) => number, samples: number, dtS = PERIOD_S) {
  for (let i = 0; i <= samples; i++) expect(filter.update(hand(motion(i * dtS)), dtS)).toBe(true);
  return { endS: samples * dtS, rad: filter.positionRad[0]!, radPerS: filter.velocityRadPerS[0]! };
}

describe("the filter of the joints", () => {
  it("starts where the hand is and stays there: gain 1, no ramp, no speed", () => {
    const filter = new JointFilter();
    expect(filter.seeded).toBe(false);
    for (let i = 0; i < 500; i++) {
      filter.update(hand(1.2), PERIOD_S);
      expect(filter.positionRad[7]).toBeCloseTo(1.2, 12);
      expect(filter.velocityRadPerS[7]).toBe(0);
    }
    expect(filter.seeded).toBe(true);
  });

  it("after a step comes to the new angle without bias", () => {
    const filter = new JointFilter();
    filter.update(hand(0), PERIOD_S);
    for (let i = 0; i < 200; i++) filter.update(hand(1), PERIOD_S);
    expect(Math.abs(filter.positionRad[0]! - 1)).toBeLessThan(1e-12);
    expect(Math.abs(filter.velocityRadPerS[0]!)).toBeLessThan(1e-9);
  });

  it("at 333 Hz delays angles by 6 ms and speeds by 7.5 ms, as it says", () => {
    const speed = 2;
    const ramp = new JointFilter();
    const { endS, rad, radPerS } = follow(ramp, (t) => speed * t, 300);
    const positionDelayS = endS - rad / speed;
    expect(positionDelayS * 1000).toBeCloseTo(6, 9);
    expect(ramp.positionDelayS(PERIOD_S)).toBeCloseTo(positionDelayS, 12);
    expect(radPerS).toBeCloseTo(speed, 9);

    const acceleration = 5;
    const parabola = new JointFilter();
    const end = follow(parabola, (t) => (acceleration / 2) * t * t, 300);
    const velocityDelayS = end.endS - end.radPerS / acceleration;
    expect(velocityDelayS * 1000).toBeCloseTo(7.5, 9);
    expect(parabola.velocityDelayS(PERIOD_S)).toBeCloseTo(velocityDelayS, 12);
  });

  it.each([
    [0.006, 0.002],
    [0.006, 0.003],
    [0.02, 0.003],
    [0.001, 0.003],
    [0, 0.003],
  ])("with a time constant of %f s at %f s says the delay that it has", (timeConstantS, dtS) => {
    const filter = new JointFilter(timeConstantS);
    const { endS, rad } = follow(filter, (t) => t, 400, dtS);
    expect(endS - rad).toBeCloseTo(filter.positionDelayS(dtS), 9);
    const parabola = new JointFilter(timeConstantS);
    const end = follow(parabola, (t) => t * t, 400, dtS);
    expect(end.endS - end.radPerS / 2).toBeCloseTo(parabola.velocityDelayS(dtS), 9);
  });

  it("has the vendor's pole at 3 ms: a step's error shrinks by 0.6 with every sample", () => {
    const filter = new JointFilter();
    filter.update(hand(0), PERIOD_S);
    filter.update(hand(1), PERIOD_S);
    let error = 1 - filter.positionRad[0]!;
    expect(error).toBeCloseTo(0.8, 12);
    for (let i = 0; i < 10; i++) {
      filter.update(hand(1), PERIOD_S);
      expect((1 - filter.positionRad[0]!) / error).toBeCloseTo(0.6, 9);
      error = 1 - filter.positionRad[0]!;
    }
  });

  it("a lost sample leaves speed and delay of an even motion as they are", () => {
    const filter = new JointFilter();
    let now = 0;
    for (let i = 0; i < 300; i++) {
      const dtS = i % 50 === 20 ? 2 * PERIOD_S : PERIOD_S;
      now += dtS;
      filter.update(hand(3 * now), dtS);
    }
    expect(filter.velocityRadPerS[0]).toBeCloseTo(3, 9);
    expect(now - filter.positionRad[0]! / 3).toBeCloseTo(0.006, 9);
  });

  it("keeps joints apart", () => {
    const filter = new JointFilter();
    const from = Float64Array.from({ length: 16 }, (_, joint) => joint / 10);
    filter.update(from, 0);
    expect([...filter.positionRad]).toEqual([...from]);
    for (let i = 0; i < 300; i++)
      filter.update(
        from.map((rad, joint) => rad * joint),
        PERIOD_S,
      );
    for (const [joint, rad] of filter.positionRad.entries()) expect(rad).toBeCloseTo((joint * joint) / 10, 9);
  });

  it("takes nothing that is not finite, nor a time that does not pass, and forgets on reset", () => {
    const filter = new JointFilter();
    filter.update(hand(1), PERIOD_S);
    const bad = hand(1);
    bad[15] = Number.NaN;
    expect(filter.update(bad, PERIOD_S)).toBe(false);
    for (const dtS of [0, -0.003, Number.NaN, Number.POSITIVE_INFINITY])
      expect(filter.update(hand(2), dtS)).toBe(false);
    expect(filter.update(new Float64Array(15), PERIOD_S)).toBe(false);
    expect([...filter.positionRad]).toEqual([...hand(1)]);
    filter.reset();
    expect(filter.update(hand(-1), Number.NaN)).toBe(true);
    expect([...filter.positionRad, ...filter.velocityRadPerS]).toEqual([...hand(-1), ...hand(0)]);
    expect(() => new JointFilter(Number.NaN)).toThrow("filter");
  });
});
