/**
 * The last judge before the driver. Three checks, in the order in which they act:
 *   `shapeGoal`   once per command: a target is moved to where it may be (joint limits, workspace, table);
 *   `restIsInside` and `toolIsTooFast` every tick on the planned motion: would braking from here end inside, and does
 *                 it lead to too fast a tool? The answer makes the interpolator brake or slow down within its limits;
 *   `check`       every tick on what is about to be sent: a final bound that scales the whole step, never a part of it,
 *                 so that the direction is kept. It passes everything that the first two have shaped.
 * It never amplifies a step. A tool point that is outside of the workspace may move only where it does not get further
 * out. Lengths [m], angles [rad], base frame.
 *
 * Nothing allocates after construction: what private functions find out they leave in fields, because a number that a
 * function returns may become an object on the heap.
 */
import type { ArmLimits } from "../../core/arm.js";
import { REASON_BITS } from "./api.js";
import type { ServoConfig } from "./config.js";
import { restOffset } from "./jerkLimited.js";

/** Tool point in the base frame [m] for joint angles [rad]; must not allocate. */
export type ToolPoint = (positionRad: Float64Array, out: Float64Array) => void;

/** Rounding of sums over many ticks is not a violation. */
const SLACK = 1e-3;
const SLACK_RAD = 1e-4;
const SLACK_M = 1e-5;
const ROUNDING_M = 1e-12;
const SEARCH_STEPS = 30;

/** Limits in force; position limits have their margin taken off already. */
export interface LimiterLimits extends ArmLimits {
  readonly workspace: ServoConfig["workspace"];
}

export class Limiter {
  readonly #limits: LimiterLimits;
  readonly #toolPoint: ToolPoint;
  readonly #periodS: number;
  readonly #minRad: Float64Array;
  readonly #maxRad: Float64Array;
  readonly #trialRad: Float64Array;
  readonly #toolM = new Float64Array(3);
  readonly #otherToolM = new Float64Array(3);
  /** What `toolIsTooFast` has found: the share (at most 1) of the speeds that keeps the tool below its limit. */
  toolSpeedShare = Number.NaN;
  /** What `#measureDistance`, `#measureOutside` and `#measureAllowed` have found. */
  #distanceM = Number.NaN;
  #outsideM = Number.NaN;
  #allowedM = Number.NaN;

  constructor(limits: LimiterLimits, toolPoint: ToolPoint, periodS: number) {
    this.#limits = limits;
    this.#toolPoint = toolPoint;
    this.#periodS = periodS;
    this.#minRad = Float64Array.from(limits.positionMinRad);
    this.#maxRad = Float64Array.from(limits.positionMaxRad);
    this.#trialRad = new Float64Array(limits.positionMinRad.length);
  }

