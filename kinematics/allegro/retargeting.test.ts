import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blend,
  generator,
  handPose,
  largestStep,
  mirrored,
  REFERENCE_CASES,
  type ReferenceCase,
} from "../../test/support/allegro/handPoses.js";
import { HandChain } from "./fingertips.js";
import { TIP_RADIUS_M } from "./geometry.js";
import { FINGERS, type HandModel, type HandSide } from "./hand.js";
import { TIPS } from "./keypoints.js";
import { HAND_VELOCITY_MAX_RAD_PER_S, limitsOf } from "./limits.js";
import { Retargeting } from "./retargeting.js";
import { RETARGETING_OBJECTIVES, RetargetingConfig } from "./retargetingConfig.js";

const PERIOD_S = 1 / 90;
const POSES = ["open", "pinch_index_touch", "fist", "point", "spread", "pinch_index"] as const;
/** More than joints ever need: nothing is limited by speed. */
const FREELY = { velocityMaxRadPerS: Array<number>(16).fill(1e4) };

const configOf = (change: object = {}): RetargetingConfig => RetargetingConfig.parse(change);
function settle(retargeting: Retargeting, hand: Float64Array, steps = 300): void {
  for (let i = 0; i < steps; i++) retargeting.step(hand, PERIOD_S);
}

/** As the reference is set up: scale 1.6, tips at the ends of the balls, no speed limits, no filter, no ramp. */
function solveLikeReference({ side, type, keypoints21 }: ReferenceCase): Retargeting {
  const limits = { ...limitsOf("v4", side), ...FREELY };
  const retargeting = new Retargeting(
    { model: "v4", side, limits, tipExtraM: TIP_RADIUS_M },
    configOf({
      objective: type === "vector" ? "vector" : "dexPilot",
      scale: 1.6,
      smoothingS: 0,
      pinch: { gapM: 1e-4, neighbourGapM: 0.03, rampS: 0 },
    }),
  );
  settle(retargeting, Float64Array.from(keypoints21.flat()), 30);
  return retargeting;
}

/** How far the reference's own tips are from the person's, scaled [m]. */
function referenceErrorM(each: ReferenceCase, finger: number): number {
  const name = FINGERS[finger]!;
  const tip = each.robot_tip_vectors_from_wrist[name];
  const [wrist, human] = [each.keypoints21[0]!, each.keypoints21[TIPS[name]]!];
  return Math.hypot(...tip.map((value, axis) => value - 1.6 * (human[axis]! - wrist[axis]!)));
}

describe("against dex_retargeting, right hand", () => {
  const cases = REFERENCE_CASES.filter(({ side }) => side === "right");

  it("has cases of both objectives", () =>
    expect(new Set(cases.map(({ type }) => type))).toEqual(new Set(["vector", "dexpilot"])));

  it.each(cases.map((each) => [each.tag, each.type, each.pose, each] as const))(
    "%s %s %s: the objective is as low, and every tip as near, inside tighter limits",
    (_tag, _type, _pose, each) => {
      const retargeting = solveLikeReference(each);
      expect(retargeting.value).toBeLessThan(1.05 * each.final_objective + 1e-4);
      for (let finger = 0; finger < FINGERS.length; finger++)
        expect(retargeting.tipErrorM(finger)).toBeLessThan(referenceErrorM(each, finger) + 1e-3);
      if (each.projected !== null)
        expect([...retargeting.pinches.isClosed].map(Boolean)).toEqual(each.projected);
    },
  );
});

describe("against dex_retargeting, left hand", () => {
  // Its left hand's thumb is not the vendor's (up to 9.8 mm apart): only fingers that stand alone can be compared.
  const cases = REFERENCE_CASES.filter(({ side, type }) => side === "left" && type === "vector");

  it.each(cases.map((each) => [each.tag, each.pose, each] as const))(
    "%s vector %s: index, middle and ring are as near",
    (_tag, _pose, each) => {
      const retargeting = solveLikeReference(each);
      for (const finger of [0, 1, 2])
        expect(retargeting.tipErrorM(finger)).toBeLessThan(referenceErrorM(each, finger) + 1e-3);
    },
  );

  it.each(REFERENCE_CASES.filter(({ side, type }) => side === "left" && type === "dexpilot"))(
    "$tag dexpilot $pose: the same pairs pinch",
    (each) => {
      expect([...solveLikeReference(each).pinches.isClosed].map(Boolean)).toEqual(each.projected);
    },
  );
});

