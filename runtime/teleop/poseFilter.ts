/**
 * One-Euro filter of a hand's pose, with the hand's speed beside it: a low-pass whose cutoff rises with speed, so that a
 * still hand is calm and a fast one is not late. Source: Casiez, Roussel and Vogel, CHI 2012.
 *
 * How late it is: at a constant speed v [m/s] exactly 1000 / (2 pi (minCutoffHz + beta v)) ms, for position; for
 * rotation the same, a rad/s counting as `RADIAN_M` m/s. A higher `minCutoffHz` makes a still hand livelier and slow
 * motion less late; a higher `beta` makes fast motion less late and does nothing at rest.
 */
import { normalise, turnBetween, turnBy } from "../../kinematics/rotationVector.js";

export interface FilterConfig {
  readonly minCutoffHz: number;
  /** [Hz s/m] */
  readonly beta: number;
}

/** Arm of a wrist's turn: what a radian of rotation counts as, in metres. */
export const RADIAN_M = 0.2;
/** Low-pass of the speed that sets the cutoff and feeds the lead. */
const SPEED_CUTOFF_HZ = 6;

/** Lag [ms] of the filter at a constant speed [m/s]. */
export const filterLagMs = ({ minCutoffHz, beta }: FilterConfig, speedMPerS: number): number =>
  1000 / (2 * Math.PI * (minCutoffHz + beta * speedMPerS));

export class PoseFilter {
  readonly positionM = new Float64Array(3);
  readonly quatXyzw = Float64Array.of(0, 0, 0, 1);
  /** The hand's own velocity, hardly filtered [m/s, rad/s], and the norms of both. */
  readonly velocityMPerS = new Float64Array(3);
  readonly turnRadPerS = new Float64Array(3);
  speedMPerS = 0;
  turnSpeedRadPerS = 0;
  readonly #config: FilterConfig;
  readonly #lastM = new Float64Array(3);
  readonly #lastQuat = Float64Array.of(0, 0, 0, 1);
  readonly #quat = Float64Array.of(0, 0, 0, 1);
  readonly #turn = new Float64Array(3);

  constructor(config: FilterConfig) {
    this.#config = config;
  }

  /** The hand is here and stands still. */
  startAt(positionM: ArrayLike<number>, quatXyzw: ArrayLike<number>): void {
    this.#lastM.set(positionM);
    this.#quat.set(quatXyzw);
    if (normalise(this.#quat)) this.#lastQuat.set(this.#quat);
    this.positionM.set(this.#lastM);
    this.quatXyzw.set(this.#lastQuat);
    this.velocityMPerS.fill(0);
    this.turnRadPerS.fill(0);
    this.speedMPerS = 0;
    this.turnSpeedRadPerS = 0;
  }

  /** @param periodS > 0, since the last pose */
  update(positionM: ArrayLike<number>, quatXyzw: ArrayLike<number>, periodS: number): void {
    this.#quat.set(quatXyzw);
    if (!normalise(this.#quat)) this.#quat.set(this.#lastQuat);
    turnBetween(this.#lastQuat, this.#quat, this.#turn);
    const fresh = share(SPEED_CUTOFF_HZ, periodS);
    for (let axis = 0; axis < 3; axis++) {
      const velocity = (positionM[axis]! - this.#lastM[axis]!) / periodS;
      const turn = this.#turn[axis]! / periodS;
      this.velocityMPerS[axis]! += fresh * (velocity - this.velocityMPerS[axis]!);
      this.turnRadPerS[axis]! += fresh * (turn - this.turnRadPerS[axis]!);
      this.#lastM[axis] = positionM[axis]!;
    }
    this.#lastQuat.set(this.#quat);
    this.speedMPerS = norm(this.velocityMPerS);
    this.turnSpeedRadPerS = norm(this.turnRadPerS);
    const { minCutoffHz, beta } = this.#config;
    const near = share(minCutoffHz + beta * this.speedMPerS, periodS);
    for (let axis = 0; axis < 3; axis++)
      this.positionM[axis]! += near * (positionM[axis]! - this.positionM[axis]!);
    turnBetween(this.quatXyzw, this.#quat, this.#turn);
    turnBy(this.quatXyzw, this.#turn, share(minCutoffHz + beta * RADIAN_M * this.turnSpeedRadPerS, periodS));
  }
}

/** Of a step that a first-order low-pass follows within a period; its lag behind a ramp is 1 / (2 pi cutoff). */
function share(cutoffHz: number, periodS: number): number {
  const timeConstantS = 1 / (2 * Math.PI * cutoffHz);
  return periodS / (periodS + timeConstantS);
}

const norm = (vector: Float64Array): number => Math.sqrt(vector[0]! ** 2 + vector[1]! ** 2 + vector[2]! ** 2);
