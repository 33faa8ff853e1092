/**
 * What retargeting minimises: how far vectors of the robot's hand are from those that are wanted,
 *
 *   sum of weight · Huber(|vector - target|)  +  stillness · |q - last|²  +  posture · |q - rest|²
 *
 * with vectors from the wrist to fingertips or between fingertips. Huber is the smooth L1 of the reference: d²/(2 β) below
 * β, d - β/2 above, so that a vector out of reach does not outweigh the others. Gradient and Hessian are exact: a joint i
 * before a joint j of one finger bends the tip's way by axis_i × (Jacobian column j). Makes no object after construction.
 * Lengths [m], angles [rad], palm frame.
 */
import type { SmoothFunction } from "./boundedNewton.js";
import type { HandChain } from "./fingertips.js";
import { WRIST_PALM_M } from "./geometry.js";
import { FINGERS, HAND_JOINT_COUNT, JOINTS_PER_FINGER } from "./hand.js";

/** A vector ends at the tip of finger `to`, and begins at that of `from`, or at the wrist. Numbers index `FINGERS`. */
export interface HandVector {
  readonly from: number | "wrist";
  readonly to: number;
}

const N = HAND_JOINT_COUNT;
const COUNT = FINGERS.length;

export class HandObjective implements SmoothFunction {
  /** Set before `evaluate`: three numbers [m] and a weight for each vector. */
  readonly targetsM: Float64Array;
  readonly weights: Float64Array;
  readonly lastRad = new Float64Array(N);
  readonly restRad = new Float64Array(N);
  /** After `evaluate`: of it, what the vectors alone cost; and how far each is from its target [m]. */
  vectorsValue = Number.NaN;
  readonly distancesM: Float64Array;

  readonly #chain: HandChain;
  readonly #huberM: number;
  readonly #stillness: number;
  readonly #posture: number;
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  readonly #residualsM: Float64Array;
  readonly #q = new Float64Array(N);
  readonly #jacobian = new Float64Array(3 * N);
  /** Sums over the vectors: pull on each tip (4, 3), and curvature between tips (4, 4, 3, 3). */
  readonly #pull = new Float64Array(3 * COUNT);
  readonly #curvature = new Float64Array(9 * COUNT * COUNT);
  readonly #product = new Float64Array(12);

  constructor(
    chain: HandChain,
    vectors: readonly HandVector[],
    huberM: number,
    stillness: number,
    posture: number,
  ) {
    this.#chain = chain;
    this.#huberM = huberM;
    this.#stillness = stillness;
    this.#posture = posture;
    this.#from = Int32Array.from(vectors, ({ from }) => (from === "wrist" ? -1 : from));
    this.#to = Int32Array.from(vectors, ({ to }) => to);
    this.targetsM = new Float64Array(3 * vectors.length);
    this.weights = new Float64Array(vectors.length);
    this.distancesM = new Float64Array(vectors.length);
    this.#residualsM = new Float64Array(3 * vectors.length);
  }

