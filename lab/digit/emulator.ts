/**
 * A Digit as its clients meet it: datagrams of commands in, datagrams of observations out, and the JSON interface. Its time
 * is the injected clock's, a millisecond at a time, or passes only through `step`. Sockets are sockets.ts.
 */
import { type Clock, msToMonotonicNs } from "../../core/clock.js";
import { LatenessHistogram } from "../../core/histogram.js";
import type { DigitBody } from "./body.js";
import { CommandIntake } from "./commandIntake.js";
import { FaultyPath } from "./datagramFaults.js";
import {
  CONDITION_NAMES,
  type ConditionName,
  type Conditions,
  type Conventions,
  type DigitFault,
  DigitFaults,
  EVENT_NAMES,
  type EventName,
  type Events,
} from "./digitFaults.js";
import { JsonApi } from "./jsonApi.js";
import { ObservationStream } from "./observationStream.js";
import { Readings } from "./readings.js";
import { EmulatedRobot } from "./robot.js";
import { foreignDatagram } from "./strangers.js";

/** Where an observation comes from; whoever carries it gives each an own source port. */
export type SourceId = number;
export const STRANGER: SourceId = -1;

export interface DigitEmulatorParts {
  readonly body: DigitBody;
  readonly clock: Clock;
  readonly conventions: Conventions;
  /** Of the chance in faults. */
  readonly seed: number;
  /** To the client's observation port at this address. */
  readonly sendObservation: (datagram: Uint8Array, toAddress: string, from: SourceId) => void;
  /** Observations come from another port from now on, as after a restart. */
  readonly onNewSource?: (id: SourceId) => void;
  /** No loop of its own: time passes only through `step`. */
  readonly lockstep?: boolean;
}

/** Milliseconds made up for after a pause of this process; what is longer is left out. */
const CATCH_UP_MS_MAX = 20;
/** So late the process has lost time itself: what clients have sent meanwhile is read first. */
const LATE_MS = 2;

const turnOfEvents = () => new Promise<void>((resolve) => setImmediate(resolve));

export class DigitEmulator {
  readonly robot: EmulatedRobot;
  readonly json: JsonApi;
  readonly faults = new DigitFaults();
  readonly commands: CommandIntake;
  readonly observations: ObservationStream;
  readonly toRobot: FaultyPath<{ readonly address: string; readonly port: number }>;
  readonly toClient: FaultyPath<{ readonly address: string; readonly source: SourceId }>;
  /** Milliseconds that were left out because the emulator was not run. */
  skippedMs = 0;
  /** How late each tick was, in real time: a robot is as even as the thread that plays it. */
  readonly lateness = new LatenessHistogram();
  readonly #parts: DigitEmulatorParts;
  readonly #stop = new AbortController();
  #source: SourceId = 0;
  #sendsNow = true;
  #loop: Promise<void> | undefined;

  constructor(parts: DigitEmulatorParts) {
    const { body, clock, conventions, seed, sendObservation } = parts;
    this.#parts = parts;
    this.robot = new EmulatedRobot(body, this.faults, clock.nowMs());
    this.json = new JsonApi(this.robot, this.faults);
    this.toClient = new FaultyPath("observations", this.faults, seed, (datagram, { address, source }) =>
      sendObservation(datagram, address, source),
    );
    this.toRobot = new FaultyPath("commands", this.faults, seed, (datagram, { address, port }) =>
      this.commands.receive(datagram, address, port, this.nowMs),
    );
    this.commands = new CommandIntake((command, atMs) => this.robot.take(command, atMs));
    this.observations = new ObservationStream(
      new Readings(this.robot, this.faults, conventions),
      this.faults,
      (datagram) => this.#send(datagram),
    );
    this.faults.onChange = (name, isHolding) => this.#changed(name, isHolding);
  }

  get source(): SourceId {
    return this.#source;
  }

  /** The robot's clock [ms]: the injected one where it is not lock-step. */
  get nowMs(): number {
    return this.#parts.lockstep === true ? this.robot.nowMs : this.#parts.clock.nowMs();
  }

