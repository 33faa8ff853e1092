/**
 * How far apart two poses are: by the source's own clock, which says it better than their arrival does, unless it runs
 * away from ours.
 */

/** Longest time that a step may make up for [ms]: whoever is silent for longer has let go. */
export const PERIOD_MS_MAX = 100;
/** Poses closer together than this are one [ms]. */
const PERIOD_MS_MIN = 1;
/** Clocks of source and receiver may differ by so much within an engagement before the receiver's counts [ms]. */
const CLOCK_MS_MAX = 50;

export class PoseTimes {
  #lastMs = 0;
  #lastMeasuredMs = Number.NaN;
  /** How far the source's clock is ahead of ours since the start. */
  #clockMs = 0;

  /** An engagement begins. @param measuredMs by the source's clock, where it has one */
  start(measuredMs: number | undefined, nowMs: number): void {
    this.#lastMs = nowMs;
    this.#lastMeasuredMs = measuredMs ?? Number.NaN;
    this.#clockMs = 0;
  }

  /** The first pose of an engagement, which may be older than its beginning. */
  first(measuredMs: number | undefined, nowMs: number): void {
    this.start(measuredMs, Math.max(this.#lastMs, nowMs));
  }

  /** Time since the pose before [ms], 0 when this one comes too early to count. */
  next(measuredMs: number | undefined, nowMs: number): number {
    const arrivedMs = nowMs - this.#lastMs;
    const measured = (measuredMs ?? Number.NaN) - this.#lastMeasuredMs;
    const aheadMs = this.#clockMs + measured - arrivedMs;
    const isSane = measured > 0 && measured <= PERIOD_MS_MAX && Math.abs(aheadMs) <= CLOCK_MS_MAX;
    const periodMs = isSane ? measured : arrivedMs;
    if (!(periodMs >= PERIOD_MS_MIN)) return 0;
    this.#clockMs = isSane ? aheadMs : 0;
    this.#lastMs = Math.max(nowMs, this.#lastMs);
    this.#lastMeasuredMs = measuredMs ?? Number.NaN;
    return Math.min(PERIOD_MS_MAX, periodMs);
  }
}
