/**
 * Minimum of a smooth function of a few variables inside a box: damped Newton steps, each the minimum of the quadratic
 * model with the variables that it would push out of the box held at their bounds. Damping grows until a step has
 * lowered the function by its share of what the model promises, so the value never rises and a step that a curved
 * function makes nonsense of is only shorter (Levenberg-Marquardt). A bounded number of steps; makes no object after
 * construction.
 * Sources: Bertsekas, SIAM J. Control and Optimization 20(2), 1982 (which bounds a step may leave); Nocedal and Wright,
 * Numerical Optimization (2006), chapters 4 and 16.
 */

export interface SmoothFunction {
  /** Value at x (n,). */
  evaluate(x: Float64Array): number;
  /** Gradient (n,) and Hessian (n, n) at the x of the last `evaluate`. */
  differentiate(gradient: Float64Array, hessian: Float64Array): void;
}

/** Share of the promised decrease that a step must bring. */
const ARMIJO = 1e-4;
const DAMPING_START = 1e-9;
/** Of the Hessian's units; the first that counts, how it grows and shrinks, and the most. */
const DAMPING_FIRST = 1e-3;
const DAMPING_GROWTH = 6;
const DAMPING_MOST = 1e6;
/** A model that promises less has nothing left to promise. */
const PROMISE_LEAST = 1e-16;

export class BoundedNewton {
  /** Of the last `minimise`: steps taken or tried, value at the end, and whether no step was left that would lower it. */
  iterations = 0;
  value = Number.NaN;
  isConverged = false;

  readonly #n: number;
  readonly #iterationsMax: number;
  readonly #tolerance: number;
  readonly #gradient: Float64Array;
  readonly #hessian: Float64Array;
  readonly #step: Float64Array;
  readonly #trial: Float64Array;
  /** Cholesky factor of the free variables' damped Hessian, and its right-hand side. */
  readonly #factor: Float64Array;
  readonly #rhs: Float64Array;
  readonly #free: Int32Array;
  readonly #isHeld: Uint8Array;

  /** @param tolerance largest element of the gradient, of those that point into the box, that counts as none */
  constructor(n: number, iterationsMax: number, tolerance: number) {
    this.#n = n;
    this.#iterationsMax = iterationsMax;
    this.#tolerance = tolerance;
    this.#gradient = new Float64Array(n);
    this.#hessian = new Float64Array(n * n);
    this.#step = new Float64Array(n);
    this.#trial = new Float64Array(n);
    this.#factor = new Float64Array(n * n);
    this.#rhs = new Float64Array(n);
    this.#free = new Int32Array(n);
    this.#isHeld = new Uint8Array(n);
  }

