/**
 * How long each finger has been silent. Time in which nobody looked counts for one period at most: frames that came
 * meanwhile still wait in the kernel, and a thread that was held up must not take them for missing. Who looks often
 * notices a finger's silence in time; that nobody looked for long is a fault of its own, which the driver tells.
 */
import { FINGERS } from "../../kinematics/allegro/hand.js";

export class FingerWatch {
  readonly #periodMs: number;
  readonly #silenceMsMax: number;
  readonly #silentMs = new Float64Array(FINGERS.length);
  #lookedMs = 0;

  /** @param periodsMax how many periods a finger may be silent */
  constructor(periodMs: number, periodsMax: number) {
    this.#periodMs = periodMs;
    this.#silenceMsMax = periodsMax * periodMs;
  }

  start(nowMs: number): void {
    this.#lookedMs = nowMs;
    this.#silentMs.fill(0);
  }

  /** @param finger 0 index, 1 middle, 2 ring, 3 thumb */
  heard(finger: number, nowMs: number): void {
    this.#pass(nowMs);
    this.#silentMs[finger] = 0;
  }

  /** The finger that has been silent for longer than allowed, the longest of them; -1 for none. */
  look(nowMs: number): number {
    this.#pass(nowMs);
    let silent = -1;
    let longestMs = this.#silenceMsMax;
    for (let finger = 0; finger < FINGERS.length; finger++) {
      const silentMs = this.#silentMs[finger]!;
      if (!(silentMs > longestMs)) continue;
      longestMs = silentMs;
      silent = finger;
    }
    return silent;
  }

  silentMs(finger: number): number {
    return this.#silentMs[finger]!;
  }

  #pass(nowMs: number): void {
    const passedMs = Math.min(nowMs - this.#lookedMs, this.#periodMs);
    this.#lookedMs = nowMs;
    for (let finger = 0; finger < FINGERS.length; finger++) this.#silentMs[finger]! += passedMs;
  }
}
