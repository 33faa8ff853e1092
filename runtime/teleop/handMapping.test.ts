import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ArmLimits } from "../../core/arm.js";
import type { TrackedPose } from "../../core/teleop/pose.js";
import { ArmChain } from "../../kinematics/chain.js";
import { multiplyQuat, type QuatXyzw, quatFromRotation, quatFromRpy } from "../../kinematics/pose.js";
import { Reach } from "../../kinematics/reach.js";
import { turnBetween } from "../../kinematics/rotationVector.js";
import {
  NARROW_LIMITS_RAD,
  XARM7_HOME_RAD,
  XARM7_JOINT_NAMES,
  XARM7_JOINTS,
} from "../../kinematics/xarm7.js";
import { MappingConfig } from "./config.js";
import { createHandMapping, type HandMappingOptions } from "./handMapping.js";
import type { AlignedHand, HandMapping } from "./mapping.js";

const MARGIN_RAD = 0.02;
const LIMITS: ArmLimits = {
  jointNames: XARM7_JOINT_NAMES,
  positionMinRad: XARM7_JOINTS.map(({ positionMinRad }) => positionMinRad + MARGIN_RAD),
  positionMaxRad: XARM7_JOINTS.map(({ positionMaxRad }) => positionMaxRad - MARGIN_RAD),
  velocityMaxRadPerS: Array(7).fill(1),
  accelerationMaxRadPerS2: Array(7).fill(5),
  jerkMaxRadPerS3: Array(7).fill(60),
  toolSpeedMaxMPerS: 0.5,
};
/** Of newer arms. */
const NARROW_LIMITS: ArmLimits = {
  ...LIMITS,
  positionMinRad: NARROW_LIMITS_RAD.map(([minRad]) => minRad + MARGIN_RAD),
  positionMaxRad: NARROW_LIMITS_RAD.map(([, maxRad]) => maxRad - MARGIN_RAD),
};
/** The mapping's own margin, beside the servo's. */
const JOINT_MARGIN_RAD = MappingConfig.parse({}).jointMarginRad;
const PERIOD_MS = 1000 / 90;
type Point = TrackedPose["positionM"];

const make = (
  changes: Record<string, unknown> = {},
  options: Partial<HandMappingOptions> = {},
): HandMapping => createHandMapping({ config: MappingConfig.parse(changes), limits: LIMITS, ...options });
const hand = (positionM: Point = [0, 0, 0], quatXyzw: QuatXyzw = [0, 0, 0, 1], gripper = 0): AlignedHand => ({
  pose: { positionM, quatXyzw: [...quatXyzw] },
  gripper,
});
/** Tool point and flange quaternion at joint angles. */
function toolOf(positionRad: ArrayLike<number>): { toolM: number[]; quat: Float64Array } {
  const chain = new ArmChain();
  chain.update(positionRad);
  const quat = new Float64Array(4);
  quatFromRotation(chain.flangeRotation, quat);
  return { toolM: [...chain.toolM], quat };
}
function turnFrom(one: ArrayLike<number>, other: ArrayLike<number>): number[] {
  const out = new Float64Array(3);
  turnBetween(one, other, out);
  return [...out];
}
const apart = (one: ArrayLike<number>, other: ArrayLike<number>) =>
  Math.hypot(...[0, 1, 2].map((axis) => one[axis]! - other[axis]!));

/** Engages at home and lets the hand be where `at` says for `seconds`; gives the last step. */
function drive(
  mapping: HandMapping,
  seconds: number,
  at: (s: number) => AlignedHand,
  visit: (targetRad: Float64Array, s: number, limitedBy: readonly string[]) => void = () => {},
  fromRad: readonly number[] = XARM7_HOME_RAD,
) {
  mapping.engage(at(0), fromRad, 0);
  let last = mapping.step(at(0), 0);
  for (let k = 1; k * PERIOD_MS <= 1000 * seconds; k++) {
    const s = (k * PERIOD_MS) / 1000;
    last = mapping.step(at(s), 1000 * s);
    visit(last.targetRad, s, last.limitedBy);
  }
  return last;
}

