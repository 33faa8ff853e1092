/**
 * One tick of an enabled robot on legs. Nobody commands: it stands, stiffly, in the cell's pose. Somebody does: his target
 * and his gains go to the motors as they are, at once and then tick after tick, until the next command replaces them; there
 * is no interpolation, because the policies of such robots are trained with steps. Nothing here brakes: a robot that walks
 * cannot be led to rest by holding its joints, so whatever is in doubt ends in a stop, which is damping.
 */
import type { ArmLimits } from "../../core/arm.js";
import type { CommandOutcome, LeggedDriver } from "../../drivers/contract.js";
import { type GainsMax, REASON_BITS, type ServoStateName } from "./api.js";
import type { InputAges } from "./blackBox.js";
import type { LegServoConfig } from "./config.js";
import { copyImpedance, createImpedance, type Impedance, legLimits, limitImpedance } from "./legLimits.js";
import { LegStand, whyUnsteady } from "./legStand.js";
import type { Tick } from "./loop.js";
import type { Balance } from "./options.js";
import { type FollowerHooks, type RobotFollower, watchLease } from "./robotFollower.js";
import { passesCommands } from "./states.js";
import type { TriggerName } from "./triggers.js";

export interface LegFollowerParts extends FollowerHooks {
  readonly config: LegServoConfig;
  readonly driver: LeggedDriver;
  readonly balance?: Balance | undefined;
}

/** A joint that is pushed asks for more than a target may, for so long [ms]: it gives way, or its reading is wrong. */
const DEMAND_MS_MAX = 30;

export class LegFollower implements RobotFollower {
  readonly brakes = false;
  readonly atRest = true;
  commandSeq = 0;
  commandWireMs = 0;
  readonly #parts: LegFollowerParts;
  readonly #leaseHooks: FollowerHooks;
  readonly #stand: LegStand;
  /** What this tick hands to the driver, and what the driver took last. */
  readonly #next: Impedance;
  readonly #sent: Impedance;
  #limits: ArmLimits;
  #doubts = 0;
  #lateTicks = 0;
  #unsentSinceMs = Number.NaN;
  #demandSinceMs = Number.NaN;
  #hasStopped = false;
  /** What the driver took last was the lease holder's. */
  #isCommanded = false;
  /** A command has not waited for its tick since the last one: whoever sends more of them has the others wait. */
  #hasActed = false;

  constructor(parts: LegFollowerParts) {
    this.#parts = parts;
    this.#limits = legLimits(parts.driver.limits, parts.config);
    this.#leaseHooks = { ...parts, endLease: this.#endLease };
    this.#stand = new LegStand(parts.config.stand);
    const joints = this.#limits.jointNames.length;
    this.#next = createImpedance(joints);
    this.#sent = createImpedance(joints);
  }

  get limits(): ArmLimits {
    return this.#limits;
  }

  get gainsMax(): GainsMax {
    const { stiffnessMaxNmPerRad, dampingMaxNmSPerRad } = this.#parts.config;
    return { stiffnessNmPerRad: stiffnessMaxNmPerRad, dampingNmSPerRad: dampingMaxNmSPerRad };
  }

  get sentRad(): Float64Array {
    return this.#sent.positionRad;
  }

  get limitedRad(): Float64Array {
    return this.#next.positionRad;
  }

  get requestedRad(): Float64Array | undefined {
    const { pursued } = this.#parts.commander;
    return pursued.isLive ? pursued.positionRad : undefined;
  }

  get doubts(): number {
    return this.#doubts;
  }

