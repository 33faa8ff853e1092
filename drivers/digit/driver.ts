/**
 * Digit as a robot on legs with twenty motors. The servo's tick hands over targets and gains; stiffness becomes torque here,
 * from the newest observation, damping runs in the motors. A timer keeps commands flowing in every other state, so that the
 * robot hears from us within its 50 ms, looks whether observations and ticks still come, and repeats what a stop has said.
 * Whatever is in doubt ends in damping and latches: only an explicit `activate` drives again.
 */
import type { ArmLimits, DeviceIdentity } from "../../core/arm.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { DIGIT_STAND } from "../../kinematics/digit/motors.js";
import type {
  ArmDriverCounters,
  ArmState,
  CommandOutcome,
  Fault,
  ImpedanceGains,
  LeggedDriver,
  StopCategory,
} from "../contract.js";
import type { DigitConfig } from "./config.js";
import { DigitDrive } from "./drive.js";
import { type DigitFaultName, digitFault } from "./faults.js";
import { armLimitsOf } from "./limits.js";
import type { DigitJson, DigitUdp, JsonLoss } from "./links.js";
import { type DigitLimits, type DigitObservation, FALLBACK, MOTOR_COUNT } from "./protocol/index.js";
import { OPERATION_MODES } from "./protocol/jsonMessages.js";
import { DigitSeen } from "./seen.js";
import {
  MomentLog,
  refuseContradictions,
  refuseImplausible,
  refuseLimits,
  refuseMissing,
} from "./selfCheck.js";
import { DigitWatch } from "./watch.js";

/** Between two commands while nobody drives; the robot waits 50 ms. */
const KEEP_ALIVE_MS = 5;
/** Between two commands while control is taken, at the pace of observations. */
const HOLD_MS = 1;
/** How long what it tells is looked at before it is driven. */
const CHECK_MS = 300;
const LIVE_MS_MAX = 3000;
const LIVE_LOOK_MS = 10;
/** The first target after activation must lie this near to the measured position [rad]. */
const FIRST_STEP_RAD_MAX = 0.1;
/** Taking control holds the pose in which it began; farther from it the robot was moved, or sinks [rad]. */
const TAKING_STEP_RAD_MAX = 0.25;
/** Encoders and stops give a little: a target this far beyond the range is still one [rad]. */
const RANGE_SLACK_RAD = 0.001;

const STOP_MEANINGS: Readonly<Record<StopCategory, string>> = {
  0: "no torque at all, at once, and mode disabled: the robot collapses",
  1: "damping in every motor, at once, and mode damping: the robot sinks to the ground",
  2: "as category 1: a robot on legs cannot be led to rest by holding its joints, so damping is the stop",
};

/** `taking`: the self-check is over, and the robot may already obey; `active`: the servo drives. */
type Phase = "closed" | "configured" | "checking" | "taking" | "active" | "faulted";
/** What the motors are told while nobody drives. */
type Rest = "idle" | "damp" | "limp";

export interface DigitParts {
  readonly clock: Clock;
  readonly udp: DigitUdp;
  readonly json: DigitJson;
}

export class DigitDriver implements LeggedDriver {
  readonly stopMeanings = STOP_MEANINGS;
  limits: ArmLimits = armLimitsOf();
  readonly #config: DigitConfig;
  readonly #clock: Clock;
  readonly #udp: DigitUdp;
  readonly #json: DigitJson;
  readonly #drive: DigitDrive;
  readonly #seen: DigitSeen;
  readonly #watch = new DigitWatch();
  readonly #moments: MomentLog;
  readonly #entryRad = new Float64Array(MOTOR_COUNT);
  readonly #listeners = new Set<(fault: Fault) => void>();
  /** Codes told since the last configuration or activation. */
  readonly #told = new Set<string>();
  #phase: Phase = "closed";
  #rest: Rest = "idle";
  #robotLimits: DigitLimits | undefined;
  #robotName = "";
  #end: AbortController | undefined;
  #undo: (() => void)[] = [];
  /** Ends the activation under way. */
  #changing: AbortController | undefined;
  /** Low-level control is ours, and has to be given back. */
  #hasControl = false;
  #leaving: Promise<unknown> = Promise.resolve();
  /** The servo's commands have begun to act. */
  #isLed = false;
  #calledMs = 0;
  #sentMs = Number.NEGATIVE_INFINITY;
  #reconnects = -1;

  constructor(config: DigitConfig, { clock, udp, json }: DigitParts) {
    this.#config = config;
    this.#clock = clock;
    this.#udp = udp;
    this.#json = json;
    this.#drive = new DigitDrive(FALLBACK[config.fallback]);
    this.#seen = new DigitSeen(config, udp.observation);
    this.#moments = new MomentLog(CHECK_MS);
  }