describe("engage", () => {
  it("gives the setpoint back to the last bit, whatever the hand and the arm are", () => {
    const finite = fc.double({ min: -9, max: 9, noNaN: true });
    fc.assert(
      fc.property(
        fc.tuple(finite, finite, finite),
        fc.tuple(finite, finite, finite),
        fc.array(fc.double({ min: -2 * Math.PI, max: 2 * Math.PI, noNaN: true }), {
          minLength: 7,
          maxLength: 7,
        }),
        fc.double({ min: 0, max: 500, noNaN: true }),
        (positionM, rpy, sentRad, laterMs) => {
          const mapping = make({ postureRad: Array(7).fill(0.3), leadMs: 100 });
          mapping.engage(hand(positionM, quatFromRpy(...rpy)), sentRad, 1000);
          const { targetRad, gripperM } = mapping.step(hand(positionM, quatFromRpy(...rpy)), 1000 + laterMs);
          expect([...targetRad]).toEqual(sentRad);
          expect(gripperM).toBeNaN();
        },
      ),
      { seed: 6, numRuns: 300 },
    );
  });

  it("again and again, in the middle of a motion, never moves a joint by itself", () => {
    const mapping = make();
    const sentRad = Float64Array.from(XARM7_HOME_RAD);
    for (let time = 0; time < 20; time++) {
      const from = hand([0.3 * time, -0.1 * time, 0.2], quatFromRpy(0.3 * time, 0.2, -0.1 * time));
      mapping.engage(from, sentRad, 1e4 * time);
      expect([...mapping.step(from, 1e4 * time + 5).targetRad]).toEqual([...sentRad]);
      for (let k = 1; k < 40; k++) {
        const { targetRad } = mapping.step(hand([0.3 * time, 0.01 * k, 0.2]), 1e4 * time + 11 * k);
        sentRad.set(targetRad);
      }
    }
  });
});

describe("following", () => {
  const home = toolOf(XARM7_HOME_RAD);

  it("moves the tool as the hand moved, scaled, in directions of the base frame, and arrives", () => {
    for (const [translationScale, moved] of [
      [1, [0.05, -0.08, 0.06]],
      [0.5, [-0.1, 0.04, 0.1]],
    ] as const) {
      const mapping = make({ translationScale });
      const { targetRad, gapM } = drive(mapping, 3, (s) =>
        hand(moved.map((way) => 0.4 + way * Math.min(1, s)) as Point, quatFromRpy(1, 2, 3)),
      );
      const { toolM, quat } = toolOf(targetRad);
      expect(
        apart(
          toolM,
          home.toolM.map((at, axis) => at + translationScale * moved[axis]!),
        ),
      ).toBeLessThan(1e-4);
      expect(Math.hypot(...turnFrom(home.quat, quat))).toBeLessThan(1e-3);
      expect(gapM).toBeLessThan(1e-4);
    }
  });

  it("turns the tool about the base frame's axes as the hand turned, whatever the hand's own axes are", () => {
    const before = quatFromRpy(0.4, -1, 2);
    for (const axis of [0, 1, 2]) {
      const about = (angle: number): QuatXyzw =>
        [0, 1, 2, 3].map((i) =>
          i === axis ? Math.sin(angle / 2) : i === 3 ? Math.cos(angle / 2) : 0,
        ) as never;
      const { targetRad } = drive(make({ rotationScale: 0.5 }), 3, (s) =>
        hand([0, 0, 0], multiplyQuat(about(0.6 * Math.min(1, s)), before)),
      );
      const { toolM, quat } = toolOf(targetRad);
      turnFrom(home.quat, quat).forEach((angle, i) => {
        expect(angle).toBeCloseTo(i === axis ? 0.3 : 0, 3);
      });
      expect(apart(toolM, home.toolM)).toBeLessThan(1e-4);
    }
  });

  it("does not jump when the scale is changed in the middle", () => {
    const mapping = make();
    let last = Float64Array.from(XARM7_HOME_RAD);
    drive(
      mapping,
      2,
      (s) => hand([0.1 * s, 0, 0]),
      (targetRad, s) => {
        if (s > 1) mapping.translationScale = 0.2;
        targetRad.forEach((value, joint) => {
          expect(Math.abs(value - last[joint]!)).toBeLessThan(0.01);
        });
        last = targetRad.slice();
      },
    );
  });

  it("never winds up an error: after running away by 1 m, the hand's first centimetres back move the tool", () => {
    const at = (s: number) => hand([s < 2 ? 0.5 * s : 1 - 0.05 * (s - 2), 0, 0]);
    let turned = Number.NaN;
    drive(make(), 3.5, at, (targetRad, s) => {
      if (s < 3) turned = toolOf(targetRad).toolM[0]!;
      else expect(toolOf(targetRad).toolM[0]!).toBeLessThanOrEqual(turned + 1e-4);
    });
    expect(drive(make(), 2, at).gapM).toBeLessThan(0.081);
  });
});

