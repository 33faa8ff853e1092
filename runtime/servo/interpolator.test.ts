import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BrakePath } from "./brakePath.js";
import { Interpolator, type MotionLimits } from "./interpolator.js";

const PERIOD_S = 0.004;
const LIMITS: MotionLimits = {
  velocityMaxRadPerS: [1, 1, 0.5],
  accelerationMaxRadPerS2: [5, 3, 5],
  jerkMaxRadPerS3: [60, 100, 40],
};
const JOINTS = 3;

/** Runs ticks and judges every one by finite differences of the positions alone. */
class Run {
  readonly interpolator = new Interpolator(LIMITS, PERIOD_S);
  tick = 0;
  worst = { velocity: 0, acceleration: 0, jerk: 0 };
  #last: number[][] = [];

  constructor(velocity = [0, 0, 0]) {
    this.interpolator.startFrom([0, 0, 0], velocity);
    // The two positions before the start that the initial velocity implies.
    for (const back of [3, 2, 1, 0]) this.#last.push(velocity.map((v) => -back * v * PERIOD_S));
  }

  get nowMs() {
    return this.tick * PERIOD_S * 1000;
  }

  step(ticks: number, onTick: (position: Float64Array) => void = () => {}) {
    for (let i = 0; i < ticks; i++) {
      this.interpolator.plan();
      this.interpolator.commit();
      this.tick++;
      this.#last = [...this.#last.slice(-3), [...this.interpolator.positionRad]];
      for (let joint = 0; joint < JOINTS; joint++) this.#judge(joint);
      onTick(this.interpolator.positionRad);
    }
  }

  #judge(joint: number) {
    const [p0, p1, p2, p3] = this.#last.map((position) => position[joint]!) as [
      number,
      number,
      number,
      number,
    ];
    const velocity = Math.abs(p3 - p2) / PERIOD_S;
    const acceleration = Math.abs(p3 - 2 * p2 + p1) / PERIOD_S ** 2;
    const jerk = Math.abs(p3 - 3 * p2 + 3 * p1 - p0) / PERIOD_S ** 3;
    const { worst } = this;
    worst.velocity = Math.max(worst.velocity, velocity / LIMITS.velocityMaxRadPerS[joint]!);
    worst.acceleration = Math.max(worst.acceleration, acceleration / LIMITS.accelerationMaxRadPerS2[joint]!);
    worst.jerk = Math.max(worst.jerk, jerk / LIMITS.jerkMaxRadPerS3[joint]!);
  }

  expectBounds() {
    expect(this.worst.velocity).toBeLessThanOrEqual(1.0001);
    expect(this.worst.acceleration).toBeLessThanOrEqual(1.0001);
    expect(this.worst.jerk).toBeLessThanOrEqual(1.001);
  }
}

const target = fc.tuple(...Array.from({ length: JOINTS }, () => fc.double({ min: -1, max: 1, noNaN: true })));
const speedScale = fc.oneof(fc.constant(1), fc.double({ min: 0.05, max: 1, noNaN: true }));