  /**
   * Where a target may be. Joint limits are applied joint by joint, because one joint that pushes against its limit
   * must not freeze the others; the workspace shortens the whole way from `fromRad`.
   * @param outRad may not be `goalRad`
   * @returns reason bits
   */
  shapeGoal(fromRad: Float64Array, goalRad: ArrayLike<number>, outRad: Float64Array): number {
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
    this.#measureAllowed(fromRad, SLACK_M);
    if (!this.#isFurtherOut(outRad)) return reasons;
    reasons |= this.#workspaceReason();
    let inside = 0;
    let outside = 1;
    for (let step = 0; step < SEARCH_STEPS; step++) {
      const share = (inside + outside) / 2;
      for (let joint = 0; joint < outRad.length; joint++)
        this.#trialRad[joint] = fromRad[joint]! + share * (outRad[joint]! - fromRad[joint]!);
      if (this.#isFurtherOut(this.#trialRad)) outside = share;
      else inside = share;
    }
    for (let joint = 0; joint < outRad.length; joint++)
      outRad[joint] = fromRad[joint]! + inside * (outRad[joint]! - fromRad[joint]!);
    return reasons;
  }

  /** 0 when braking after the planned tick ends in the workspace, or no further outside than now; else reason bits. */
  restIsInside(nowRad: Float64Array, restRad: Float64Array): number {
    this.#measureAllowed(nowRad, 2 * SLACK_M);
    return this.#isFurtherOut(restRad) ? this.#workspaceReason() : 0;
  }

  /** Finds the `toolSpeedShare` of the given joint speeds for `limitShare` of the limit; true when it is below 1. */
  toolIsTooFast(atRad: Float64Array, velocityRadPerS: Float64Array, limitShare: number): boolean {
    for (let joint = 0; joint < atRad.length; joint++)
      this.#trialRad[joint] = atRad[joint]! + velocityRadPerS[joint]! * this.#periodS;
    this.#measureDistance(atRad, this.#trialRad);
    const speed = this.#distanceM / this.#periodS;
    const most = this.#limits.toolSpeedMaxMPerS * limitShare;
    this.toolSpeedShare = speed > most ? most / speed : 1;
    return speed > most;
  }

  /**
   * Bounds the step from the last sent position to `wantedRad`.
   * @param velocityRadPerS, accelerationRadPerS2 of the steps before, by finite differences
   * @param outRad what may be sent
   * @returns reason bits, 0 when `outRad` equals `wantedRad`
   */
  check(
    lastRad: Float64Array,
    velocityRadPerS: Float64Array,
    accelerationRadPerS2: Float64Array,
    wantedRad: Float64Array,
    outRad: Float64Array,
  ): number {
    const T = this.#periodS;
    let share = 1;
    let reasons = 0;
    for (let joint = 0; joint < wantedRad.length; joint++) {
      const step = wantedRad[joint]! - lastRad[joint]!;
      if (!Number.isFinite(step)) {
        outRad.set(lastRad);
        return REASON_BITS.velocity;
      }
      if (step === 0) continue;
      const most = this.#limits.velocityMaxRadPerS[joint]! * T * (1 + SLACK);
      if (Math.abs(step) > most) {
        share = Math.min(share, most / Math.abs(step));
        reasons |= REASON_BITS.velocity;
      }
      // Only the side towards which the step goes can be mended by making the step shorter.
      const sign = Math.sign(step);
      const v = velocityRadPerS[joint]! * sign;
      const fastest = v + this.#limits.accelerationMaxRadPerS2[joint]! * T * (1 + SLACK);
      const byAcceleration = Math.max(0, fastest * T) / Math.abs(step);
      if (byAcceleration < 1) {
        share = Math.min(share, byAcceleration);
        reasons |= REASON_BITS.acceleration;
      }
      const a = accelerationRadPerS2[joint]! * sign;
      const hardest = a + this.#limits.jerkMaxRadPerS3[joint]! * T * (1 + 10 * SLACK);
      const byJerk = Math.max(0, (v + hardest * T) * T) / Math.abs(step);
      if (byJerk < 1) {
        share = Math.min(share, byJerk);
        reasons |= REASON_BITS.jerk;
      }
      const room = sign > 0 ? this.#maxRad[joint]! - lastRad[joint]! : lastRad[joint]! - this.#minRad[joint]!;
      const byRoom = this.#shareWithRoom(joint, Math.abs(step), v, room + SLACK_RAD);
      if (byRoom < 1) {
        share = Math.min(share, byRoom);
        reasons |= REASON_BITS.positionLimit;
      }
    }
    for (let joint = 0; joint < wantedRad.length; joint++)
      outRad[joint] =
        share === 1 ? wantedRad[joint]! : lastRad[joint]! + share * (wantedRad[joint]! - lastRad[joint]!);
    return reasons | this.#checkTool(lastRad, outRad);
  }

  /** Shortens the step for the tool's speed; takes it back altogether when it leads (further) out of the workspace. */
  #checkTool(lastRad: Float64Array, outRad: Float64Array): number {
    let reasons = 0;
    this.#measureDistance(lastRad, outRad);
    const movedM = this.#distanceM;
    const mostM = this.#limits.toolSpeedMaxMPerS * this.#periodS;
    if (movedM > mostM) {
      const share = mostM / movedM;
      for (let joint = 0; joint < outRad.length; joint++)
        outRad[joint] = lastRad[joint]! + share * (outRad[joint]! - lastRad[joint]!);
      reasons |= REASON_BITS.toolSpeed;
    }
    this.#measureAllowed(lastRad, 3 * SLACK_M);
    if (this.#isFurtherOut(outRad)) {
      reasons |= this.#workspaceReason();
      outRad.set(lastRad);
    }
    return reasons;
  }

  /** Share of a step after which the joint can still brake before its limit; 0 when none is. */
  #shareWithRoom(joint: number, step: number, velocity: number, room: number): number {
    if (this.#restOfStep(joint, step, velocity) <= room) return 1;
    if (room <= 0) return 0;
    let good = 0;
    let bad = 1;
    for (let i = 0; i < SEARCH_STEPS; i++) {
      const share = (good + bad) / 2;
      if (this.#restOfStep(joint, share * step, velocity) <= room) good = share;
      else bad = share;
    }
    return good;
  }

  /** Way until rest when this tick moves by `step` after a tick at `velocity`, both in the direction of the limit. */
  #restOfStep(joint: number, step: number, velocity: number): number {
    const T = this.#periodS;
    const speed = step / T;
    const accelerationMax = this.#limits.accelerationMaxRadPerS2[joint]!;
    const acceleration = Math.min(accelerationMax, Math.max(-accelerationMax, (speed - velocity) / T));
    const rest = restOffset(speed, acceleration, accelerationMax, this.#limits.jerkMaxRadPerS3[joint]!);
    return step + Math.max(0, rest);
  }

  #measureDistance(oneRad: Float64Array, otherRad: Float64Array): void {
    this.#toolPoint(oneRad, this.#toolM);
    this.#toolPoint(otherRad, this.#otherToolM);
    const x = this.#toolM[0]! - this.#otherToolM[0]!;
    const y = this.#toolM[1]! - this.#otherToolM[1]!;
    const z = this.#toolM[2]! - this.#otherToolM[2]!;
    this.#distanceM = Math.sqrt(x * x + y * y + z * z);
  }

  /** How far the tool point is out of the box or below the table's margin [m]; 0 inside. Leaves it in `#toolM`. */
  #measureOutside(positionRad: Float64Array): void {
    this.#toolPoint(positionRad, this.#toolM);
    const { minM, maxM } = this.#limits.workspace;
    let outsideM = Math.max(0, this.#floorM() - this.#toolM[2]!);
    for (let axis = 0; axis < 3; axis++)
      outsideM = Math.max(outsideM, minM[axis]! - this.#toolM[axis]!, this.#toolM[axis]! - maxM[axis]!);
    this.#outsideM = outsideM;
  }

  /** How far outside the next position may be: as now, or the slack, never their sum, which would creep outwards. */
  #measureAllowed(nowRad: Float64Array, slackM: number): void {
    this.#measureOutside(nowRad);
    this.#allowedM = Math.max(this.#outsideM, slackM) + ROUNDING_M;
  }

  /** Than allowed, by the last `#measureAllowed`. A position that is not finite counts as out. */
  #isFurtherOut(positionRad: Float64Array): boolean {
    this.#measureOutside(positionRad);
    return !(this.#outsideM <= this.#allowedM);
  }

  /** For the tool point that `#measureOutside` has just looked at. */
  #workspaceReason(): number {
    return this.#toolM[2]! < this.#floorM() ? REASON_BITS.tablePlane : REASON_BITS.workspace;
  }

  #floorM(): number {
    return this.#limits.workspace.tableM + this.#limits.workspace.tableMarginM;
  }
}
