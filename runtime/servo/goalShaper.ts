/**
 * Moves a target to where it may be, once per command. A target is advice: whatever comes out of here, the limiter
 * judges every tick of the way there. Joint angles [rad].
 */
import { REASON_BITS } from "./api.js";
import type { LimiterLimits } from "./limits.js";
import { LOSS, type Zones } from "./zones.js";

const SLACK_RAD = 1e-4;
/** The way to a target is looked at in so many places, and the first bad one is closed in on so often. */
const LOOKS = 8;
const SEARCH_STEPS = 14;

export class GoalShaper {
  readonly #zones: Zones;
  readonly #minRad: Float64Array;
  readonly #maxRad: Float64Array;
  readonly #trialRad: Float64Array;
  /** Of the way to the target, for `#reasonsOnTheWay`: a field, because an argument may become an object on the heap. */
  #share = Number.NaN;

  constructor(limits: LimiterLimits, zones: Zones) {
    this.#zones = zones;
    this.#minRad = Float64Array.from(limits.positionMinRad);
    this.#maxRad = Float64Array.from(limits.positionMaxRad);
    this.#trialRad = new Float64Array(limits.positionMinRad.length);
  }

  /**
   * Joint limits are applied joint by joint, because one joint that pushes against its limit must not freeze the
   * others; a zone shortens the whole way from `fromRad`.
   * @param outRad may not be `goalRad`
   * @returns reason bits
   */
  shape(fromRad: Float64Array, goalRad: ArrayLike<number>, outRad: Float64Array): number {
    let reasons = 0;
    for (let joint = 0; joint < outRad.length; joint++) {
      const goal = goalRad[joint]!;
      // Who starts outside of a limit may stay where he is or come back, but not go further.
      const from = fromRad[joint]!;
      const min = from < this.#minRad[joint]! - SLACK_RAD ? from : this.#minRad[joint]!;
      const max = from > this.#maxRad[joint]! + SLACK_RAD ? from : this.#maxRad[joint]!;
      outRad[joint] = Math.min(max, Math.max(min, goal));
      if (outRad[joint] !== goal) reasons |= REASON_BITS.positionLimit;
    }
    return reasons | this.#shorten(fromRad, outRad);
  }

  #shorten(fromRad: Float64Array, outRad: Float64Array): number {
    for (let look = 1; look <= LOOKS; look++) {
      this.#share = look / LOOKS;
      const reasons = this.#reasonsOnTheWay(fromRad, outRad);
      if (reasons === 0) continue;
      let good = (look - 1) / LOOKS;
      let bad = look / LOOKS;
      for (let step = 0; step < SEARCH_STEPS; step++) {
        this.#share = (good + bad) / 2;
        if (this.#reasonsOnTheWay(fromRad, outRad) === 0) good = this.#share;
        else bad = this.#share;
      }
      for (let joint = 0; joint < outRad.length; joint++)
        outRad[joint] = fromRad[joint]! + good * (outRad[joint]! - fromRad[joint]!);
      return reasons;
    }
    return 0;
  }

  #reasonsOnTheWay(fromRad: Float64Array, goalRad: Float64Array): number {
    const share = this.#share;
    for (let joint = 0; joint < goalRad.length; joint++)
      this.#trialRad[joint] = fromRad[joint]! + share * (goalRad[joint]! - fromRad[joint]!);
    return this.#zones.reasonsAt(this.#trialRad, LOSS.target);
  }
}
