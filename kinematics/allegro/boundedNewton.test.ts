import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundedNewton, type SmoothFunction } from "./boundedNewton.js";

const N = 5;

/** Value, gradient and Hessian of ½ x'Ax - b'x, and of what is added. */
class Quadratic implements SmoothFunction {
  values: number[] = [];
  #x = new Float64Array(N);
  constructor(
    readonly a: number[][],
    readonly b: number[],
  ) {}
  evaluate(x: Float64Array): number {
    this.#x.set(x);
    let sum = 0;
    for (let i = 0; i < N; i++) {
      sum -= this.b[i]! * x[i]!;
      for (let j = 0; j < N; j++) sum += 0.5 * x[i]! * this.a[i]![j]! * x[j]!;
    }
    this.values.push(sum);
    return sum;
  }
  differentiate(gradient: Float64Array, hessian: Float64Array): void {
    for (let i = 0; i < N; i++) {
      gradient[i] = this.a[i]!.reduce((sum, value, j) => sum + value * this.#x[j]!, -this.b[i]!);
      for (let j = 0; j < N; j++) hessian[N * i + j] = this.a[i]![j]!;
    }
  }
}

/** Rosenbrock's valley, which bends: minimum 0 at (1, 1). */
class Rosenbrock implements SmoothFunction {
  #x = 0;
  #y = 0;
  evaluate(x: Float64Array): number {
    [this.#x, this.#y] = [x[0]!, x[1]!];
    return (1 - x[0]!) ** 2 + 100 * (x[1]! - x[0]! ** 2) ** 2;
  }
  differentiate(gradient: Float64Array, hessian: Float64Array): void {
    const [x, y] = [this.#x, this.#y];
    gradient[0] = -2 * (1 - x) - 400 * x * (y - x * x);
    gradient[1] = 200 * (y - x * x);
    hessian.set([2 - 400 * (y - 3 * x * x), -400 * x, -400 * x, 200]);
  }
}

const number = fc.double({ min: -2, max: 2, noNaN: true });
const row = fc.array(number, { minLength: N, maxLength: N });
const rows = fc.array(row, { minLength: N, maxLength: N });
const box = (low: number, high: number, n = N) =>
  [new Float64Array(n).fill(low), new Float64Array(n).fill(high)] as const;

describe("bounded Newton", () => {
  it("solves quadratic problems in a box: no element can be better alone, and none leaves the box", () => {
    fc.assert(
      fc.property(rows, row, row, (factor, b, start) => {
        // F F' + 0.1: convex.
        const a = factor.map((one, i) =>
          factor.map((other, j) => one.reduce((sum, value, k) => sum + value * other[k]!, i === j ? 0.1 : 0)),
        );
        const f = new Quadratic(a, b);
        const [low, high] = box(-0.7, 0.4);
        const x = Float64Array.from(start);
        const solver = new BoundedNewton(N, 50, 1e-9);
        solver.minimise(f, x, low, high);
        expect(solver.isConverged).toBe(true);
        const gradient = new Float64Array(N);
        f.evaluate(x);
        f.differentiate(gradient, new Float64Array(N * N));
        x.forEach((value, i) => {
          expect(value).toBeGreaterThanOrEqual(-0.7);
          expect(value).toBeLessThanOrEqual(0.4);
          if (value > -0.7) expect(gradient[i]).toBeLessThan(1e-6);
          if (value < 0.4) expect(gradient[i]).toBeGreaterThan(-1e-6);
        });
      }),
    );
  });

  it("follows a bent valley, free and in a box", () => {
    const solver = new BoundedNewton(2, 60, 1e-10);
    const x = Float64Array.of(-1.2, 1);
    solver.minimise(new Rosenbrock(), x, ...box(-5, 5, 2));
    expect([...x]).toEqual([expect.closeTo(1, 8), expect.closeTo(1, 8)]);
    // With x <= 0.5 the best is at the bound, y = x².
    x.set([-1.2, 1]);
    solver.minimise(new Rosenbrock(), x, Float64Array.of(-5, -5), Float64Array.of(0.5, 5));
    expect([...x]).toEqual([0.5, expect.closeTo(0.25, 8)]);
  });

  it("descends where the function is concave, to the corner of the box", () => {
    const a = Array.from({ length: N }, (_, i) => Array.from({ length: N }, (_, j) => (i === j ? -1 : 0)));
    const x = new Float64Array(N).fill(0.1);
    const solver = new BoundedNewton(N, 60, 1e-9);
    solver.minimise(new Quadratic(a, Array(N).fill(0)), x, ...box(-1, 2));
    expect([...x]).toEqual(Array(N).fill(2));
    expect(solver.isConverged).toBe(true);
  });

  it("never ends higher than it began, and never takes more steps than allowed", () => {
    fc.assert(
      fc.property(number, number, fc.integer({ min: 1, max: 6 }), (x0, y0, steps) => {
        const x = Float64Array.of(x0, y0);
        const before = new Rosenbrock().evaluate(x);
        const solver = new BoundedNewton(2, steps, 0);
        solver.minimise(new Rosenbrock(), x, ...box(-2, 2, 2));
        expect(solver.value).toBeLessThanOrEqual(before);
        expect(solver.value).toBe(new Rosenbrock().evaluate(x));
        expect(solver.iterations).toBeLessThanOrEqual(steps);
      }),
    );
  });

  it("a start outside is brought inside, and a box without inside is obeyed", () => {
    const solver = new BoundedNewton(2, 10, 1e-9);
    const x = Float64Array.of(9, -9);
    solver.minimise(new Rosenbrock(), x, Float64Array.of(0.3, 0.2), Float64Array.of(0.3, 0.2));
    expect([...x]).toEqual([0.3, 0.2]);
    expect(solver.isConverged).toBe(true);
  });

  it("a function that is not a number moves nothing", () => {
    const solver = new BoundedNewton(2, 10, 1e-9);
    const x = Float64Array.of(0.1, 0.2);
    const broken: SmoothFunction = {
      evaluate: () => Number.NaN,
      differentiate: (gradient, hessian) => {
        gradient.fill(Number.NaN);
        hessian.fill(Number.NaN);
      },
    };
    solver.minimise(broken, x, ...box(-1, 1, 2));
    expect([...x]).toEqual([0.1, 0.2]);
  });
});
