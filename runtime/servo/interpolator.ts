/**
 * Turns targets that come at a policy's rate into a smooth stream at the device's rate, with bounded velocity,
 * acceleration and jerk per joint.
 *
 * Every tick picks the strongest acceleration from which braking still ends on the target, so the target is never
 * passed and can change at any time, from any motion. Stopping at each of a row of targets is avoided by pace: when
 * targets come in a rhythm, each joint cruises at the speed that brings it to the point of braking just after the next
 * target is due. All joints of a target share one travel time, so the direction of the motion is kept.
 *
 * `plan` and `planBrake` compute the next state without taking it: the limiter judges it first. Nothing allocates
 * after construction.
 */
import { invariant } from "../../core/errors.js";
import { REASON_BITS } from "./api.js";
import {
  Axis,
  brakingDistance,
  cruiseSpeed,
  isRest,
  PLANNED_JERK_SHARE,
  restOffset,
  speedThatBrakesWithin,
} from "./jerkLimited.js";

/** Braking begins so much later than the next target is due: room for a target that comes late. */
const RHYTHM_SHARE = 1.15;
/** Targets further apart than this have no rhythm. */
const RHYTHM_MS_MAX = 500;
/** Speeds stay this far below their limit, for the last ticks before a speed is reached. */
const SPEED_SHARE = 0.995;
/** Least cruise speed as a share of the limit, so that whatever is left of a way is travelled. */
const SPEED_SHARE_MIN = 0.02;
/** A scaled limit may be passed by so much [rad] before the unscaled ones are used for braking. */
const REST_TOLERANCE_RAD = 1e-4;
/** A governor's cap is lifted by this factor a tick. */
const GOVERNOR_RELEASE = 1.02;

/** A setpoint from outside lies so near to where its acceleration leads [rad]: rounding, and nothing that an arm feels. */
const SETPOINT_TOLERANCE_RAD = 2e-10;
/** Share of a limit that rounding may add to such a setpoint. */
const SETPOINT_SLACK = 1e-3;
/** Two ticks that end with accelerations this near end within 3e-10 rad. */
const SAME_ACCELERATION_RAD_PER_S2 = 1e-4;

export interface MotionLimits {
  readonly velocityMaxRadPerS: readonly number[];
  readonly accelerationMaxRadPerS2: readonly number[];
  readonly jerkMaxRadPerS3: readonly number[];
}

export class Interpolator {
  /** Present setpoint [rad], its velocity [rad/s] and acceleration [rad/s²]. */
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly accelerationRadPerS2: Float64Array;
  /** The state after the planned tick, and the velocity it leads to [rad/s] once its acceleration is gone. */
  readonly nextRad: Float64Array;
  readonly nextVelocityRadPerS: Float64Array;
  readonly nextAccelerationRadPerS2: Float64Array;
  readonly leadsToRadPerS: Float64Array;

  readonly #periodS: number;
  readonly #limits: MotionLimits;
  readonly #goalRad: Float64Array;
  readonly #distance: Float64Array;
  readonly #cruise: Float64Array;
  readonly #governor: Float64Array;
  /** Share of each joint's acceleration and jerk limits that the present goal uses. */
  readonly #share: Float64Array;
  /** The joint that is planned, in fields instead of arguments. */
  readonly #axis = new Axis();
  #speedScale = 1;
  #follows = false;
  #lastGoalMs = Number.NEGATIVE_INFINITY;

  constructor(limits: MotionLimits, periodS: number) {
    const joints = limits.velocityMaxRadPerS.length;
    invariant(periodS > 0 && joints > 0, "an interpolator has a period and joints");
    this.#limits = limits;
    this.#periodS = periodS;
    const array = () => new Float64Array(joints);
    this.positionRad = array();
    this.velocityRadPerS = array();
    this.accelerationRadPerS2 = array();
    this.nextRad = array();
    this.leadsToRadPerS = array();
    this.nextVelocityRadPerS = array();
    this.nextAccelerationRadPerS2 = array();
    this.#goalRad = array();
    this.#distance = array();
    this.#cruise = array();
    this.#governor = array().fill(Number.POSITIVE_INFINITY);
    this.#share = array().fill(1);
    this.#axis.periodS = periodS;
  }