describe("limits", () => {
  /** Hands that nobody has: jumps, spins, stops, bursts and silences. */
  const wildHand = fc.record({
    position: fc.tuple(
      ...[0, 1, 2].map(() => fc.double({ min: -3, max: 3, noNaN: true })),
    ) as fc.Arbitrary<Point>,
    rpy: fc.tuple(...[0, 1, 2].map(() => fc.double({ min: -4, max: 4, noNaN: true }))),
    repeat: fc.integer({ min: 1, max: 60 }),
    periodMs: fc.constantFrom(0, 1e-3, 0.5, 2, 4, 11.1, 11.1, 11.1, 30, 90, 500),
  });

  it.each([
    ["older", LIMITS],
    ["newer", NARROW_LIMITS],
  ])(
    "of position, velocity and acceleration hold in every step, whatever the hand does: %s arms",
    (_, limits) => {
      fc.assert(
        fc.property(
          fc.array(wildHand, { minLength: 5, maxLength: 25 }),
          fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 7, maxLength: 7 }),
          (happens, shares) => {
            const config = { linearSpeedMaxMPerS: 1, angularSpeedMaxRadPerS: 3, leadMs: 60 };
            const mapping = make(config, { limits });
            const [min, max] = [
              limits.positionMinRad.map((value) => value + JOINT_MARGIN_RAD),
              limits.positionMaxRad.map((value) => value - JOINT_MARGIN_RAD),
            ];
            const from = shares.map((share, joint) => min[joint]! + share * (max[joint]! - min[joint]!));
            mapping.engage(hand(), from, 0);
            mapping.step(hand(), 0);
            let [nowMs, lastMs] = [0, 0];
            let last = Float64Array.from(from);
            let speed = new Float64Array(7);
            for (const { position, rpy, repeat, periodMs } of happens) {
              for (let k = 0; k < repeat; k++) {
                nowMs += periodMs;
                const at = hand(position, quatFromRpy(rpy[0]!, rpy[1]!, rpy[2]!));
                const { targetRad, gapM } = mapping.step(at, nowMs);
                expect(Number.isFinite(gapM)).toBe(true);
                const isStep = targetRad.some((value, joint) => value !== last[joint]);
                if (!isStep && nowMs - lastMs < 1) continue;
                const periodS = Math.min(0.1, (nowMs - lastMs) / 1000);
                lastMs = nowMs;
                const next = new Float64Array(7);
                for (let joint = 0; joint < 7; joint++) {
                  const value = targetRad[joint]!;
                  next[joint] = (value - last[joint]!) / periodS;
                  if (!(value >= min[joint]! - 1e-12 && value <= max[joint]! + 1e-12))
                    throw new Error(`joint ${joint + 1} at ${value}`);
                  if (!(Math.abs(next[joint]!) <= 0.9 + 1e-9))
                    throw new Error(`joint ${joint + 1} at ${next[joint]} rad/s`);
                  if (!(Math.abs(next[joint]! - speed[joint]!) <= 5 * periodS + 1e-9))
                    throw new Error(
                      `joint ${joint + 1} by ${(next[joint]! - speed[joint]!) / periodS} rad/s²`,
                    );
                }
                speed = next;
                last = targetRad.slice();
              }
            }
          },
        ),
        { seed: 41, numRuns: 120 },
      );
    },
  );

  it.each(
    [0, 1, 2, 3, 4, 5, 6].flatMap((joint) => [
      { joint, side: "least" as const },
      { joint, side: "most" as const },
    ]),
  )(
    "an arm that begins beyond the margin stays there or leaves it: joint $joint, $side",
    ({ joint, side }) => {
      const { positionMinRad, positionMaxRad } = NARROW_LIMITS;
      const fromRad = [...XARM7_HOME_RAD];
      // Beyond the servo's margin, too: nobody commanded the arm there.
      fromRad[joint] = side === "least" ? positionMinRad[joint]! - 0.01 : positionMaxRad[joint]! + 0.01;
      const outwards = side === "least" ? -1 : 1;
      for (const way of [-1, 1]) {
        const mapping = make({ postureRad: [...XARM7_HOME_RAD] }, { limits: NARROW_LIMITS });
        let before = fromRad[joint]!;
        drive(
          mapping,
          3,
          (s) =>
            hand(
              [0.1 * way * s, 0.05 * way * s, 0.05 * s],
              quatFromRpy(0.2 * way * s, 0.1 * s, 0.3 * way * s),
            ),
          (targetRad) => {
            const at = targetRad[joint]!;
            // Outside it only ever goes inwards; once inside it stays.
            const margin =
              side === "least"
                ? positionMinRad[joint]! + JOINT_MARGIN_RAD
                : positionMaxRad[joint]! - JOINT_MARGIN_RAD;
            if (outwards * (at - margin) > 0) expect(outwards * (at - before)).toBeLessThanOrEqual(1e-12);
            expect(Math.abs(at - before)).toBeLessThanOrEqual((0.9 * PERIOD_MS) / 1000 + 1e-9);
            before = at;
          },
          fromRad,
        );
      }
    },
  );

  it("an elbow that is turned over is said in words, before the hand ends at its limit", () => {
    const turnedRad = [0, 0.5, 0, 3.1, 0, 1, 0];
    const chain = new ArmChain();
    chain.update(turnedRad);
    const originM = (joint: number) => [...chain.jointOriginsM.slice(3 * joint, 3 * joint + 3)];
    const [shoulderM, wristM] = [originM(0), originM(5)];
    const back = (s: number) =>
      hand(wristM.map((at, axis) => 0.1 * Math.min(4, s) * (shoulderM[axis]! - at)) as Point);
    const words = new Set<string>();
    const hear = (_: Float64Array, __: number, limitedBy: readonly string[]) => {
      for (const word of limitedBy) words.add(word);
    };
    const last = drive(make(), 5, back, hear, turnedRad);
    expect(words).toContain("joint 4 limit");
    expect(last.warning).toMatch(/elbow is turned over.*joint 4/);
    const first = make();
    first.engage(back(0), turnedRad, 0);
    expect(first.step(back(0), 0).warning).toBe(last.warning);
    expect(drive(make(), 1, back).warning).toBe("");
    const reachAt = (elbowRad: number) => {
      chain.update([0, 0, 0, elbowRad, 0, 0, 0]);
      return apart(originM(5), originM(0));
    };
    const { stretchedRad } = new Reach([0, 0, 0.172]);
    expect(stretchedRad).toBeCloseTo(2.742, 3);
    for (const off of [-0.01, 0.01]) expect(reachAt(stretchedRad + off)).toBeLessThan(reachAt(stretchedRad));
  });

  it("of speed hold over time when poses come in bursts after stalls, whatever their source's clock says", () => {
    for (const [stallMs, driftShare] of [
      [90, 0],
      [45, 0],
      [90, 0.3],
      [30, -0.3],
      [200, 1],
    ] as const) {
      const mapping = make({ linearSpeedMaxMPerS: 1, leashM: 0.3 });
      const at = (ms: number) => ({
        ...hand([0.3 * Math.sin(ms / 300), 0.3 * Math.cos(ms / 300), 0]),
        measuredMs: ms * (1 + driftShare),
      });
      mapping.engage(at(0), XARM7_HOME_RAD, 0);
      mapping.step(at(0), 0);
      const path = [{ ms: 0, rad: [...XARM7_HOME_RAD] }];
      for (let ms = PERIOD_MS; ms < 4000; ms += PERIOD_MS) {
        const arrivesMs = Math.ceil(ms / stallMs) * stallMs;
        path.push({ ms: arrivesMs, rad: [...mapping.step(at(ms), arrivesMs).targetRad] });
      }
      let aheadMs = 0;
      for (const [index, from] of path.entries())
        for (const to of path.slice(index + 1, index + 60)) {
          const movedRad = Math.max(...to.rad.map((value, joint) => Math.abs(value - from.rad[joint]!)));
          aheadMs = Math.max(aheadMs, (1000 * movedRad) / 0.9 - (to.ms - from.ms));
        }
      // The source's clock counts as long as it is within 50 ms of ours, to either side; and one period.
      expect(aheadMs).toBeLessThan(2 * 50 + 2 * PERIOD_MS);
    }
  });

  it("numbers that no tracker can mean leave the arm where it is, and are never passed on", () => {
    const strange = [1e300, -1e300, Number.MAX_VALUE, 5e-324, 0, 1e9];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(...Array.from({ length: 8 }, () => fc.constantFrom(...strange))), {
          minLength: 1,
          maxLength: 20,
        }),
        (rows) => {
          const mapping = make({ leadMs: 150 });
          mapping.engage(hand(), XARM7_HOME_RAD, 0);
          mapping.step(hand(), 0);
          rows.forEach(([x, y, z, a, b, c, d, gripper], index) => {
            const { targetRad, gapM, gripperM } = mapping.step(
              hand([x!, y!, z!], [a!, b!, c!, d!], gripper),
              11 * (index + 1),
            );
            expect([...targetRad, gapM].every(Number.isFinite)).toBe(true);
            expect(Number.isNaN(gripperM) || (gripperM >= 0 && gripperM <= 0.1)).toBe(true);
          });
        },
      ),
      { seed: 3, numRuns: 200 },
    );
  });
});