  evaluate(q: Float64Array): number {
    const beta = this.#huberM;
    const tips = this.#chain.tipsM;
    this.#q.set(q);
    this.#chain.update(q);
    let sum = 0;
    for (let v = 0; v < this.#to.length; v++) {
      let square = 0;
      for (let axis = 0; axis < 3; axis++) {
        const start = this.#from[v]! < 0 ? WRIST_PALM_M[axis as 0 | 1 | 2] : tips[3 * this.#from[v]! + axis]!;
        const residual = tips[3 * this.#to[v]! + axis]! - start - this.targetsM[3 * v + axis]!;
        this.#residualsM[3 * v + axis] = residual;
        square += residual * residual;
      }
      const distance = Math.sqrt(square);
      this.distancesM[v] = distance;
      sum += this.weights[v]! * (distance < beta ? square / (2 * beta) : distance - beta / 2);
    }
    this.vectorsValue = sum;
    for (let joint = 0; joint < N; joint++) {
      const moved = q[joint]! - this.lastRad[joint]!;
      const away = q[joint]! - this.restRad[joint]!;
      sum += this.#stillness * moved * moved + this.#posture * away * away;
    }
    return sum;
  }

  differentiate(gradient: Float64Array, hessian: Float64Array): void {
    this.#chain.jacobian(this.#jacobian);
    this.#sumVectors();
    hessian.fill(0);
    for (let joint = 0; joint < N; joint++) {
      gradient[joint] =
        2 * this.#stillness * (this.#q[joint]! - this.lastRad[joint]!) +
        2 * this.#posture * (this.#q[joint]! - this.restRad[joint]!);
      hessian[joint * N + joint] = 2 * (this.#stillness + this.#posture);
    }
    for (let finger = 0; finger < COUNT; finger++) {
      this.#addPull(finger, gradient, hessian);
      for (let other = 0; other < COUNT; other++) this.#addCurvature(finger, other, hessian);
    }
  }

  #sumVectors(): void {
    const beta = this.#huberM;
    this.#pull.fill(0);
    this.#curvature.fill(0);
    for (let v = 0; v < this.#to.length; v++) {
      const to = this.#to[v]!;
      const from = this.#from[v]!;
      const distance = this.distancesM[v]!;
      const weight = this.weights[v]!;
      const stiffness = weight / Math.max(beta, distance);
      // Beyond β the pull has constant size: only turning it costs.
      const along = distance < beta ? 0 : 1 / (distance * distance);
      for (let a = 0; a < 3; a++) {
        const pull = stiffness * this.#residualsM[3 * v + a]!;
        this.#pull[3 * to + a]! += pull;
        if (from >= 0) this.#pull[3 * from + a]! -= pull;
        this.#stiffen(from, to, 4 * a, stiffness);
        for (let b = 0; b < 3; b++)
          this.#stiffen(from, to, 3 * a + b, -pull * this.#residualsM[3 * v + b]! * along);
      }
    }
  }

  /** Curvature of one element of a vector between two tips, or to one. */
  #stiffen(from: number, to: number, element: number, amount: number): void {
    this.#curvature[9 * (COUNT * to + to) + element]! += amount;
    if (from < 0) return;
    this.#curvature[9 * (COUNT * from + from) + element]! += amount;
    this.#curvature[9 * (COUNT * to + from) + element]! -= amount;
    this.#curvature[9 * (COUNT * from + to) + element]! -= amount;
  }

  /** J' pull, and what the bend of the tip's way adds to the Hessian. */
  #addPull(finger: number, gradient: Float64Array, hessian: Float64Array): void {
    const jacobian = this.#jacobian;
    const axes = this.#chain.jointAxes;
    const px = this.#pull[3 * finger]!;
    const py = this.#pull[3 * finger + 1]!;
    const pz = this.#pull[3 * finger + 2]!;
    for (let j = 0; j < JOINTS_PER_FINGER; j++) {
      const at = 12 * finger + j;
      const jx = jacobian[at]!;
      const jy = jacobian[at + 4]!;
      const jz = jacobian[at + 8]!;
      const joint = JOINTS_PER_FINGER * finger + j;
      gradient[joint]! += px * jx + py * jy + pz * jz;
      for (let i = 0; i <= j; i++) {
        const before = JOINTS_PER_FINGER * finger + i;
        const ax = axes[3 * before]!;
        const ay = axes[3 * before + 1]!;
        const az = axes[3 * before + 2]!;
        const bend = px * (ay * jz - az * jy) + py * (az * jx - ax * jz) + pz * (ax * jy - ay * jx);
        hessian[before * N + joint]! += bend;
        if (i !== j) hessian[joint * N + before]! += bend;
      }
    }
  }

  /** J_finger' curvature J_other. */
  #addCurvature(finger: number, other: number, hessian: Float64Array): void {
    const c = 9 * (COUNT * finger + other);
    const jacobian = this.#jacobian;
    const product = this.#product;
    for (let a = 0; a < 3; a++)
      for (let j = 0; j < JOINTS_PER_FINGER; j++)
        product[4 * a + j] =
          this.#curvature[c + 3 * a]! * jacobian[12 * other + j]! +
          this.#curvature[c + 3 * a + 1]! * jacobian[12 * other + 4 + j]! +
          this.#curvature[c + 3 * a + 2]! * jacobian[12 * other + 8 + j]!;
    for (let i = 0; i < JOINTS_PER_FINGER; i++)
      for (let j = 0; j < JOINTS_PER_FINGER; j++)
        hessian[(JOINTS_PER_FINGER * finger + i) * N + JOINTS_PER_FINGER * other + j]! +=
          jacobian[12 * finger + i]! * product[j]! +
          jacobian[12 * finger + 4 + i]! * product[4 + j]! +
          jacobian[12 * finger + 8 + i]! * product[8 + j]!;
  }
}
