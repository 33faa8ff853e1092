import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toolPoint } from "../../kinematics/chain.js";
import { TOOL_POINT_FLANGE_M } from "../../kinematics/xarm7.js";
import { xarm7Body } from "../../kinematics/xarm7Collision.js";
import { REASON_BITS } from "./api.js";
import { ServoConfig } from "./config.js";
import type { LimiterLimits } from "./limits.js";
import { Motion } from "./motion.js";

const PERIOD_S = 0.004;
const config = ServoConfig.parse({});
const LIMITS: LimiterLimits = {
  ...config,
  jointNames: ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "joint7"],
  positionMinRad: [-6.28, -2.05, -6.28, -0.19, -6.28, -1.69, -6.28],
  positionMaxRad: [6.28, 2.09, 6.28, 3.92, 6.28, 3.14, 6.28],
  toolSpeedMaxMPerS: 0.25,
  selfCollisionMarginM: config.selfCollision.marginM,
};
const body = xarm7Body({ gripper: "xarm", toolPointM: TOOL_POINT_FLANGE_M, attached: [] });
const HOME = Float64Array.of(0, -0.3, 0, 0.9, 0, 1.2, 0);
const BOUNDS_NOT_TOOL =
  REASON_BITS.velocity | REASON_BITS.acceleration | REASON_BITS.jerk | REASON_BITS.positionLimit;

const toolM = (positionRad: Float64Array) => {
  const out = new Float64Array(3);
  toolPoint(positionRad, out);
  return out;
};
const motionAtHome = (limits = LIMITS) => {
  const motion = new Motion(limits, body, PERIOD_S);
  motion.startAt(HOME);
  return motion;
};

describe("Motion", () => {
  it("begins exactly where the arm stands", () => {
    const motion = motionAtHome();
    expect([...motion.next()]).toEqual([...HOME]);
    motion.accept();
    motion.follow(
      HOME.map((value) => value + 0.1),
      1,
      0,
    );
    expect(Math.abs(motion.next()[0]! - HOME[0]!)).toBeLessThan(1e-5);
  });

  it("stays in the box, above the table and below the tool speed for any targets", () => {
    const goal = fc.tuple(...[...HOME].map((at) => fc.double({ min: at - 1.5, max: at + 1.5, noNaN: true })));
    const moves = fc.array(fc.record({ goal, ticks: fc.integer({ min: 20, max: 200 }) }), {
      minLength: 1,
      maxLength: 8,
    });
    let ticks = 0;
    let cutTicks = 0;
    fc.assert(
      fc.property(moves, (list) => {
        const motion = motionAtHome();
        let before = toolM(HOME);
        let nowMs = 0;
        let outsideM = 0;
        let fastest = 0;
        for (const move of list) {
          motion.follow(Float64Array.from(move.goal), 1, nowMs);
          for (let tick = 0; tick < move.ticks; tick++, nowMs += 4) {
            motion.next();
            motion.accept();
            ticks++;
            if ((motion.reasons & BOUNDS_NOT_TOOL & ~REASON_BITS.positionLimit) !== 0) cutTicks++;
            const now = toolM(motion.sentRad);
            outsideM = Math.max(outsideM, 0.01 - now[2]!, now[0]! - 0.8, Math.abs(now[1]!) - 0.6);
            const movedM = Math.hypot(now[0]! - before[0]!, now[1]! - before[1]!, now[2]! - before[2]!);
            fastest = Math.max(fastest, movedM / PERIOD_S);
            before = now;
          }
        }
        expect(outsideM).toBeLessThan(1e-4);
        expect(fastest).toBeLessThan(0.25 * 1.0001);
      }),
      { numRuns: 60 },
    );
    // The plan keeps the bounds by itself; the final check is for what the plan did not foresee.
    expect(cutTicks / ticks).toBeLessThan(0.01);
  }, 60_000);

  it("stops before the table when sent below it, and comes back up", () => {
    const motion = motionAtHome();
    const below = Float64Array.from(HOME);
    below[1] = 1.2;
    motion.follow(below, 1, 0);
    let reasons = 0;
    for (let tick = 0; tick < 1000; tick++) {
      motion.next();
      reasons |= motion.reasons;
      motion.accept();
    }
    expect(reasons & REASON_BITS.tablePlane).toBeTruthy();
    body.update(motion.sentRad);
    const heightsM = new Float64Array(body.capsules.length);
    body.measureHeights(heightsM);
    const lowestM = Math.min(...heightsM.filter((_, capsule) => body.capsules[capsule]!.frame > 1));
    expect(lowestM).toBeGreaterThan(0.0099);
    expect(lowestM).toBeLessThan(0.011);
    motion.follow(HOME, 1, 10_000);
    for (let tick = 0; tick < 1000; tick++) {
      motion.next();
      motion.accept();
    }
    expect(motion.sentRad[1]).toBeCloseTo(HOME[1]!, 6);
  });

  it("comes back from outside of the workspace", () => {
    const motion = new Motion(LIMITS, body, PERIOD_S);
    const outside = Float64Array.from(HOME);
    outside[1] = 0.9;
    expect(toolM(outside)[2]).toBeLessThan(0);
    motion.startAt(outside);
    motion.follow(HOME, 1, 0);
    for (let tick = 0; tick < 1500; tick++) {
      motion.next();
      motion.accept();
    }
    expect(motion.sentRad[1]).toBeCloseTo(HOME[1]!, 6);
  });

  it("does not advance while nothing leaves, and starts again from rest", () => {
    const motion = motionAtHome();
    motion.follow(
      HOME.map((value) => value + 0.5),
      1,
      0,
    );
    for (let tick = 0; tick < 40; tick++) {
      motion.next();
      motion.accept();
    }
    const stuck = [...motion.sentRad];
    const planned = [...motion.next()];
    motion.skip(1);
    expect([...motion.next()]).toEqual(planned);
    motion.skip(10);
    expect([...motion.sentRad]).toEqual(stuck);
    expect(motion.atRest).toBe(true);
    const step = Math.abs(motion.next()[0]! - stuck[0]!);
    expect(step).toBeLessThan(1e-5);
  });
});
