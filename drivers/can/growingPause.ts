/** Pauses between tries that double up to a limit, so that what does not come back costs little. */
export class GrowingPause {
  readonly #minMs: number;
  readonly #maxMs: number;
  #ms: number;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#ms = minMs;
  }

  /** The pause before the try that comes now [ms]; the next will be longer. */
  next(): number {
    const ms = this.#ms;
    this.#ms = Math.min(2 * ms, this.#maxMs);
    return ms;
  }

  /** It worked: the next trouble is a new one. */
  reset(): void {
    this.#ms = this.#minMs;
  }
}
