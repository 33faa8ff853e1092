/**
 * How many messages of a steady source are missing, from gaps between their stamps. A late message followed by a short
 * gap is jitter, not loss: the surplus of a gap is carried over and fades.
 */

/** A gap that is longer than one period by this many periods, after carrying, means a lost message. */
const LOST_SURPLUS = 0.75;
const SURPLUS_KEPT = 0.8;

export class GapEstimate {
  readonly #rateHz: number;
  #newestNs: bigint | undefined;
  #surplusPeriods = 0;

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  /** @returns messages that are missing before this one; stamps that do not rise count nothing */
  next(stampNs: bigint): number {
    const beforeNs = this.#newestNs;
    if (beforeNs !== undefined && stampNs <= beforeNs) return 0;
    this.#newestNs = stampNs;
    if (beforeNs === undefined) return 0;
    const periods = (Number(stampNs - beforeNs) * this.#rateHz) / 1e9;
    const surplus = Math.max(-0.5, SURPLUS_KEPT * this.#surplusPeriods + periods - 1);
    const lost = surplus < LOST_SURPLUS ? 0 : Math.max(1, Math.round(surplus));
    this.#surplusPeriods = surplus - lost;
    return lost;
  }
}