describe.each(RETARGETING_OBJECTIVES)("%s: whatever the hand does", (objective) => {
  it.each<[HandModel, HandSide]>([
    ["v4", "right"],
    ["v4", "left"],
    ["v5a", "right"],
  ])("%s %s: angles are never outside the limits, nor faster than allowed", (model, side) => {
    const coordinate = fc.double({ min: -0.4, max: 0.4, noNaN: true });
    const wild = fc.array(coordinate, { minLength: 63, maxLength: 63 });
    const retargeting = new Retargeting({ model, side }, configOf({ objective }));
    const { positionMinRad, positionMaxRad } = retargeting.limits;
    const [before, solved] = [new Float64Array(16), new Float64Array(16)];
    fc.assert(
      fc.property(
        fc.array(wild, { minLength: 3, maxLength: 10 }),
        fc.double({ min: 1e-4, max: 0.5, noNaN: true }),
        (hands, s) => {
          for (const hand of hands) {
            before.set(retargeting.positionRad);
            solved.set(retargeting.solvedRad);
            expect(retargeting.step(Float64Array.from(hand), s)).toBe(true);
            // A long gap counts as a tenth of a second.
            const most = HAND_VELOCITY_MAX_RAD_PER_S * Math.min(s, 0.1) + 1e-12;
            expect(largestStep(solved, retargeting.solvedRad)).toBeLessThanOrEqual(most);
            for (const angles of [retargeting.positionRad, retargeting.solvedRad])
              for (let joint = 0; joint < 16; joint++) {
                expect(angles[joint]).toBeGreaterThanOrEqual(positionMinRad[joint]!);
                expect(angles[joint]).toBeLessThanOrEqual(positionMaxRad[joint]!);
              }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("what is no hand, or no time, moves nothing", () => {
    const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf({ objective }));
    settle(retargeting, handPose("fist"), 30);
    const before = Float64Array.from(retargeting.positionRad);
    const hand = handPose("open");
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(retargeting.step(hand.with(40, bad), PERIOD_S)).toBe(false);
    for (const periodS of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(retargeting.step(hand, periodS)).toBe(false);
    expect(retargeting.step(hand.subarray(0, 60), PERIOD_S)).toBe(false);
    expect(retargeting.positionRad).toEqual(before);
  });

  it("a still hand gives a still robot hand, whatever came before", () => {
    const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf({ objective }));
    const before = new Float64Array(16);
    for (const pose of POSES) {
      settle(retargeting, handPose(pose), 300);
      before.set(retargeting.positionRad);
      retargeting.step(handPose(pose), PERIOD_S);
      expect(largestStep(before, retargeting.positionRad)).toBeLessThan(2e-5);
      settle(retargeting, handPose(pose), 500);
      before.set(retargeting.positionRad);
      settle(retargeting, handPose(pose), 90);
      expect(largestStep(before, retargeting.positionRad)).toBeLessThan(1e-6);
    }
  });

  it("after any motion the objective is where the best of random starts ends", () => {
    const random = generator(8);
    const config = configOf({ objective, smoothingS: 0, pinch: { rampS: 0 } });
    const stream = new Retargeting({ model: "v4", side: "right" }, config);
    const limits = { ...stream.limits, ...FREELY };
    const anyPose = () => handPose(POSES[Math.floor(POSES.length * random())]!);
    let hand = handPose("open");
    for (let trial = 0; trial < 6; trial++) {
      const [from, to] = [hand, blend(anyPose(), anyPose(), random())];
      for (let i = 1; i <= 60; i++) stream.step(blend(from, to, i / 60), PERIOD_S);
      settle(stream, to, 150);
      hand = to;
      const ends = Array.from({ length: 6 }, () => {
        const other = new Retargeting({ model: "v4", side: "right", limits }, config);
        other.startAt(
          limits.positionMinRad.map((min, joint) => min + random() * (limits.positionMaxRad[joint]! - min)),
        );
        // Between the two distances, whether a pair pinches is the past's to say.
        other.pinches.isClosed.set(stream.pinches.isClosed);
        settle(other, to, 40);
        return other.value;
      });
      expect(stream.value).toBeLessThan(Math.min(...ends) + 1e-4);
    }
  });

  it("the same hand gives the same angles, wherever the robot came from", () => {
    const ends = (["fist", "spread"] as const).map((first) => {
      const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf({ objective }));
      settle(retargeting, handPose(first));
      settle(retargeting, handPose("pinch_index"), 900);
      return Float64Array.from(retargeting.positionRad);
    });
    expect(largestStep(ends[0]!, ends[1]!)).toBeLessThan(1e-3);
  });

  it("a left hand is led as its mirror image is, at every scale and all along a quick motion", () => {
    const SPREADS = [0, 4, 8];
    for (const scale of [0.8, 1.3, 2.5]) {
      const config = configOf({ objective, scale });
      const right = new Retargeting({ model: "v4", side: "right" }, config);
      const left = new Retargeting({ model: "v4", side: "left" }, config);
      const random = generator(11);
      let from = handPose("open");
      for (let move = 0; move < 12; move++) {
        const to = handPose(POSES[Math.floor(POSES.length * random())]!);
        for (let at = 1; at <= 20; at++) {
          const hand = blend(from, to, at / 20);
          right.step(hand, PERIOD_S);
          left.step(mirrored(hand), PERIOD_S);
          const image = left.positionRad.map((rad, joint) => (SPREADS.includes(joint) ? -rad : rad));
          expect(largestStep(right.positionRad, image)).toBeLessThan(1e-6);
        }
        from = to;
      }
    }
  });

  it("a small move of the hand moves joints little: at most 60 rad per metre in a step", () => {
    const random = generator(5);
    const before = new Float64Array(16);
    const anyPose = () => handPose(POSES[Math.floor(POSES.length * random())]!);
    for (let trial = 0; trial < 60; trial++) {
      const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf({ objective }));
      const hand = blend(anyPose(), anyPose(), random());
      settle(retargeting, hand, 120);
      const moveM = 2e-4 + 1.8e-3 * random();
      const moved = Float64Array.from(hand);
      for (let k = 1; k < 21; k++) {
        const way = [random() - 0.5, random() - 0.5, random() - 0.5];
        for (let axis = 0; axis < 3; axis++)
          moved[3 * k + axis]! += (moveM * way[axis]!) / Math.hypot(...way);
      }
      before.set(retargeting.solvedRad);
      retargeting.step(moved, PERIOD_S);
      // What the step before would still have done by itself is in it too.
      expect(largestStep(before, retargeting.solvedRad)).toBeLessThan(60 * moveM + 2e-3);
    }
  });
});

describe("pinches", () => {
  const tipsApartM = (retargeting: Retargeting, side: HandSide, finger: number): number => {
    const chain = new HandChain("v4", side);
    chain.update(retargeting.positionRad);
    return Math.hypot(...[0, 1, 2].map((axis) => chain.tipsM[9 + axis]! - chain.tipsM[3 * finger + axis]!));
  };
  const touching = handPose("pinch_index_touch");

  it.each(["right", "left"] as const)(
    "%s: thumb and index of the person together bring the robot's together, from any pose and at any scale",
    (side) => {
      const handed = (hand: Float64Array) => (side === "right" ? hand : mirrored(hand));
      for (const scale of [1.1, 1.3, 1.6])
        for (const first of ["open", "fist", "spread"]) {
          const retargeting = new Retargeting({ model: "v4", side }, configOf({ scale }));
          settle(retargeting, handed(handPose(first)), 120);
          for (let i = 1; i <= 60; i++)
            retargeting.step(handed(blend(handPose(first), touching, i / 60)), PERIOD_S);
          settle(retargeting, handed(touching), 60);
          expect(tipsApartM(retargeting, side, 0)).toBeLessThan(TIP_RADIUS_M + 0.003);
        }
    },
  );

  it("thumb, index and middle together: both balls touch the thumb's", () => {
    const three = REFERENCE_CASES.find(({ pose, side }) => pose === "pinch_three" && side === "left")!;
    const retargeting = new Retargeting({ model: "v4", side: "left" }, configOf());
    settle(retargeting, Float64Array.from(three.keypoints21.flat()));
    for (const finger of [0, 1])
      expect(tipsApartM(retargeting, "left", finger)).toBeLessThan(2 * TIP_RADIUS_M);
    expect([...retargeting.pinches.isClosed]).toEqual([1, 1, 0, 1, 0, 0]);
  });

  it("closes below 30 mm, opens above 50 mm, and between keeps what it is", () => {
    const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf());
    const closedAt = (apartM: number): boolean => {
      const hand = handPose("pinch_index");
      const [thumb, index] = [3 * TIPS.thumb, 3 * TIPS.index];
      for (let axis = 0; axis < 3; axis++)
        hand[thumb + axis] = hand[index + axis]! - (axis === 0 ? apartM : 0);
      retargeting.step(hand, PERIOD_S);
      return retargeting.pinches.isClosed[0] === 1;
    };
    expect([0.06, 0.045, 0.031, 0.029, 0.045, 0.049, 0.051, 0.045].map(closedAt)).toEqual([
      false,
      false,
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it("a pinch comes over its ramp: no joint takes a step of more than 0.03 rad when it begins or ends", () => {
    const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf());
    const apart = (apartM: number): Float64Array => {
      const hand = handPose("pinch_index");
      const [thumb, index] = [3 * TIPS.thumb, 3 * TIPS.index];
      for (let axis = 0; axis < 3; axis++)
        hand[thumb + axis] = hand[index + axis]! - (axis === 0 ? apartM : 0);
      return hand;
    };
    settle(retargeting, apart(0.0301));
    const before = new Float64Array(16);
    for (const [apartM, isClosed] of [
      [0.0299, 1],
      [0.0499, 1],
      [0.0501, 0],
    ] as const) {
      if (apartM === 0.0499)
        for (let i = 0; i < 300; i++) retargeting.step(apart(0.03 + (0.0199 * i) / 300), PERIOD_S);
      before.set(retargeting.positionRad);
      retargeting.step(apart(apartM), PERIOD_S);
      expect(retargeting.pinches.isClosed[0]).toBe(isClosed);
      expect(largestStep(before, retargeting.positionRad)).toBeLessThan(0.03);
    }
  });
});

describe("filter and start", () => {
  it("the low-pass delays a steady motion by what it says", () => {
    const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf({ smoothingS: 0.1 }));
    expect(retargeting.delayS(PERIOD_S)).toBeCloseTo(0.1 - PERIOD_S / 2, 3);
    settle(retargeting, handPose("open"));
    const steps = 900;
    let lastRad = 0;
    for (let i = 1; i <= steps / 2; i++) {
      lastRad = retargeting.solvedRad[1]!;
      retargeting.step(blend(handPose("open"), handPose("pinch_index"), i / steps), PERIOD_S);
    }
    const speed = (retargeting.solvedRad[1]! - lastRad) / PERIOD_S;
    const behindS = (retargeting.solvedRad[1]! - retargeting.positionRad[1]!) / speed;
    expect(Math.abs(speed)).toBeGreaterThan(0.01);
    expect(behindS / retargeting.delayS(PERIOD_S)).toBeGreaterThan(0.9);
    expect(behindS / retargeting.delayS(PERIOD_S)).toBeLessThan(1.1);
  });

  it("without a filter nothing is delayed", () => {
    const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf({ smoothingS: 0 }));
    retargeting.step(handPose("fist"), PERIOD_S);
    expect(retargeting.positionRad).toEqual(retargeting.solvedRad);
    expect(retargeting.delayS(PERIOD_S)).toBe(0);
  });

  it("starts where the hand is, and the first step leaves from there", () => {
    const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf());
    const home = [0, -10, 45, 45, 0, -10, 45, 45, 5, -5, 50, 45, 60, 25, 15, 45].map(
      (deg) => (deg * Math.PI) / 180,
    );
    retargeting.startAt(home);
    expect([...retargeting.positionRad]).toEqual(home);
    retargeting.step(handPose("fist"), PERIOD_S);
    expect(largestStep(Float64Array.from(home), retargeting.positionRad)).toBeLessThan(7 * PERIOD_S);
  });

  it("a measured hand that is outside of a limit starts at it", () => {
    const retargeting = new Retargeting({ model: "v4", side: "right" }, configOf());
    retargeting.startAt(Array(16).fill(9));
    expect([...retargeting.positionRad]).toEqual(limitsOf("v4", "right").positionMaxRad);
    expect(() => retargeting.startAt(Array(16).fill(Number.NaN))).toThrow(/numbers/);
  });

  it("hands that are not known are refused before anything moves", () => {
    expect(() => new Retargeting({ model: "v5a", side: "left" }, configOf())).toThrow(/not known/);
    expect(() => new Retargeting({ model: "v5b", side: "right" }, configOf())).toThrow(/not known/);
  });

  it("pinches that would flicker are refused", () => {
    expect(() => configOf({ pinch: { closeBelowM: 0.05, openAboveM: 0.04 } })).toThrow(/flickers/);
  });
});
