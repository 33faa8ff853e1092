/**
 * The servo of one robot: driver, motion, watchdogs and lease, driven by `tick`. Whatever is in doubt (an expired
 * command, an old device state, a silent or vanished commander) makes an arm's motion brake to a hold, and stops a robot on
 * legs, which cannot; a stop, a fault or a lost link ends the lease and raises the epoch, so that nothing that was given
 * before can run after.
 *
 * Nothing here waits: what needs an answer from the device is in `device.ts`. A tick allocates nothing that grows with
 * its number.
 */
import type { ArmLimits } from "../../core/arm.js";
import { nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ArmDriver, Fault, StopCategory } from "../../drivers/contract.js";
import { REASON_BITS, type ServoInfo, type ServoStateName, type ServoStatistics } from "./api.js";
import type { InputAges } from "./blackBox.js";
import { Commander, type ServoMoment } from "./commander.js";
import { MALFORMED } from "./commandGate.js";
import { DeviceSession, isLinkLoss } from "./device.js";
import { EventDesk, type ServoOutput } from "./events.js";
import { Follower } from "./follower.js";
import { LegFollower } from "./legFollower.js";
import type { BodyOf, CommandBody } from "./link/schema.js";
import type { LinkHandler, Peer } from "./link/server.js";
import type { ServoLoop, Tick } from "./loop.js";
import type { LegServoOptions, ServoOptions } from "./options.js";
import type { FollowerHooks, RobotFollower } from "./robotFollower.js";
import { createSnapshot, type MutableSnapshot, takeDeviceState } from "./snapshot.js";
import { advance, canAdvance, passesCommands, type ServoEventName, streams } from "./states.js";
import { servoStatistics } from "./statistics.js";
import { graver, STOP_CATEGORIES } from "./stopCategories.js";
import { Supervision } from "./supervision.js";
import { TeachMode } from "./teachMode.js";
import type { TriggerName } from "./triggers.js";

export type { LegServoOptions, ServoOptions } from "./options.js";

