/**
 * Eigenvalues and vectors of a small symmetric matrix by cyclic Jacobi rotations, accurate to rounding.
 * Source: Golub and Van Loan, Matrix Computations, 4th ed., section 8.5.
 */

/** Far more than a 4 x 4 matrix needs (about five). */
const SWEEPS_MAX = 30;

export interface Eigen {
  /** Largest first. */
  readonly values: readonly number[];
  /** Unit vectors, in the order of `values`; the sign of each is arbitrary. */
  readonly vectors: readonly (readonly number[])[];
}

/** @param matrix symmetric n x n, finite, by rows; only its upper triangle is looked at */
export function symmetricEigen(matrix: readonly (readonly number[])[]): Eigen {
  const n = matrix.length;
  const a = matrix.map((row, i) => row.map((_, j) => matrix[Math.min(i, j)]![Math.max(i, j)]!));
  const v = a.map((_, i) => a.map((__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < SWEEPS_MAX && offDiagonal(a) > 0; sweep++) {
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotateAway(a, v, p, q);
  }
  const order = a.map((_, i) => i).sort((i, j) => a[j]![j]! - a[i]![i]!);
  return {
    values: order.map((i) => a[i]![i]!),
    vectors: order.map((i) => v.map((row) => row[i]!)),
  };
}

function offDiagonal(a: readonly (readonly number[])[]): number {
  let sum = 0;
  let scale = 0;
  for (const [i, row] of a.entries())
    for (const [j, value] of row.entries()) {
      if (i === j) scale += value * value;
      else sum += value * value;
    }
  return sum <= Number.EPSILON ** 2 * scale ? 0 : sum;
}

/** Makes a[p][q] zero by a rotation in the plane of p and q, and carries it on into the vectors. */
function rotateAway(a: number[][], v: number[][], p: number, q: number): void {
  const apq = a[p]![q]!;
  if (apq === 0) return;
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (const row of a) {
    const [kp, kq] = [row[p]!, row[q]!];
    row[p] = c * kp - s * kq;
    row[q] = s * kp + c * kq;
  }
  for (const k of a.keys()) {
    const [pk, qk] = [a[p]![k]!, a[q]![k]!];
    a[p]![k] = c * pk - s * qk;
    a[q]![k] = s * pk + c * qk;
  }
  for (const row of v) {
    const [kp, kq] = [row[p]!, row[q]!];
    row[p] = c * kp - s * kq;
    row[q] = s * kp + c * kq;
  }
}