describe("Interpolator", () => {
  it("keeps every bound through random targets, scales, holds and rhythms, and settles", () => {
    const move = fc.record({
      target,
      speedScale,
      ticks: fc.integer({ min: 1, max: 150 }),
      hold: fc.boolean(),
    });
    const velocity = fc.tuple(
      ...LIMITS.velocityMaxRadPerS.map((max) => fc.double({ min: -max, max, noNaN: true })),
    );
    fc.assert(
      fc.property(velocity, fc.array(move, { minLength: 1, maxLength: 12 }), (start, moves) => {
        const run = new Run(start);
        for (const { target: goal, speedScale: scale, ticks, hold } of moves) {
          run.interpolator.follow(goal, scale, run.nowMs);
          run.step(ticks);
          if (hold) {
            run.interpolator.hold();
            run.step(ticks % 40);
          }
        }
        const last = moves.at(-1)!.target;
        run.interpolator.follow(last, 1, run.nowMs + 1000);
        run.step(1500);
        run.expectBounds();
        expect(run.interpolator.atRest).toBe(true);
        for (const [joint, goal] of last.entries())
          expect(run.interpolator.positionRad[joint]).toBeCloseTo(goal, 5);
      }),
      { numRuns: 400 },
    );
  });

  it("never passes a target by more than a tenth of a milliradian from rest", () => {
    fc.assert(
      fc.property(target, speedScale, (goal, scale) => {
        const run = new Run();
        run.interpolator.follow(goal, scale, 0);
        run.step(200, (position) => {
          for (const [joint, end] of goal.entries())
            expect((position[joint]! - end) * Math.sign(end)).toBeLessThan(1e-4);
        });
        run.expectBounds();
      }),
      { numRuns: 300 },
    );
  });

  it("brakes to rest on hold, from any motion, along the very way that is foreseen for it", () => {
    fc.assert(
      fc.property(target, fc.integer({ min: 1, max: 300 }), speedScale, (goal, ticks, scale) => {
        const run = new Run();
        run.interpolator.follow(goal, scale, 0);
        run.step(ticks);
        const { interpolator } = run;
        const brake = new BrakePath(LIMITS, PERIOD_S);
        brake.follow(
          interpolator.positionRad,
          interpolator.velocityRadPerS,
          interpolator.accelerationRadPerS2,
        );
        run.interpolator.hold();
        for (let tick = 1; tick <= brake.ticks; tick++) {
          run.step(1);
          for (let joint = 0; joint < JOINTS; joint++) {
            const position = interpolator.positionRad[joint]!;
            expect(Math.abs(position - brake.atRad[tick]![joint]!)).toBeLessThan(1e-12);
            expect(position).toBeLessThanOrEqual(brake.maxRad[joint]! + 1e-12);
            expect(position).toBeGreaterThanOrEqual(brake.minRad[joint]! - 1e-12);
          }
        }
        expect(interpolator.atRest).toBe(true);
        expect(brake.ticks).toBeLessThan(110);
        run.expectBounds();
      }),
      { numRuns: 200 },
    );
  });

  it.each([0.01, 0.03, 0.06, 0.12])(
    "passes through a row of targets %f rad apart at 5 Hz without stopping",
    (delta) => {
      const run = new Run();
      let slowest = Number.POSITIVE_INFINITY;
      let fastest = 0;
      let behind = 0;
      for (let command = 1; command <= 25; command++) {
        // Arrival times shake by up to 8 ms around the rhythm.
        run.interpolator.follow([command * delta, 0, 0], 1, run.nowMs);
        run.step(50 + ((command * 7) % 5) - 2, () => {
          const speed = run.interpolator.velocityRadPerS[0]!;
          if (command > 8) slowest = Math.min(slowest, speed);
          if (command > 8) fastest = Math.max(fastest, speed);
        });
        behind = command * delta - run.interpolator.positionRad[0]!;
      }
      const mean = delta / 0.2;
      expect(slowest).toBeGreaterThan(0.85 * mean);
      expect(fastest).toBeLessThan(1.15 * mean);
      expect(behind).toBeLessThan(0.8 * delta);
      run.step(300, (position) => expect(position[0]! - 25 * delta).toBeLessThan(1e-4));
      expect(run.interpolator.positionRad[0]).toBeCloseTo(25 * delta, 6);
      run.expectBounds();
    },
  );

  it("draws a straight line from rest when all joints have the same limits", () => {
    const same = [1, 1, 1];
    const limits = {
      velocityMaxRadPerS: same,
      accelerationMaxRadPerS2: same.map((one) => 5 * one),
      jerkMaxRadPerS3: same.map((one) => 60 * one),
    };
    const interpolator = new Interpolator(limits, PERIOD_S);
    interpolator.follow([0.4, 0.2, -0.1], 0.5, 0);
    let offRad = 0;
    for (let tick = 0; tick < 600; tick++) {
      interpolator.plan();
      interpolator.commit();
      const [x, y, z] = interpolator.positionRad as unknown as [number, number, number];
      offRad = Math.max(offRad, Math.abs(y - x / 2), Math.abs(z + x / 4));
    }
    expect(interpolator.positionRad[0]).toBeCloseTo(0.4, 9);
    expect(offRad).toBeLessThan(1e-3);
  });

  it("settles on a repeated far target as fast as on a single one", () => {
    const settleTicks = (repeatEvery: number) => {
      const run = new Run();
      while (Math.abs(run.interpolator.positionRad[0]! - 0.8) > 1e-3 && run.tick < 3000) {
        if (run.tick % repeatEvery === 0) run.interpolator.follow([0.8, 0, 0], 1, run.nowMs);
        run.step(1);
      }
      return run.tick;
    };
    expect(settleTicks(50)).toBe(settleTicks(1_000_000));
  });

  it("obeys the speed scale on all three limits", () => {
    const run = new Run();
    run.interpolator.follow([1, 1, 1], 0.2, 0);
    run.step(1000);
    expect(run.worst.velocity).toBeLessThanOrEqual(0.2001);
    expect(run.worst.acceleration).toBeLessThanOrEqual(0.2001);
    expect(run.worst.jerk).toBeLessThanOrEqual(0.2001);
  });

  it("goes on from what was really sent", () => {
    const run = new Run();
    run.interpolator.follow([1, 1, 1], 1, 0);
    run.step(50);
    const sent = run.interpolator.positionRad.map(
      (value, joint) => value + run.interpolator.velocityRadPerS[joint]! * 0.002,
    );
    run.interpolator.plan();
    run.interpolator.commitInstead(sent);
    expect([...run.interpolator.positionRad]).toEqual([...sent]);
    expect(run.interpolator.accelerationRadPerS2[0]).toBe(0);
  });
});
