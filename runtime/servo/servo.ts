/**
 * The servo of one arm: driver, motion, watchdogs and lease, driven by `tick`. Whatever is in doubt (an expired
 * command, an old device state, a silent or vanished commander) makes the motion brake to a hold; a stop, a fault or a
 * lost link ends the lease and raises the epoch, so that nothing that was given before can run after.
 *
 * Nothing here waits: what needs an answer from the device is in `device.ts`. A tick allocates nothing that grows with
 * its number.
 */
import type { ArmLimits } from "../../core/arm.js";
import { type Clock, nsToMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { ArmDriver, Fault, StopCategory } from "../../drivers/contract.js";
import { REASON_BITS, type ServoInfo, type ServoStateName, type ServoStatistics } from "./api.js";
import { Commander } from "./commander.js";
import type { ServoConfig } from "./config.js";
import { DeviceSession, isLinkLoss } from "./device.js";
import { EventDesk, type ServoOutput } from "./events.js";
import { Follower } from "./follower.js";
import type { ToolPoint } from "./limiter.js";
import { limitsInForce, publicLimits } from "./limits.js";
import type { BodyOf } from "./link/schema.js";
import type { LinkHandler, Peer } from "./link/server.js";
import type { ServoLoop, Tick } from "./loop.js";
import { createSnapshot, type MutableSnapshot, takeDeviceState } from "./snapshot.js";
import { advance, canAdvance, passesCommands, type ServoEventName, streams } from "./states.js";
import { TickLog } from "./tickLog.js";

export interface ServoOptions {
  readonly robot: string;
  readonly device: string;
  readonly config: ServoConfig;
  readonly driver: ArmDriver;
  readonly toolPoint: ToolPoint;
  readonly clock: Clock;
  readonly realtimePriority: number;
  readonly processId: number;
}

export class Servo implements LinkHandler {
  readonly log: TickLog;
  readonly #options: ServoOptions;
  readonly #driver: ArmDriver;
  readonly #device: DeviceSession;
  readonly #events: EventDesk;
  readonly #commander: Commander;
  readonly #snapshot: MutableSnapshot;
  #loop: ServoLoop | undefined;
  readonly #follower: Follower;
  #limits: ArmLimits;
  #state: ServoStateName = "disconnected";
  #epoch = 1;
  #stopCategory: StopCategory = 2;
  #stopWaiters: (() => void)[] = [];

  constructor(options: ServoOptions) {
    this.#options = options;
    this.#driver = options.driver;
    this.#device = new DeviceSession(options.driver, options.clock);
    this.#events = new EventDesk(options.clock);
    const limits = limitsInForce(options.driver.limits, options.config);
    const jointCount = limits.jointNames.length;
    this.#limits = publicLimits(limits);
    this.#commander = new Commander(options.config, jointCount);
    this.#follower = new Follower({
      ...options,
      commander: this.#commander,
      events: this.#events,
      stop: (reason) => void this.stop(2, reason),
      endLease: (reason) => this.#endLease(reason),
    });
    this.#snapshot = createSnapshot(jointCount);
    this.log = new TickLog(jointCount, options.config.rateHz);
    options.driver.onFault((fault) => this.#onFault(fault));
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
    if (streams(this.#state)) await this.stop(2, "the servo process ends");
    await this.#device.close();
  }

  // What clients ask for

  info(): ServoInfo {
    const { robot, device, config, realtimePriority, processId } = this.#options;
    const { identity } = this.#device;
    const limits = this.#limits;
    return { robot, device, rateHz: config.rateHz, limits, identity, realtimePriority, processId };
  }

  statistics(): ServoStatistics {
    const loop = this.#loop;
    const histogram = loop?.lateness;
    return {
      ticks: loop?.ticks ?? 0,
      missed: { ...loop?.missed },
      latenessUs: {
        p50: histogram?.percentileUs(0.5) ?? 0,
        p99: histogram?.percentileUs(0.99) ?? 0,
        p999: histogram?.percentileUs(0.999) ?? 0,
        max: histogram?.maxUs ?? 0,
      },
      bucketsUs: histogram?.bucketsUs ?? [],
      counts: histogram?.counts() ?? [],
      refusedCommands: { ...this.#events.refused },
      driver: { ...this.#driver.counters(), snapshotsDropped: this.#events.output?.snapshotsDropped() ?? 0 },
    };
  }

  heard(peer: Peer): void {
    this.#commander.heard(peer, this.#nowMs());
  }

  gone(peer: Peer): void {
    if (this.#commander.isHeldBy(peer)) this.#endLease("its connection closed");
  }

  troubled(text: string): void {
    this.#events.tell("refused", text);
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
    this.#epoch++;
    this.#follower.startLease();
    this.#commander.grant(peer, name, this.#epoch, this.#nowMs());
    this.#advance("leaseGranted", `lease to ${name}`);
    return { epoch: this.#epoch, silenceMsMax: this.#options.config.leaseSilenceMsMax };
  }

  releaseLease(peer: Peer, epoch: number): void {
    if (this.#commander.isHeldBy(peer) && epoch === this.#epoch) this.#endLease("released");
  }

  /** Judges a command and leaves it for the next tick. */
  command(peer: Peer, command: BodyOf<"command">): void {
    const nowMs = this.#nowMs();
    const refusal = this.#commander.offer(peer, command, {
      epoch: this.#epoch,
      follows: passesCommands(this.#state),
      stateIsFresh: this.#follower.stateAgeMs(nowMs) <= this.#options.config.stateAgeMsMax,
      nowMs,
    });
    if (refusal !== undefined) this.#events.refuse(refusal, `command ${command.seq} of ${peer.name}`, nowMs);
  }

  gripper(peer: Peer, epoch: number, openingM: number): void {
    const what = `gripper opening from ${peer.name}`;
    if (!this.#commander.isHeldBy(peer)) this.#events.refuse("noLease", what, this.#nowMs());
    else if (epoch !== this.#epoch) this.#events.refuse("wrongEpoch", what, this.#nowMs());
    else if (!(openingM >= 0 && openingM < 1)) this.#events.refuse("notFinite", what, this.#nowMs());
    else this.#driver.setGripper(openingM);
  }

  async enable(): Promise<void> {
    if (this.#state === "holding" || this.#state === "following") return;
    if (!canAdvance(this.#state, "enabled"))
      throw new CerebellumError(
        "NOT_ENABLED",
        `The servo is ${this.#state}`,
        this.#state === "disconnected" ? "Check the device's power and cable" : "Reset it first",
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
  async stop(category: StopCategory, reason: string): Promise<void> {
    this.#epoch++;
    this.#dropHolder(`stopped: ${reason}`);
    this.#device.abort(`stop of category ${category}`);
    const moved = streams(this.#state);
    // The strongest wish counts while several stops meet.
    this.#stopCategory = this.#state === "stopping" ? minCategory(this.#stopCategory, category) : category;
    this.#advance("stopRequested", `stop of category ${category}: ${reason}`);
    if (category === 0) {
      const left = this.#driver.stopNow(0);
      this.#events.tell(
        "state",
        left ? "stop sent to the device" : "the device could not be reached for the stop",
      );
    }
    if (!moved || category === 0) {
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

  // The tick

  tick(tick: Tick): void {
    const reasons = streams(this.#state) ? this.#follower.tick(tick, this.#state) : this.#follower.doubts;
    if (this.#state === "stopping" && this.#follower.atRest) void this.#finishStop();
    this.#publish(tick.index, reasons);
  }

  #publish(index: number, reasons: number): void {
    const snapshot = this.#snapshot;
    const { pursued } = this.#commander;
    takeDeviceState(snapshot, this.#driver.state());
    snapshot.tick = index;
    snapshot.tickNs = this.#options.clock.nowNs();
    snapshot.state = this.#state;
    snapshot.epoch = this.#epoch;
    snapshot.commander = this.#commander.name;
    snapshot.sentRad.set(streams(this.#state) ? this.#follower.sentRad : snapshot.positionRad);
    snapshot.requestedRad.set(pursued.isLive ? pursued.positionRad : snapshot.sentRad);
    snapshot.reasons = reasons;
    snapshot.commandSeq = this.#follower.commandSeq;
    snapshot.commandWireNs = this.#follower.commandWireNs;
    this.log.add(snapshot);
    this.#events.output?.broadcastSnapshot(snapshot);
  }

  // What happens to the servo

  #onLinkUp(): void {
    this.#takeLimits();
    if (canAdvance(this.#state, "linkUp")) this.#advance("linkUp", "the device answers");
  }

  #onFault(fault: Fault): void {
    this.#events.tell("fault", `${fault.code}: ${fault.cause}`, fault);
    if (fault.severity === "warning") return;
    this.#epoch++;
    this.#dropHolder(`fault ${fault.code}`);
    this.#device.abort(fault.code);
    if (isLinkLoss(fault)) {
      this.#advance("linkDown", fault.code);
      void this.#device.reconnect({
        linkUp: () => this.#onLinkUp(),
        stillDown: (reason) => this.#events.tell("watchdog", `the device does not answer: ${reason}`),
      });
    } else {
      this.#advance("fault", fault.code);
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
    this.#limits = publicLimits(limitsInForce(this.#driver.limits, this.#options.config));
    this.#follower.takeLimits();
    this.#events.output?.broadcastInfo();
  }

  #endLease(reason: string): void {
    this.#dropHolder(reason);
    this.#follower.clearDoubts();
    if (reason !== "released") this.#follower.hold(REASON_BITS.leaseLost);
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
    return nsToMs(this.#options.clock.nowNs());
  }
}

const minCategory = (one: StopCategory, other: StopCategory): StopCategory => (one < other ? one : other);