  /** Moves x, which is first clamped into the box, to a minimum; low <= high. x never leaves the box. */
  minimise(f: SmoothFunction, x: Float64Array, low: Float64Array, high: Float64Array): void {
    for (let i = 0; i < this.#n; i++) x[i] = Math.min(high[i]!, Math.max(low[i]!, x[i]!));
    this.value = f.evaluate(x);
    f.differentiate(this.#gradient, this.#hessian);
    this.isConverged = false;
    let damping = DAMPING_START;
    for (this.iterations = 0; this.iterations < this.#iterationsMax; this.iterations++) {
      this.#holdAtBounds(x, low, high);
      if (this.#steepest() <= this.#tolerance) {
        this.isConverged = true;
        return;
      }
      let promise = this.#model(x, low, high, damping);
      while (!(promise > 0) && damping < DAMPING_MOST) {
        damping = Math.max(DAMPING_FIRST, damping * DAMPING_GROWTH);
        this.#holdAtBounds(x, low, high);
        promise = this.#model(x, low, high, damping);
      }
      if (!(promise > PROMISE_LEAST)) {
        this.isConverged = promise >= 0;
        return;
      }
      for (let i = 0; i < this.#n; i++)
        this.#trial[i] = Math.min(high[i]!, Math.max(low[i]!, x[i]! + this.#step[i]!));
      const value = f.evaluate(this.#trial);
      if (value <= this.value - ARMIJO * promise) {
        damping = value <= this.value - 0.5 * promise ? damping / DAMPING_GROWTH : damping;
        x.set(this.#trial);
        this.value = value;
        f.differentiate(this.#gradient, this.#hessian);
      } else damping = Math.max(DAMPING_FIRST, damping * DAMPING_GROWTH);
    }
  }

  /** Variables at a bound that the function falls towards stay there in this step. */
  #holdAtBounds(x: Float64Array, low: Float64Array, high: Float64Array): void {
    for (let i = 0; i < this.#n; i++) {
      const slope = this.#gradient[i]!;
      this.#isHeld[i] = (x[i]! <= low[i]! && slope > 0) || (x[i]! >= high[i]! && slope < 0) ? 1 : 0;
      this.#step[i] = 0;
    }
  }

  #steepest(): number {
    let most = 0;
    for (let i = 0; i < this.#n; i++)
      if (this.#isHeld[i] === 0) most = Math.max(most, Math.abs(this.#gradient[i]!));
    return most;
  }

  /**
   * Leaves in `#step` the minimum of the damped quadratic model; what would leave the box is held at its bound and the
   * rest solved again. Returns the decrease that the undamped model promises; not above 0 where there is none.
   */
  #model(x: Float64Array, low: Float64Array, high: Float64Array, damping: number): number {
    const n = this.#n;
    for (let round = 0; round <= n; round++) {
      const count = this.#solveFree(damping);
      if (count < 0) return -1;
      let left = 0;
      for (let k = 0; k < count; k++) {
        const i = this.#free[k]!;
        const to = x[i]! + this.#rhs[k]!;
        const bound = Math.min(high[i]!, Math.max(low[i]!, to));
        this.#step[i] = this.#rhs[k]!;
        if (bound === to) continue;
        this.#step[i] = bound - x[i]!;
        this.#isHeld[i] = 1;
        left++;
      }
      if (left === 0) break;
    }
    let promise = 0;
    for (let i = 0; i < n; i++) {
      let curved = 0;
      for (let j = 0; j < n; j++) curved += this.#hessian[i * n + j]! * this.#step[j]!;
      promise -= this.#step[i]! * (this.#gradient[i]! + 0.5 * curved);
    }
    return promise;
  }

  /** The free variables' step into `#rhs`, given the steps of those that are held. Returns their count, or -1. */
  #solveFree(damping: number): number {
    const n = this.#n;
    const a = this.#factor;
    let count = 0;
    for (let i = 0; i < n; i++) if (this.#isHeld[i] === 0) this.#free[count++] = i;
    for (let r = 0; r < count; r++) {
      const i = this.#free[r]!;
      let rhs = -this.#gradient[i]!;
      for (let j = 0; j < n; j++)
        if (this.#isHeld[j] === 1) rhs -= this.#hessian[i * n + j]! * this.#step[j]!;
      this.#rhs[r] = rhs;
      for (let c = 0; c <= r; c++) a[r * n + c] = this.#hessian[i * n + this.#free[c]!]!;
      a[r * n + r]! += damping;
    }
    for (let r = 0; r < count; r++) {
      for (let c = 0; c <= r; c++) {
        let sum = a[r * n + c]!;
        for (let k = 0; k < c; k++) sum -= a[r * n + k]! * a[c * n + k]!;
        if (c < r) a[r * n + c] = sum / a[c * n + c]!;
        // Written so that not-a-number fails too.
        else if (sum > 1e-14) a[r * n + r] = Math.sqrt(sum);
        else return -1;
      }
    }
    const b = this.#rhs;
    for (let r = 0; r < count; r++) {
      for (let k = 0; k < r; k++) b[r]! -= a[r * n + k]! * b[k]!;
      b[r]! /= a[r * n + r]!;
    }
    for (let r = count - 1; r >= 0; r--) {
      for (let k = r + 1; k < count; k++) b[r]! -= a[k * n + r]! * b[k]!;
      b[r]! /= a[r * n + r]!;
    }
    return count;
  }
}
