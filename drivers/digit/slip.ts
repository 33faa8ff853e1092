/**
 * Whether a motor's position and its speed go together. Speeds are added up and compared with where the encoder says that
 * the motor went: a position that has jumped is off at once and for a while, one that creeps away for as long as it does. A
 * slow difference is forgotten, because a measured speed lags and has an offset.
 */
import { type DigitLimits, type DigitObservation, MOTOR_COUNT } from "./protocol/index.js";

/** What is off by an instant's slip is half forgotten after some 0.17 s [s]. */
const FORGETS_S = 0.25;
/** After a longer gap nothing is known of what the motors did in it [s]. */
const GAP_S_MAX = 0.05;
/** A speed beyond this share of the announced one is wrong by itself, and says nothing of a position. */
export const SPEED_SHARE_MAX = 1.5;

export class MotorSlip {
  /** By how much each position has gone farther than its speed says [rad]. */
  readonly slipRad = new Float64Array(MOTOR_COUNT);
  readonly #positionRad = new Float64Array(MOTOR_COUNT);
  readonly #velocityRadPerS = new Float64Array(MOTOR_COUNT);
  /** Of the observation before, by the robot's clock. */
  #beforeS = Number.NaN;

  reset(): void {
    this.#beforeS = Number.NaN;
    this.slipRad.fill(0);
  }

  /** Each observation, in order. Allocates nothing. */
  take(
    { timeS, motorPositionRad, motorVelocityRadPerS }: DigitObservation,
    { velocityRadPerS: limitRadPerS }: DigitLimits,
  ): void {
    const passedS = timeS - this.#beforeS;
    // The same one again.
    if (passedS === 0) return;
    this.#beforeS = timeS;
    const isNext = passedS > 0 && passedS <= GAP_S_MAX;
    if (!isNext) this.slipRad.fill(0);
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      const positionRad = motorPositionRad[motor]!;
      const speedRadPerS = (motorVelocityRadPerS[motor]! + this.#velocityRadPerS[motor]!) / 2;
      if (isNext && Math.abs(speedRadPerS) <= SPEED_SHARE_MAX * limitRadPerS[motor]!) {
        const wentRad = positionRad - this.#positionRad[motor]!;
        this.slipRad[motor] =
          (1 - passedS / FORGETS_S) * this.slipRad[motor]! + wentRad - speedRadPerS * passedS;
      }
      this.#positionRad[motor] = positionRad;
      this.#velocityRadPerS[motor] = motorVelocityRadPerS[motor]!;
    }
  }
}
