/** How much of something may go through: so much at once, so much a second after. */

export class RateLimit {
  readonly #perMs: number;
  readonly #burst: number;
  #left: number;
  #lastMs: number | undefined;

  constructor(perS: number, burst: number) {
    this.#perMs = perS / 1000;
    this.#burst = burst;
    this.#left = burst;
  }

  /** True, and counted, when so much more is within the limit. @param nowMs monotonic */
  take(nowMs: number, amount = 1): boolean {
    const passedMs = this.#lastMs === undefined ? 0 : Math.max(0, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#left = Math.min(this.#burst, this.#left + passedMs * this.#perMs);
    if (this.#left < amount) return false;
    this.#left -= amount;
    return true;
  }
}
