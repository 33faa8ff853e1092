/** Angles and speeds of the joints from the hand's counts, smoothed with a delay that is known. */
import { invariant } from "../../../core/errors.js";
import { HAND_JOINT_COUNT } from "../../../kinematics/allegro/hand.js";

/** With the hand's 3 ms this has the pole of the vendor's filter, 0.6, for which its gains are made. */
export const FILTER_TIME_CONSTANT_S = 0.006;

/**
 * A first-order low-pass of time constant T by the trapezoidal rule, over angles and over their plain differences:
 * `y = p y' + (1 - p)/2 (x + x')`, `p = (2T - dt)/(2T + dt)`, not below 0.
 *
 * What it does otherwise than the vendor's V4 node, whose `y = 0.6 y' + 0.198 (x + x')` it is at 3 ms but for the gain:
 * - gain for standing joints is 1, not 0.99: a joint at 1 rad is not reported at 0.99;
 * - it starts at the first sample, not at 0: no ramp that a PD law would take for a fast motion;
 * - speed comes from one signal, not from filtered and raw angles in turn;
 * - a lost sample lengthens `dt` and not the delay.
 *
 * Delay of slow motion: angles T, speeds T + dt/2. At 333 Hz (3 ms) and the usual T: 6 ms and 7.5 ms. Shown by
 * jointFilter.test.ts.
 */
export class JointFilter {
  /** Smoothed angles [rad], updated in place: sixteen in wire order. */
  readonly positionRad = new Float64Array(HAND_JOINT_COUNT);
  /** Smoothed speeds [rad/s], updated in place; 0 after the first sample. */
  readonly velocityRadPerS = new Float64Array(HAND_JOINT_COUNT);
  readonly #timeConstantS: number;
  readonly #lastRad = new Float64Array(HAND_JOINT_COUNT);
  readonly #lastRadPerS = new Float64Array(HAND_JOINT_COUNT);
  #seeded = false;

  /** @param timeConstantS 0 means: no more than the mean of two samples */
  constructor(timeConstantS = FILTER_TIME_CONSTANT_S) {
    invariant(timeConstantS >= 0 && timeConstantS < 1, `a filter of ${timeConstantS} s is none for a hand`);
    this.#timeConstantS = timeConstantS;
  }

  /** Whether there has been a sample. */
  get seeded(): boolean {
    return this.#seeded;
  }

  /** Forgets everything: the next sample is the first again. To be called after a gap that is no lost sample. */
  reset(): void {
    this.#seeded = false;
  }

  /** How far angles lag behind slow motion [s] when samples come every `dtS`. */
  positionDelayS(dtS: number): number {
    return Math.max(this.#timeConstantS, dtS / 2);
  }

  /** How far speeds lag behind slow motion [s]. */
  velocityDelayS(dtS: number): number {
    return this.positionDelayS(dtS) + dtS / 2;
  }

  /**
   * Takes the next sample. Allocates nothing.
   * @param positionRad sixteen angles in wire order
   * @param dtS since the sample before; of no matter for the first. The hand samples by its own clock, so whole periods of
   *   it are better than measured times of arrival, whose jitter would show as speed
   * @returns false, with nothing changed, when an angle is not finite or `dtS` is not above 0
   */
  update(positionRad: ArrayLike<number>, dtS: number): boolean {
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++)
      if (!Number.isFinite(positionRad[joint])) return false;
    if (!this.#seeded) {
      this.#seed(positionRad);
      return true;
    }
    if (!(dtS > 0 && Number.isFinite(dtS))) return false;
    const pole = Math.max(0, (2 * this.#timeConstantS - dtS) / (2 * this.#timeConstantS + dtS));
    const share = (1 - pole) / 2;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const now = positionRad[joint] ?? 0;
      const last = this.#lastRad[joint] ?? 0;
      const speed = (now - last) / dtS;
      this.positionRad[joint] = pole * (this.positionRad[joint] ?? 0) + share * (now + last);
      this.velocityRadPerS[joint] =
        pole * (this.velocityRadPerS[joint] ?? 0) + share * (speed + (this.#lastRadPerS[joint] ?? 0));
      this.#lastRad[joint] = now;
      this.#lastRadPerS[joint] = speed;
    }
    return true;
  }

  #seed(positionRad: ArrayLike<number>): void {
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const now = positionRad[joint] ?? 0;
      this.positionRad[joint] = now;
      this.#lastRad[joint] = now;
    }
    this.velocityRadPerS.fill(0);
    this.#lastRadPerS.fill(0);
    this.#seeded = true;
  }
}
