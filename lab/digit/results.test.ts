import { describe, expect, it } from "vitest";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { createTruth } from "./body.js";
import {
  CALM_TRIAL,
  DigitResult,
  RESULT_CSV_HEADER,
  resultCsvRow,
  resultJsonRow,
  TrialWatch,
} from "./results.js";

const TRIAL = { ...CALM_TRIAL, scene: "flat", controller: "stand", durationS: 1 };

function standing() {
  const truth = createTruth();
  truth.positionWorldM.set([0, 0, 0.97]);
  const motorStrength = new Float64Array(DIGIT_MOTORS.length).fill(1);
  return { truth, solesM: Float64Array.of(0, 0.1, 0.02, 0, -0.1, 0.01), motorStrength };
}

/** Leaning forward. */
function lean(body: ReturnType<typeof standing>, rad: number): void {
  body.truth.quatWorldBaseXyzw.set([0, Math.sin(rad / 2), 0, Math.cos(rad / 2)]);
}

describe("a trial's watch", () => {
  it("tells extremes, drift and the largest share of a motor's torque", () => {
    const body = standing();
    const watch = new TrialWatch(body);
    lean(body, 0.3);
    body.truth.torqueNm[3] = -231.317 / 2;
    watch.observe(0.001);
    lean(body, 0.1);
    body.truth.positionWorldM.set([0.3, 0.4, 0.9]);
    body.truth.torqueNm.fill(0);
    watch.observe(0.001);
    const result = watch.result(TRIAL);
    expect(result).toMatchObject({ outcome: "stood", fellAtS: null, kneeStrength: 1 });
    expect(result.tiltMaxRad).toBeCloseTo(0.3, 9);
    expect(result.heightMinM).toBeCloseTo(0.89, 9);
    expect(result.driftM).toBeCloseTo(0.5, 9);
    expect(result.torqueShareMax).toBeCloseTo(0.5, 9);
  });

  it.each([
    ["leans too far", (body: ReturnType<typeof standing>) => lean(body, 0.81)],
    [
      "sinks towards its feet",
      (body: ReturnType<typeof standing>) => body.truth.positionWorldM.set([0, 0, 0.6]),
    ],
  ])("says when a robot that %s has fallen, once", (_, fall) => {
    const body = standing();
    const watch = new TrialWatch(body);
    watch.observe(0.25);
    fall(body);
    watch.observe(0.25);
    lean(body, 0);
    watch.observe(0.25);
    expect(watch.hasFallen).toBe(true);
    expect(watch.result(TRIAL)).toMatchObject({ outcome: "fell", fellAtS: 0.5 });
  });

  it("says how weak the knees were", () => {
    const body = standing();
    const watch = new TrialWatch(body);
    body.motorStrength[3] = 0.5;
    watch.observe(0.001);
    expect(watch.result(TRIAL).kneeStrength).toBe(0.5);
  });
});

describe("a result's row", () => {
  const body = standing();
  const watch = new TrialWatch(body);
  watch.observe(0.001);
  const result = watch.result({ ...TRIAL, scene: 'bag, "left"' });

  it("comes back from JSON as it was", () => {
    expect(DigitResult.parse(JSON.parse(resultJsonRow(result)))).toEqual(result);
  });

  it("has one CSV field a column, whatever the words hold", () => {
    const row = resultCsvRow(result);
    expect(row).toMatch(/^"bag, ""left""",stand,0,1,/);
    expect(row.replace(/"(?:[^"]|"")*"/, "x").split(",")).toHaveLength(RESULT_CSV_HEADER.split(",").length);
  });
});
