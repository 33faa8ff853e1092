/**
 * The sending side's description: all of it at once, then one chunk after the other, over and over, so that a receiver that
 * starts later, or missed one, knows it within four to five tenths of a second.
 */

/** Between two chunks [ms]; the vendor's pace. */
export const DESCRIPTION_PERIOD_MS = 100;

export class DescriptionCycle {
  #next = 0;
  #sentMs = Number.NaN;

  constructor(readonly chunks: readonly Buffer[]) {}

  /** What is to be sent before a message now: everything at first, then one chunk each 100 ms, else nothing. */
  due(nowMs: number): readonly Buffer[] {
    if (Number.isNaN(this.#sentMs)) {
      this.#sentMs = nowMs;
      return this.chunks;
    }
    if (nowMs - this.#sentMs < DESCRIPTION_PERIOD_MS) return NOTHING;
    this.#sentMs = nowMs;
    const chunk = this.chunks[this.#next]!;
    this.#next = (this.#next + 1) % this.chunks.length;
    return [chunk];
  }

  /** Everything at once the next time, as at the start. */
  restart(): void {
    this.#sentMs = Number.NaN;
    this.#next = 0;
  }
}

const NOTHING: readonly Buffer[] = [];
