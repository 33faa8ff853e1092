/**
 * The Allegro Hand as an ArmDriver of sixteen joints. The servo tick leaves a target; the control step is driven by the
 * hand's own stream: once all four fingers have told their position, four torque frames go out as one piece. A timer
 * and the tick look whether the stream still flows. Whatever is in doubt makes the hand limp (LIMP) and latches: only an
 * explicit `activate` powers it again. A guardian process does the same when this process cannot any more.
 */
import type { ArmLimits, DeviceIdentity } from "../../core/arm.js";
import { type Clock, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { LatenessHistogram } from "../../core/histogram.js";
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import type { CanBusState, OpenCanBus } from "../can/bus.js";
import type { ArmDriver, ArmDriverCounters, ArmState, Fault, StopCategory } from "../contract.js";
import { type Bench, idText, introduce, startStream, throwIfAborted } from "./bringUp.js";
import type { AllegroConfig } from "./config.js";
import { handFault, jumpText, linkFault, motorFaults } from "./faults.js";
import { FingerWatch } from "./fingerWatch.js";
import type { Guardian } from "./guardian.js";
import { HandHealth } from "./handHealth.js";
import { HandLink } from "./handLink.js";
import { HandLoop } from "./handLoop.js";
import { limitsOf } from "./limits.js";
import { LIMP } from "./limp.js";
import { powerOn } from "./powerOn.js";
import { type HandInfo, zeroTorqueFrames } from "./protocol/index.js";

/** A target given while nothing was heard for this long is the last one: nobody leads the hand any more. */
const COMMAND_SILENCE_MS_MAX = 250;
/** Torque frames that the adapter may fail to take in a row. */
const UNWRITTEN_MAX = 2;
/** The first target after activation must lie this near to the measured position [rad]. */
const FIRST_STEP_RAD_MAX = 0.05;
/** A later one may differ by the joint's speed times the time between, with this much jitter. */
const STEP_JITTER_S = 0.01;
const STEP_GAP_S_MAX = 0.1;
/** Looks between uses: the hand is limp, so nothing hurries. */
const IDLE_LOOK_MS = 20;
const BEAT_MS = 10;
/** A hand that goes on streaming has not heard LIMP: it is told again, so often, and so many times. */
const DEAF_MS = 40;
const LIMP_TRIES_MAX = 10;
/** Longest wait for an adapter to take LIMP at an orderly end. */
const LIMP_MS_MAX = 100;

/** The hand has no brakes and no watchdog, so it is never left powered without somebody who commands it. */
const STOP_MEANINGS: Readonly<Record<StopCategory, string>> = {
  0: "zero torque, servo off and streams off at once: the fingers go limp in motion and drop what they hold",
  1: "setpoints decelerate to rest, then zero torque and servo off: the fingers go limp and drop what they hold",
  2:
    "setpoints decelerate to rest and PD holds until they are there, then zero torque and servo off as in category 1: " +
    "a hand without watchdog or brakes is not left powered",
};

type Phase = "closed" | "configured" | "activating" | "active" | "faulted";

export interface AllegroParts {
  readonly clock: Clock;
  readonly openBus: OpenCanBus;
  readonly guardian: Guardian;
}

export class AllegroDriver implements ArmDriver {
  readonly stopMeanings = STOP_MEANINGS;
  readonly limits: ArmLimits;
  /** From the bytes that completed a position set to its torque frames, handed to the port. */
  readonly reportToCommand = new LatenessHistogram();
  readonly #config: AllegroConfig;
  readonly #clock: Clock;
  readonly #guardian: Guardian;
  readonly #link: HandLink;
  readonly #bench: Bench;
  readonly #loop: HandLoop;
  readonly #health: HandHealth;
  readonly #watch: FingerWatch;
  readonly #listeners = new Set<(fault: Fault) => void>();
  /** Codes of faults told since the last activation or configuration. */
  readonly #told = new Set<string>();
  /** Position limits, on the side on which the hand was outside when it was powered as far as it stood. */
  readonly #minRad: Float64Array;
  readonly #maxRad: Float64Array;
  #phase: Phase = "closed";
  #identity: DeviceIdentity | undefined;
  #end: AbortController | undefined;
  /** Ends the activation under way when a stop comes. */
  #changing: AbortController | undefined;
  /** The bus has not taken LIMP yet. */
  #limpOwed = false;
  #limpMs = 0;
  #limpTries = 0;
  /** Position sets are expected; otherwise they show that LIMP was not heard. */
  #wantsStream = false;
  #lookedMs = 0;
  #calledMs = 0;
  #acceptedMs = 0;
  #beatMs = 0;
  #isFirst = true;
  #sent = 0;
  #unwritten = 0;
  #unwrittenInRow = 0;

  constructor(config: AllegroConfig, { clock, openBus, guardian }: AllegroParts) {
    this.#config = config;
    this.#clock = clock;
    this.#guardian = guardian;
    this.limits = limitsOf(config);
    this.#minRad = Float64Array.from(this.limits.positionMinRad);
    this.#maxRad = Float64Array.from(this.limits.positionMaxRad);
    this.#loop = new HandLoop(config);
    this.#watch = new FingerWatch(config.periodMs, config.silentPeriodsMax);
    this.#link = new HandLink(config, openBus, () => clock.nowMs(), {
      onFinger: (finger, nowMs) => this.#onFinger(finger, nowMs),
      onSets: (readMs, nowMs) => this.#onSets(readMs, nowMs),
      onJump: (joint, jumpRad) =>
        this.#whileActive(() => handFault("POSITION_JUMP", jumpText(joint, jumpRad))),
      onInfo: (info) => this.#onInfo(info),
      onTemperature: (sensor, celsius) => {
        if (this.#phase === "active") this.#health.onTemperature(sensor, celsius, clock.nowMs());
      },
      onMotorError: (motor, bits) => this.#onMotorError(motor, bits),
      onOtherHand: (id) => this.#whileActive(() => handFault("OTHER_HAND", idText(id))),
      onHostFrame: (id) => this.#whileActive(() => handFault("SECOND_COMMANDER", idText(id))),
      onStranger: (id) => {
        if (this.#phase !== "closed") this.#tell(handFault("STRANGER", idText(id)));
      },
      onBus: (state, why) => this.#onBus(state, why),
    });
    this.#health = new HandHealth(config, this.#link, (fault) => this.#report(fault));
    this.#bench = { config, clock, link: this.#link };
  }

  state(): ArmState {
    return this.#link.poses.state;
  }

  /** May be called again after a fault or a lost adapter: it then reads the hand anew. Leaves the servo off. */
  async configure(signal: AbortSignal): Promise<DeviceIdentity> {
    if (this.#phase === "activating" || this.#phase === "active") throw illegal("configure", this.#phase);
    const bench = this.#bench;
    try {
      await this.#link.open(signal);
      await this.#guardian.watch(signal);
      this.#startListening();
      const { identity, answersInfo } = await introduce(bench, signal);
      this.#refuseAnother(identity);
      await startStream(bench, signal);
      throwIfAborted(signal);
      this.#identity = identity;
      this.#health.answersInfo = answersInfo;
    } catch (thrown) {
      this.#limp();
      if (this.#phase === "closed") await this.#leaveBus();
      throw thrown;
    }
    this.#phase = "configured";
    this.state().errorCode = 0;
    this.#told.clear();
    if (!this.#health.answersInfo) this.#tell(handFault("INFO_UNANSWERED"));
    if (this.#end === undefined) {
      this.#end = new AbortController();
      void this.#keepLooking(this.#end.signal);
    }
    return this.#identity;
  }

  async activate(signal: AbortSignal): Promise<void> {
    if (this.#phase !== "configured" && this.#phase !== "faulted") throw illegal("activate", this.#phase);
    const { failure } = this.#guardian;
    if (failure !== undefined)
      throw new CerebellumError(
        "DEVICE_REFUSED",
        `nobody would make the hand limp if this process died: ${failure}`,
        "Reset, then enable again",
      );
    const stopped = new AbortController();
    const wanted = AbortSignal.any([signal, stopped.signal]);
    this.#changing = stopped;
    this.#phase = "activating";
    this.#startListening();
    try {
      await powerOn(this.#bench, this.#health.answersInfo, this.limits, wanted);
      throwIfAborted(wanted);
    } catch (thrown) {
      const wasStopped = stopped.signal.aborted;
      this.#limp();
      if (this.#phase === "activating") this.#phase = "faulted";
      if (!wasStopped || !this.#link.isUp) throw thrown;
      throw new CerebellumError(
        "COMMAND_REFUSED",
        "a stop came while the hand was enabled",
        "Enable again",
        thrown,
      );
    } finally {
      this.#changing = undefined;
    }
    this.#told.clear();
    this.#startFollowing();
  }

  /** Every category ends limp; what comes before differs, and the servo has done that by now. */
  async deactivate(_category: StopCategory): Promise<void> {
    if (this.#phase === "closed") return;
    this.#limp();
    if (this.#phase !== "faulted") this.#phase = "configured";
    await this.#untilLimp();
  }

  command(positionRad: Float64Array): "sent" | "notReady" | "busy" | "refused" {
    const nowMs = this.#clock.nowMs();
    this.#look(nowMs);
    if (!this.state().ready) return "notReady";
    this.#calledMs = nowMs;
    if (!this.#isAllowed(positionRad, nowMs)) return "refused";
    if (this.#unwrittenInRow > 0) return "busy";
    this.#loop.targetRad.set(positionRad);
    this.#acceptedMs = nowMs;
    this.#isFirst = false;
    return "sent";
  }

  stopNow(_category: StopCategory): boolean {
    if (this.#phase === "closed") return false;
    const left = this.#limp();
    if (this.#phase !== "faulted") this.#phase = "configured";
    return left;
  }

  /** A hand has no gripper. */
  setGripper(_openingM: number): void {}

  async setTeachMode(on: boolean, _signal: AbortSignal): Promise<void> {
    if (!on) return;
    throw new CerebellumError(
      "COMMAND_REFUSED",
      "the Allegro Hand has no mode in which it is powered and can be moved by hand",
      "Demonstrate through a headset; a limp hand can be moved by hand, but need not tell its position",
    );
  }

  counters(): ArmDriverCounters {
    const { poses, answers, malformed, bus } = this.#link;
    return {
      sent: this.#sent,
      replied: answers,
      unanswered: this.#unwritten,
      reports: poses.state.sequence,
      corrupt: malformed + poses.incomplete,
      reconnects: bus?.statistics().reconnects ?? 0,
    };
  }

  onFault(listener: (fault: Fault) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#phase === "closed") return;
    this.#limp();
    await this.#untilLimp();
    this.#phase = "closed";
    this.#end?.abort();
    this.#end = undefined;
    await this.#leaveBus();
  }

  /** A guardian whose hand was not made limp is left to do it. */
  async #leaveBus(): Promise<void> {
    const isLimp = !this.#limpOwed;
    await this.#link.close();
    if (isLimp) await this.#guardian.dismiss();
  }

  #startListening(): void {
    this.#wantsStream = true;
    this.#limpOwed = false;
    this.#limpTries = 0;
  }

  /** The hand is powered without torque: from here on it holds where it stands. */
  #startFollowing(): void {
    const { positionRad } = this.state();
    const nowMs = this.#clock.nowMs();
    const { positionMinRad, positionMaxRad } = this.limits;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      this.#minRad[joint] = Math.min(positionMinRad[joint]!, positionRad[joint]!);
      this.#maxRad[joint] = Math.max(positionMaxRad[joint]!, positionRad[joint]!);
    }
    this.#loop.targetRad.set(positionRad);
    this.#isFirst = true;
    this.#unwrittenInRow = 0;
    this.#lookedMs = nowMs;
    this.#calledMs = nowMs;
    this.#acceptedMs = nowMs;
    this.#watch.start(nowMs);
    this.#health.start(nowMs);
    this.#phase = "active";
    this.state().ready = true;
    this.#beat(nowMs);
  }

  /** Nothing is judged here: the frames of the other fingers may have been read with this one. */
  #onFinger(finger: number, nowMs: number): void {
    if (this.#phase === "active") this.#watch.heard(finger, nowMs);
  }

  #onSets(readMs: number, nowMs: number): void {
    // After a long pause frames may be read before the timer says how long it was: no torque for a hand of then.
    if (nowMs - this.#lookedMs > this.#config.stallMsMax) this.#look(nowMs);
    if (this.#phase === "active") this.#step(readMs, nowMs);
    else if (this.#phase === "activating") this.#hold(nowMs);
    else if (!this.#wantsStream) this.#insist(nowMs);
  }

  /** The hand is switched on and not led yet: a driver that hangs now must be missed, too. */
  #hold(nowMs: number): void {
    if (this.#link.write(zeroTorqueFrames())) this.#beat(nowMs);
  }

  #step(readMs: number, nowMs: number): void {
    this.#watch.setCame(nowMs);
    if (!this.#loop.step(this.#link.poses)) {
      this.#fail(handFault("NOT_FINITE"));
      return;
    }
    if (this.#link.write(this.#loop.frames)) {
      this.reportToCommand.add(1000 * (this.#clock.nowMs() - readMs));
      this.#sent++;
      this.#unwrittenInRow = 0;
      this.#beat(nowMs);
      return;
    }
    this.#unwritten++;
    this.#unwrittenInRow++;
    if (this.#unwrittenInRow > UNWRITTEN_MAX)
      this.#fail(handFault("ADAPTER_BEHIND", String(this.#unwrittenInRow)));
  }

  #beat(nowMs: number): void {
    if (nowMs - this.#beatMs < BEAT_MS) return;
    this.#beatMs = nowMs;
    this.#guardian.beat();
  }

  /** Everything that time alone can bring. Called by the tick and by a timer. */
  #look(nowMs: number): void {
    if (this.#limpOwed && this.#link.isUp) this.#sendLimp();
    if (this.#phase !== "active") return;
    const passedMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    if (passedMs > this.#config.stallMsMax) this.#fail(handFault("LATE", `${Math.round(passedMs)} ms`));
    else if (this.#watch.look(nowMs) !== undefined) this.#judgeSilence();
    else this.#lookAround(nowMs);
  }

  /** Silence is the hand's only once everything that has come is read: a process that was held up reads late. */
  #judgeSilence(): void {
    this.#link.readNow();
    if (this.#phase !== "active") return;
    const silence = this.#watch.look(this.#clock.nowMs());
    if (silence !== undefined) this.#fail(silence);
  }

  #lookAround(nowMs: number): void {
    const { failure } = this.#guardian;
    if (nowMs - this.#calledMs > COMMAND_SILENCE_MS_MAX)
      this.#fail(handFault("COMMANDS_SILENT", `${Math.round(nowMs - this.#calledMs)} ms`));
    else if (failure !== undefined) this.#fail(handFault("GUARDIAN_GONE", failure));
    else this.#health.tick(nowMs);
  }
  async #keepLooking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Activation takes longer than an idle look, so that the first moment of use is looked at, too.
      const isUsed = this.#phase === "active" || this.#phase === "activating" || this.#limpOwed;
      await sleepMs(this.#clock, isUsed ? this.#config.periodMs / 2 : IDLE_LOOK_MS, signal);
      if (!signal.aborted) this.#look(this.#clock.nowMs());
    }
  }

  /** Finite, within limits, and no step that no joint could make; NaN fails every comparison. */
  #isAllowed(positionRad: Float64Array, nowMs: number): boolean {
    if (positionRad.length !== HAND_JOINT_COUNT) return false;
    const { velocityMaxRadPerS } = this.limits;
    const { targetRad } = this.#loop;
    const gapS = Math.min((nowMs - this.#acceptedMs) / 1e3, STEP_GAP_S_MAX) + STEP_JITTER_S;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const target = positionRad[joint]!;
      const stepMax = this.#isFirst ? FIRST_STEP_RAD_MAX : velocityMaxRadPerS[joint]! * gapS;
      const isInside = target >= this.#minRad[joint]! && target <= this.#maxRad[joint]!;
      if (!isInside || !(Math.abs(target - targetRad[joint]!) <= stepMax)) return false;
    }
    return true;
  }

  #onInfo(info: HandInfo): void {
    if (this.#phase === "active") this.#health.onInfo(info, this.#clock.nowMs());
  }

  #onMotorError(motor: number, bits: number): void {
    this.state().errorCode = bits;
    for (const fault of motorFaults(motor, bits)) this.#whileActive(() => fault);
  }

  #whileActive(fault: () => Fault): void {
    if (this.#phase === "active" || this.#phase === "activating") this.#fail(fault());
  }

  #onBus(busState: CanBusState, why: string): void {
    if (busState === "lost") this.#guardian.letGo();
    if (this.#phase === "closed") return;
    if (busState === "up") {
      // Whatever the hand was told last, it may have done all the time.
      this.#limp();
      return;
    }
    this.#fail(linkFault(busState === "lost" ? "BUS_LOST" : "BUS_OFF", why));
  }

  #refuseAnother({ serial }: DeviceIdentity): void {
    const known = this.#identity?.serial;
    if (known === undefined || serial === known) return;
    throw new CerebellumError(
      "DEVICE_MISMATCH",
      `hand ${serial} answers where hand ${known} was`,
      "Connect the same hand again, or restart the cell for this one",
    );
  }

  /** Of one answer only the first trouble counts. */
  #report(fault: Fault): void {
    if (this.#phase !== "active") return;
    if (fault.severity === "warning") this.#tell(fault);
    else this.#fail(fault);
  }

  #fail(fault: Fault): void {
    this.#limp();
    this.#phase = "faulted";
    this.#tell(fault);
  }

  /** No torque leaves any more, whatever else happens. @returns whether the bus has taken the sequence */
  #limp(): boolean {
    this.#changing?.abort();
    this.state().ready = false;
    this.#wantsStream = false;
    this.#limpTries = 0;
    return this.#sendLimp();
  }

  #sendLimp(): boolean {
    this.#limpMs = this.#clock.nowMs();
    this.#limpOwed = !this.#link.write(LIMP);
    if (!this.#limpOwed) this.#guardian.rest();
    return !this.#limpOwed;
  }

  /** The hand streams although it was told to be off. */
  #insist(nowMs: number): void {
    if (this.#limpTries >= LIMP_TRIES_MAX || nowMs - this.#limpMs < DEAF_MS) return;
    this.#limpTries++;
    this.#sendLimp();
    if (this.#limpTries === LIMP_TRIES_MAX) this.#tell(handFault("STOP_UNHEARD", String(LIMP_TRIES_MAX)));
  }

  /** A little patience with an adapter that is behind. */
  async #untilLimp(): Promise<void> {
    const deadlineMs = this.#clock.nowMs() + LIMP_MS_MAX;
    while (this.#limpOwed && this.#link.isUp && this.#clock.nowMs() < deadlineMs) {
      await sleepMs(this.#clock, this.#config.periodMs);
      if (this.#limpOwed) this.#sendLimp();
    }
  }

  /** Answers whether it was news. */
  #tell(fault: Fault): void {
    if (this.#told.has(fault.code)) return;
    this.#told.add(fault.code);
    for (const listener of this.#listeners) listener(fault);
  }
}

const illegal = (wish: string, phase: Phase): CerebellumError =>
  new CerebellumError(
    "ILLEGAL_TRANSITION",
    `the Allegro driver cannot ${wish} while it is ${phase}`,
    phase === "closed" ? "Configure it first" : "Deactivate it first",
  );
