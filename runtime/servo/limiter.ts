/**
 * The last judge before the driver, every tick:
 *   `reject`  on the planned tick: from its end, would braking to rest stay inside of every limit and zone? What is
 *             rejected is replaced by braking, whose way was judged when the tick before was planned. So there is a
 *             good way to rest at every moment, and it needs no further judgement;
 *   `check`   on what is about to be sent: a bound that knows nothing of plans and scales the whole step, never a part
 *             of it, so that the direction is kept. It passes everything that the first has let through, and is there
 *             for what nobody has thought of.
 * It never amplifies a step. Lengths [m], angles [rad], base frame.
 *
 * Nothing allocates after construction: what private functions find out they leave in fields, because a number that a
 * function returns may become an object on the heap.
 */
import { REASON_BITS } from "./api.js";
import { BrakePath } from "./brakePath.js";
import type { Interpolator } from "./interpolator.js";
import type { LimiterLimits } from "./limits.js";
import { LOSS, type Zones } from "./zones.js";

/** Rounding of sums over many ticks is not a violation. */
const SLACK = 1e-3;
const SLACK_RAD = 1e-4;
const SEARCH_STEPS = 30;
/** A way of braking is looked at no more often than that, and no more rarely than every so many ticks. */
const LOOKS_MAX = 24;
const LOOK_TICKS_MAX = 4;
/** Ways that end further than this from every zone need no look. */
const FREE_M = 1e-3;
/** Of the tool's speed limit, for what happens between two looks. */
const PLANNED_TOOL_SPEED_SHARE = 0.97;
/** Of the same limit, in each tick of braking after a tick that was not planned here: all but rounding. */
const FOREIGN_TOOL_SPEED_SHARE = 0.9999;

export class Limiter {
  /** What `toolIsTooFast` has found: the share (at most 1) of the speeds that keeps the tool below its limit. */
  toolSpeedShare = Number.NaN;
  readonly #limits: LimiterLimits;
  readonly #zones: Zones;
  readonly #periodS: number;
  readonly #brake: BrakePath;
  /** Position limits; on the side on which the arm has started outside, the best that a way to rest has kept. */
  readonly #leastRad: Float64Array;
  readonly #mostRad: Float64Array;
  readonly #stepRad: Float64Array;
  readonly #toolStepMaxM: number;
  readonly #toolM = new Float64Array(3);
  #toolMoveM = Number.NaN;

  constructor(limits: LimiterLimits, zones: Zones, periodS: number) {
    this.#limits = limits;
    this.#zones = zones;
    this.#periodS = periodS;
    this.#brake = new BrakePath(limits, periodS);
    this.#leastRad = Float64Array.from(limits.positionMinRad);
    this.#mostRad = Float64Array.from(limits.positionMaxRad);
    this.#toolStepMaxM = limits.toolSpeedMaxMPerS * periodS * PLANNED_TOOL_SPEED_SHARE;
    this.#stepRad = new Float64Array(limits.positionMinRad.length);
  }

  /** The arm stands here, inside of every limit and zone or not. */
  startAt(positionRad: Float64Array): void {
    this.#zones.startAt(positionRad);
    for (let joint = 0; joint < positionRad.length; joint++) {
      this.#leastRad[joint] = Math.min(this.#limits.positionMinRad[joint]!, positionRad[joint]!);
      this.#mostRad[joint] = Math.max(this.#limits.positionMaxRad[joint]!, positionRad[joint]!);
    }
  }

  /** Finds the `toolSpeedShare` of the given joint speeds for `limitShare` of the limit; true when it is below 1. */
  toolIsTooFast(atRad: Float64Array, velocityRadPerS: Float64Array, limitShare: number): boolean {
    const { body } = this.#zones;
    body.update(atRad);
    body.measureToolStep(velocityRadPerS);
    const speed = body.toolStepM;
    const most = this.#limits.toolSpeedMaxMPerS * limitShare;
    this.toolSpeedShare = speed > most ? most / speed : 1;
    return speed > most;
  }

