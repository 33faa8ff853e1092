/**
 * How many messages of a steady source are missing, from gaps between their stamps. A stalled computer stamps late and
 * then catches up; a lost message is never caught up. So a gap is judged a few messages later, by what all of them
 * together are late.
 */

/** A gap longer than a period by this share of one is looked at. */
const OPENS_PERIODS = 0.4;
/** So many messages are given to catch up. */
const LOOK_AHEAD = 5;
/** What is then still missing, in periods, counts as lost. */
const LOST_PERIODS = 0.75;

export class GapEstimate {
  readonly #rateHz: number;
  #newestNs: bigint | undefined;
  #latePeriods = 0;
  /** Messages to come until the open gap is judged; 0 when none is open. */
  #left = 0;

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  /** @returns messages found missing now, from a gap a few messages ago; stamps that do not rise count nothing */
  next(stampNs: bigint): number {
    const beforeNs = this.#newestNs;
    if (beforeNs !== undefined && stampNs <= beforeNs) return 0;
    this.#newestNs = stampNs;
    if (beforeNs === undefined) return 0;
    const late = (Number(stampNs - beforeNs) * this.#rateHz) / 1e9 - 1;
    if (this.#left === 0) {
      if (late < OPENS_PERIODS) return 0;
      this.#latePeriods = late;
      this.#left = LOOK_AHEAD;
      return 0;
    }
    this.#latePeriods += late;
    return --this.#left === 0 ? this.#judge() : 0;
  }

  /** The same for a source that has ended: an open gap is judged by what has come. */
  end(): number {
    return this.#left === 0 ? 0 : this.#judge();
  }

  #judge(): number {
    this.#left = 0;
    return this.#latePeriods < LOST_PERIODS ? 0 : Math.max(1, Math.round(this.#latePeriods));
  }
}
