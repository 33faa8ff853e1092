/**
 * Everything between the driver and its CAN bus: frames to messages, position sets, the newest answers, who else sends.
 * It decides nothing.
 */
import { CerebellumError } from "../../core/errors.js";
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import type { CanBus, CanBusState, OpenCanBus } from "../can/bus.js";
import type { CanFrame } from "../can/frame.js";
import type { AllegroConfig } from "./config.js";
import { HandState } from "./handState.js";
import {
  decodeHandFrame,
  decodeHostFrame,
  deviceIdOf,
  type FingerIndex,
  type HandInfo,
  readPose,
} from "./protocol/index.js";

export interface HandLinkEvents {
  onFinger(finger: number, nowMs: number): void;
  /** Of what was read together, all has been passed on, and a set of all four fingers has become complete with it. */
  onSets(readMs: number, nowMs: number): void;
  onJump(joint: number, jumpRad: number): void;
  onInfo(info: HandInfo): void;
  onTemperature(sensor: FingerIndex, celsius: number): void;
  onMotorError(motor: number, bits: number): void;
  /** A second hand is on the bus; its frames are left alone. */
  onOtherHand(id: number): void;
  /** Somebody else sends what only a host sends. */
  onHostFrame(id: number): void;
  onStranger(id: number): void;
  onBus(state: CanBusState, why: string): void;
}

/** Identifiers of strangers that are remembered, for people. */
const STRANGERS_MAX = 4;

export class HandLink {
  readonly poses: HandState;
  info: HandInfo | undefined;
  serial: string | undefined;
  /** Answers and frames since `forget`. */
  answers = 0;
  handFrames = 0;
  readonly strangers = new Set<number>();
  /** Identifier of a frame of a second hand: one with another device number than the one that answered. */
  otherHandId: number | undefined;
  malformed = 0;
  readonly #config: AllegroConfig;
  readonly #open: OpenCanBus;
  readonly #nowMs: () => number;
  readonly #events: HandLinkEvents;
  /** Newest counts of all fingers, wire order. */
  readonly #counts = new Int16Array(HAND_JOINT_COUNT);
  /** Device number of the hand that has answered; -1 before. */
  #deviceId = -1;
  #bus: CanBus | undefined;
  #hasSet = false;

  constructor(config: AllegroConfig, open: OpenCanBus, nowMs: () => number, events: HandLinkEvents) {
    this.#config = config;
    this.#open = open;
    this.#nowMs = nowMs;
    this.#events = events;
    this.poses = new HandState(config.model, config.periodMs);
  }

  get bus(): CanBus | undefined {
    return this.#bus;
  }

  get isUp(): boolean {
    return this.#bus?.state === "up";
  }

  /** @throws the bus's reason; LINK_CLOSED while an adapter that was lost has not come back */
  async open(signal: AbortSignal): Promise<void> {
    this.#bus ??= await this.#open(
      {
        onFrame: (frame) => this.#onFrame(frame),
        onPause: (readMs) => this.#onPause(readMs),
        onState: (state, why) => this.#events.onBus(state, why),
      },
      signal,
    );
    this.refuseDown();
  }

  /** @throws CerebellumError LINK_CLOSED unless the bus is up */
  refuseDown(): void {
    const bus = this.#bus;
    if (bus?.state === "up") return;
    throw new CerebellumError(
      "LINK_CLOSED",
      bus?.state === "busOff"
        ? `${bus.name}: the CAN bus is off`
        : `${bus?.name ?? "the CAN adapter"} is gone`,
      "Check the adapter, the hand's supply, the CAN wires and the terminators",
    );
  }

  write(frames: readonly CanFrame[]): boolean {
    return this.#bus?.write(frames) ?? false;
  }

  /** See `CanBus.readNow`. */
  readNow(): void {
    this.#bus?.readNow();
  }

  /** Answers from now on count. */
  forget(): void {
    this.info = undefined;
    this.serial = undefined;
    this.answers = 0;
    this.handFrames = 0;
    this.strangers.clear();
    this.otherHandId = undefined;
    this.#deviceId = -1;
    this.poses.restart();
  }

  async close(): Promise<void> {
    const bus = this.#bus;
    this.#bus = undefined;
    await bus?.close();
  }

  #onFrame(frame: CanFrame): void {
    if (this.#isOfOtherHand(frame)) return;
    const finger = readPose(frame, this.#counts);
    if (finger !== undefined) {
      this.handFrames++;
      this.#onPose(finger);
      return;
    }
    const message = frame.isRemote ? undefined : decodeHandFrame(frame, this.#config.model);
    if (message === undefined) {
      this.#onOther(frame);
      return;
    }
    this.handFrames++;
    switch (message.kind) {
      case "info":
        this.#deviceId = deviceIdOf(frame);
        this.answers++;
        this.info = message;
        this.#events.onInfo(message);
        return;
      case "serial":
        this.#deviceId = deviceIdOf(frame);
        this.answers++;
        this.serial = message.text;
        return;
      case "temperature":
        this.answers++;
        this.#events.onTemperature(message.sensor, message.celsius);
        return;
      case "error":
        this.#events.onMotorError(message.motor, message.bits);
        return;
      case "malformed":
        this.malformed++;
        return;
      default:
    }
  }

  /** What a hand sends, with the number of another device than the one that has answered. */
  #isOfOtherHand(frame: CanFrame): boolean {
    if (this.#deviceId < 0 || deviceIdOf(frame) === this.#deviceId) return false;
    if (frame.isRemote || decodeHandFrame(frame, this.#config.model) === undefined) return false;
    this.otherHandId ??= frame.id;
    this.#events.onOtherHand(frame.id);
    return true;
  }

  #onPose(finger: number): void {
    const nowMs = this.#nowMs();
    const { poses } = this;
    const isSet = poses.take(finger, this.#counts, nowMs);
    if (poses.jumpedJoint >= 0) {
      this.#events.onJump(poses.jumpedJoint, poses.jumpRad);
      poses.jumpedJoint = -1;
    }
    this.#events.onFinger(finger, nowMs);
    this.#hasSet ||= isSet;
  }

  /** Sets that were held up and come together are answered once, with the newest: older torques would only queue. */
  #onPause(readMs: number): void {
    if (!this.#hasSet) return;
    this.#hasSet = false;
    this.#events.onSets(readMs, this.#nowMs());
  }

  #onOther(frame: CanFrame): void {
    if (decodeHostFrame(frame) !== undefined) {
      this.#events.onHostFrame(frame.id);
      return;
    }
    if (this.strangers.size < STRANGERS_MAX) this.strangers.add(frame.id);
    this.#events.onStranger(frame.id);
  }
}