  get follows(): boolean {
    return this.#follows;
  }

  get atRest(): boolean {
    for (let joint = 0; joint < this.positionRad.length; joint++)
      if (this.velocityRadPerS[joint] !== 0 || this.accelerationRadPerS2[joint] !== 0) return false;
    return true;
  }

  /** Stands still at a position, whatever was before: only where the device stands still there too. */
  reset(positionRad: ArrayLike<number>): void {
    this.positionRad.set(positionRad);
    this.velocityRadPerS.fill(0);
    this.accelerationRadPerS2.fill(0);
    this.#governor.fill(Number.POSITIVE_INFINITY);
    this.hold();
  }

  /** The device has come to rest at the present setpoint; the goal, if any, is pursued from there. */
  standStill(): void {
    this.velocityRadPerS.fill(0);
    this.accelerationRadPerS2.fill(0);
  }

  /** Starts from a motion, for instance one that something else has led. */
  startFrom(positionRad: ArrayLike<number>, velocityRadPerS: ArrayLike<number>): void {
    this.reset(positionRad);
    this.velocityRadPerS.set(velocityRadPerS);
  }

  /** From the next tick on: brake to rest and stay there. */
  hold(): void {
    this.#follows = false;
    this.#lastGoalMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Pursues a target from the next tick on.
   * @param goalRad one per joint, finite
   * @param speedScale 0..1, on all three limits
   * @param nowMs when it came; two that come closely together set the pace
   */
  follow(goalRad: ArrayLike<number>, speedScale: number, nowMs: number): void {
    const sinceMs = nowMs - this.#lastGoalMs;
    this.#lastGoalMs = nowMs;
    const unchanged = this.#follows && speedScale === this.#speedScale && this.#isGoal(goalRad);
    this.#follows = true;
    // A target that is only repeated keeps its pace, or what is left of the way would be stretched again and again.
    if (unchanged) return;
    this.#speedScale = speedScale;
    this.#goalRad.set(goalRad);
    this.#setPace(sinceMs <= RHYTHM_MS_MAX ? (RHYTHM_SHARE * sinceMs) / 1000 : 0);
  }

  /** Computes the next state: towards the goal, or braking when none is pursued. */
  plan(): void {
    if (!this.#follows) {
      this.planBrake();
      return;
    }
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      this.#governor[joint]! *= GOVERNOR_RELEASE;
      this.#planJoint(joint);
    }
  }

