/** The hand of a simulated world as its emulated firmware sees it: letting its time pass moves the whole world. */
import type { HandPlant } from "../allegro/plant.js";
import type { HandInWorld } from "./handInWorld.js";

export class WorldHandPlant implements HandPlant {
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly torqueNm: Float64Array;
  readonly pushNm: Float64Array;
  readonly #step: () => void;
  readonly #stepS: number;
  readonly #onMoved: (sinceS: number) => void;
  /** Time asked for that made no whole step yet [s]. */
  #owedS = 0;

  /**
   * @param step lets one physics step pass
   * @param onMoved after whole steps, with how much of the time that was asked for has passed in them [s]
   */
  constructor(
    hand: HandInWorld,
    stepS: number,
    step: () => void,
    onMoved: (sinceS: number) => void = () => {},
  ) {
    this.positionRad = hand.positionRad;
    this.velocityRadPerS = hand.velocityRadPerS;
    this.torqueNm = hand.torqueNm;
    this.pushNm = hand.pushNm;
    this.#step = step;
    this.#stepS = stepS;
    this.#onMoved = onMoved;
  }

  step(dtS: number): void {
    this.#owedS += dtS;
    let steps = 0;
    // Sums of steps such as 0.001 are not whole numbers of it.
    for (; this.#owedS > this.#stepS * 0.999; this.#owedS -= this.#stepS) {
      this.#step();
      steps++;
    }
    if (steps > 0) this.#onMoved(dtS - this.#owedS);
  }
}
