import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ArmChain } from "./chain.js";
import { HalfSpaces } from "./halfSpaces.js";
import { Reach } from "./reach.js";
import { HELD, ResolvedRate } from "./resolvedRate.js";
import { diagonalise } from "./symmetricEigen.js";
import { TOOL_POINT_FLANGE_M, XARM7_HOME_RAD, XARM7_JOINTS } from "./xarm7.js";

const LIMITS = {
  positionMinRad: XARM7_JOINTS.map(({ positionMinRad }) => positionMinRad + 0.07),
  positionMaxRad: XARM7_JOINTS.map(({ positionMaxRad }) => positionMaxRad - 0.07),
  velocityMaxRadPerS: Array(7).fill(0.9),
  accelerationMaxRadPerS2: Array(7).fill(5),
};
const OPTIONS = {
  linearSpeedMaxMPerS: 0.4,
  angularSpeedMaxRadPerS: 1.5,
  rotationWeightM: 0.3,
  damping: 0.05,
  postureGain: 1,
  postureSpeedMaxRadPerS: 0.3,
};
const PERIOD_S = 1 / 90;
const STILL = new Float64Array(3);
const unit = fc.double({ min: -1, max: 1, noNaN: true });
const inLimits = fc
  .array(fc.double({ min: 0.02, max: 0.98, noNaN: true }), { minLength: 7, maxLength: 7 })
  .map((shares) =>
    shares.map((share, joint) => {
      const [min, max] = [LIMITS.positionMinRad[joint]!, LIMITS.positionMaxRad[joint]!];
      return min + share * (max - min);
    }),
  );

function poseOf(positionRad: readonly number[]) {
  const chain = new ArmChain();
  chain.update(positionRad);
  return { toolM: Float64Array.from(chain.toolM), rotation: Float64Array.from(chain.flangeRotation) };
}

