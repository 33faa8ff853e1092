/** Wandering beside what is meant: an Ornstein-Uhlenbeck process, of the same deviation whatever the frame's length. */
import type { Random } from "../../lab/world/random.js";

export class Wander {
  value = 0;
  readonly #random: Random;
  readonly #deviation: number;
  readonly #memoryS: number;

  constructor(random: Random, deviation: number, memoryS: number) {
    this.#random = random;
    this.#deviation = deviation;
    this.#memoryS = memoryS;
    this.value = deviation * random.normal();
  }

  step(stepS: number): number {
    const kept = Math.exp(-stepS / this.#memoryS);
    this.value = kept * this.value + this.#deviation * Math.sqrt(1 - kept * kept) * this.#random.normal();
    return this.value;
  }
}