  /**
   * 0 when the planned tick and braking to rest after it keep every limit and zone, else reason bits.
   * @param isForeign nobody here has planned that tick, so nothing has kept the tool well below its speed limit: braking
   *   is looked at for it in every tick
   */
  reject(plan: Interpolator, isForeign = false): number {
    const brake = this.#brake;
    const { positionRad: nowRad, nextRad } = plan;
    brake.follow(nextRad, plan.nextVelocityRadPerS, plan.nextAccelerationRadPerS2);
    if (Number.isNaN(brake.ticks)) return REASON_BITS.velocity;
    const { body } = this.#zones;
    let farthestM = 0;
    let fastestM = 0;
    for (let joint = 0; joint < nowRad.length; joint++) {
      const now = nowRad[joint]!;
      const least = this.#leastRad[joint]! - SLACK_RAD;
      const most = this.#mostRad[joint]! + SLACK_RAD;
      if (!(brake.minRad[joint]! >= least && brake.maxRad[joint]! <= most)) return REASON_BITS.positionLimit;
      const way = Math.max(brake.maxRad[joint]! - now, now - brake.minRad[joint]!);
      farthestM += way * body.reachM[joint]!;
      const step = Math.max(brake.stepMaxRad[joint]!, Math.abs(nextRad[joint]! - now));
      fastestM += step * body.toolReachM[joint]!;
    }
    if (isForeign && fastestM > this.#toolStepMaxM && this.#toolOutrunsLimit(nowRad))
      return REASON_BITS.toolSpeed;
    this.#zones.startWay();
    // Two parts that move towards each other each move so far at most.
    this.#zones.look(nowRad);
    const isFar = this.#zones.nearestM > 2 * farthestM + FREE_M;
    const reasons = isFar && fastestM <= this.#toolStepMaxM ? 0 : this.#lookAlong(nowRad, isFar);
    if (reasons !== 0) return reasons;
    this.#zones.keepWay();
    for (let joint = 0; joint < nowRad.length; joint++) {
      const min = Math.min(this.#limits.positionMinRad[joint]!, brake.minRad[joint]!);
      const max = Math.max(this.#limits.positionMaxRad[joint]!, brake.maxRad[joint]!);
      this.#leastRad[joint] = Math.max(this.#leastRad[joint]!, min);
      this.#mostRad[joint] = Math.min(this.#mostRad[joint]!, max);
    }
    return 0;
  }

  /**
   * Looks at the planned tick, then at ticks of braking after it, rarely where there is room, and at the last. What is
   * far from every zone is looked at for the tool's speed alone.
   */
  #lookAlong(nowRad: Float64Array, isFar: boolean): number {
    const { atRad, ticks } = this.#brake;
    const { body } = this.#zones;
    let looks = LOOKS_MAX;
    let beforeRad = nowRad;
    for (let tick = 0, passed = 1; ; looks--) {
      if (isFar) body.update(atRad[tick]!);
      else {
        const reasons = this.#zones.reasonsAt(atRad[tick]!, LOSS.plan);
        if (reasons !== 0) return reasons;
        this.#zones.passWay();
      }
      for (let joint = 0; joint < nowRad.length; joint++)
        this.#stepRad[joint] = (atRad[tick]![joint]! - beforeRad[joint]!) / passed;
      body.measureToolStep(this.#stepRad);
      if (!(body.toolStepM <= this.#toolStepMaxM)) return REASON_BITS.toolSpeed;
      if (tick === ticks) return 0;
      beforeRad = atRad[tick]!;
      const next = this.#nextLook(tick, Math.ceil((ticks - tick) / Math.max(1, looks)));
      passed = next - tick;
      tick = next;
    }
  }

  /** The last tick of braking until which no part can have used up the room that there is, `least` ticks on at least. */
  #nextLook(tick: number, least: number): number {
    const { atRad, ticks } = this.#brake;
    const { nearestM, body } = this.#zones;
    const most = Math.min(ticks, tick + LOOK_TICKS_MAX);
    let next = Math.min(ticks, tick + least);
    for (; next < most; next++) {
      let movedM = 0;
      for (let joint = 0; joint < body.reachM.length; joint++)
        movedM += Math.abs(atRad[next + 1]![joint]! - atRad[tick]![joint]!) * body.reachM[joint]!;
      // Two parts that move towards each other each move so far at most.
      if (2 * movedM > nearestM - FREE_M) break;
    }
    return next;
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
    let isMotion = false;
    for (let joint = 0; joint < wantedRad.length; joint++) {
      const step = wantedRad[joint]! - lastRad[joint]!;
      if (!Number.isFinite(step)) {
        outRad.set(lastRad);
        return REASON_BITS.velocity;
      }
      if (step === 0) continue;
      isMotion = true;
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
      const room =
        sign > 0 ? this.#mostRad[joint]! - lastRad[joint]! : lastRad[joint]! - this.#leastRad[joint]!;
      const byRoom = this.#shareWithRoom(joint, Math.abs(step), room + 2 * SLACK_RAD);
      if (byRoom < 1) {
        share = Math.min(share, byRoom);
        reasons |= REASON_BITS.positionLimit;
      }
    }
    for (let joint = 0; joint < wantedRad.length; joint++)
      outRad[joint] =
        share === 1 ? wantedRad[joint]! : lastRad[joint]! + share * (wantedRad[joint]! - lastRad[joint]!);
    return isMotion ? reasons | this.#checkZones(lastRad, outRad) : reasons;
  }

  /** Whether `check` would cut any tick of the way that was just followed for the tool's speed. */
  #toolOutrunsLimit(nowRad: Float64Array): boolean {
    const { atRad, ticks } = this.#brake;
    const mostM = this.#limits.toolSpeedMaxMPerS * this.#periodS * FOREIGN_TOOL_SPEED_SHARE;
    this.#zones.body.update(nowRad);
    for (let tick = 0; tick <= ticks; tick++) {
      this.#measureToolMove(atRad[tick]!);
      if (!(this.#toolMoveM <= mostM)) return true;
    }
    return false;
  }

  /** Moves the body on, and finds by how much that moves the tool point, as `#toolMoveM`. */
  #measureToolMove(toRad: Float64Array): void {
    const { body } = this.#zones;
    this.#toolM.set(body.toolM);
    body.update(toRad);
    const x = body.toolM[0]! - this.#toolM[0]!;
    const y = body.toolM[1]! - this.#toolM[1]!;
    const z = body.toolM[2]! - this.#toolM[2]!;
    this.#toolMoveM = Math.sqrt(x * x + y * y + z * z);
  }

  /** Shortens the step for the tool's speed; takes it back altogether when it leads (further) into a zone. */
  #checkZones(lastRad: Float64Array, outRad: Float64Array): number {
    const { body } = this.#zones;
    let reasons = 0;
    body.update(lastRad);
    this.#measureToolMove(outRad);
    const movedM = this.#toolMoveM;
    const mostM = this.#limits.toolSpeedMaxMPerS * this.#periodS;
    if (movedM > mostM) {
      const share = mostM / movedM;
      for (let joint = 0; joint < outRad.length; joint++)
        outRad[joint] = lastRad[joint]! + share * (outRad[joint]! - lastRad[joint]!);
      reasons |= REASON_BITS.toolSpeed;
    }
    const zones = this.#zones.reasonsAt(outRad, LOSS.sent);
    if (zones !== 0) outRad.set(lastRad);
    return reasons | zones;
  }

  /** Share of a step after which the joint can still brake before its limit; 0 when none is. */
  #shareWithRoom(joint: number, step: number, room: number): number {
    if (this.#restOfStep(joint, step) <= room) return 1;
    if (room <= 0) return 0;
    let good = 0;
    let bad = 1;
    for (let i = 0; i < SEARCH_STEPS; i++) {
      const share = (good + bad) / 2;
      if (this.#restOfStep(joint, share * step) <= room) good = share;
      else bad = share;
    }
    return good;
  }

  /** Way until rest when this tick moves by `step` and full deceleration is there at once: the least that it can be. */
  #restOfStep(joint: number, step: number): number {
    const a = this.#limits.accelerationMaxRadPerS2[joint]!;
    const speed = Math.max(0, step / this.#periodS - a * this.#periodS);
    return step + (speed * speed) / (2 * a);
  }
}
