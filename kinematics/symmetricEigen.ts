/**
 * Eigenvalues and eigenvectors of small symmetric matrices by cyclic Jacobi rotations: exact to rounding, also for
 * eigenvalues that are nearly zero, and without allocation.
 * Source: Golub and Van Loan, Matrix Computations (2013), section 8.5.
 */

/** For 6 x 6 five suffice in practice; more are only a bound. */
const SWEEPS_MAX = 12;
/** Off-diagonal weight, of the matrix's own squared, that counts as nothing. */
const NEGLIGIBLE = 1e-26;

/**
 * @param matrix (n, n) row-major, symmetric; overwritten, its diagonal holds the eigenvalues afterwards, in no order
 * @param vectors (n, n) row-major; column i is the unit eigenvector of eigenvalue i
 */
export function diagonalise(matrix: Float64Array, vectors: Float64Array, n: number): void {
  vectors.fill(0);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < n; i++) {
      all += matrix[i * n + i]! ** 2;
      for (let j = 0; j < i; j++) off += matrix[i * n + j]! ** 2;
    }
    // Written so that not-a-number ends it.
    if (!(off > NEGLIGIBLE * (all + off))) return;
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) turn(matrix, vectors, n, p, q);
  }
}

/** One rotation in the plane of p and q, after which their common element is zero. */
function turn(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const common = a[p * n + q]!;
  if (common === 0) return;
  const half = (a[q * n + q]! - a[p * n + p]!) / (2 * common);
  const tan = (half < 0 ? -1 : 1) / (Math.abs(half) + Math.sqrt(half * half + 1));
  const cos = 1 / Math.sqrt(tan * tan + 1);
  const sin = tan * cos;
  for (let k = 0; k < n; k++) {
    const kp = a[k * n + p]!;
    const kq = a[k * n + q]!;
    a[k * n + p] = cos * kp - sin * kq;
    a[k * n + q] = sin * kp + cos * kq;
  }
  for (let k = 0; k < n; k++) {
    const pk = a[p * n + k]!;
    const qk = a[q * n + k]!;
    a[p * n + k] = cos * pk - sin * qk;
    a[q * n + k] = sin * pk + cos * qk;
    const kp = v[k * n + p]!;
    const kq = v[k * n + q]!;
    v[k * n + p] = cos * kp - sin * kq;
    v[k * n + q] = sin * kp + cos * kq;
  }
}
