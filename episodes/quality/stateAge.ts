/**
 * Age of a robot's newest device report when a policy step begins, from the stream as it comes. A step is judged once
 * the ticks have passed its beginning, in whatever order the recorder's sources deliver, so the result does not depend
 * on that order.
 */
import { readTickHead } from "./heads.js";
import { Spread, type SpreadMs } from "./spread.js";

export interface AgesAtSteps {
  /** Step's beginning minus receipt (of a state) or stamp (of an image). */
  readonly ms: SpreadMs | null;
  readonly tooOld: number;
  /** Steps for which there was none. */
  readonly missing: number;
}

/** Ticks that are remembered: four seconds at 250 Hz. */
const TICKS_MAX = 1024;
const PENDING_MAX = 256;

export class StateAgeWatch {
  /** Ring of tick times and of the receipt of the report that each shows [ns since origin]. */
  readonly #tickNs = new Float64Array(TICKS_MAX);
  readonly #stateNs = new Float64Array(TICKS_MAX);
  #ticks = 0;
  readonly #pending: number[] = [];
  #originNs: bigint | undefined;
  readonly #ages = new Spread(0);
  #tooOld = 0;
  #missing = 0;

  constructor(readonly ageMsMax: number) {}

  tick(stampNs: bigint, bytes: Uint8Array): void {
    const head = readTickHead(bytes);
    if (head === undefined) return;
    const at = this.#ticks++ % TICKS_MAX;
    this.#tickNs[at] = this.#since(stampNs);
    this.#stateNs[at] = this.#since(head.stateStampNs);
    this.#judge();
  }

  step(stampNs: bigint): void {
    this.#pending.push(this.#since(stampNs));
    this.#judge(this.#pending.length > PENDING_MAX ? 1 : 0);
  }

  /** No more ticks will come. */
  finish(): void {
    this.#judge(this.#pending.length);
  }

  /** Null when no step was seen. */
  summary(): AgesAtSteps | null {
    if (this.#ages.count + this.#missing === 0) return null;
    return { ms: this.#ages.summary(), tooOld: this.#tooOld, missing: this.#missing };
  }

  /** Steps that the newest tick has passed, and `atLeast` in any case. */
  #judge(atLeast = 0): void {
    const newestNs =
      this.#ticks === 0 ? Number.NEGATIVE_INFINITY : this.#tickNs[(this.#ticks - 1) % TICKS_MAX]!;
    for (let n = 0; this.#pending.length > 0 && (n < atLeast || this.#pending[0]! < newestNs); n++) {
      const stepNs = this.#pending.shift()!;
      const stateNs = this.#stateAt(stepNs);
      if (stateNs === undefined) {
        this.#missing++;
        continue;
      }
      this.#ages.add(stepNs - stateNs);
      if (stepNs - stateNs > this.ageMsMax * 1e6) this.#tooOld++;
    }
  }

  #stateAt(stepNs: number): number | undefined {
    for (let tick = this.#ticks - 1; tick >= Math.max(0, this.#ticks - TICKS_MAX); tick--)
      if (this.#tickNs[tick % TICKS_MAX]! <= stepNs) return this.#stateNs[tick % TICKS_MAX]!;
    return undefined;
  }

  #since(ns: bigint): number {
    this.#originNs ??= ns;
    return Number(ns - this.#originNs);
  }
}
