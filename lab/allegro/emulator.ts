/**
 * An Allegro Hand with its serial CAN adapter: bytes in, bytes out, as a program sees them on a serial port. Its time is
 * the injected clock's: a loop of its own, or lock-step, where it passes only through `step`.
 */
import { type Clock, msToMonotonicNs } from "../../core/clock.js";
import { LatenessHistogram } from "../../core/histogram.js";
import type { CanFrame } from "../../drivers/can/frame.js";
import type { HandModel, HandSide } from "../../kinematics/allegro/hand.js";
import { CanableAdapter } from "./adapter.js";
import { EmulatedHand, type HandIdentity, SERIALS } from "./hand.js";
import {
  ActiveFaults,
  CONDITION_NAMES,
  type ConditionName,
  type Conditions,
  EVENT_NAMES,
  type Events,
  type HandFault,
} from "./handFaults.js";
import type { HandPlant } from "./plant.js";
import { FaultyBus, FaultySerialLine } from "./wireFaults.js";

export interface AllegroEmulatorOptions extends Partial<Omit<HandIdentity, "model" | "side">> {
  readonly model: HandModel;
  readonly side: HandSide;
  readonly plant: HandPlant;
  readonly clock: Clock;
  /** Bytes from the adapter to the host. */
  readonly send: (bytes: Uint8Array) => void;
  /** The adapter's plug is pulled, or back: whoever owns its port lets it vanish or appear. */
  readonly onPlug?: (isPlugged: boolean) => void;
  /** No loop of its own: time passes only through `step`. */
  readonly lockstep?: boolean;
  /** Of the chance in faults. */
  readonly seed?: number;
  /** Whether positions are streamed while the servo is off; true by default. */
  readonly streamsWhileOff?: boolean;
  /** Whether info is answered; by default V4 does and V5 does not. */
  readonly answersInfo?: boolean;
  readonly imuWords?: readonly [number, number, number];
}

/** The loop looks up at least so often [ms]: joints move and faults end between frames. */
const LOOK_MS = 3;
const FIRMWARE = 0x0203;

export class AllegroEmulator {
  readonly hand: EmulatedHand;
  readonly adapter: CanableAdapter;
  readonly faults = new ActiveFaults();
  readonly bus: FaultyBus;
  readonly line: FaultySerialLine;
  /** How late what the hand streams has left, in its own time: a hand is as even as the thread that plays it. */
  readonly lateness = new LatenessHistogram();
  readonly #options: AllegroEmulatorOptions;
  readonly #stop = new AbortController();
  #nowMs: number;
  #wasAnnounced = false;
  #loop: Promise<void> | undefined;

  constructor(options: AllegroEmulatorOptions) {
    const { model, side, plant, clock, seed = 1 } = options;
    this.#options = options;
    this.#nowMs = clock.nowMs();
    this.line = new FaultySerialLine(this.faults, seed, options.send);
    this.adapter = new CanableAdapter({
      toBus: (frame) => this.#fromHost(frame),
      toHost: (text) => this.line.say(text),
    });
    this.bus = new FaultyBus(this.faults, seed, (frame) => this.adapter.deliver(frame));
    this.hand = new EmulatedHand(
      {
        model,
        side,
        plant,
        serial: options.serial ?? SERIALS[model][side],
        firmware: options.firmware ?? FIRMWARE,
        streamsWhileOff: options.streamsWhileOff ?? true,
        answersInfo: options.answersInfo ?? model === "v4",
        ...(options.imuWords === undefined ? {} : { imuWords: options.imuWords }),
        faults: this.faults,
        emit: (frame) => this.bus.carry(frame, this.hand.atMs),
      },
      this.#nowMs,
    );
    this.faults.onChange = (name, isHolding) => this.#changed(name, isHolding);
  }

  get plant(): HandPlant {
    return this.#options.plant;
  }

  /** Begins the loop, unless time is lock-step. */
  start(): void {
    if (this.#options.lockstep !== true) this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  /** Bytes from the host. */
  receive(bytes: Uint8Array): void {
    this.#catchUp();
    if (this.line.works) this.adapter.receive(bytes);
    this.line.flush();
  }

  /** Lets `dtS` pass, in lock-step. */
  step(dtS: number): void {
    this.#advanceTo(this.#nowMs + 1000 * dtS);
  }

  /** Something goes wrong from now on, or once now. */
  inject(fault: HandFault): void {
    this.#catchUp();
    for (const name of CONDITION_NAMES) {
      const condition = fault[name];
      if (condition === undefined) continue;
      const untilMs = fault.forMs === undefined ? Number.POSITIVE_INFINITY : this.#nowMs + fault.forMs;
      this.faults.begin(name, condition as Conditions[typeof name], untilMs);
    }
    for (const name of EVENT_NAMES) {
      const event = fault[name];
      if (event === undefined) continue;
      if (name === "ends") for (const ended of (event as Events["ends"]).what) this.faults.end(ended);
      else this.hand.happen(name, event as Events[typeof name]);
    }
    this.line.flush();
  }

  #catchUp(): void {
    if (this.#options.lockstep === true) return;
    const nowMs = this.#options.clock.nowMs();
    const dueMs = this.hand.nextDueMs;
    if (dueMs <= nowMs) this.lateness.add(1000 * (nowMs - dueMs));
    this.#advanceTo(nowMs);
  }

  #advanceTo(nowMs: number): void {
    // Conditions end at their own times, between them nothing changes but what the hand itself does.
    for (;;) {
      const endMs = this.faults.nextEndMs;
      const untilMs = Math.min(nowMs, endMs, this.bus.nextDueMs);
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      this.hand.advanceTo(this.#nowMs);
      this.faults.advance(this.#nowMs);
      this.bus.release(this.#nowMs);
      if (untilMs >= nowMs) break;
    }
    this.line.flush();
  }

  #fromHost(frame: CanFrame): void {
    if (this.bus.carries && !this.faults.has("isDeaf")) this.hand.take(frame);
  }

  #changed(name: ConditionName, isHolding: boolean): void {
    switch (name) {
      case "freezes":
        this.hand.freeze();
        return;
      case "isUnpowered":
        this.hand.setPowered(!isHolding);
        return;
      case "pushes":
        this.#push();
        return;
      case "busOff":
        if (isHolding ? this.faults.get("busOff")?.isAnnounced : this.#wasAnnounced)
          this.adapter.tellState(isHolding ? "off" : "active");
        this.#wasAnnounced = isHolding && this.faults.get("busOff")?.isAnnounced === true;
        return;
      case "isUnplugged":
        if (isHolding) this.line.drop();
        this.adapter.reset();
        this.#options.onPlug?.(!isHolding);
        return;
    }
  }

  #push(): void {
    const { pushNm } = this.#options.plant;
    pushNm.fill(0);
    const push = this.faults.get("pushes");
    if (push !== undefined) pushNm[push.joint] = push.torqueNm;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    for (;;) {
      const dueMs = Math.min(
        this.#nowMs + LOOK_MS,
        this.hand.nextDueMs,
        this.faults.nextEndMs,
        this.bus.nextDueMs,
      );
      // A float of milliseconds may lie a little before its nanosecond: never wake just too early.
      await clock.sleepUntil(msToMonotonicNs(dueMs + 1e-5), signal);
      if (signal.aborted) return;
      this.#catchUp();
    }
  }
}