describe("eigenvalues", () => {
  it("and vectors give the matrix back, also where eigenvalues are nearly zero", () => {
    fc.assert(
      fc.property(fc.array(unit, { minLength: 24, maxLength: 24 }), (values) => {
        // A 6 x 4 factor: two eigenvalues vanish.
        const matrix = new Float64Array(36);
        for (let a = 0; a < 6; a++)
          for (let b = 0; b < 6; b++)
            for (let k = 0; k < 4; k++) matrix[6 * a + b]! += values[4 * a + k]! * values[4 * b + k]!;
        const before = matrix.slice();
        const vectors = new Float64Array(36);
        diagonalise(matrix, vectors, 6);
        for (let a = 0; a < 6; a++)
          for (let b = 0; b < 6; b++) {
            let sum = 0;
            for (let i = 0; i < 6; i++) sum += vectors[6 * a + i]! * matrix[7 * i]! * vectors[6 * b + i]!;
            expect(Math.abs(sum - before[6 * a + b]!)).toBeLessThan(1e-12);
          }
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("reach", () => {
  const reach = new Reach(TOOL_POINT_FLANGE_M);

  it("leaves every pose that the arm can have where it is, to the stretch's margin", () => {
    fc.assert(
      fc.property(inLimits, (q) => {
        const { toolM, rotation } = poseOf(q);
        const before = toolM.slice();
        reach.bringWithin(toolM, rotation);
        expect(Math.hypot(...toolM.map((at, axis) => at - before[axis]!))).toBeLessThan(3.1e-4);
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it("brings what is out of reach to where the arm, turned this way, can be: the resolved rate gets there", () => {
    const { rotation } = poseOf(XARM7_HOME_RAD);
    for (const far of [
      [1.2, 0, 0.3],
      [0.7, 0.6, 0.5],
      [0.2, -0.9, 0.2],
    ]) {
      const toolM = Float64Array.from(far);
      expect(reach.bringWithin(toolM, rotation)).toBe(true);
      const rate = new ResolvedRate(LIMITS, OPTIONS);
      rate.startAt(XARM7_HOME_RAD);
      for (let k = 0; k < 90 * 15; k++) rate.step(toolM, rotation, STILL, STILL, PERIOD_S);
      expect(rate.errorM).toBeLessThan(1e-3);
      expect(rate.errorRad).toBeLessThan(1e-2);
    }
  });
});

describe("half-spaces", () => {
  it("find the nearest point of a box and a row, as a fine search does", () => {
    const spaces = new HalfSpaces(2);
    const inverse = Float64Array.of(2, 0.5, 0.5, 1);
    const [a, b, c] = [4 / 7, -2 / 7, 8 / 7];
    spaces.low.set([-1, -1]);
    spaces.high.set([0.5, 1]);
    spaces.gradients = Float64Array.of(0.3, 1);
    spaces.rowCount = 1;
    spaces.least[0] = 0.2;
    for (const start of [
      [1.5, -0.7],
      [-2, -2],
      [0.4, -3],
    ] as const) {
      const x = Float64Array.from(start);
      spaces.correct(x, inverse);
      const cost = (p: number, q: number) =>
        a * (p - start[0]) ** 2 + 2 * b * (p - start[0]) * (q - start[1]) + c * (q - start[1]) ** 2;
      let best = Infinity;
      for (let p = -1; p <= 0.5; p += 0.005)
        for (let q = -1; q <= 1; q += 0.005) if (0.3 * p + q >= 0.2) best = Math.min(best, cost(p, q));
      expect(0.3 * x[0]! + x[1]!).toBeGreaterThan(0.2 - 1e-4);
      expect(cost(x[0]!, x[1]!)).toBeLessThan(best + 0.01);
    }
  });
});

describe("resolved rate", () => {
  it("at rest leaves neither posture nor damping a share: 1 um and 1 urad", () => {
    const rate = new ResolvedRate(LIMITS, OPTIONS);
    const { toolM, rotation } = poseOf(XARM7_HOME_RAD.map((value, joint) => value + 0.2 * Math.sin(joint)));
    rate.startAt(XARM7_HOME_RAD, [0.6, 0.2, -0.5, 1.2, 0.4, 0.8, 0.9]);
    for (let k = 0; k < 90 * 30; k++) rate.step(toolM, rotation, STILL, STILL, PERIOD_S);
    expect(rate.errorM).toBeLessThan(1e-6);
    expect(rate.errorRad).toBeLessThan(1e-6);
  });

  it("turns the elbow to its posture while the tool stays where it is", () => {
    const rate = new ResolvedRate(LIMITS, OPTIONS);
    const { toolM, rotation } = poseOf(XARM7_HOME_RAD);
    rate.startAt(XARM7_HOME_RAD, [0.6, -0.247, -0.6, 0.909, 0, 1.15644, 0]);
    let worstM = 0;
    for (let k = 0; k < 90 * 6; k++) {
      rate.step(toolM, rotation, STILL, STILL, PERIOD_S);
      worstM = Math.max(worstM, rate.errorM);
    }
    expect(Math.abs(rate.positionRad[0]!)).toBeGreaterThan(0.1);
    expect(worstM).toBeLessThan(2e-3);
  });

  it("slows down towards a singularity, says so, and leaves it again at full speed", () => {
    const rate = new ResolvedRate(LIMITS, OPTIONS);
    const { rotation } = poseOf(XARM7_HOME_RAD);
    rate.startAt(XARM7_HOME_RAD);
    let held = 0;
    for (let k = 0; k < 90 * 12; k++) {
      rate.step([1.1, 0, 0.35], rotation, STILL, STILL, PERIOD_S);
      held |= rate.held;
    }
    expect(held & HELD.singularity).toBe(HELD.singularity);
    expect(rate.smallestSingular).toBeLessThan(0.01);
    const edgeM = rate.chain.toolM[0]!;
    for (let k = 0; k < 90; k++) rate.step([0.4, 0, 0.35], rotation, STILL, STILL, PERIOD_S);
    expect(edgeM - rate.chain.toolM[0]!).toBeGreaterThan(0.15);
  });

  it("started outside of a limit stays or comes back, and never goes further", () => {
    const rate = new ResolvedRate(LIMITS, OPTIONS);
    const outside = [...XARM7_HOME_RAD];
    outside[3] = LIMITS.positionMinRad[3]! - 0.04;
    rate.startAt(outside);
    let least = rate.positionRad[3]!;
    const random = [0.4, -0.3, 0.2, 0.5, -0.2, 0.1];
    for (let k = 0; k < 900; k++) {
      const wave = random.map((value, i) => value * Math.sin(k / (40 + 10 * i)));
      const { rotation } = poseOf(XARM7_HOME_RAD);
      rate.step([0.3 + wave[0]!, wave[1]!, 0.3 + wave[2]!], rotation, STILL, STILL, PERIOD_S);
      expect(rate.positionRad[3]!).toBeGreaterThanOrEqual(Math.min(least, LIMITS.positionMinRad[3]!) - 1e-12);
      least = Math.max(least, Math.min(rate.positionRad[3]!, LIMITS.positionMinRad[3]!));
    }
  });
});
