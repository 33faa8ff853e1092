/**
 * Demonstrations that a policy leads in parts, so that they are where that policy comes to and not only where an expert
 * does: the expert's label is recorded in every step, and the expert brings each one to its end.
 * Source of the method: Ross, Gordon and Bagnell, A reduction of imitation learning to no-regret online learning, 2011.
 */
import { Random } from "../../lab/world/random.js";
import type { PolicyPipeline } from "../../policies/pipeline.js";

export interface Leader {
  readonly pipeline: PolicyPipeline;
  /** Of the stretches of a demonstration, so many are led by the policy: 0 to 1. */
  readonly share: number;
}

/** Steps of a stretch that one of them leads: from, to. */
const STRETCH_STEPS = [5, 15] as const;
/** From here on the expert alone leads, and has so many more than without a policy. */
export const LED_STEPS = 100;
export const STEPS_MORE = 60;
/** Holding goes on so many times as long: a policy that does it well for a second may drift in the next ones. */
export const HOLD_FACTOR = 3;

/** Who leads, step by step. */
export class Stretches {
  readonly #random: Random;
  readonly #share: number;
  #step = 0;
  #endsAt = 0;
  #isLed = false;

  constructor(seed: number, share: number) {
    this.#random = new Random(seed).fork("led by");
    this.#share = share;
  }

  /** Whether the policy leads the next step. */
  next(): boolean {
    if (this.#step === this.#endsAt) {
      const [from, to] = STRETCH_STEPS;
      this.#endsAt += from + this.#random.below(to - from + 1);
      this.#isLed = this.#random.uniform() < this.#share;
    }
    return this.#step++ < LED_STEPS && this.#isLed;
  }
}