export class Servo implements LinkHandler {
  readonly #options: ServoOptions | LegServoOptions;
  readonly #driver: ArmDriver;
  readonly #device: DeviceSession;
  readonly #events: EventDesk;
  readonly #commander: Commander;
  readonly #supervision = new Supervision();
  readonly #ages: InputAges = {
    stateMs: Number.NaN,
    commandMs: Number.NaN,
    inputMs: Number.NaN,
    supervisorMs: Number.NaN,
    commanderMs: Number.NaN,
  };
  readonly #snapshot: MutableSnapshot;
  #loop: ServoLoop | undefined;
  readonly #follower: RobotFollower;
  readonly #teachMode: TeachMode | undefined;
  #limits: ArmLimits;
  #state: ServoStateName = "disconnected";
  #epoch = 1;
  #stopCategory: StopCategory = 2;
  #stopWaiters: (() => void)[] = [];

  constructor(options: ServoOptions | LegServoOptions) {
    this.#options = options;
    this.#driver = options.driver;
    this.#device = new DeviceSession(options.driver, options.clock);
    this.#events = new EventDesk(options.clock, options.blackBox);
    const jointCount = options.driver.limits.jointNames.length;
    const isArm = "body" in options;
    this.#commander = new Commander(options.config, jointCount, !isArm);
    const hooks: FollowerHooks = {
      clock: options.clock,
      commander: this.#commander,
      events: this.#events,
      blackBox: options.blackBox,
      stop: (trigger, reason) => void this.#stopFor(trigger, 2, reason),
      endLease: (trigger, reason) => this.#endLease(reason, trigger),
      supervisorSilentMs: (nowMs) => this.#supervision.silentMs(nowMs),
    };
    this.#follower = isArm
      ? new Follower({ ...options, ...hooks })
      : new LegFollower({ ...options, ...hooks });
    this.#limits = this.#follower.limits;
    this.#teachMode = isArm ? this.#createTeachMode(options) : undefined;
    this.#snapshot = createSnapshot(jointCount, options.driver.state().base);
    options.driver.onFault((fault) => this.#onFault(fault));
    if (options.startLatched !== undefined) {
      this.#state = "stopped";
      this.#events.tell("state", `starts stopped: ${options.startLatched}`);
    }
  }

  #createTeachMode(options: ServoOptions): TeachMode {
    return new TeachMode({
      ...options,
      device: this.#device,
      state: () => this.#state,
      advance: (event, why) => this.#advance(event, why),
      atRest: () => this.#follower.atRest,
      supervisorSilentMs: () => this.#supervision.silentMs(this.#nowMs()),
      raiseEpoch: () => void this.#epoch++,
      stop: (trigger, reason) => void this.#stopFor(trigger, 2, reason),
    });
  }

  attach(output: ServoOutput, loop?: ServoLoop): void {
    this.#events.output = output;
    this.#loop = loop;
  }

  get state(): ServoStateName {
    return this.#state;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** First connection to the device. @throws the driver's reason */
  async connect(): Promise<void> {
    await this.#device.connect();
    this.#onLinkUp();
  }

  /** Ends motion within the limits and leaves the arm holding. */
  async close(): Promise<void> {
    if (streams(this.#state) || this.#state === "teaching")
      await this.#stopFor("processEnds", 2, "the servo process ends");
    await this.#device.close();
  }

  // What clients ask for

  info(): ServoInfo {
    const { robot, device, config, realtimePriority, processId } = this.#options;
    const { identity } = this.#device;
    const limits = this.#limits;
    const { rateHz, supervisorSilenceMsMax } = config;
    const info = {
      robot,
      device,
      rateHz,
      limits,
      identity,
      realtimePriority,
      processId,
      supervisorSilenceMsMax,
    };
    const { gainsMax } = this.#follower;
    return gainsMax === undefined ? info : { ...info, gainsMax };
  }

  statistics(): ServoStatistics {
    return servoStatistics(this.#loop, this.#driver, this.#events);
  }

  heard(peer: Peer): void {
    const nowMs = this.#nowMs();
    this.#commander.heard(peer, nowMs);
    this.#supervision.heard(peer, nowMs);
  }

  gone(peer: Peer): void {
    this.#supervision.gone(peer);
    if (this.#commander.isHeldBy(peer)) this.#endLease("its connection closed", "commanderGone");
    else if (this.#commander.holder !== undefined && this.#supervision.isAlone)
      this.#endLease("the last supervisor's connection closed", "supervisorGone");
  }

  troubled(text: string): void {
    this.#events.clientTrouble(text, this.#nowMs());
  }

  acquireLease(peer: Peer, name: string): { epoch: number; silenceMsMax: number } {
    const refuse = (happened: string, remedy: string) =>
      new CerebellumError("LEASE_REFUSED", happened, remedy);
    if (peer.role !== "commander")
      throw refuse(`${peer.name} asked for a lease as ${peer.role}`, "Connect as commander");
    if (this.#commander.holder !== undefined)
      throw refuse(`${this.#commander.name} holds the lease`, "Wait until it is released, or stop the robot");
    if (!canAdvance(this.#state, "leaseGranted"))
      throw refuse(
        `The servo is ${this.#state}`,
        "Enable the robot first; after a stop or a fault, reset it before",
      );
    if (this.#supervision.silentMs(this.#nowMs()) > this.#options.config.supervisorSilenceMsMax)
      throw refuse("No supervisor is connected, so nobody could stop the arm", "Start the daemon");
    this.#epoch++;
    this.#follower.startLease();
    this.#commander.grant(peer, name, this.#epoch, this.#nowMs());
    this.#advance("leaseGranted", `lease to ${name}`);
    return { epoch: this.#epoch, silenceMsMax: this.#options.config.leaseSilenceMsMax };
  }

  releaseLease(peer: Peer, epoch: number): void {
    if (!this.#commander.isHeldBy(peer) || epoch !== this.#epoch) return;
    const { whyNotHold } = this.#follower;
    if (whyNotHold === undefined) this.#endLease("released");
    else void this.#stopFor("commanderGone", 2, `${peer.name} gave the robot back, but ${whyNotHold}`);
  }

  revokeLease(peer: Peer, reason: string): void {
    if (this.#commander.holder !== undefined)
      this.#endLease(`revoked by ${peer.name}: ${reason}`, "leaseRevoked");
  }

  /** Judges a command and leaves it for the next tick, or for a follower that does not wait for that. */
  command(peer: Peer, command: CommandBody): void {
    const nowMs = this.#nowMs();
    const refusal = this.#commander.offer(peer, command, this.#moment(nowMs));
    if (refusal === undefined) {
      this.#follower.commandCame?.(this.#state);
      return;
    }
    const what = `command ${command.seq} of ${peer.name}`;
    if (this.#follower.brakes || !MALFORMED.has(refusal)) this.#events.refuse(refusal, what, nowMs);
    else {
      // The stop is told by itself.
      this.#events.refuse(refusal, what, nowMs, null);
      void this.#stopFor("commandMalformed", 2, `${what}: ${refusal}`);
    }
    if (MALFORMED.has(refusal)) this.#follower.hold(REASON_BITS.commandMalformed);
  }

  /**
   * Judges setpoints and queues them for the ticks to come. A stream with anything missing is not to be trusted: whatever
   * its commander sends that cannot be queued ends it, and the arm brakes to a hold.
   */
  setpoints(peer: Peer, batch: BodyOf<"setpoints">): void {
    const nowMs = this.#nowMs();
    const refusal = this.#commander.offerSetpoints(peer, batch, this.#moment(nowMs));
    if (refusal === undefined) return;
    // A stranger ends nobody's stream, and what comes after the end of one is only late.
    const isFollowed = this.#commander.isHeldBy(peer) && refusal !== "streamEnded";
    const trigger = refusal === "expired" ? "commandExpired" : "commandMalformed";
    const what = `setpoints from ${batch.firstIndex} on of ${peer.name}`;
    this.#events.refuse(refusal, what, nowMs, isFollowed && refusal !== "stateStale" ? trigger : undefined);
    if (isFollowed && this.#follower.brakes) this.#follower.hold(REASON_BITS[trigger]);
  }

  #moment(nowMs: number): ServoMoment {
    return {
      epoch: this.#epoch,
      follows: passesCommands(this.#state),
      stateIsFresh: this.#follower.stateAgeMs(nowMs) <= this.#options.config.stateAgeMsMax,
      nowMs,
    };
  }

  gripper(peer: Peer, { epoch, expiresNs, openingM }: BodyOf<"gripper">): void {
    const what = `gripper opening from ${peer.name}`;
    const nowMs = this.#nowMs();
    if (!this.#commander.isHeldBy(peer)) this.#events.refuse("noLease", what, nowMs);
    else if (epoch !== this.#epoch) this.#events.refuse("wrongEpoch", what, nowMs);
    else if (!(openingM >= 0 && openingM < 1)) this.#events.refuse("notFinite", what, nowMs);
    else if (!(nsToMs(expiresNs) > nowMs)) this.#events.refuse("expired", what, nowMs);
    else {
      this.#snapshot.gripperCommandM = openingM;
      this.#driver.setGripper(openingM);
    }
  }

  async enable(): Promise<void> {
    if (this.#state === "holding" || this.#state === "following") return;
    if (!canAdvance(this.#state, "enabled"))
      throw new CerebellumError(
        "NOT_ENABLED",
        `The servo is ${this.#state}`,
        this.#state === "disconnected" ? "Check the device's power and cable" : "Reset it first",
      );
    const failure = this.#options.blackBox?.failure;
    if (failure !== undefined)
      throw new CerebellumError(
        "RECORDING_FAILED",
        `The black box fails: ${failure}`,
        "Mend it, then enable again",
      );
    await this.#device.activate();
    // A stop or a lost link while the device was busy has ended the operation; this is for the tick in between.
    if (!canAdvance(this.#state, "enabled")) {
      await this.#device.leave(2);
      throw new CerebellumError(
        "NOT_ENABLED",
        `The servo is ${this.#state} by now`,
        "Reset it, then enable again",
      );
    }
    try {
      this.#startFromMeasured();
    } catch (error) {
      await this.#device.leave(2);
      throw error;
    }
    this.#advance("enabled", "enabled");
  }

  /** Resolves when motion has ended. Never refused. */
  stop(category: StopCategory, reason: string, by?: string): Promise<void> {
    return this.#stopFor("stopRequested", category, by === undefined ? reason : `${by}: ${reason}`);
  }

  async #stopFor(trigger: TriggerName, category: StopCategory, reason: string): Promise<void> {
    this.#epoch++;
    this.#events.triggered(trigger, "stop", `category ${category}, ${reason}`);
    this.#dropHolder(`stopped: ${reason}`);
    this.#device.abort(`stop of category ${category}`);
    const moved = streams(this.#state);
    const wasFree = this.#state === "teaching";
    this.#stopCategory = this.#state === "stopping" ? graver(this.#stopCategory, category) : category;
    this.#advance("stopRequested", `stop of category ${category}: ${reason}`);
    const decelerates = STOP_CATEGORIES[category].decelerates && this.#follower.brakes;
    // Nothing is streamed to a free arm, so only the device itself can hold it.
    if (!decelerates || wasFree) {
      const left = this.#driver.stopNow(category);
      this.#events.tell(
        "state",
        left ? "stop sent to the device" : "the device could not be reached for the stop",
      );
    }
    if (!moved || !decelerates) {
      await this.#finishStop();
      return;
    }
    await new Promise<void>((resolve) => this.#stopWaiters.push(resolve));
  }

  /** Leaves `stopped` or `faulted`: the device is read again and its limits asserted again; nothing is enabled. */
  async reset(): Promise<void> {
    if (!canAdvance(this.#state, "reset"))
      throw new CerebellumError(
        "COMMAND_REFUSED",
        `The servo is ${this.#state}`,
        "Only a stopped or faulted servo is reset",
      );
    await this.#device.connect();
    if (!canAdvance(this.#state, "reset"))
      throw new CerebellumError("DEVICE_UNREACHABLE", `The servo is ${this.#state} by now`, "Try again");
    this.#takeLimits();
    this.#advance("reset", "reset");
  }

  /** @throws CerebellumError of `TeachMode` */
  async teach(on: boolean): Promise<void> {
    if (this.#teachMode === undefined)
      throw new CerebellumError(
        "COMMAND_REFUSED",
        `${this.#options.robot} (${this.#options.device}) cannot be guided by hand`,
        "Only an arm or a hand that can be set free has a teach mode",
      );
    await (on ? this.#teachMode.start() : this.#teachMode.end());
  }

  // The tick

  tick(tick: Tick): void {
    const reasons = streams(this.#state) ? this.#follower.tick(tick, this.#state) : this.#follower.doubts;
    if (this.#state === "stopping" && this.#follower.atRest) void this.#finishStop();
    if (this.#state === "teaching") this.#teachMode?.tick(tick.nowMs);
    this.#publish(tick.index, reasons);
  }

  #publish(index: number, reasons: number): void {
    const snapshot = this.#snapshot;
    const { blackBox } = this.#options;
    takeDeviceState(snapshot, this.#driver.state());
    snapshot.tick = index;
    snapshot.tickMs = this.#options.clock.nowMs();
    snapshot.state = this.#state;
    snapshot.epoch = this.#epoch;
    snapshot.commander = this.#commander.name;
    snapshot.sentRad.set(streams(this.#state) ? this.#follower.sentRad : snapshot.positionRad);
    snapshot.limitedRad.set(streams(this.#state) ? this.#follower.limitedRad : snapshot.positionRad);
    const requestedRad = streams(this.#state) ? this.#follower.requestedRad : undefined;
    snapshot.requestedRad.set(requestedRad ?? snapshot.sentRad);
    snapshot.reasons = reasons;
    snapshot.commandSeq = this.#follower.commandSeq;
    snapshot.commandWireMs = this.#follower.commandWireMs;
    if (blackBox !== undefined) {
      this.#follower.readAges(snapshot.tickMs, this.#ages);
      blackBox.tick(snapshot, this.#ages);
    }
    this.#events.output?.broadcastSnapshot(snapshot);
  }

  // What happens to the servo

  #onLinkUp(): void {
    this.#takeLimits();
    if (canAdvance(this.#state, "linkUp")) this.#advance("linkUp", "the device answers");
  }

  #onFault(fault: Fault): void {
    if (fault.severity === "warning") {
      this.#events.warned(fault);
      return;
    }
    const isLink = isLinkLoss(fault);
    this.#events.triggered(
      isLink ? "linkLost" : "deviceFault",
      "fault",
      `${fault.code}: ${fault.cause}`,
      fault,
    );
    this.#epoch++;
    this.#dropHolder(`fault ${fault.code}`);
    this.#device.abort(fault.code);
    if (isLink) {
      this.#advance("linkDown", fault.code);
      void this.#device.reconnect({
        linkUp: () => this.#onLinkUp(),
        stillDown: (reason) => this.#events.tell("watchdog", `the device does not answer: ${reason}`),
      });
    } else {
      this.#advance("fault", fault.code);
      if (!this.#follower.brakes) this.#driver.stopNow(2);
      void this.#device.leave(2);
    }
    this.#settleStops();
  }

  async #finishStop(): Promise<void> {
    if (canAdvance(this.#state, "stopFinished")) this.#advance("stopFinished", "motion has ended");
    await this.#device.leave(this.#stopCategory);
    this.#settleStops();
  }

  #settleStops(): void {
    for (const resolve of this.#stopWaiters.splice(0)) resolve();
  }

  #startFromMeasured(): void {
    const { positionRad } = this.#driver.state();
    const ageMs = this.#follower.stateAgeMs(this.#nowMs());
    if (!positionRad.every(Number.isFinite) || ageMs > this.#options.config.stateAgeMsMax)
      throw new CerebellumError(
        "LINK_SILENT",
        `The device's joint state is ${ageMs.toFixed(0)} ms old (limit ${this.#options.config.stateAgeMsMax} ms)`,
        "Check the report ports of the device",
      );
    this.#follower.startAt(positionRad);
  }

  /** The device's limits may have changed with what was learnt of it. Only while nothing moves. */
  #takeLimits(): void {
    this.#follower.takeLimits();
    this.#limits = this.#follower.limits;
    this.#events.output?.broadcastInfo();
  }

  /** @param trigger what took the lease away; none when its holder gave it back */
  #endLease(reason: string, trigger?: TriggerName): void {
    if (trigger !== undefined && !this.#follower.brakes) {
      void this.#stopFor(trigger, 2, reason);
      return;
    }
    if (trigger !== undefined) this.#events.triggered(trigger, "watchdog", reason);
    this.#dropHolder(reason);
    this.#follower.clearDoubts();
    if (trigger !== undefined) this.#follower.hold(REASON_BITS.leaseLost);
    if (canAdvance(this.#state, "leaseEnded")) this.#advance("leaseEnded", `lease ended: ${reason}`);
  }

  /** Forgets the commander and all that it has asked for; what moves brakes to a hold. */
  #dropHolder(reason: string): void {
    const holder = this.#commander.drop();
    this.#follower.hold();
    if (holder === undefined) return;
    this.#events.output?.leaseLost(holder.peer.id, holder.epoch, reason);
    this.#events.tell("lease", `${holder.name} has no lease any more: ${reason}`);
  }

  #advance(event: ServoEventName, why: string): void {
    const before = this.#state;
    this.#state = advance(before, event);
    if (this.#state !== before) this.#events.tell("state", `${before} -> ${this.#state}: ${why}`);
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}