  /** Begins the loop, unless time is lock-step. */
  start(): void {
    if (this.#parts.lockstep !== true) this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.json.closeAll();
    await this.#loop;
  }

  /** A datagram on the command port, from this sender. */
  receive(datagram: Uint8Array, address: string, port: number): void {
    this.toRobot.carry(datagram, { address, port }, this.nowMs);
  }

  /** Lets a whole number of milliseconds pass. */
  step(ms: number): void {
    for (let passed = 0; passed < ms; passed++) this.#tick();
  }

  /** Something goes wrong from now on, or once now. */
  inject(fault: DigitFault): void {
    for (const name of CONDITION_NAMES) {
      const condition = fault[name];
      if (condition === undefined) continue;
      const untilMs = fault.forMs === undefined ? Number.POSITIVE_INFINITY : this.robot.nowMs + fault.forMs;
      this.faults.begin(name, condition as Conditions[typeof name], untilMs);
    }
    for (const name of EVENT_NAMES) {
      const event = fault[name];
      if (event !== undefined) this.#happen(name, event as Events[typeof name]);
    }
  }

  #tick(): void {
    const { nowMs } = this.robot;
    this.faults.advance(nowMs);
    this.toRobot.release(nowMs);
    this.commands.tick(nowMs);
    this.robot.tick();
    this.json.tick();
    const client = this.commands.client;
    if (client !== undefined && this.#sendsNow && !this.faults.has("hangs")) {
      if (this.commands.isNew) {
        this.commands.isNew = false;
        this.observations.begin();
      }
      this.observations.send(this.robot.nowMs);
      if (this.faults.has("strangers"))
        this.toClient.carry(
          foreignDatagram(this.observations.sentCount),
          { address: client, source: STRANGER },
          this.robot.nowMs,
        );
    }
    this.toClient.release(this.robot.nowMs);
  }

  #send(datagram: Uint8Array): void {
    const address = this.commands.client;
    if (address !== undefined)
      this.toClient.carry(datagram, { address, source: this.#source }, this.robot.nowMs);
  }

  #happen(name: EventName, event: Events[EventName]): void {
    switch (name) {
      case "ends":
        for (const ended of (event as Events["ends"]).what) this.faults.end(ended);
        return;
      case "restarts":
        this.json.closeAll();
        this.robot.restart();
        this.commands.reset();
        this.#changePort();
        return;
      case "changesPort":
        this.#changePort();
        return;
      case "setsMode":
        this.robot.force((event as Events["setsMode"]).mode, "other");
        return;
      case "jsonCloses":
        this.json.closeAll();
        return;
      default:
        this.robot.happen(name, event as Events[typeof name]);
    }
  }

  #changePort(): void {
    this.#source++;
    this.#parts.onNewSource?.(this.#source);
  }

  #changed(name: ConditionName, isHolding: boolean): void {
    if (ObservationStream.isDescribed(name)) this.observations.redescribe(this.robot.nowMs);
    if (name === "privilegeIsTaken" && isHolding) this.json.takeAway();
    if (name === "jsonRefuses" && isHolding) this.json.closeAll();
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#stop;
    for (;;) {
      // A float of milliseconds may lie a little before its nanosecond: never wake just too early.
      await clock.sleepUntil(msToMonotonicNs(this.robot.nowMs + 1 + 1e-5), signal);
      if (clock.nowMs() - this.robot.nowMs > LATE_MS) await turnOfEvents();
      if (signal.aborted) return;
      this.#catchUp(clock.nowMs());
    }
  }

  /** Clients get the newest observation of a pause, not all of them at once. */
  #catchUp(nowMs: number): void {
    const dueMs = Math.floor(nowMs - this.robot.nowMs);
    if (dueMs > 0) this.lateness.add(1000 * (nowMs - this.robot.nowMs - 1));
    if (dueMs > CATCH_UP_MS_MAX) {
      this.skippedMs += dueMs - CATCH_UP_MS_MAX;
      this.robot.skip(dueMs - CATCH_UP_MS_MAX);
    }
    for (let left = Math.min(dueMs, CATCH_UP_MS_MAX); left > 0; left--) {
      this.#sendsNow = left === 1;
      this.#tick();
    }
  }
}
