/**
 * How far a serial line is behind, by its rate: the kernel takes kilobytes at once, and does not tell how many are left.
 * Without this, torques for a hand on a line that is too slow would be older by a third of a second and nobody would know.
 */

/** Start bit, eight bits, stop bit. */
const BITS_PER_BYTE = 10;

export class LineBacklog {
  readonly #bytesPerMs: number;
  #bytes = 0;
  #atMs = 0;

  /** @param baudRate bits per second on the line */
  constructor(baudRate: number) {
    this.#bytesPerMs = baudRate / BITS_PER_BYTE / 1000;
  }

  /** Time until everything written has left [ms]. */
  leftMs(nowMs: number): number {
    this.#bytes = Math.max(0, this.#bytes - Math.max(0, nowMs - this.#atMs) * this.#bytesPerMs);
    this.#atMs = nowMs;
    return this.#bytes / this.#bytesPerMs;
  }

  add(bytes: number, nowMs: number): void {
    this.leftMs(nowMs);
    this.#bytes += bytes;
  }

  clear(): void {
    this.#bytes = 0;
  }
}
