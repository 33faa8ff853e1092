import { describe, expect, it } from "vitest";
import { blend, generator, handPose, webxrJoints } from "../../test/support/allegro/handPoses.js";
import { HandChain } from "./fingertips.js";
import { CALIBRATION_S, FLAT_MIN, HandScale, HandScaleCalibration } from "./handScale.js";
import { HandKeypoints } from "./keypoints.js";

const RATE_HZ = 90;
const flat = handPose("open");
const fist = handPose("fist");

/** Shows a hand for so long; `hand` is asked for each pose, null is not tracked. */
function show(
  calibration: HandScaleCalibration,
  seconds: number,
  hand: (i: number) => Float64Array | null,
): void {
  const keypoints = new HandKeypoints();
  for (let i = 0; i < seconds * RATE_HZ; i++) {
    const at = hand(i);
    keypoints.read(at === null ? null : webxrJoints(at, [0.01 * i, 1, -0.3]), "right");
    calibration.add(keypoints, 1 / RATE_HZ);
  }
}

const sized = (hand: Float64Array, factor: number) => hand.map((value) => factor * value);
const trembling = (hand: Float64Array, random: () => number, amountM: number) =>
  hand.map((value) => value + 2 * amountM * (random() - 0.5));

describe("calibration of the hand's size", () => {
  it.each([0.85, 1, 1.15])("a flat hand of size %f reaches as far as the robot's", (factor) => {
    const calibration = new HandScaleCalibration("v4", "right");
    const random = generator(1);
    show(calibration, CALIBRATION_S + 0.05, () => trembling(sized(flat, factor), random, 0.001));
    expect(calibration.isDone).toBe(true);
    const result = calibration.result();
    if (!result.ok) throw new Error(result.why);
    const chain = new HandChain("v4", "right");
    chain.update(new Float64Array(16));
    const robotM = Math.hypot(chain.tipsM[3]!, chain.tipsM[4]!, chain.tipsM[5]! + 0.095);
    // The median finger of three; the middle one is within a few percent of it.
    expect(result.value.scale * result.value.reachM.middle).toBeGreaterThan(0.96 * robotM);
    expect(result.value.scale * result.value.reachM.middle).toBeLessThan(1.06 * robotM);
    expect(result.value.boneLengthsM[4]).toBeCloseTo(factor * Math.hypot(0.024, 0.088), 3);
    expect(HandScale.parse(JSON.parse(JSON.stringify(result.value)))).toEqual(result.value);
  });

  it("scales are in proportion to the sizes of hands", () => {
    const scaleOf = (factor: number) => {
      const calibration = new HandScaleCalibration("v4", "right");
      show(calibration, CALIBRATION_S, () => sized(flat, factor));
      const result = calibration.result();
      return result.ok ? result.value.scale : Number.NaN;
    };
    expect(scaleOf(0.9) * 0.9).toBeCloseTo(scaleOf(1.1) * 1.1, 9);
  });

  it("a fifth of wild poses and of fists changes the scale by less than a percent", () => {
    const random = generator(2);
    const scaleOf = (isDisturbed: boolean) => {
      const calibration = new HandScaleCalibration("v4", "right");
      show(calibration, CALIBRATION_S, (i) => {
        if (!isDisturbed || i % 5 !== 0) return trembling(flat, random, 0.0005);
        return i % 10 === 0 ? blend(flat, fist, random()) : sized(flat, 0.6 + random());
      });
      const result = calibration.result();
      if (!result.ok) throw new Error(result.why);
      return result.value;
    };
    const [clean, disturbed] = [scaleOf(false), scaleOf(true)];
    expect(Math.abs(disturbed.scale / clean.scale - 1)).toBeLessThan(0.01);
    expect(disturbed.rejectedCount).toBeGreaterThan(20);
    expect(clean.rejectedCount).toBe(0);
  });

  it("fists, no hand, or too short a look give no scale, and say what was seen", () => {
    const whyAfter = (seconds: number, hand: (i: number) => Float64Array | null) => {
      const calibration = new HandScaleCalibration("v4", "right");
      show(calibration, seconds, hand);
      const result = calibration.result();
      return result.ok ? "accepted" : result.why;
    };
    expect(whyAfter(5, () => fist)).toMatch(/^0 of 450 poses .*450 had bent fingers, 0 were not tracked/);
    expect(whyAfter(5, () => null)).toContain("450 were not tracked");
    expect(whyAfter((FLAT_MIN - 1) / RATE_HZ, () => flat)).toContain(
      `${FLAT_MIN - 1} of ${FLAT_MIN - 1} poses`,
    );
    expect(whyAfter(5, (i) => (i % 3 === 0 ? flat : fist))).toContain("had bent fingers");
    expect(whyAfter(5, (i) => sized(flat, i % 2 === 0 ? 0.8 : 1.1))).toContain("varies by");
    expect(whyAfter(5, () => sized(flat, 0.5))).toContain("scale");
  });

  it("what comes after five seconds changes nothing", () => {
    const calibration = new HandScaleCalibration("v4", "right");
    show(calibration, CALIBRATION_S + 0.1, () => flat);
    const before = calibration.result();
    show(calibration, 2, () => sized(flat, 1.3));
    expect(calibration.result()).toEqual(before);
  });

  it("a hand of unknown geometry has no reach to be compared with", () => {
    expect(() => new HandScaleCalibration("v5a", "left")).toThrow(/not known/);
  });
});
