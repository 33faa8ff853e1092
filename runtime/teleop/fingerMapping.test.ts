import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { FINGERS, HAND_JOINT_COUNT, type HandSide } from "../../kinematics/allegro/hand.js";
import { TIPS } from "../../kinematics/allegro/keypoints.js";
import {
  blend,
  generator,
  handPose,
  largestStep,
  mirrored,
  webxrJoints,
} from "../../test/support/allegro/handPoses.js";
import { FingersConfig } from "./config.js";
import { createFingerMapping } from "./fingerMapping.js";
import { handServoLimits } from "./fingerTesting.js";
import type { AlignedHand, HandMapping } from "./mapping.js";

const PERIOD_MS = 1000 / 90;
const POSES = ["open", "fist", "point", "spread", "pinch_index", "pinch_index_touch"] as const;
const config = FingersConfig.parse({});
/** Rounding, as a share of a limit. */
const SLACK = 1 + 1e-6;

const HANDS = [
  ["v4", "right"],
  ["v4", "left"],
  ["v5a", "right"],
] as const;

function make(
  model: "v4" | "v5a" = "v4",
  side: HandSide = "right",
  { scale, ...changes }: Partial<FingersConfig> & { readonly scale?: () => number | undefined } = {},
): HandMapping {
  const fingers = { ...config, ...changes };
  return createFingerMapping(handServoLimits(model, side), {
    model,
    side,
    retargeting: fingers.retargeting,
    follow: fingers,
    ...(scale === undefined ? {} : { scale }),
  });
}
const shown = (keypoints: Float64Array | null, side: HandSide = "right"): AlignedHand => ({
  pose: { positionM: [0, 0, 0], quatXyzw: [0, 0, 0, 1] },
  gripper: 0,
  joints: keypoints === null ? null : webxrJoints(side === "right" ? keypoints : mirrored(keypoints)),
});
const middleRad = (model: "v4" | "v5a" = "v4", side: HandSide = "right"): number[] => {
  const { positionMinRad, positionMaxRad } = handServoLimits(model, side);
  return positionMinRad.map((min, joint) => (min + positionMaxRad[joint]!) / 2);
};

/** Steps on the poses' own grid, at 90 Hz. */
function drive(
  mapping: HandMapping,
  seconds: number,
  at: (s: number) => AlignedHand,
  visit: (targetRad: Float64Array, s: number, limitedBy: readonly string[]) => void = () => {},
  fromS = 0,
) {
  let last = mapping.step(at(fromS), 1000 * fromS);
  for (let k = 1; k * PERIOD_MS <= 1000 * seconds; k++) {
    const s = fromS + (k * PERIOD_MS) / 1000;
    last = mapping.step(at(s), 1000 * s);
    visit(last.targetRad, s, last.limitedBy);
  }
  return last;
}

describe("engage", () => {
  it("jumps nowhere: the setpoint to the last bit, then away from it at the catching-up speed at most", () => {
    const mappings = new Map(HANDS.map(([model, side]) => [`${model} ${side}`, make(model, side)]));
    fc.assert(
      fc.property(
        fc.constantFrom(...HANDS),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 }),
        fc.constantFrom(...POSES),
        fc.constantFrom(...POSES),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 2, max: 120, noNaN: true }),
        ([model, side], shares, one, other, share, laterMs) => {
          const { positionMinRad: min, positionMaxRad: max } = handServoLimits(model, side);
          const sentRad = shares.map((part, joint) => min[joint]! + part * (max[joint]! - min[joint]!));
          const hand = shown(blend(handPose(one), handPose(other), share), side);
          const mapping = mappings.get(`${model} ${side}`)!;
          mapping.engage(hand, sentRad, 1000);
          expect([...mapping.step(hand, 1000).targetRad]).toEqual(sentRad);
          const { targetRad } = mapping.step(hand, 1000 + laterMs, sentRad);
          const mostRad = (config.catchUpRadPerS * Math.min(100, laterMs)) / 1000;
          expect(largestStep(Float64Array.from(sentRad), targetRad)).toBeLessThanOrEqual(mostRad * SLACK);
        },
      ),
      { numRuns: 4000 },
    );
  });

  it("a hand that stands outside of a limit starts there, and comes inside", () => {
    const { positionMinRad } = handServoLimits("v4", "right");
    const sentRad = middleRad();
    sentRad[1] = positionMinRad[1]! - 0.03;
    const mapping = make();
    mapping.engage(shown(handPose("fist")), sentRad, 0);
    const { targetRad } = drive(mapping, 2, () => shown(handPose("fist")));
    expect(targetRad[1]).toBeGreaterThan(positionMinRad[1]!);
  });
});

