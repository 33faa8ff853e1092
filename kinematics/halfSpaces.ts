/**
 * Leads joint velocities into half-spaces at least cost: a box, low <= x <= high, and rows, gradient · x >= least.
 * Coordinate ascent of the dual problem (Hildreth, Naval Research Logistics Quarterly 4(1), 1957) with a bounded number
 * of sweeps; it can be stopped at any time, and the box holds in the end whatever the sweeps have left.
 * Allocates nothing after construction.
 */
const SWEEPS_MAX = 12;
/** A sweep that moves nothing by more than this ends it [rad/s, m/s]. */
const SETTLED = 1e-6;
/** Rows beyond these are left out. */
export const ROWS_MAX = 24;

export class HalfSpaces {
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** How many rows there are, their gradients (rows, n), and the least of each. */
  rowCount = 0;
  gradients: Float64Array = new Float64Array(0);
  readonly least = new Float64Array(ROWS_MAX);
  /** After `correct`: how much each row had to be pushed. */
  readonly rowPush = new Float64Array(ROWS_MAX);
  readonly #n: number;
  readonly #boxPush: Float64Array;
  /** (rows, n): inverse · gradient. */
  readonly #rowInverse: Float64Array;

  constructor(n: number) {
    this.#n = n;
    this.low = new Float64Array(n);
    this.high = new Float64Array(n);
    this.#boxPush = new Float64Array(n);
    this.#rowInverse = new Float64Array(n * ROWS_MAX);
  }

  has(x: Float64Array): boolean {
    for (let i = 0; i < this.#n; i++) if (x[i]! > this.high[i]! || x[i]! < this.low[i]!) return false;
    for (let row = 0; row < this.rowCount; row++)
      if (this.#alongGradient(row, x) < this.least[row]!) return false;
    return true;
  }

  /**
   * @param x (n,) changed in place
   * @param inverse (n, n) symmetric, positive: inverse of what a change of `x` costs
   */
  correct(x: Float64Array, inverse: Float64Array): void {
    const n = this.#n;
    this.#boxPush.fill(0);
    this.rowPush.fill(0);
    for (let row = 0; row < this.rowCount; row++) {
      for (let a = 0; a < n; a++) {
        let sum = 0;
        for (let b = 0; b < n; b++) sum += inverse[a * n + b]! * this.gradients[row * n + b]!;
        this.#rowInverse[row * n + a] = sum;
      }
    }
    for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
      let moved = 0;
      for (let row = 0; row < this.rowCount; row++) moved = Math.max(moved, this.#pushRow(row, x));
      for (let i = 0; i < n; i++) moved = Math.max(moved, this.#pushIntoBox(i, x, inverse));
      if (moved < SETTLED) break;
    }
    for (let i = 0; i < n; i++) x[i] = Math.min(this.high[i]!, Math.max(this.low[i]!, x[i]!));
  }

  /** Adds as much of `extra`, up to all of it, as leaves no half-space or goes further out of one. */
  addWithin(x: Float64Array, extra: Float64Array): void {
    let share = 1;
    for (let i = 0; i < this.#n; i++) {
      const step = extra[i]!;
      if (step === 0) continue;
      const room = (step > 0 ? this.high[i]! : this.low[i]!) - x[i]!;
      share = Math.min(share, Math.max(0, room / step));
    }
    for (let row = 0; row < this.rowCount; row++) {
      const step = this.#alongGradient(row, extra);
      if (step >= 0) continue;
      share = Math.min(share, Math.max(0, (this.least[row]! - this.#alongGradient(row, x)) / step));
    }
    for (let i = 0; i < this.#n; i++) x[i]! += share * extra[i]!;
  }

  #pushIntoBox(i: number, x: Float64Array, inverse: Float64Array): number {
    const n = this.#n;
    const own = inverse[i * n + i]!;
    // One multiplier for both sides: positive pushes up from `low`, negative down from `high`.
    const free = x[i]! - own * this.#boxPush[i]!;
    const push = (Math.min(this.high[i]!, Math.max(this.low[i]!, free)) - free) / own;
    const change = push - this.#boxPush[i]!;
    if (change === 0) return 0;
    this.#boxPush[i] = push;
    for (let other = 0; other < n; other++) x[other]! += inverse[other * n + i]! * change;
    return Math.abs(own * change);
  }

  #pushRow(row: number, x: Float64Array): number {
    const n = this.#n;
    let own = 1e-9;
    for (let i = 0; i < n; i++) own += this.gradients[row * n + i]! * this.#rowInverse[row * n + i]!;
    const missing = this.least[row]! - this.#alongGradient(row, x);
    const push = Math.max(0, this.rowPush[row]! + missing / own);
    const change = push - this.rowPush[row]!;
    if (change === 0) return 0;
    this.rowPush[row] = push;
    for (let i = 0; i < n; i++) x[i]! += this.#rowInverse[row * n + i]! * change;
    return Math.abs(own * change);
  }

  #alongGradient(row: number, x: Float64Array): number {
    const n = this.#n;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += this.gradients[row * n + i]! * x[i]!;
    return sum;
  }
}
