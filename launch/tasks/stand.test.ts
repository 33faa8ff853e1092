import { describe, expect, it } from "vitest";
import type { DigitSample, DriveSpan } from "./digitTruth.js";
import { FALLEN_TILT_RAD, judgeStand, type StandRun, wordsOf } from "./stand.js";

const HEIGHT_M = 0.968;
const START_MS = 5000;

const sample = (atS: number, tiltRad = 0.01, heightM = HEIGHT_M, x = 0): DigitSample => ({
  atS,
  positionM: [x, 0, heightM],
  tiltRad,
  feetDown: [true, true],
});
/** Ten a second. */
const samples = (seconds: number, at: (atS: number) => DigitSample = (atS) => sample(atS)): DigitSample[] =>
  Array.from({ length: 10 * seconds + 1 }, (_, index) => at(index / 10));
const driven = (fromMs: number, untilMs?: number): DriveSpan => ({
  fromMs,
  ...(untilMs === undefined ? {} : { untilMs }),
  cause: "command",
  effect: "driven",
  askedPeakNm: 72,
  exertedPeakNm: 72,
});
const damped = (fromMs: number): DriveSpan => ({
  fromMs,
  cause: "command",
  effect: "damping",
  askedPeakNm: 0,
  exertedPeakNm: 35,
});

const standing: StandRun = { samples: samples(60), spans: [driven(0)] };
/** Falls after two seconds: seen by the servo at 2.3 s, on the ground at 3 s. */
const falling: StandRun = {
  samples: samples(6, (atS) => (atS < 2 ? sample(atS) : sample(atS, Math.min(1.5, 1.2 * (atS - 2)), 0.9))),
  spans: [driven(0, START_MS + 2302), damped(START_MS + 2302)],
  letGoMs: START_MS + 2300,
  letGoBecause: "leans too far",
};

describe("a trial of standing", () => {
  it("succeeds where the robot stands to the end", () => {
    const verdict = judgeStand({ aim: "stands" }, standing, START_MS);
    expect(verdict).toMatchObject({
      success: true,
      fell: false,
      stoodS: 60,
      askedPeakNm: 72,
      endedBecause: "stood to the end",
    });
    expect(verdict.letGo).toBeUndefined();
  });

  it("says how far it leant and moved", () => {
    const run = {
      ...standing,
      samples: samples(3, (atS) => sample(atS, atS === 1 ? 0.2 : 0.01, HEIGHT_M, -0.02 * atS)),
    };
    const verdict = judgeStand({ aim: "stands" }, run, START_MS);
    expect(verdict.leanMaxRad).toBeCloseTo(0.2, 12);
    expect(verdict.driftMaxM).toBeCloseTo(0.06, 12);
    expect(wordsOf(verdict)).toContain("leant 11.5 degrees");
  });

  it("fails where it falls, and a fall that was meant succeeds by the way it ends", () => {
    expect(judgeStand({ aim: "stands" }, falling, START_MS)).toMatchObject({
      success: false,
      fell: true,
      stoodS: 2.3,
      endedBecause: "fell, and was let go of",
    });
    const verdict = judgeStand({ aim: "falls" }, falling, START_MS);
    expect(verdict).toMatchObject({
      success: true,
      letGo: { quietAfterMs: 2, by: "damping", because: "leans too far" },
    });
    expect(verdict.letGo!.leanRad).toBeCloseTo(0.36, 12);
    expect(wordsOf(verdict).at(-1)).toMatch(/^damping 2 ms after/);
  });

  it.each([
    ["who falls and is never let go of", { letGoMs: undefined, spans: [driven(0)] }],
    ["whose motors drive on for too long", { spans: [driven(0, START_MS + 2351), damped(START_MS + 2351)] }],
    ["whose motors are driven again", { spans: [...falling.spans, driven(START_MS + 4000)] }],
  ])("fails one %s", (_, change) => {
    expect(judgeStand({ aim: "falls" }, { ...falling, ...change }, START_MS)).toMatchObject({
      success: false,
      endedBecause: "fell, and was driven on",
    });
  });

  it("sees a fall by its lean and by its height", () => {
    const last = (one: DigitSample): StandRun => ({ ...standing, samples: [sample(0), one] });
    const fell = (one: DigitSample) => judgeStand({ aim: "stands" }, last(one), START_MS).fell;
    expect(fell(sample(1, FALLEN_TILT_RAD + 1e-6))).toBe(true);
    expect(fell(sample(1, FALLEN_TILT_RAD - 1e-6))).toBe(false);
    expect(fell(sample(1, 0, 0.59 * HEIGHT_M))).toBe(true);
    expect(fell(sample(1, 0, 0.61 * HEIGHT_M))).toBe(false);
  });

  it("is no success where a standing robot is let go of, nor where what should fell it does not", () => {
    const stopped = { ...falling, samples: samples(6) };
    expect(judgeStand({ aim: "stands" }, stopped, START_MS)).toMatchObject({
      success: false,
      endedBecause: "was let go of, and stood all the same",
    });
    expect(judgeStand({ aim: "falls" }, standing, START_MS)).toMatchObject({
      success: false,
      endedBecause: "was not felled",
    });
  });

  it("says so without truth", () => {
    expect(judgeStand({ aim: "stands" }, { samples: [], spans: [] }, START_MS)).toMatchObject({
      success: false,
      endedBecause: "no ground truth",
    });
  });
});
