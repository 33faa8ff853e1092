/** What each round of the kill campaign does, from its seed and number alone: rounds can be repeated one by one. */
import { Random } from "../../../lab/world/random.js";

export const MOMENTS = ["starting", "enabling", "holding", "following", "stopping", "resetting"] as const;
export type Moment = (typeof MOMENTS)[number];
export const VICTIMS = ["servo", "commander", "supervisor"] as const;
export type Victim = (typeof VICTIMS)[number];

export interface KillPlan {
  readonly round: number;
  readonly victim: Victim;
  readonly moment: Moment;
  /** From the beginning of that moment to the kill [ms]. */
  readonly delayMs: number;
  readonly speedScale: number;
  /** Distance of the target that is pursued when the kill comes, first joint and fourth joint [rad]. */
  readonly reachRad: readonly [number, number];
  /** Category of the stop for moments that need one. */
  readonly stopCategory: 0 | 1 | 2;
}

/** Longest delay for which the moment still lasts, with some beyond [ms]. */
const DELAY_MS_MAX: Record<Moment, number> = {
  starting: 450,
  enabling: 250,
  holding: 40,
  following: 700,
  stopping: 160,
  resetting: 120,
};

export function planRound(seed: number, round: number): KillPlan {
  const random = new Random(seed).fork(`kill ${round}`);
  const victim = random.pick(["servo", "servo", "commander", "supervisor"] as const);
  const moment = random.pick(MOMENTS);
  const sign = () => (random.uniform() < 0.5 ? -1 : 1);
  return {
    round,
    victim,
    moment,
    delayMs: random.uniform(0, DELAY_MS_MAX[moment]),
    speedScale: random.uniform(0.3, 1),
    reachRad: [sign() * random.uniform(0.3, 0.6), sign() * random.uniform(0.05, 0.25)],
    stopCategory: random.pick([0, 1, 2] as const),
  };
}
