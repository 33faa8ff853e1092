/**
 * A demonstrator that takes an object to be elsewhere for a while: it works beside it at every height, and then comes back.
 * Only what is executed goes wrong; what the demonstrator wants, the label, never does.
 */
import type { Random } from "../world/random.js";

export interface Mistake {
  /** Where the object is taken to be, relative to where it is: base frame, x and y [m], and its turn [rad]. */
  readonly offsetM: readonly [number, number];
  readonly turnRad: number;
  /** The tool goes no lower than this in the meantime [m]. */
  readonly heightMinM: number;
}

export interface MistakeConfig {
  /** Of each axis of the offset [m] and of the turn [rad]: normal, cut at two deviations. */
  readonly offsetM: number;
  readonly turnRad: number;
  /** Steps that a mistake lasts, and steps without one between two: from, to. */
  readonly lasts: readonly [number, number];
  readonly between: readonly [number, number];
  /** None begins from this step on: the demonstration has to end. */
  readonly untilStep: number;
  /** Above other things [m], and the share of mistakes that go down all the way. */
  readonly heightMinM: number;
  readonly lowShare: number;
}

export class Mistakes {
  readonly #random: Random;
  readonly #config: MistakeConfig;
  #step = 0;
  #changes: number;
  #mistake: Mistake | undefined;

  constructor(random: Random, config: MistakeConfig) {
    this.#random = random;
    this.#config = config;
    this.#changes = this.#steps(config.between);
  }

  /** The mistake of the next step, if there is one. */
  next(): Mistake | undefined {
    if (this.#step === this.#changes) {
      const { lasts, between, untilStep } = this.#config;
      this.#mistake = this.#mistake === undefined && this.#step < untilStep ? this.#draw() : undefined;
      this.#changes = this.#step + this.#steps(this.#mistake === undefined ? between : lasts);
    }
    this.#step++;
    return this.#mistake;
  }

  #steps([from, to]: readonly [number, number]): number {
    return from + this.#random.below(to - from + 1);
  }

  #draw(): Mistake {
    const { offsetM, turnRad, heightMinM, lowShare } = this.#config;
    return {
      offsetM: [this.#cut(offsetM), this.#cut(offsetM)],
      turnRad: this.#cut(turnRad),
      heightMinM: this.#random.uniform() < lowShare ? 0 : heightMinM,
    };
  }

  #cut(deviation: number): number {
    return Math.max(-2, Math.min(2, this.#random.normal())) * deviation;
  }
}
