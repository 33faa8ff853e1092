/**
 * Which fingertips pinch, and how much: a thumb-finger pair closes below one distance of the person's tips and opens above
 * a larger one; two fingers that both pinch and are close are kept apart by a gap of their own. A pair gets its weight and
 * its wanted gap over a ramp, so that a pinch is no jump. Source of the rule: Handa et al., DexPilot, ICRA 2020, with the
 * distances of dex_retargeting. Allocates nothing after construction.
 */
import type { RetargetingConfig } from "./retargetingConfig.js";

/** Finger numbers of the pairs, vector from the first to the second: index 0, middle 1, ring 2, thumb 3. */
export const PAIRS = [
  { from: 0, to: 3 },
  { from: 1, to: 3 },
  { from: 2, to: 3 },
  { from: 1, to: 0 },
  { from: 2, to: 0 },
  { from: 2, to: 1 },
] as const;
const THUMB_PAIRS = 3;
/** Shorter vectors of a person's pair have no direction to be trusted [m]. */
const DIRECTION_MIN_M = 0.01;

export class Pinches {
  /** 1: pinched. */
  readonly isClosed = new Uint8Array(PAIRS.length);
  /** 0 to 1: how far each has its pinch's weight. */
  readonly share = new Float64Array(PAIRS.length);
  /** Weight of each pair, 1 for one that is open; and what the person's vector is multiplied by for the robot's. */
  readonly weights = new Float64Array(PAIRS.length).fill(1);
  readonly factors = new Float64Array(PAIRS.length);
  readonly #config: RetargetingConfig["pinch"];

  constructor(config: RetargetingConfig["pinch"]) {
    this.#config = config;
  }

  reset(): void {
    this.isClosed.fill(0);
    this.share.fill(0);
  }

  /** @param distancesM (6,) of the person's pairs, not scaled; `scale` is for those that are open */
  update(distancesM: Float64Array, scale: number, periodS: number): void {
    this.#decide(distancesM);
    const { rampS, gapM, neighbourGapM, weight, neighbourWeight } = this.#config;
    const step = rampS > 0 ? periodS / rampS : 1;
    for (let pair = 0; pair < PAIRS.length; pair++) {
      const isThumbs = pair < THUMB_PAIRS;
      const way = this.isClosed[pair]! - this.share[pair]!;
      this.share[pair]! += Math.min(step, Math.max(-step, way));
      const share = this.share[pair]!;
      const gap = isThumbs ? gapM : neighbourGapM;
      this.weights[pair] = (isThumbs ? weight : neighbourWeight) ** share;
      this.factors[pair] = (1 - share) * scale + share * (gap / Math.max(DIRECTION_MIN_M, distancesM[pair]!));
    }
  }

  #decide(distancesM: Float64Array): void {
    const { closeBelowM, openAboveM } = this.#config;
    for (let pair = 0; pair < THUMB_PAIRS; pair++) {
      const distance = distancesM[pair]!;
      if (distance < closeBelowM) this.isClosed[pair] = 1;
      else if (distance > openAboveM) this.isClosed[pair] = 0;
    }
    for (let pair = THUMB_PAIRS; pair < PAIRS.length; pair++) {
      const { from, to } = PAIRS[pair]!;
      const both = this.isClosed[from]! & this.isClosed[to]!;
      this.isClosed[pair] = both === 1 && distancesM[pair]! <= closeBelowM ? 1 : 0;
    }
  }
}