describe("the fingers", () => {
  it.each(HANDS)("of a %s %s hand point where the person's point", (model, side) => {
    const mapping = make(model, side);
    mapping.engage(shown(handPose("open"), side), middleRad(model, side), 0);
    const { targetRad, gapM } = drive(mapping, 4, () => shown(handPose("point"), side));
    expect(gapM).toBeLessThan(5e-4);
    const chain = new HandChain(model, side);
    chain.update(targetRad);
    const heightM = (finger: (typeof FINGERS)[number]) => chain.tipsM[3 * FINGERS.indexOf(finger) + 2]!;
    // Index stretched along the palm's z, middle and ring bent.
    expect(heightM("index") - heightM("middle")).toBeGreaterThan(0.05);
    expect(heightM("index") - heightM("ring")).toBeGreaterThan(0.05);
  });

  it("go along with the index finger once they have caught up", () => {
    const mapping = make();
    const [open, bent] = [handPose("open"), handPose("fist")];
    const at = (s: number) => blend(open, bent, 0.3 - 0.3 * Math.cos(Math.PI * s));
    mapping.engage(shown(at(0)), middleRad(), 0);
    const chain = new HandChain("v4", "right");
    const robot: number[] = [];
    const person: number[] = [];
    drive(
      mapping,
      12,
      (s) => shown(at(s)),
      (targetRad, s, limitedBy) => {
        if (s < 4) return;
        expect(limitedBy).not.toContain("catching up");
        chain.update(targetRad);
        robot.push(chain.tipsM[2]!);
        person.push(at(s)[3 * TIPS.index + 2]!);
      },
    );
    expect(correlation(robot, person)).toBeGreaterThan(0.95);
  });

  it("are those of the size that was measured, from the next engagement on", () => {
    let scale: number | undefined;
    const mapping = make("v4", "right", { scale: () => scale });
    const settle = (): Float64Array => {
      mapping.engage(shown(handPose("fist")), middleRad(), 0);
      return Float64Array.from(drive(mapping, 4, () => shown(handPose("fist"))).targetRad);
    };
    const unmeasured = settle();
    scale = 0.9;
    const during = drive(mapping, 1, () => shown(handPose("fist")), undefined, 5).targetRad;
    expect(largestStep(unmeasured, during)).toBeLessThan(1e-3);
    expect(largestStep(unmeasured, settle())).toBeGreaterThan(0.1);
    scale = undefined;
    expect(largestStep(unmeasured, settle())).toBeLessThan(1e-3);
  });
});

