import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HandChain } from "./fingertips.js";
import { HandObjective, type HandVector } from "./handObjective.js";

const N = 16;
/** Every kind of vector: from the wrist, between tips, both ways. */
const VECTORS: readonly HandVector[] = [
  { from: "wrist", to: 0 },
  { from: "wrist", to: 3 },
  { from: 1, to: 3 },
  { from: 3, to: 2 },
  { from: 2, to: 0 },
];
const angles = fc.array(fc.double({ min: -0.4, max: 1.6, noNaN: true }), { minLength: N, maxLength: N });
const targets = fc.array(fc.double({ min: -0.2, max: 0.2, noNaN: true }), {
  minLength: 3 * VECTORS.length,
  maxLength: 3 * VECTORS.length,
});

function objectiveOf(targetsM: readonly number[], huberM: number): HandObjective {
  const objective = new HandObjective(new HandChain("v4", "right"), VECTORS, huberM, 4e-3, 1e-3);
  objective.targetsM.set(targetsM);
  objective.weights.set([1, 0.25, 20, 0.1, 40]);
  objective.lastRad.fill(0.3);
  objective.restRad.fill(0.5);
  return objective;
}

describe("the objective", () => {
  // A β of 10 m keeps every vector in the quadratic part, one of 1e-4 nearly none; between, both are met.
  it.each([10, 0.05, 1e-4])("β %f m: gradient and Hessian equal finite differences", (huberM) => {
    fc.assert(
      fc.property(angles, targets, (q, targetsM) => {
        const objective = objectiveOf(targetsM, huberM);
        const at = Float64Array.from(q);
        const gradient = new Float64Array(N);
        const hessian = new Float64Array(N * N);
        objective.evaluate(at);
        // At d = β the curvature has a step, which a difference across it cannot show.
        fc.pre(objective.distancesM.every((distance) => Math.abs(distance - huberM) > 1e-4));
        objective.differentiate(gradient, hessian);
        const h = 1e-5;
        const [ahead, behind] = [new Float64Array(N), new Float64Array(N)];
        const unused = new Float64Array(N * N);
        const largest = Math.max(1, ...hessian.map(Math.abs));
        for (let joint = 0; joint < N; joint++) {
          const moved = (delta: number) => at.with(joint, at[joint]! + delta);
          const up = objective.evaluate(moved(h));
          objective.differentiate(ahead, unused);
          const down = objective.evaluate(moved(-h));
          objective.differentiate(behind, unused);
          expect(Math.abs((up - down) / (2 * h) - gradient[joint]!)).toBeLessThan(1e-6 * largest);
          for (let other = 0; other < N; other++) {
            const numeric = (ahead[other]! - behind[other]!) / (2 * h);
            expect(Math.abs(numeric - hessian[N * other + joint]!)).toBeLessThan(1e-5 * largest);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it("is the sum of weighted Hubers, worked by hand", () => {
    const objective = objectiveOf(Array(3 * VECTORS.length).fill(0), 0.02);
    objective.weights.fill(0);
    objective.weights[0] = 2;
    const chain = new HandChain("v4", "right");
    const q = new Float64Array(N).fill(0.3);
    chain.update(q);
    const tip = [...chain.tipsM.subarray(0, 3)];
    // Wanted 50 mm beyond along x: 2 (0.05 - 0.01). Then 10 mm: 2 · 0.01² / 0.04.
    objective.targetsM.set([tip[0]! + 0.05, tip[1]!, tip[2]! + 0.095]);
    objective.evaluate(q);
    expect(objective.vectorsValue).toBeCloseTo(0.08, 12);
    expect(objective.distancesM[0]).toBeCloseTo(0.05, 12);
    objective.targetsM[0] = tip[0]! + 0.01;
    // q is `last` everywhere and 0.2 rad from rest: 16 · 1e-3 · 0.04 more.
    expect(objective.evaluate(q)).toBeCloseTo(0.005 + 16 * 1e-3 * 0.04, 12);
  });

  it("a vector that is met exactly pulls at nothing", () => {
    const objective = objectiveOf(Array(3 * VECTORS.length).fill(0), 0.02);
    objective.weights.fill(0);
    objective.weights[0] = 1;
    const chain = new HandChain("v4", "right");
    const q = new Float64Array(N).fill(0.3);
    chain.update(q);
    objective.targetsM.set([chain.tipsM[0]!, chain.tipsM[1]!, chain.tipsM[2]! + 0.095]);
    objective.restRad.fill(0.3);
    const gradient = new Float64Array(N);
    const hessian = new Float64Array(N * N);
    objective.evaluate(q);
    objective.differentiate(gradient, hessian);
    expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(1e-12);
    expect(hessian.every(Number.isFinite)).toBe(true);
  });
});
