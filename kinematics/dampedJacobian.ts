/**
 * The arm's Jacobian by its singular values, W J = U S V' with W weighing rotation against translation, and damped:
 * the answers that motion needs of it, in directions that are nearly singular too. Allocates nothing after construction.
 * n is the number of joints, a task is 6 numbers: metres, then radians times `rotationWeightM`; base frame.
 */
import type { ArmChain } from "./chain.js";
import { diagonalise } from "./symmetricEigen.js";

/** Damping begins below this singular value [m/rad]. */
export const DAMPED_BELOW = 0.03;
/** Directions that the arm cannot move in at all. */
const NONE_BELOW = 1e-10;
/** Of the error's norm, for the square of the damping: about half of what the elbow's stretch bends the way by [m]. */
const ERROR_DAMPING = 0.08;
/** What null-space motion costs in corrections, where singular values are the price of moving the tool [m/rad]. */
const NULL_PRICE_M = 0.02;
/** Least denominator, so that nothing is divided by zero. */
const TINY = 1e-12;

export class DampedJacobian {
  /** Smallest singular value [m/rad]. */
  smallest = Number.NaN;
  readonly #n: number;
  readonly #weightM: number;
  readonly #damping: number;
  /** (6, n) row-major, weighted. */
  readonly #jacobian: Float64Array;
  /** J J', then its eigenvalues; its eigenvectors, one a column: U. */
  readonly #square = new Float64Array(36);
  readonly #left = new Float64Array(36);
  /** (6, n): V', right singular vectors; those of no size are zero. */
  readonly #right: Float64Array;
  readonly #sigma2 = new Float64Array(6);
  readonly #damped2 = new Float64Array(6);
  /** 0 to 1: how far each direction is lost to a singularity. */
  readonly #closed = new Float64Array(6);

  /** @param damping of nearly singular directions, and the price of null-space motion in `invert` [m/rad] */
  constructor(jointCount: number, rotationWeightM: number, damping: number) {
    this.#n = jointCount;
    this.#weightM = rotationWeightM;
    this.#damping = damping;
    this.#jacobian = new Float64Array(6 * jointCount);
    this.#right = new Float64Array(6 * jointCount);
  }

  /**
   * At the angles of the chain's last update. Directions below `DAMPED_BELOW` are damped, and all are with the error that
   * is to be made good: so an error that can vanish does, and one that cannot makes nothing oscillate. The idea is
   * Sugihara's (IEEE Trans. Robotics 27(5), 2011), who takes the error's square; but what is to be outweighed, the bend of
   * the way where the arm is stretched, grows with the error itself.
   */
  update(chain: ArmChain, error: Float64Array): void {
    const n = this.#n;
    const jacobian = this.#jacobian;
    chain.jacobian(jacobian);
    for (let i = 3 * n; i < 6 * n; i++) jacobian[i]! *= this.#weightM;
    for (let a = 0; a < 6; a++) {
      for (let b = 0; b <= a; b++) {
        let sum = 0;
        for (let joint = 0; joint < n; joint++) sum += jacobian[a * n + joint]! * jacobian[b * n + joint]!;
        this.#square[6 * a + b] = this.#square[6 * b + a] = sum;
      }
    }
    diagonalise(this.#square, this.#left, 6);
    let square = 0;
    for (let row = 0; row < 6; row++) square += error[row]! * error[row]!;
    this.smallest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 6; i++) {
      const sigma2 = Math.max(0, this.#square[7 * i]!);
      const sigma = Math.sqrt(sigma2);
      if (sigma < this.smallest) this.smallest = sigma;
      const near = this.#damping * Math.max(0, 1 - sigma / DAMPED_BELOW);
      this.#sigma2[i] = sigma2;
      this.#closed[i] = (near * near) / Math.max(TINY, sigma2 + near * near);
      this.#damped2[i] = Math.max(TINY, sigma2 + near * near + ERROR_DAMPING * Math.sqrt(square));
      for (let joint = 0; joint < n; joint++) {
        let sum = 0;
        for (let row = 0; row < 6; row++) sum += jacobian[row * n + joint]! * this.#left[6 * row + i]!;
        this.#right[i * n + joint] = sigma > NONE_BELOW ? sum / sigma : 0;
      }
    }
  }

  /** out (n,) = V S/(S² + damping²) U' task: what the joints do for the task. */
  solve(task: Float64Array, out: Float64Array): void {
    const n = this.#n;
    out.fill(0);
    for (let i = 0; i < 6; i++) {
      let along = 0;
      for (let row = 0; row < 6; row++) along += this.#left[6 * row + i]! * task[row]!;
      const share = (along * Math.sqrt(this.#sigma2[i]!)) / this.#damped2[i]!;
      for (let joint = 0; joint < n; joint++) out[joint]! += share * this.#right[i * n + joint]!;
    }
  }

  /** Share of the task's square, 0 to 1, that damping of nearly singular directions takes away. */
  lostShare(task: Float64Array): number {
    let asked = TINY;
    let lost = 0;
    for (let i = 0; i < 6; i++) {
      let along = 0;
      for (let row = 0; row < 6; row++) along += this.#left[6 * row + i]! * task[row]!;
      asked += along * along;
      lost += (along * this.#closed[i]!) ** 2;
    }
    return lost / asked;
  }

  /** Takes out of a joint motion what moves the tool: the null space is left. */
  projectToNull(motion: Float64Array): void {
    const n = this.#n;
    for (let i = 0; i < 6; i++) {
      let along = 0;
      for (let joint = 0; joint < n; joint++) along += this.#right[i * n + joint]! * motion[joint]!;
      for (let joint = 0; joint < n; joint++) motion[joint]! -= along * this.#right[i * n + joint]!;
    }
  }

  /** Norm of the three rows from `firstRow` of W J · velocity. */
  taskSpeed(velocity: Float64Array, firstRow: number): number {
    const n = this.#n;
    let square = 0;
    for (let row = firstRow; row < firstRow + 3; row++) {
      let sum = 0;
      for (let joint = 0; joint < n; joint++) sum += this.#jacobian[row * n + joint]! * velocity[joint]!;
      square += sum * sum;
    }
    return Math.sqrt(square);
  }

  /** out (n, n) = (V (S² + damping²) V' + price² N)⁻¹: small where changing a joint's motion costs the tool much. */
  invert(out: Float64Array): void {
    const n = this.#n;
    const free = 1 / (NULL_PRICE_M * NULL_PRICE_M);
    out.fill(0);
    for (let joint = 0; joint < n; joint++) out[joint * n + joint] = free;
    for (let i = 0; i < 6; i++) {
      if (this.#sigma2[i]! <= NONE_BELOW * NONE_BELOW) continue;
      const less = 1 / Math.max(this.#damped2[i]!, 1e-6) - free;
      for (let a = 0; a < n; a++) {
        const scaled = less * this.#right[i * n + a]!;
        for (let b = 0; b < n; b++) out[a * n + b]! += scaled * this.#right[i * n + b]!;
      }
    }
  }
}
