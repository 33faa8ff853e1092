/**
 * One tick of motion: interpolator and limiter together, without device, clock or lease. The servo asks for the next
 * setpoint, offers it to the driver, and says whether it left: a setpoint that did not leave is asked for again.
 */
import { REASON_BITS } from "./api.js";
import { GoalShaper } from "./goalShaper.js";
import { Interpolator } from "./interpolator.js";
import { Limiter } from "./limiter.js";
import type { LimiterLimits } from "./limits.js";
import { type MovingBody, Zones } from "./zones.js";

/** Speeds are led to this share of the tool's limit: joints that reverse at different times add up to a little more. */
const TOOL_SPEED_SHARE = 0.9;
const SLOWER_PASSES = 2;
/** After so many setpoints that did not leave, the arm has come to rest at the last one that did. */
export const UNSENT_TICKS_TO_REST = 5;

export class Motion {
  /** Newest setpoint that `next` gave [rad]. */
  readonly limitedRad: Float64Array;
  /** Newest setpoint that left for the device [rad], and its finite differences. */
  readonly sentRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly accelerationRadPerS2: Float64Array;
  /** Why the last `next` differs from what the target asks for; bits of `REASON_BITS`. */
  reasons = 0;
  readonly #interpolator: Interpolator;
  readonly #shaper: GoalShaper;
  readonly #limiter: Limiter;
  readonly #periodS: number;
  readonly #goalRad: Float64Array;
  #goalReasons = 0;
  #cutReasons = 0;
  #isStreamed = false;
  #unsentTicks = 0;

  constructor(limits: LimiterLimits, body: MovingBody, periodS: number) {
    const joints = limits.jointNames.length;
    const zones = new Zones(body, limits);
    this.#interpolator = new Interpolator(limits, periodS);
    this.#shaper = new GoalShaper(limits, zones);
    this.#limiter = new Limiter(limits, zones, periodS);
    this.#periodS = periodS;
    this.sentRad = new Float64Array(joints);
    this.velocityRadPerS = new Float64Array(joints);
    this.accelerationRadPerS2 = new Float64Array(joints);
    this.#goalRad = new Float64Array(joints);
    this.limitedRad = new Float64Array(joints);
  }

  get atRest(): boolean {
    return this.#interpolator.atRest;
  }

  /** Why the last `next` was cut on its way out; plans are made so that this never happens. */
  get cutReasons(): number {
    return this.#cutReasons;
  }

  /** The last setpoint given is the one that a stream asked for, bit for bit. */
  get isStreamed(): boolean {
    return this.#isStreamed;
  }

  get follows(): boolean {
    return this.#interpolator.follows;
  }

  /** Stands at a measured position; the next setpoint equals it. */
  startAt(positionRad: Float64Array): void {
    this.#interpolator.reset(positionRad);
    this.#limiter.startAt(positionRad);
    this.limitedRad.set(positionRad);
    this.sentRad.set(positionRad);
    this.velocityRadPerS.fill(0);
    this.accelerationRadPerS2.fill(0);
    this.#goalReasons = 0;
    this.#unsentTicks = 0;
  }

  /** @param positionRad finite, one per joint */
  follow(positionRad: Float64Array, speedScale: number, nowMs: number): void {
    this.#goalReasons = this.#shaper.shape(this.#interpolator.positionRad, positionRad, this.#goalRad);
    this.#interpolator.follow(this.#goalRad, speedScale, nowMs);
  }

  /** Brakes within the limits and stays. */
  hold(): void {
    this.#goalReasons = 0;
    this.#interpolator.hold();
  }

  /** The next setpoint; the same buffer every time. */
  next(): Float64Array {
    const { nextRad, leadsToRadPerS } = this.#interpolator;
    let reasons = this.#goalReasons;
    this.#isStreamed = false;
    this.#interpolator.plan();
    if (this.#interpolator.follows) {
      for (let pass = 0; pass < SLOWER_PASSES; pass++) {
        if (!this.#limiter.toolIsTooFast(nextRad, leadsToRadPerS, TOOL_SPEED_SHARE)) break;
        this.#interpolator.planSlower(this.#limiter.toolSpeedShare);
        reasons |= REASON_BITS.toolSpeed;
      }
      const rejected = this.#limiter.reject(this.#interpolator);
      if (rejected !== 0) {
        this.#interpolator.planBrake();
        reasons |= rejected;
      }
    }
    this.#check(reasons);
    return this.limitedRad;
  }

  /**
   * The next setpoint when a stream asks for one: that very setpoint (`isStreamed`), or else the next one of braking to
   * rest; `reasons` then say why. It passes under the rules that planned motion obeys: it continues what was sent,
   * within velocity, acceleration and jerk; from it, braking to rest is judged good; and the last check has nothing to
   * cut. A tick that only brakes as the servo would needs no judged way of its own: it is on one already.
   * @param positionRad, accelerationRadPerS2 at the end of the tick, one per joint
   */
  nextSetpoint(positionRad: Float64Array, accelerationRadPerS2: Float64Array): Float64Array {
    const plan = this.#interpolator;
    this.hold();
    plan.planBrake();
    const brakes = plan.isPlanned(positionRad, accelerationRadPerS2);
    let rejected = plan.planSetpoint(positionRad, accelerationRadPerS2);
    if (rejected === 0 && !brakes) rejected = this.#limiter.reject(plan, true);
    if (rejected === 0) {
      rejected = this.#check(0);
      this.#isStreamed = rejected === 0;
      if (this.#isStreamed) return this.limitedRad;
    }
    this.#isStreamed = false;
    plan.planBrake();
    this.#check(rejected);
    return this.limitedRad;
  }

  /** The last check of the plan. @param reasons why the plan differs from what was asked for */
  #check(reasons: number): number {
    this.#cutReasons = this.#limiter.check(
      this.sentRad,
      this.velocityRadPerS,
      this.accelerationRadPerS2,
      this.#interpolator.nextRad,
      this.limitedRad,
    );
    this.reasons = reasons | this.#cutReasons;
    return this.#cutReasons;
  }

  /** The setpoint of `next` left for the device. */
  accept(): void {
    this.#unsentTicks = 0;
    if (this.#cutReasons === 0) this.#interpolator.commit();
    else this.#interpolator.commitInstead(this.limitedRad);
    for (let joint = 0; joint < this.sentRad.length; joint++) {
      const velocity = (this.limitedRad[joint]! - this.sentRad[joint]!) / this.#periodS;
      // A step that had to be cut says nothing about the acceleration from which the next one starts.
      this.accelerationRadPerS2[joint] =
        this.#cutReasons === 0 ? (velocity - this.velocityRadPerS[joint]!) / this.#periodS : 0;
      this.velocityRadPerS[joint] = velocity;
      this.sentRad[joint] = this.limitedRad[joint]!;
    }
  }

  /** `ticks` setpoints did not leave: motion does not advance, and ends when that lasts. */
  skip(ticks: number): void {
    this.#unsentTicks += ticks;
    if (this.#unsentTicks < UNSENT_TICKS_TO_REST || this.#interpolator.atRest) return;
    this.#interpolator.standStill();
    this.velocityRadPerS.fill(0);
    this.accelerationRadPerS2.fill(0);
  }
}