  /** Plans the same tick again with every joint's speed led to `share` of what the last plan led to. */
  planSlower(share: number): void {
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      this.#governor[joint] = Math.max(
        Math.abs(this.leadsToRadPerS[joint]!) * share,
        SPEED_SHARE_MIN * this.#limits.velocityMaxRadPerS[joint]! * share,
      );
      this.#planJoint(joint);
    }
  }

  /** Computes the next state of braking to rest within the unscaled limits. */
  planBrake(): void {
    const axis = this.#axis;
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      this.#load(joint, false);
      axis.velocityGoal = 0;
      axis.seekVelocity();
      this.#take(joint, false);
    }
  }

  /**
   * Plans a tick that ends in a given setpoint with a given acceleration: bit for bit in this position, or not at all.
   * Position and acceleration together say the whole motion of the tick, so they must agree with where the tick starts;
   * then jerk, acceleration and velocity are judged, and the velocity that is reached while the acceleration ends.
   * @returns 0, or reason bits, the plan then being void
   */
  planSetpoint(positionRad: Float64Array, accelerationRadPerS2: Float64Array): number {
    const T = this.#periodS;
    const { velocityMaxRadPerS, accelerationMaxRadPerS2, jerkMaxRadPerS3 } = this.#limits;
    let reasons = 0;
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      const axis = this.#axis;
      axis.next = accelerationRadPerS2[joint]!;
      this.#take(joint, false);
      // Written so that not-a-number is no excuse.
      if (!(Math.abs(this.nextRad[joint]! - positionRad[joint]!) <= SETPOINT_TOLERANCE_RAD))
        reasons |= REASON_BITS.jerk;
      const jerk = Math.abs(axis.next - this.accelerationRadPerS2[joint]!) / T;
      if (!(jerk <= jerkMaxRadPerS3[joint]! * (1 + SETPOINT_SLACK))) reasons |= REASON_BITS.jerk;
      if (!(Math.abs(axis.next) <= accelerationMaxRadPerS2[joint]! * (1 + SETPOINT_SLACK)))
        reasons |= REASON_BITS.acceleration;
      const speed = Math.max(
        Math.abs(this.nextVelocityRadPerS[joint]!),
        Math.abs(this.leadsToRadPerS[joint]!),
      );
      if (!(speed <= velocityMaxRadPerS[joint]! * (1 + SETPOINT_SLACK))) reasons |= REASON_BITS.velocity;
      this.nextRad[joint] = positionRad[joint]!;
    }
    return reasons;
  }

  /** Whether the plan comes to this setpoint, as good as; from rest, only the very same place is. */
  isPlanned(positionRad: Float64Array, accelerationRadPerS2: Float64Array): boolean {
    const isAtRest = this.atRest;
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      if (isAtRest && positionRad[joint] !== this.nextRad[joint]) return false;
      const apart = Math.abs(accelerationRadPerS2[joint]! - this.nextAccelerationRadPerS2[joint]!);
      if (!(apart <= SAME_ACCELERATION_RAD_PER_S2)) return false;
    }
    return true;
  }

  /** The planned state becomes the present one. */
  commit(): void {
    this.positionRad.set(this.nextRad);
    this.velocityRadPerS.set(this.nextVelocityRadPerS);
    this.accelerationRadPerS2.set(this.nextAccelerationRadPerS2);
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      if (!isRest(this.velocityRadPerS[joint]!, this.accelerationRadPerS2[joint]!)) continue;
      this.velocityRadPerS[joint] = 0;
      this.accelerationRadPerS2[joint] = 0;
    }
  }

  /** What left for the device was not what was planned: go on from there. */
  commitInstead(sentRad: Float64Array): void {
    for (let joint = 0; joint < sentRad.length; joint++) {
      this.velocityRadPerS[joint] = (sentRad[joint]! - this.positionRad[joint]!) / this.#periodS;
      this.accelerationRadPerS2[joint] = 0;
      this.positionRad[joint] = sentRad[joint]!;
    }
  }

  #isGoal(goalRad: ArrayLike<number>): boolean {
    for (let joint = 0; joint < this.#goalRad.length; joint++)
      if (Math.abs(goalRad[joint]! - this.#goalRad[joint]!) > 1e-9) return false;
    return true;
  }

  /** One travel time for all joints: the rhythm of the targets, or longer when a joint needs longer. */
  #setPace(rhythmS: number): void {
    const { velocityMaxRadPerS, accelerationMaxRadPerS2, jerkMaxRadPerS3 } = this.#limits;
    this.#setShares();
    let travelS = rhythmS;
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      const a = accelerationMaxRadPerS2[joint]! * this.#share[joint]!;
      const j = jerkMaxRadPerS3[joint]! * this.#share[joint]!;
      const ahead = this.#goalRad[joint]! - this.positionRad[joint]!;
      const rest = restOffset(this.velocityRadPerS[joint]!, this.accelerationRadPerS2[joint]!, a, j);
      const distance = Math.max(Math.abs(ahead), Math.abs(ahead - rest));
      this.#distance[joint] = distance;
      const top = Math.min(
        velocityMaxRadPerS[joint]! * this.#speedScale * SPEED_SHARE,
        speedThatBrakesWithin(distance / 2, a, j),
      );
      if (top > 0) travelS = Math.max(travelS, (distance - brakingDistance(top, a, j)) / top);
    }
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      const a = accelerationMaxRadPerS2[joint]! * this.#share[joint]!;
      const j = jerkMaxRadPerS3[joint]! * this.#share[joint]!;
      const top = velocityMaxRadPerS[joint]! * this.#speedScale * SPEED_SHARE;
      const speed = cruiseSpeed(this.#distance[joint]!, travelS, a, j);
      this.#cruise[joint] = Math.min(top, Math.max(speed, SPEED_SHARE_MIN * top));
    }
  }

  /** From rest, joints with a shorter way also accelerate less, so that all draw one line; in motion, all use all. */
  #setShares(): void {
    this.#share.fill(this.#speedScale);
    if (!this.atRest) return;
    const { accelerationMaxRadPerS2, jerkMaxRadPerS3 } = this.#limits;
    let perAcceleration = Number.POSITIVE_INFINITY;
    let perJerk = Number.POSITIVE_INFINITY;
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      const way = Math.abs(this.#goalRad[joint]! - this.positionRad[joint]!);
      if (way === 0) continue;
      perAcceleration = Math.min(perAcceleration, accelerationMaxRadPerS2[joint]! / way);
      perJerk = Math.min(perJerk, jerkMaxRadPerS3[joint]! / way);
    }
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      const way = Math.abs(this.#goalRad[joint]! - this.positionRad[joint]!);
      if (way === 0) continue;
      const acceleration = (perAcceleration * way) / accelerationMaxRadPerS2[joint]!;
      const share = Math.max(acceleration, (perJerk * way) / jerkMaxRadPerS3[joint]!);
      this.#share[joint] = this.#speedScale * Math.min(1, Math.max(SPEED_SHARE_MIN, share));
    }
  }

  #planJoint(joint: number): void {
    const axis = this.#axis;
    const speed = Math.min(this.#cruise[joint]!, this.#governor[joint]!);
    const isScaled = this.#scaleStops(joint);
    this.#load(joint, isScaled);
    axis.velocityGoal = -speed;
    axis.seekVelocity();
    axis.low = axis.next;
    axis.velocityGoal = speed;
    axis.seekVelocity();
    axis.high = axis.next;
    axis.seekPosition();
    this.#take(joint, isScaled);
  }

  /** The joint's present motion and its limits, all of them or the goal's share. */
  #load(joint: number, isScaled: boolean): void {
    const axis = this.#axis;
    const scale = isScaled ? this.#share[joint]! : 1;
    axis.velocity = this.velocityRadPerS[joint]!;
    axis.acceleration = this.accelerationRadPerS2[joint]!;
    axis.distance = this.#goalRad[joint]! - this.positionRad[joint]!;
    axis.accelerationMax = this.#limits.accelerationMaxRadPerS2[joint]! * scale;
    axis.jerkMax = this.#limits.jerkMaxRadPerS3[joint]! * scale;
  }

  /** Whether the goal's share of the limits suffices: not while the motion is too fast to stop in time with it. */
  #scaleStops(joint: number): boolean {
    const scale = this.#share[joint]!;
    if (scale === 1) return false;
    const axis = this.#axis;
    const v = this.velocityRadPerS[joint]!;
    const a = this.accelerationRadPerS2[joint]!;
    const accelerationMax = this.#limits.accelerationMaxRadPerS2[joint]! * scale;
    if (Math.abs(v) > this.#limits.velocityMaxRadPerS[joint]! * this.#speedScale) return false;
    if (Math.abs(a) > accelerationMax) return false;
    axis.fromVelocity = v;
    axis.fromAcceleration = a;
    axis.brakeAcceleration = accelerationMax;
    axis.brakeJerk = this.#limits.jerkMaxRadPerS3[joint]! * scale;
    axis.brake();
    const distance = this.#goalRad[joint]! - this.positionRad[joint]!;
    return (axis.restOffset - distance) * Math.sign(v) <= REST_TOLERANCE_RAD;
  }

  /** The tick ends with the acceleration `axis.next`. */
  #take(joint: number, isScaled: boolean): void {
    const axis = this.#axis;
    const T = this.#periodS;
    const v = this.velocityRadPerS[joint]!;
    const a = this.accelerationRadPerS2[joint]!;
    const acceleration = axis.next;
    const nextVelocity = v + ((a + acceleration) * T) / 2;
    this.nextRad[joint] = this.positionRad[joint]! + v * T + ((2 * a + acceleration) * T * T) / 6;
    this.nextVelocityRadPerS[joint] = nextVelocity;
    this.nextAccelerationRadPerS2[joint] = acceleration;
    const j =
      this.#limits.jerkMaxRadPerS3[joint]! * PLANNED_JERK_SHARE * (isScaled ? this.#share[joint]! : 1);
    this.leadsToRadPerS[joint] = nextVelocity + (acceleration * Math.abs(acceleration)) / (2 * j);
  }
}
