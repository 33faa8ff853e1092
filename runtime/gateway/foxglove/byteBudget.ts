/** How many bytes a second may go through; half a second's worth at once. */
export class ByteBudget {
  readonly #bytesPerMs: number;
  readonly #bytesMax: number;
  #left: number;
  #lastMs: number | undefined;

  constructor(bytesPerS: number) {
    this.#bytesPerMs = bytesPerS / 1000;
    this.#bytesMax = bytesPerS / 2;
    this.#left = this.#bytesMax;
  }

  /** True, and counted, when so many more are within it. @param nowMs monotonic */
  take(bytes: number, nowMs: number): boolean {
    const passedMs = this.#lastMs === undefined ? 0 : Math.max(0, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#left = Math.min(this.#bytesMax, this.#left + passedMs * this.#bytesPerMs);
    if (this.#left < bytes) return false;
    this.#left -= bytes;
    return true;
  }
}
