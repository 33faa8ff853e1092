/** Lateness of a servo's ticks between two moments, from the counts since its start. */

import { percentileOfCounts } from "../../core/histogram.js";
import type { ServoStatistics } from "./api.js";

/** Lateness of servo ticks [µs]. */
export interface Lateness {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

type Counted = Pick<ServoStatistics, "ticks" | "counts" | "bucketsUs" | "latenessUs">;

/** Of the ticks between two moments, from the difference of their counts. */
export function latenessBetween(before: Pick<Counted, "counts">, after: Omit<Counted, "ticks">): Lateness {
  const counts = after.counts.map((count, bucket) => count - (before.counts[bucket] ?? 0));
  // The largest is known since the start only; where it lies outside of what was added here, the bucket's edge is.
  const last = counts.findLastIndex((count) => count > 0);
  const edgeUs = after.bucketsUs[last] ?? 0;
  const max = Math.min(after.latenessUs.max, edgeUs);
  const at = (share: number) => percentileOfCounts(after.bucketsUs, counts, share, max);
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max };
}

/** Of the last few statistics that were asked for, so that what is shown is what happens now. */
export class LatenessWindow {
  readonly #kept: Counted[] = [];

  /** @param length statistics that it reaches back */
  constructor(readonly length: number) {}

  add(statistics: Counted): Lateness {
    // A servo process that was started again counts from zero.
    if ((this.#kept.at(-1)?.ticks ?? 0) > statistics.ticks) this.#kept.length = 0;
    const lateness = latenessBetween(this.#kept[0] ?? { counts: [] }, statistics);
    this.#kept.push(statistics);
    if (this.#kept.length > this.length) this.#kept.shift();
    return lateness;
  }
}