  get whyNotHold(): string | undefined {
    return whyUnsteady(this.#parts.driver.state(), this.#parts.config.release);
  }

  takeLimits(): void {
    this.#limits = legLimits(this.#parts.driver.limits, this.#parts.config);
  }

  startAt(positionRad: Float64Array): void {
    this.#stand.beginHeld(positionRad);
    this.#sent.positionRad.set(positionRad);
    this.#next.positionRad.set(positionRad);
    this.#parts.commander.forgetCommands();
    this.#doubts = 0;
    this.#isCommanded = false;
    this.#lateTicks = 0;
    this.#unsentSinceMs = Number.NaN;
    this.#demandSinceMs = Number.NaN;
  }

  startLease(): void {
    this.#doubts = 0;
    this.commandSeq = 0;
    this.commandWireMs = 0;
  }

  /** Back to the stand, from what the motors were told last. */
  hold(reasonBit = 0): void {
    this.#doubts |= reasonBit;
    if (this.#isCommanded) this.#stand.beginFrom(this.#sent);
    this.#isCommanded = false;
    this.#parts.commander.forgetCommands();
  }

  clearDoubts(): void {
    this.#doubts = 0;
  }

  tick(tick: Tick, state: ServoStateName): number {
    const { commander, clock } = this.#parts;
    this.#hasStopped = false;
    this.#hasActed = false;
    this.#watch(tick);
    if (!this.#hasStopped && commander.take()) this.#judge(tick.nowMs);
    if (this.#hasStopped) return this.#doubts;
    const beforeMs = clock.nowMs();
    const reasons = this.#send(tick.nowMs, state);
    tick.sendMs = clock.nowMs() - beforeMs;
    return this.#doubts | reasons;
  }

  /** All else that may be wrong, and what was limited, is for the tick to see and to tell: at most one period later. */
  commandCame(state: ServoStateName): void {
    const { commander, clock } = this.#parts;
    if (this.#hasActed || !passesCommands(state) || !commander.take()) return;
    this.#hasActed = true;
    this.#hasStopped = false;
    const nowMs = clock.nowMs();
    this.#judge(nowMs);
    if (!this.#hasStopped) this.#send(nowMs, state);
  }

  stateAgeMs(nowMs: number): number {
    return nowMs - this.#parts.driver.state().receivedMs;
  }

  readAges(nowMs: number, ages: InputAges): void {
    const { commander, supervisorSilentMs } = this.#parts;
    const { pursued } = commander;
    ages.stateMs = this.stateAgeMs(nowMs);
    ages.commandMs = pursued.isLive ? nowMs - pursued.stampMs : Number.NaN;
    ages.inputMs = ages.commandMs + pursued.inputAgeMs;
    ages.supervisorMs = supervisorSilentMs(nowMs);
    ages.commanderMs = commander.silentMs(nowMs);
  }

  #watch({ nowMs, skipped, missCause }: Tick): void {
    const { config, commander, blackBox, events } = this.#parts;
    this.#lateTicks = skipped > 0 ? this.#lateTicks + skipped : 0;
    if (skipped > 0) events.overrun(skipped, missCause, nowMs);
    const ageMs = this.stateAgeMs(nowMs);
    const { pursued } = commander;
    if (!(ageMs <= config.stateAgeMsMax)) {
      this.#stop("deviceStateOld", `device state is ${Math.round(ageMs)} ms old`, REASON_BITS.stateStale);
    } else if (pursued.isLive && nowMs >= pursued.expiresMs) {
      this.#stop("commandExpired", `command ${pursued.seq} expired`, REASON_BITS.commandExpired);
    } else if (this.#lateTicks >= config.lateTicksMax) {
      this.#stop("loopLate", `${this.#lateTicks} ticks missed in a row (${missCause ?? "cause unknown"})`);
    } else if (blackBox?.failure !== undefined) {
      this.#stop("blackBoxFailed", blackBox.failure);
    } else {
      watchLease(this.#leaseHooks, config, nowMs);
    }
  }

  /** A command at the first tick that it could act in. */
  #judge(nowMs: number): void {
    const { pursued } = this.#parts.commander;
    if (nowMs >= pursued.expiresMs) {
      const text = `command ${pursued.seq} expired before its tick`;
      this.#stop("commandExpired", text, REASON_BITS.commandExpired);
      return;
    }
    this.#doubts = 0;
    const wild = this.#jointBeyondDemand(pursued);
    if (wild === undefined) return;
    const { seq, positionRad } = pursued;
    this.#stop("commandMalformed", `command ${seq}: ${this.#demandText(wild, positionRad[wild]!)}`);
  }

  /** One frame for the driver. @returns reason bits */
  #send(nowMs: number, state: ServoStateName): number {
    const { driver, commander, config, events } = this.#parts;
    const { pursued } = commander;
    const isCommanded = pursued.isLive && passesCommands(state);
    const wanted = isCommanded ? pursued : this.#standing(nowMs);
    const reasons = limitImpedance(wanted, this.#limits, config, this.#next);
    const wild = this.#jointBeyondDemand(this.#next);
    if (wild === undefined) this.#demandSinceMs = Number.NaN;
    else if (Number.isNaN(this.#demandSinceMs)) this.#demandSinceMs = nowMs;
    else if (nowMs - this.#demandSinceMs > DEMAND_MS_MAX) {
      this.#stop("trackingError", this.#demandText(wild, this.#next.positionRad[wild]!));
      return reasons;
    }
    const outcome = driver.commandImpedance(this.#next.positionRad, this.#next);
    if (outcome === "sent") {
      this.#accept(isCommanded);
      return reasons;
    }
    if (outcome === "refused") events.refuse("driverRefused", "target outside of the driver's limits", nowMs);
    this.#watchUnsent(outcome, nowMs);
    return reasons | REASON_BITS.deviceNotReady;
  }

  #standing(nowMs: number): Impedance {
    const { balance, driver } = this.#parts;
    const wanted = this.#stand.at(nowMs);
    const { base } = driver.state();
    if (base !== undefined) balance?.(wanted.positionRad, base);
    return wanted;
  }

  #accept(isCommanded: boolean): void {
    const { commander, clock } = this.#parts;
    copyImpedance(this.#next, this.#sent);
    this.#isCommanded = isCommanded;
    this.#unsentSinceMs = Number.NaN;
    if (!isCommanded || commander.pursued.seq === this.commandSeq) return;
    this.commandSeq = commander.pursued.seq;
    this.commandWireMs = clock.nowMs();
  }

  #watchUnsent(outcome: CommandOutcome, nowMs: number): void {
    if (Number.isNaN(this.#unsentSinceMs)) this.#unsentSinceMs = nowMs;
    const unsentMs = nowMs - this.#unsentSinceMs;
    if (unsentMs <= this.#parts.config.stateAgeMsMax) return;
    const trigger = outcome === "busy" ? "deviceBusy" : "deviceNotReady";
    this.#stop(trigger, `no command left for ${Math.round(unsentMs)} ms (${outcome})`);
  }

  #jointBeyondDemand({ positionRad, stiffnessNmPerRad }: Impedance): number | undefined {
    const measuredRad = this.#parts.driver.state().positionRad;
    const { torqueDemandMaxNm } = this.#parts.config;
    for (let joint = 0; joint < positionRad.length; joint++) {
      const demandNm = Math.abs(stiffnessNmPerRad[joint]! * (positionRad[joint]! - measuredRad[joint]!));
      // NaN is no demand that could be met.
      if (!(demandNm <= torqueDemandMaxNm)) return joint;
    }
    return undefined;
  }

  #demandText(joint: number, targetRad: number): string {
    const { torqueDemandMaxNm } = this.#parts.config;
    const measuredRad = this.#parts.driver.state().positionRad[joint]!;
    return (
      `${this.#limits.jointNames[joint]} at ${measuredRad.toFixed(2)} rad is told ${targetRad.toFixed(2)} rad, which asks ` +
      `for more than ${torqueDemandMaxNm} Nm`
    );
  }

  readonly #endLease = (trigger: TriggerName, reason: string): void => {
    this.#hasStopped = true;
    this.#parts.endLease(trigger, reason);
  };

  #stop(trigger: TriggerName, reason: string, reasonBit = 0): void {
    this.#hasStopped = true;
    this.#doubts |= reasonBit;
    this.#parts.stop(trigger, reason);
  }
}
