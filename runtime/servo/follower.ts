/**
 * One tick of an enabled arm: watchdogs, then the newest command, then one setpoint for the driver. Whatever is in
 * doubt makes the motion brake to a hold; what lasts makes the servo stop.
 */
import { asMonotonicNs, type Clock, type MonotonicNs } from "../../core/clock.js";
import type { ArmDriver } from "../../drivers/contract.js";
import { REASON_BITS, type ServoStateName } from "./api.js";
import type { Commander } from "./commander.js";
import type { ServoConfig } from "./config.js";
import type { EventDesk } from "./events.js";
import type { ToolPoint } from "./limiter.js";
import { limitsInForce } from "./limits.js";
import type { Tick } from "./loop.js";
import { Motion } from "./motion.js";
import { passesCommands } from "./states.js";

/** A device that holds its stream back for longer than this has stopped following. */
const BUSY_MS_MAX = 1000;

export interface FollowerParts {
  readonly config: ServoConfig;
  readonly driver: ArmDriver;
  readonly toolPoint: ToolPoint;
  readonly clock: Clock;
  readonly commander: Commander;
  readonly events: EventDesk;
  /** Trouble that braking to a hold does not answer. */
  readonly stop: (reason: string) => void;
  readonly endLease: (reason: string) => void;
}

export class Follower {
  /** Sequence number of the newest command that moved the arm, and when its first setpoint left. */
  commandSeq = 0;
  commandWireNs: MonotonicNs = asMonotonicNs(0n);
  readonly #parts: FollowerParts;
  #motion: Motion;
  /** Reason bits that stay set until the next command or the end of their cause. */
  #doubts = 0;
  #lateTicks = 0;
  #unsentSinceMs = Number.NaN;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#motion = this.#createMotion();
  }

  get atRest(): boolean {
    return this.#motion.atRest;
  }

  get sentRad(): Float64Array {
    return this.#motion.sentRad;
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
  }

  startLease(): void {
    this.#doubts = 0;
    this.commandSeq = 0;
    this.commandWireNs = asMonotonicNs(0n);
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
    return this.#doubts | this.#send(tick.nowMs, state);
  }

  stateAgeMs(nowMs: number): number {
    return nowMs - Number(this.#parts.driver.state().receivedNs) / 1e6;
  }

  #watch({ nowMs, skipped }: Tick, state: ServoStateName): void {
    const { config, commander, events, endLease } = this.#parts;
    if (skipped > 0) this.#onLate(skipped, nowMs, state);
    else this.#lateTicks = 0;
    const ageMs = this.stateAgeMs(nowMs);
    if (ageMs > config.stateAgeMsMax) {
      if ((this.#doubts & REASON_BITS.stateStale) === 0)
        events.tell("watchdog", `device state is ${Math.round(ageMs)} ms old: hold`);
      this.hold(REASON_BITS.stateStale);
    } else this.#doubts &= ~REASON_BITS.stateStale;
    if (commander.isSilent(nowMs)) endLease(`silent for more than ${config.leaseSilenceMsMax} ms`);
    const { pursued } = commander;
    if (pursued.isLive && nowMs >= pursued.expiresMs) {
      events.tell("watchdog", `command ${pursued.seq} expired: hold`);
      this.#motion.hold();
      pursued.isLive = false;
      this.#doubts |= REASON_BITS.commandExpired;
    }
  }

  #onLate(skipped: number, nowMs: number, state: ServoStateName): void {
    this.#motion.skip(skipped);
    this.#lateTicks += skipped;
    this.#parts.events.overrun(skipped, nowMs);
    if (this.#lateTicks < this.#parts.config.lateTicksMax || state === "stopping") return;
    this.#parts.events.tell("watchdog", `${this.#lateTicks} ticks missed in a row: stop`);
    this.#parts.stop("the servo loop is late");
  }

  #pursue(nowMs: number, state: ServoStateName): void {
    const { pursued } = this.#parts.commander;
    const isStale = (this.#doubts & REASON_BITS.stateStale) !== 0;
    if (!passesCommands(state) || nowMs >= pursued.expiresMs || isStale) {
      pursued.isLive = false;
      const reason = isStale ? "stateStale" : "expired";
      this.#parts.events.refuse(reason, `command ${pursued.seq} at its tick`, nowMs);
      return;
    }
    this.#doubts = 0;
    this.#motion.follow(pursued.positionRad, pursued.speedScale, nowMs);
  }

  /** Offers one setpoint to the driver. @returns reason bits */
  #send(nowMs: number, state: ServoStateName): number {
    const { driver, commander, clock, events, config } = this.#parts;
    const outcome = driver.command(this.#motion.next());
    if (outcome === "sent") {
      this.#motion.accept();
      this.#unsentSinceMs = Number.NaN;
      if (commander.pursued.isLive && commander.pursued.seq !== this.commandSeq) {
        this.commandSeq = commander.pursued.seq;
        this.commandWireNs = clock.nowNs();
      }
      return this.#motion.reasons;
    }
    this.#motion.skip(1);
    if (outcome === "refused")
      events.refuse("driverRefused", "setpoint outside of the driver's own limits", nowMs);
    if (Number.isNaN(this.#unsentSinceMs)) this.#unsentSinceMs = nowMs;
    const unsentMs = nowMs - this.#unsentSinceMs;
    if (unsentMs > (outcome === "busy" ? BUSY_MS_MAX : config.stateAgeMsMax) && state !== "stopping") {
      events.tell("watchdog", `no setpoint left for ${Math.round(unsentMs)} ms (${outcome}): stop`);
      this.#parts.stop(`the device is ${outcome}`);
    }
    return this.#motion.reasons | REASON_BITS.deviceNotReady;
  }

  #createMotion(): Motion {
    const { driver, config, toolPoint } = this.#parts;
    return new Motion(limitsInForce(driver.limits, config), toolPoint, 1 / config.rateHz);
  }
}
