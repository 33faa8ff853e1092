/**
 * Temperatures of sixteen motors that warm with what they are commanded and cool by themselves. None of the figures is
 * published: a motor held at its limit ends 60 °C above its surroundings, with a time constant of five minutes.
 */
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";

const SURROUNDINGS_C = 28;
const RISE_AT_LIMIT_C = 60;
const TIME_CONSTANT_S = 300;
/** Where the hand calls itself too hot, and where it no longer does. */
export const OVER_TEMPERATURE_C = 70;
const COOLED_C = 65;

export class MotorHeat {
  readonly celsius = new Float64Array(HAND_JOINT_COUNT).fill(SURROUNDINGS_C);
  readonly #isOver = new Array<boolean>(HAND_JOINT_COUNT).fill(false);

  /** T' = (surroundings + rise u² - T) / time constant, solved exactly. @param shares of each joint's limit, -1 to 1 */
  step(dtS: number, shares: ArrayLike<number>): void {
    const kept = Math.exp(-dtS / TIME_CONSTANT_S);
    for (let motor = 0; motor < HAND_JOINT_COUNT; motor++) {
      const finalC = SURROUNDINGS_C + RISE_AT_LIMIT_C * shares[motor]! ** 2;
      this.celsius[motor] = finalC + (this.celsius[motor]! - finalC) * kept;
    }
  }

  get hottestC(): number {
    return Math.max(...this.celsius);
  }

  /** As of the last `takeNewlyOver`. */
  get isOver(): boolean {
    return this.#isOver.some(Boolean);
  }

  /** Motors that have become too hot since the last call. */
  takeNewlyOver(): number[] {
    const newly: number[] = [];
    this.celsius.forEach((celsius, motor) => {
      const wasOver = this.#isOver[motor]!;
      this.#isOver[motor] = celsius >= (wasOver ? COOLED_C : OVER_TEMPERATURE_C);
      if (this.#isOver[motor] && !wasOver) newly.push(motor);
    });
    return newly;
  }
}