describe("gripper", () => {
  it("stays as it is when the clutch is pressed, and follows once the trigger has moved", () => {
    const mapping = make();
    mapping.engage(hand(), XARM7_HOME_RAD, 0);
    const asked = [0, 0, 0.05, 0.2, 0.2, 1, 1, 0.9].map(
      (trigger, k) => mapping.step(hand([0, 0, 0], [0, 0, 0, 1], trigger), 11 * k).gripperM,
    );
    expect(asked).toEqual([NaN, NaN, NaN, expect.closeTo(0.064), NaN, 0, NaN, expect.closeTo(0.008)]);
  });

  it("keeps what it holds when the clutch is pressed with an open trigger", () => {
    const mapping = make();
    mapping.engage(hand([0, 0, 0], [0, 0, 0, 1], 0), XARM7_HOME_RAD, 0);
    for (let k = 0; k < 50; k++) expect(mapping.step(hand(), 11 * k).gripperM).toBeNaN();
  });

  it("does not let go of what it holds when the clutch is pressed again and the trigger is pulled", () => {
    const mapping = make();
    const asked = (triggers: readonly number[]) => {
      mapping.engage(hand([0, 0, 0], [0, 0, 0, 1], triggers[0]), XARM7_HOME_RAD, 0);
      return triggers.map(
        (trigger, k) => mapping.step(hand([0, 0, 0], [0, 0, 0, 1], trigger), 11 * k).gripperM,
      );
    };
    const close = (openingM: number) => expect.closeTo(openingM, 9);
    expect(asked([0, 1])).toEqual([NaN, 0]);
    // From the open trigger it takes over where the gripper stands: closed.
    expect(asked([0, 0.3, 0.9, 1, 0.5])).toEqual([NaN, NaN, NaN, 0, close(0.04)]);
    // From either side of it, also in one step.
    expect(asked([1, 0.8, 0.4])).toEqual([NaN, NaN, close(0.048)]);
    expect(asked([0.1, 0.3, 0.41])).toEqual([NaN, NaN, close(0.0472)]);
  });

  it("toggles at each press of a button, and not for one that is down already", () => {
    const mapping = make({ gripper: { control: "button" } });
    mapping.engage(hand([0, 0, 0], [0, 0, 0, 1], 1), XARM7_HOME_RAD, 0);
    const asked = [1, 1, 0, 1, 1, 0.5, 1, 0, 1].map(
      (pressed, k) => mapping.step(hand([0, 0, 0], [0, 0, 0, 1], pressed), 11 * k).gripperM,
    );
    expect(asked).toEqual([NaN, NaN, NaN, 0, NaN, NaN, NaN, NaN, 0.08]);
  });
});
