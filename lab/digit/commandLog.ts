/**
 * The low-level commands that reached the emulated Digit, each with its moment, in columns: at a thousand a second one
 * object each would keep the collector busy. Bounded; the oldest goes first.
 */
import type { DriveEffect } from "./motorLog.js";

export interface CommandRecord {
  /** Rises by one with each command since the start; `clear` does not reset it. */
  readonly index: number;
  /** When it reached the robot, the robot's clock [ms]. */
  readonly atMs: number;
  readonly apply: boolean;
  readonly fallback: number;
  readonly effect: DriveEffect;
  /** Largest torque in it [N m], before the robot's own limits. */
  readonly torquePeakNm: number;
}

/** Four minutes at 1 kHz: a power of two. */
const RECORDS_MAX = 2 ** 18;
const EFFECTS: readonly DriveEffect[] = ["limp", "damping", "driven"];

export class CommandLog {
  readonly #atMs = new Float64Array(RECORDS_MAX);
  readonly #torquePeakNm = new Float32Array(RECORDS_MAX);
  /** Two bits of effect, two of fallback, one of apply. */
  readonly #word = new Uint8Array(RECORDS_MAX);
  #next = 0;
  #first = 0;
  /** Longest time between two commands since the last `clear` [ms]. */
  gapMsMax = 0;

  /** Index that the next record will have. */
  get nextIndex(): number {
    return this.#next;
  }

  /** When the newest came [ms]; `-Infinity` before the first. */
  get lastMs(): number {
    return this.#next === 0 ? Number.NEGATIVE_INFINITY : this.#atMs[(this.#next - 1) % RECORDS_MAX]!;
  }

  note(atMs: number, apply: boolean, fallback: number, effect: DriveEffect, torquePeakNm: number): void {
    if (this.#next > this.#first) this.gapMsMax = Math.max(this.gapMsMax, atMs - this.lastMs);
    const at = this.#next % RECORDS_MAX;
    this.#atMs[at] = atMs;
    this.#torquePeakNm[at] = torquePeakNm;
    this.#word[at] = EFFECTS.indexOf(effect) | ((fallback & 3) << 2) | (apply ? 16 : 0);
    this.#next++;
    this.#first = Math.max(this.#first, this.#next - RECORDS_MAX);
  }

  /** Records from this index on, as far as they are kept. */
  since(index: number): CommandRecord[] {
    const from = Math.max(index, this.#first);
    return Array.from({ length: Math.max(0, this.#next - from) }, (_, offset) => this.#record(from + offset));
  }

  clear(): void {
    this.#first = this.#next;
    this.gapMsMax = 0;
  }

  #record(index: number): CommandRecord {
    const at = index % RECORDS_MAX;
    const word = this.#word[at]!;
    return {
      index,
      atMs: this.#atMs[at]!,
      apply: (word & 16) !== 0,
      fallback: (word >> 2) & 3,
      effect: EFFECTS[word & 3]!,
      torquePeakNm: this.#torquePeakNm[at]!,
    };
  }
}