describe("whatever the fingers do", () => {
  it("no joint is faster, changes its speed faster, or goes farther than it may", () => {
    for (const [index, [model, side]] of HANDS.entries()) {
      const limits = handServoLimits(model, side);
      const random = generator(100 + index);
      const mapping = make(model, side);
      const speedMax = limits.velocityMaxRadPerS[0]! * config.jointSpeedShare;
      let sentRad = Float64Array.from(middleRad(model, side));
      let hand: AlignedHand = shown(handPose("open"), side);
      mapping.engage(hand, sentRad, 0);
      let [nowMs, beforeMs] = [0, 0];
      let [fastest, outside] = [0, 0];
      let before = Float64Array.from(mapping.step(hand, 0).targetRad);
      for (let pose = 0; pose < 4000; pose++) {
        // Leaps from pose to pose, gaps and jitter of a bad network, nonsense now and then.
        if (random() < 0.1) {
          const pick = () => handPose(POSES[Math.floor(random() * POSES.length)]!);
          hand = random() < 0.1 ? shown(null) : shown(blend(pick(), pick(), random()), side);
        }
        nowMs += random() < 0.02 ? 1 + 99 * random() : 6 + 10 * random();
        const { targetRad } = mapping.step(hand, nowMs, sentRad);
        const periodS = Math.min(100, nowMs - beforeMs) / 1000;
        fastest = Math.max(fastest, largestStep(before, targetRad) / periodS);
        outside += targetRad.filter(
          (rad, joint) => rad < limits.positionMinRad[joint]! || rad > limits.positionMaxRad[joint]!,
        ).length;
        before = Float64Array.from(targetRad);
        sentRad = Float64Array.from(targetRad);
        beforeMs = nowMs;
      }
      expect(outside).toBe(0);
      expect(fastest).toBeLessThanOrEqual(speedMax * SLACK);
      expect(fastest).toBeGreaterThan(0.9 * speedMax);
    }
  });

  it("an even stream of poses changes no joint's speed faster than the acceleration limit", () => {
    const limits = handServoLimits("v4", "right");
    const random = generator(7);
    const mapping = make();
    let hand = shown(handPose("open"));
    mapping.engage(hand, middleRad(), 0);
    mapping.step(hand, 0);
    let before = Float64Array.from(middleRad());
    let speeds = new Float64Array(HAND_JOINT_COUNT);
    let worst = 0;
    for (let k = 1; k < 5000; k++) {
      if (random() < 0.1) hand = shown(handPose(POSES[Math.floor(random() * POSES.length)]!));
      const { targetRad } = mapping.step(hand, k * PERIOD_MS);
      const next = targetRad.map((rad, joint) => (1000 * (rad - before[joint]!)) / PERIOD_MS);
      worst = Math.max(worst, (1000 * largestStep(speeds, next)) / PERIOD_MS);
      before = Float64Array.from(targetRad);
      speeds = next;
    }
    expect(worst).toBeLessThanOrEqual(limits.accelerationMaxRadPerS2[0]! * (1 + 1e-6));
    // The leaps of this test do need all of it.
    expect(worst).toBeGreaterThan(0.9 * limits.accelerationMaxRadPerS2[0]!);
  });

  it("a servo that stands is not run away from, and nothing leaps when it goes on", () => {
    const mapping = make();
    const sentRad = middleRad();
    mapping.engage(shown(handPose("open")), sentRad, 0);
    mapping.step(shown(handPose("open")), 0);
    let last = mapping.step(shown(handPose("fist")), 11, sentRad);
    for (let k = 2; k < 500; k++) last = mapping.step(shown(handPose("fist")), k * PERIOD_MS, sentRad);
    expect(last.limitedBy).toContain("servo limits");
    const ahead = largestStep(Float64Array.from(sentRad), last.targetRad);
    expect(ahead).toBeLessThan(0.6);
    const before = Float64Array.from(last.targetRad);
    const { targetRad } = mapping.step(shown(handPose("fist")), 500 * PERIOD_MS, before);
    expect(largestStep(before, targetRad)).toBeLessThanOrEqual(
      ((60 * PERIOD_MS) / 1000) * (PERIOD_MS / 1000) * SLACK,
    );
  });

  it("a hand that vanishes leaves the target where braking ends", () => {
    const mapping = make();
    mapping.engage(shown(handPose("open")), middleRad(), 0);
    drive(mapping, 0.5, () => shown(handPose("fist")));
    const { targetRad, limitedBy } = drive(mapping, 0.5, () => shown(null), undefined, 0.6);
    expect(limitedBy).toContain("fingers not seen");
    const before = Float64Array.from(targetRad);
    const still = drive(mapping, 0.5, () => shown(null), undefined, 1.2).targetRad;
    expect(largestStep(before, still)).toBe(0);
  });
});

function correlation(one: readonly number[], other: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [a, b] = [mean(one), mean(other)];
  const covariance = mean(one.map((value, i) => (value - a) * (other[i]! - b)));
  return covariance / Math.sqrt(mean(one.map((v) => (v - a) ** 2)) * mean(other.map((v) => (v - b) ** 2)));
}