  /** Values that were cut to what the robot announced for its motors. */
  get cut(): Readonly<{ torques: number; dampings: number }> {
    return this.#drive.cut;
  }

  state(): ArmState {
    const { state } = this.#seen;
    const { mode } = this.#json;
    state.deviceMode = mode === undefined ? -1 : OPERATION_MODES.indexOf(mode);
    return state;
  }

  counters(): ArmDriverCounters {
    const { sent, unsent, observations, corrupt } = this.#udp.counters;
    const { received, unanswered } = this.#json.counters;
    return {
      sent,
      replied: received,
      unanswered: unanswered + unsent,
      reports: observations,
      corrupt: corrupt + this.#json.counters.malformed,
      reconnects: Math.max(0, this.#reconnects),
    };
  }

  onFault(listener: (fault: Fault) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Slow: what waits for the robot

  /**
   * The robot must hear commands before it speaks. Nothing moves: where low-level control is still on from before, it damps.
   * @throws DEVICE_UNREACHABLE, LINK_SILENT, DEVICE_MISMATCH, PORT_IN_USE
   */
  async configure(signal: AbortSignal): Promise<DeviceIdentity> {
    if (this.#phase !== "closed" && this.#phase !== "configured" && this.#phase !== "faulted")
      throw illegal("be configured", this.#phase);
    await this.#leaving;
    await this.#open(signal);
    this.#phase = "faulted";
    this.#told.clear();
    await this.#json.open(signal);
    // Without low-level control nothing of ours acts; with it, from before a loss, the robot is not let go of.
    this.#rest = this.#json.mode === "low-level-api" ? "damp" : "idle";
    const limits = await this.#untilLive(signal);
    refuseMissing(this.#udp.missing);
    refuseLimits(limits);
    this.#refuseAnother(this.#json.robotName);
    this.#robotLimits = limits;
    this.limits = armLimitsOf(limits);
    this.#seen.startAnew(limits);
    this.#reconnects++;
    this.#phase = "configured";
    return { model: "Digit V3", serial: this.#robotName, firmware: "not told" };
  }

  /**
   * Looks whether all that it tells fits together, then takes control while it holds the pose in which the robot is found.
   * @throws DEVICE_MISMATCH, DEVICE_REFUSED, LINK_SILENT, LINK_CLOSED
   */
  async activate(signal: AbortSignal): Promise<void> {
    if (this.#phase !== "configured") throw illegal("be activated", this.#phase);
    // What cannot be is named first: the watch would take swapped legs for a fall.
    refuseImplausible(this.#udp.observation, this.#seen.base, this.#config.heightMMin);
    const changing = new AbortController();
    this.#changing = changing;
    const either = AbortSignal.any([signal, changing.signal]);
    this.#told.clear();
    this.#watch.reset();
    this.#seen.forgetSlip();
    this.#moments.clear();
    this.#phase = "checking";
    try {
      await sleepMs(this.#clock, CHECK_MS, either);
      either.throwIfAborted();
      refuseContradictions(this.#moments.moments, this.#config.frames);
      this.#startTaking();
      this.#hasControl = true;
      await this.#json.takeControl(either);
      either.throwIfAborted();
      this.#refuseMoved();
    } catch (thrown) {
      this.#onActivationFailed();
      throw thrown;
    }
    this.#startFollowing();
  }

  async deactivate(category: StopCategory): Promise<void> {
    if (this.#phase === "closed") return;
    this.stopNow(category);
    await this.#giveBack(category);
  }

  setGripper(_openingM: number): void {}

  async setTeachMode(on: boolean, _signal: AbortSignal): Promise<void> {
    if (!on) return;
    throw new CerebellumError(
      "COMMAND_REFUSED",
      "a Digit that can be moved by hand does not stand",
      "Give it motions by a policy",
    );
  }

  /** The end of the stream is the last of all stops: the robot falls back by itself. */
  async close(): Promise<void> {
    if (this.#phase === "closed") return;
    await this.deactivate(2);
    this.#phase = "closed";
    this.#end?.abort();
    this.#end = undefined;
    for (const undo of this.#undo.splice(0)) undo();
    await this.#json.close();
    await this.#udp.close();
  }

  // Fast: called by the servo's tick

  command(positionRad: Float64Array): CommandOutcome {
    return this.commandImpedance(positionRad, DIGIT_STAND);
  }

  commandImpedance(positionRad: ArrayLike<number>, gains: ImpedanceGains): CommandOutcome {
    const nowMs = this.#clock.nowMs();
    this.#look(nowMs);
    const limits = this.#robotLimits;
    if (this.#phase !== "active" || limits === undefined) return "notReady";
    this.#calledMs = nowMs;
    const { positionRad: measuredRad } = this.#seen.state;
    if (!this.#isAllowed(positionRad, measuredRad)) return "refused";
    if (!this.#drive.hold(positionRad, gains, measuredRad, limits)) return "refused";
    this.#isLed = true;
    return this.#send(nowMs) ? "sent" : "busy";
  }

  /** Also of a robot that is not driven: it costs nothing, and what we know of it may be wrong. */
  stopNow(category: StopCategory): boolean {
    if (this.#phase === "closed") return false;
    if (category === 0) this.#rest = "limp";
    else if (this.#rest !== "limp" || this.#isDriven) this.#rest = "damp";
    this.#letGo();
    if (this.#phase !== "faulted") this.#phase = "configured";
    return this.#sendRest(this.#clock.nowMs());
  }

  /** Motors may be obeying right now. */
  get #isDriven(): boolean {
    return this.#phase === "taking" || this.#phase === "active";
  }

  /** Finite, inside of the ranges, and at first where the robot is; NaN fails every comparison. */
  #isAllowed(positionRad: ArrayLike<number>, measuredRad: Float64Array): boolean {
    if (positionRad.length !== MOTOR_COUNT) return false;
    const { positionMinRad, positionMaxRad } = this.limits;
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      const target = positionRad[motor]!;
      const isInside =
        target >= positionMinRad[motor]! - RANGE_SLACK_RAD &&
        target <= positionMaxRad[motor]! + RANGE_SLACK_RAD;
      if (!isInside) return false;
      if (!this.#isLed && Math.abs(target - measuredRad[motor]!) > FIRST_STEP_RAD_MAX) return false;
    }
    return true;
  }

  // What comes from the robot, and what time brings

  async #open(signal: AbortSignal): Promise<void> {
    if (this.#end !== undefined) return;
    await this.#udp.open(signal);
    const end = new AbortController();
    this.#end = end;
    this.#undo = [
      this.#udp.onObservation((observation, receivedMs) => this.#onObservation(observation, receivedMs)),
      this.#udp.onState((state, reason) => this.#onStream(state === "live", reason)),
      this.#json.onLost((loss) => this.#onJsonLoss(loss)),
    ];
    void this.#keepAlive(end.signal);
  }

  async #keepAlive(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const nowMs = this.#clock.nowMs();
      this.#look(nowMs);
      if (!this.#isDriven || !this.#isLed) this.#sendRest(nowMs);
      await sleepMs(this.#clock, KEEP_ALIVE_MS, signal);
    }
  }

  /** Everything that time alone can bring. */
  #look(nowMs: number): void {
    if (!this.#isDriven) return;
    const { observationAgeMsMax } = this.#config;
    const ageMs = nowMs - this.#seen.state.receivedMs;
    const silentMs = nowMs - this.#calledMs;
    if (!(ageMs <= observationAgeMsMax)) this.#fail("OBSERVATION_OLD", inMs(ageMs));
    // Torques from an observation of then are as wrong as those from an old one.
    else if (this.#phase === "active" && silentMs > observationAgeMsMax)
      this.#fail("COMMANDS_SILENT", inMs(silentMs));
  }

  #onObservation(observation: DigitObservation, receivedMs: number): void {
    this.#seen.take(observation, receivedMs);
    if (this.#phase === "checking") this.#moments.add(observation, this.#seen.base, receivedMs);
    else if (!this.#isDriven) return;
    this.#watch.look(this.#seen.watched, receivedMs, this.#onTrouble);
    if (this.#isDriven && !this.#isLed && receivedMs - this.#sentMs >= HOLD_MS) this.#sendRest(receivedMs);
  }

  readonly #onTrouble = (name: DigitFaultName, found: string): void => {
    const fault = digitFault(name, found);
    if (fault.severity === "warning") this.#tell(fault);
    else if (this.#isDriven) this.#fail(name, found);
    // Not driven yet: whoever wants to drive it is told, and nothing was lost.
    else this.#changing?.abort(new CerebellumError("DEVICE_REFUSED", fault.cause, fault.remedy));
  };

  /** Whoever is faulted is configured anew in any case. */
  #onStream(isLive: boolean, reason: string): void {
    if (!isLive && this.#phase !== "closed" && this.#phase !== "faulted") this.#fail("STREAM_LOST", reason);
  }

  #onJsonLoss({ kind, happened }: JsonLoss): void {
    if (this.#phase === "closed" || this.#phase === "faulted") return;
    if (kind === "closed" || kind === "silent") this.#fail("JSON_LOST", happened);
    else if (this.#isDriven) this.#fail(kind === "mode" ? "MODE_LOST" : "PRIVILEGE_LOST", happened);
  }

  #fail(name: DigitFaultName, found: string): void {
    const fault = digitFault(name, found);
    if (this.#rest !== "limp" || this.#isDriven) this.#rest = "damp";
    this.#letGo(new CerebellumError("DEVICE_FAULT", fault.cause, fault.remedy));
    this.#phase = "faulted";
    this.#sendRest(this.#clock.nowMs());
    // Of a lost link nobody asks to leave it.
    if (fault.kind === "link") void this.#giveBack(2);
    this.#tell(fault);
  }

  #tell(fault: Fault): void {
    if (this.#told.has(fault.code)) return;
    this.#told.add(fault.code);
    for (const listener of this.#listeners) listener(fault);
  }

  // Sending

  #sendRest(nowMs: number): boolean {
    const limits = this.#robotLimits;
    const { positionRad } = this.#seen.state;
    const holds =
      this.#isDriven &&
      limits !== undefined &&
      this.#drive.hold(this.#entryRad, DIGIT_STAND, positionRad, limits);
    if (!holds) this.#drive[this.#rest === "damp" || this.#isDriven ? "damp" : this.#rest](limits);
    return this.#send(nowMs);
  }

  #send(nowMs: number): boolean {
    this.#sentMs = nowMs;
    return this.#udp.send(this.#drive.command);
  }

  // Control

  #startTaking(): void {
    this.#entryRad.set(this.#seen.state.positionRad);
    this.#isLed = false;
    this.#phase = "taking";
  }

  #startFollowing(): void {
    this.#calledMs = this.#clock.nowMs();
    this.#rest = "damp";
    this.#phase = "active";
    this.#seen.state.ready = true;
  }

  #refuseMoved(): void {
    const { positionRad } = this.#seen.state;
    const motor = positionRad.findIndex(
      (rad, at) => !(Math.abs(rad - this.#entryRad[at]!) <= TAKING_STEP_RAD_MAX),
    );
    if (motor < 0) return;
    throw new CerebellumError(
      "DEVICE_REFUSED",
      `Digit moved ${this.limits.jointNames[motor]} from ${this.#entryRad[motor]!.toFixed(2)} to ${positionRad[motor]!.toFixed(2)} rad while control was taken`,
      "Let it stand still, or hang, then enable again",
    );
  }

  #onActivationFailed(): void {
    const wasDriven = this.#isDriven;
    this.#letGo();
    if (wasDriven) this.#rest = "damp";
    if (this.#phase !== "faulted") this.#phase = "configured";
    void this.#giveBack(2);
  }

  #letGo(reason?: CerebellumError): void {
    const changing = this.#changing;
    this.#changing = undefined;
    changing?.abort(reason);
    this.#isLed = false;
    this.#seen.state.ready = false;
  }

  /** A mode that the robot or somebody else has chosen meanwhile is left alone. */
  #giveBack(category: StopCategory): Promise<unknown> {
    if (!this.#hasControl) return this.#leaving;
    this.#hasControl = false;
    const { mode } = this.#json;
    const wanted = category === 0 ? "disabled" : "damping";
    const rest = mode === "locomotion" || mode === "disabled" || mode === "damping" ? mode : wanted;
    this.#leaving = this.#json.giveBack(rest);
    return this.#leaving;
  }

  async #untilLive(signal: AbortSignal): Promise<DigitLimits> {
    const deadlineMs = this.#clock.nowMs() + LIVE_MS_MAX;
    while (this.#clock.nowMs() < deadlineMs) {
      signal.throwIfAborted();
      const { limits, state } = this.#udp;
      if (state === "live" && limits !== undefined && this.#udp.receivedMs > 0) return limits;
      await sleepMs(this.#clock, LIVE_LOOK_MS, signal);
    }
    throw new CerebellumError(
      "LINK_SILENT",
      `Digit's observations do not come: ${this.#udp.describeState()}`,
      "Check `host`, ports, cable and firewall; datagrams of more than 1500 bytes must pass, in fragments",
    );
  }

  #refuseAnother(name: string): void {
    if (this.#robotName !== "" && name !== this.#robotName)
      throw new CerebellumError(
        "DEVICE_MISMATCH",
        `"${name}" answers where "${this.#robotName}" was`,
        "Connect the same robot again, or restart the cell for this one",
      );
    this.#robotName = name;
  }
}

const inMs = (ms: number): string => `${ms.toFixed(0)} ms`;

const illegal = (wish: string, phase: Phase): CerebellumError =>
  new CerebellumError(
    "ILLEGAL_TRANSITION",
    `the Digit driver cannot ${wish} while it is ${phase}`,
    phase === "closed" || phase === "faulted" ? "Configure it first" : "Deactivate it first",
  );
