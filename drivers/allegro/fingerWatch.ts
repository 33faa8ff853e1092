/**
 * Whether the hand's stream still flows: how long each finger has been silent, and how long no set was complete. Two
 * clocks tell a finger's silence:
 *
 * - This computer's. Time in which nobody looked counts for one period at most: frames that came meanwhile wait to be
 *   read, and a thread that was held up must not take them for missing. Who looks often notices silence in time; that
 *   nobody looked for long is a fault of its own, which the driver tells.
 * - The hand's. Each finger comes once a period, so the frames of another finger count periods, however late all of them
 *   are read: after a pause this tells a lost finger by the first frames, and no finger for a pause.
 */
import { FINGERS } from "../../kinematics/allegro/hand.js";
import type { Fault } from "../contract.js";
import { fingerFault, handFault } from "./faults.js";

const COUNT = FINGERS.length;

export class FingerWatch {
  readonly #periodMs: number;
  readonly #periodsMax: number;
  readonly #silentMs = new Float64Array(COUNT);
  /** How often each finger (column) has come since one (row) came last. */
  readonly #passedBy = new Uint32Array(COUNT * COUNT);
  #newest = -1;
  #setlessMs = 0;
  #lookedMs = 0;

  /** @param periodsMax how many periods a finger may be silent; without a complete set it may be twice as many */
  constructor(periodMs: number, periodsMax: number) {
    this.#periodMs = periodMs;
    this.#periodsMax = periodsMax;
  }

  start(nowMs: number): void {
    this.#lookedMs = nowMs;
    this.#silentMs.fill(0);
    this.#passedBy.fill(0);
    this.#newest = -1;
    this.#setlessMs = 0;
  }

  /** @param finger 0 index, 1 middle, 2 ring, 3 thumb */
  heard(finger: number, nowMs: number): void {
    this.#pass(nowMs);
    this.#silentMs[finger] = 0;
    this.#passedBy.fill(0, COUNT * finger, COUNT * (finger + 1));
    // A copy of a frame follows it and is no period of its own.
    if (finger === this.#newest) return;
    this.#newest = finger;
    for (let silent = 0; silent < COUNT; silent++)
      if (silent !== finger) this.#passedBy[COUNT * silent + finger]!++;
  }

  /** Fingers that are lost in turn are none of them silent for long, and yet no torque is renewed. */
  setCame(nowMs: number): void {
    this.#pass(nowMs);
    this.#setlessMs = 0;
  }

  /** What has been silent for longer than allowed, of fingers the longest; undefined when nothing has. */
  look(nowMs: number): Fault | undefined {
    this.#pass(nowMs);
    const silenceMsMax = this.#periodsMax * this.#periodMs;
    let silent = -1;
    let longestMs = silenceMsMax;
    for (let finger = 0; finger < COUNT; finger++) {
      const silentMs = this.#silenceOf(finger);
      if (!(silentMs > longestMs)) continue;
      longestMs = silentMs;
      silent = finger;
    }
    if (silent >= 0) return fingerFault(silent, longestMs);
    if (this.#setlessMs > 2 * silenceMsMax)
      return handFault("SETS_INCOMPLETE", `${this.#setlessMs.toFixed(1)} ms`);
    return undefined;
  }

  /** By the clock that says more [ms]. */
  #silenceOf(finger: number): number {
    let periods = 0;
    for (let other = 0; other < COUNT; other++)
      periods = Math.max(periods, this.#passedBy[COUNT * finger + other]!);
    return Math.max(this.#silentMs[finger]!, periods * this.#periodMs);
  }

  #pass(nowMs: number): void {
    const passedMs = Math.min(nowMs - this.#lookedMs, this.#periodMs);
    this.#lookedMs = nowMs;
    this.#setlessMs += passedMs;
    for (let finger = 0; finger < COUNT; finger++) this.#silentMs[finger]! += passedMs;
  }
}
