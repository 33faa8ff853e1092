/**
 * One tick of an enabled arm: watchdogs, then the newest command or the next setpoint of a stream, then one setpoint
 * for the driver. Whatever is in doubt makes the motion brake to a hold; what lasts makes the servo stop.
 */
import type { ArmLimits } from "../../core/arm.js";
import type { ArmDriver } from "../../drivers/contract.js";
import { REASON_BITS, type ServoStateName } from "./api.js";
import type { InputAges } from "./blackBox.js";
import type { ServoConfig } from "./config.js";
import { limitsInForce, publicLimits } from "./limits.js";
import { reasonNames } from "./link/schema.js";
import type { Tick } from "./loop.js";
import { Motion } from "./motion.js";
import { BUSY_MS_MAX, type FollowerHooks, type RobotFollower, watchLease } from "./robotFollower.js";
import { passesCommands } from "./states.js";
import type { TriggerName } from "./triggers.js";
import type { MovingBody } from "./zones.js";

export interface FollowerParts extends FollowerHooks {
  readonly config: ServoConfig;
  readonly driver: ArmDriver;
  readonly body: MovingBody;
}

export class Follower implements RobotFollower {
  readonly brakes = true;
  /** An arm holds where it comes to rest. */
  readonly whyNotHold = undefined;
  readonly gainsMax = undefined;
  /** Sequence number of the newest command that moved the arm, and when its first setpoint left, monotonic. */
  commandSeq = 0;
  commandWireMs = 0;
  readonly #parts: FollowerParts;
  #motion: Motion;
  /** Reason bits that stay set until the next command or the end of their cause. */
  #doubts = 0;
  #lateTicks = 0;
  #unsentSinceMs = Number.NaN;
  /** The newest tick was asked to send a setpoint of a stream. */
  #wasStreamed = false;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#motion = this.#createMotion();
  }

  get limits(): ArmLimits {
    return publicLimits(limitsInForce(this.#parts.driver.limits, this.#parts.config));
  }

  get atRest(): boolean {
    return this.#motion.atRest;
  }

  get sentRad(): Float64Array {
    return this.#motion.sentRad;
  }

  /** What the limiter let through in the newest tick. */
  get limitedRad(): Float64Array {
    return this.#motion.limitedRad;
  }

  /** What the newest tick was asked for; undefined when nobody asks for anything. */
  get requestedRad(): Float64Array | undefined {
    const { setpoints, pursued } = this.#parts.commander;
    if (this.#wasStreamed) return setpoints.positionRad;
    return pursued.isLive ? pursued.positionRad : undefined;
  }

  get doubts(): number {
    return this.#doubts;
  }

  /** The device's limits may have changed with what was learnt of it. Only while nothing moves. */
  takeLimits(): void {
    this.#motion = this.#createMotion();
  }

  startAt(positionRad: Float64Array): void {
    this.#motion.startAt(positionRad);
    this.#parts.commander.forgetCommands();
    this.#doubts = 0;
    this.#lateTicks = 0;
    this.#unsentSinceMs = Number.NaN;
    this.#wasStreamed = false;
  }

  startLease(): void {
    this.#doubts = 0;
    this.commandSeq = 0;
    this.commandWireMs = 0;
  }

  /** Brakes to a hold, for a reason that snapshots show until the next lease or command; 0 for none. */
  hold(reasonBit = 0): void {
    this.#doubts |= reasonBit;
    this.#parts.commander.forgetCommands();
    this.#motion.hold();
  }

  clearDoubts(): void {
    this.#doubts = 0;
  }

  /** @returns reason bits of this tick */
  tick(tick: Tick, state: ServoStateName): number {
    this.#watch(tick, state);
    if (this.#parts.commander.take()) this.#pursue(tick.nowMs, state);
    return this.#doubts | this.#send(tick, state);
  }

  stateAgeMs(nowMs: number): number {
    return nowMs - this.#parts.driver.state().receivedMs;
  }

  /** How old everything is that this tick rests on. */
  readAges(nowMs: number, ages: InputAges): void {
    const { pursued, setpoints } = this.#parts.commander;
    ages.stateMs = this.stateAgeMs(nowMs);
    ages.commandMs = pursued.isLive ? nowMs - pursued.stampMs : Number.NaN;
    if (this.#wasStreamed) ages.commandMs = nowMs - setpoints.stampMs;
    ages.inputMs = ages.commandMs + pursued.inputAgeMs;
    ages.supervisorMs = this.#parts.supervisorSilentMs(nowMs);
    ages.commanderMs = this.#parts.commander.silentMs(nowMs);
  }

  #watch({ nowMs, skipped, missCause }: Tick, state: ServoStateName): void {
    if (skipped > 0) this.#onLate(skipped, missCause, nowMs, state);
    else this.#lateTicks = 0;
    this.#watchDevice(nowMs);
    if (state !== "stopping") this.#watchTrust();
    watchLease(this.#parts, this.#parts.config, nowMs);
    this.#watchExpiry(nowMs);
    this.#watchSetpoints(nowMs);
  }

  #watchDevice(nowMs: number): void {
    const ageMs = this.stateAgeMs(nowMs);
    if (ageMs <= this.#parts.config.stateAgeMsMax) {
      this.#doubts &= ~REASON_BITS.stateStale;
      return;
    }
    if ((this.#doubts & REASON_BITS.stateStale) === 0)
      this.#tellTrigger("deviceStateOld", `device state is ${Math.round(ageMs)} ms old: hold`);
    this.hold(REASON_BITS.stateStale);
  }

  /** What makes it wrong to go on moving at all. */
  #watchTrust(): void {
    const { driver, config, blackBox, stop } = this.#parts;
    const { positionRad } = driver.state();
    for (let joint = 0; joint < positionRad.length; joint++) {
      const errorRad = Math.abs(this.sentRad[joint]! - positionRad[joint]!);
      // NaN is no position either.
      if (errorRad <= config.trackingErrorRadMax) continue;
      stop("trackingError", `joint ${joint + 1} is ${errorRad.toFixed(2)} rad from its setpoint`);
      return;
    }
    if (blackBox?.failure !== undefined) stop("blackBoxFailed", blackBox.failure);
  }

  #watchExpiry(nowMs: number): void {
    const { pursued } = this.#parts.commander;
    if (!pursued.isLive || nowMs < pursued.expiresMs) return;
    this.#tellTrigger("commandExpired", `command ${pursued.seq} expired: hold`);
    this.#motion.hold();
    pursued.isLive = false;
    this.#doubts |= REASON_BITS.commandExpired;
  }

  #watchSetpoints(nowMs: number): void {
    const { setpoints } = this.#parts.commander;
    if (!setpoints.isLive) return;
    if (setpoints.count === 0)
      this.#tellTrigger("setpointsRanDry", `no setpoint ${setpoints.nextIndex} in time: hold`);
    else if (nowMs >= setpoints.dueExpiresMs)
      this.#tellTrigger("commandExpired", `${setpoints.count} setpoints expired in the queue: hold`);
    else return;
    this.hold(REASON_BITS.commandExpired);
  }

  #onLate(skipped: number, cause: string | undefined, nowMs: number, state: ServoStateName): void {
    this.#motion.skip(skipped);
    this.#lateTicks += skipped;
    this.#parts.events.overrun(skipped, cause, nowMs);
    if (this.#lateTicks < this.#parts.config.lateTicksMax || state === "stopping") return;
    this.#parts.stop("loopLate", `${this.#lateTicks} ticks missed in a row (${cause ?? "cause unknown"})`);
  }

  #tellTrigger(trigger: TriggerName, text: string): void {
    this.#parts.events.triggered(trigger, "watchdog", text);
  }

  #pursue(nowMs: number, state: ServoStateName): void {
    const { pursued } = this.#parts.commander;
    const isStale = (this.#doubts & REASON_BITS.stateStale) !== 0;
    if (!passesCommands(state) || nowMs >= pursued.expiresMs || isStale) {
      // It has replaced the one before, whose target must not be pursued without anybody watching its expiry.
      this.hold(isStale ? REASON_BITS.stateStale : REASON_BITS.commandExpired);
      const reason = isStale ? "stateStale" : "expired";
      this.#parts.events.refuse(reason, `command ${pursued.seq} at its tick`, nowMs);
      return;
    }
    this.#doubts = 0;
    this.#motion.follow(pursued.positionRad, pursued.speedScale, nowMs);
  }

  /** Offers one setpoint to the driver. @returns reason bits */
  #send(tick: Tick, state: ServoStateName): number {
    const { driver, commander, clock, events, config } = this.#parts;
    const { nowMs } = tick;
    const setpointRad = this.#next(state);
    const beforeMs = clock.nowMs();
    const outcome = driver.command(setpointRad);
    tick.sendMs = clock.nowMs() - beforeMs;
    if (outcome === "sent") {
      this.#motion.accept();
      this.#unsentSinceMs = Number.NaN;
      const { pursued, setpoints } = commander;
      if (this.#motion.isStreamed) {
        this.commandSeq = setpoints.seq;
        this.commandWireMs = clock.nowMs();
        setpoints.take();
      } else if (pursued.isLive && pursued.seq !== this.commandSeq) {
        this.commandSeq = pursued.seq;
        this.commandWireMs = clock.nowMs();
      }
      return this.#motion.reasons;
    }
    this.#motion.skip(1);
    if (outcome === "refused")
      events.refuse("driverRefused", "setpoint outside of the driver's own limits", nowMs);
    if (Number.isNaN(this.#unsentSinceMs)) this.#unsentSinceMs = nowMs;
    const unsentMs = nowMs - this.#unsentSinceMs;
    if (unsentMs > (outcome === "busy" ? BUSY_MS_MAX : config.stateAgeMsMax) && state !== "stopping") {
      const trigger = outcome === "busy" ? "deviceBusy" : "deviceNotReady";
      this.#parts.stop(trigger, `no setpoint left for ${Math.round(unsentMs)} ms (${outcome})`);
    }
    return this.#motion.reasons | REASON_BITS.deviceNotReady;
  }

  /** The tick's setpoint: of the stream, of the way to the target, or of braking. */
  #next(state: ServoStateName): Float64Array {
    const { setpoints } = this.#parts.commander;
    this.#wasStreamed = setpoints.isLive && passesCommands(state);
    if (!this.#wasStreamed) return this.#motion.next();
    setpoints.load();
    this.#doubts = 0;
    const setpointRad = this.#motion.nextSetpoint(setpoints.positionRad, setpoints.accelerationRadPerS2);
    if (this.#motion.isStreamed) return setpointRad;
    const { reasons, atRest } = this.#motion;
    const why = `${reasonNames(reasons).join(", ")}${atRest ? ", the arm stood" : ""}`;
    this.#tellTrigger("setpointRejected", `setpoint ${setpoints.index}: ${why}: hold`);
    this.hold(reasons);
    return setpointRad;
  }

  #createMotion(): Motion {
    const { driver, config, body } = this.#parts;
    return new Motion(limitsInForce(driver.limits, config), body, 1 / config.rateHz);
  }
}
