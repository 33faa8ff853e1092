/**
 * The bus between hand and adapter, and the serial line between adapter and host, on which conditions of handFaults.ts
 * hold. Chance is seeded: the same frames at the same times fare the same.
 */

import { FINGER_INDICES, FINGER_POSE_ID, FINGER_TORQUE_ID } from "../../drivers/allegro/protocol/index.js";
import type { CanFrame } from "../../drivers/can/frame.js";
import { FINGERS, type Finger } from "../../kinematics/allegro/hand.js";
import { Random } from "../world/random.js";
import type { ActiveFaults, Conditions } from "./handFaults.js";

interface Delayed {
  readonly dueMs: number;
  readonly frame: CanFrame;
}

/** From the hand to the adapter. */
export class FaultyBus {
  /** Frames of the hand that did not arrive, and frames that nobody of ours sent. */
  lost = 0;
  foreign = 0;
  readonly #faults: ActiveFaults;
  readonly #chance: Random;
  readonly #deliver: (frame: CanFrame) => void;
  #delayed: Delayed[] = [];
  /** Of positions, for what happens to one finger after the other. */
  #sets = 0;

  constructor(faults: ActiveFaults, seed: number, deliver: (frame: CanFrame) => void) {
    this.#faults = faults;
    this.#chance = new Random(seed).fork("bus");
    this.#deliver = deliver;
  }

  get nextDueMs(): number {
    return this.#delayed[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Whether a frame can pass in either direction. */
  get carries(): boolean {
    return !this.#faults.has("busOff") && !this.#faults.has("isUnpowered");
  }

  /** @param nowMs when the hand sends it */
  carry(frame: CanFrame, nowMs: number): void {
    const finger = fingerOf(frame);
    if (!this.carries || (finger !== undefined && this.#isLost(finger))) {
      this.lost++;
      return;
    }
    const shortens = this.#faults.get("shortens");
    const sent =
      finger !== undefined && shortens?.fingers.includes(finger) ? shortened(frame, shortens.bytes) : frame;
    for (let time = this.#faults.get("repeats")?.times ?? 0; time >= 0; time--) this.#pass(sent, nowMs);
    const strangers = this.#faults.get("strangers");
    if (strangers !== undefined && finger === LAST_FINGER)
      for (const other of FOREIGN[strangers.from]) {
        this.foreign++;
        this.#pass(other, nowMs);
      }
  }

  /** Lets frames go whose delay is over. */
  release(nowMs: number): void {
    while (this.nextDueMs <= nowMs) this.#deliver(this.#delayed.shift()!.frame);
  }

  #isLost(finger: Finger): boolean {
    const loses = this.#faults.get("loses");
    if (finger === FINGERS[0]) this.#sets++;
    if (loses === undefined) return false;
    const { fingers, share, isInTurn } = loses;
    const isHit =
      isInTurn === true ? fingers[this.#sets % fingers.length] === finger : fingers.includes(finger);
    return isHit && this.#chance.uniform() < share;
  }

  #pass(frame: CanFrame, nowMs: number): void {
    const delays = this.#faults.get("delays");
    // Frames never overtake each other.
    const dueMs = Math.max(nowMs + (delays?.ms ?? 0), this.#delayed.at(-1)?.dueMs ?? 0);
    if (dueMs > nowMs) this.#delayed.push({ dueMs, frame });
    else this.#deliver(frame);
  }
}

/** Bytes that wait for a serial line that stalls: what a computer's driver keeps; the rest is lost, oldest first. */
const STALLED_BYTES_MAX = 64 * 1024;

/** From the adapter to the host. What is said within one moment goes as one piece. */
export class FaultySerialLine {
  /** Bytes that were dropped or damaged. */
  damagedBytes = 0;
  readonly #faults: ActiveFaults;
  readonly #chance: Random;
  readonly #send: (bytes: Uint8Array) => void;
  #waiting = "";

  constructor(faults: ActiveFaults, seed: number, send: (bytes: Uint8Array) => void) {
    this.#faults = faults;
    this.#chance = new Random(seed).fork("serial");
    this.#send = send;
  }

  /** Whether the adapter works on what either side says. */
  get works(): boolean {
    return !this.#faults.has("hangs") && !this.#faults.has("isUnplugged");
  }

  say(line: string): void {
    if (!this.works) {
      this.damagedBytes += line.length;
      return;
    }
    const garbles = this.#faults.get("garbles");
    if (garbles !== undefined && this.#chance.uniform() < garbles.share)
      this.#waiting += this.#noise(garbles);
    const cuts = this.#faults.get("cuts");
    const isCut = cuts !== undefined && this.#chance.uniform() < cuts.share;
    if (isCut) this.damagedBytes += Math.max(0, line.length - cuts.characters);
    this.#waiting += isCut ? line.slice(0, cuts.characters) : line;
  }

  flush(): void {
    if (this.#faults.has("stalls")) {
      this.damagedBytes += Math.max(0, this.#waiting.length - STALLED_BYTES_MAX);
      this.#waiting = this.#waiting.slice(-STALLED_BYTES_MAX);
      return;
    }
    if (this.#waiting === "") return;
    const text = this.#waiting;
    this.#waiting = "";
    this.#send(Buffer.from(text, "latin1"));
  }

  drop(): void {
    this.damagedBytes += this.#waiting.length;
    this.#waiting = "";
  }

  #noise({ bytes }: Conditions["garbles"]): string {
    this.damagedBytes += bytes;
    return Array.from({ length: bytes }, () => String.fromCharCode(this.#chance.below(256))).join("");
  }
}

const LAST_FINGER = FINGERS.at(-1)!;

const fingerOf = (frame: CanFrame): Finger | undefined => {
  const index = FINGER_INDICES.find((finger) => frame.id === FINGER_POSE_ID(finger));
  return index === undefined || frame.isExtended || frame.isRemote ? undefined : FINGERS[index];
};

const shortened = (frame: CanFrame, bytes: number): CanFrame => ({
  ...frame,
  length: bytes,
  data: frame.data.subarray(0, bytes),
});

const standard = (id: number, data: readonly number[]): CanFrame => ({
  id,
  isExtended: false,
  isRemote: false,
  length: data.length,
  data: Uint8Array.from(data),
});

/** Frames that somebody else puts on the bus. */
const FOREIGN: Readonly<Record<Conditions["strangers"]["from"], readonly CanFrame[]>> = {
  /** A device of another kind, with 29-bit and 11-bit identifiers that the hand does not use. */
  otherDevice: [{ ...standard(0x18ff_1234, [1, 2, 3]), isExtended: true }, standard(0x701, [5])],
  /** A second hand with device id 1: the two low bits of its identifiers. */
  otherHand: FINGER_INDICES.map((finger) =>
    standard(FINGER_POSE_ID(finger, 1), [0, 16, 0, 16, 0, 16, 0, 16]),
  ),
  /** A hand of generation 2 or 3: command, destination and source in the identifier. */
  oldHand: [971, 972, 973, 974].map((id) => standard(id, [0, 128, 0, 128, 0, 128, 0, 128])),
  /** Another program commands the same hand. */
  secondHost: FINGER_INDICES.map((finger) => standard(FINGER_TORQUE_ID(finger), [0, 0, 0, 0, 0, 0, 0, 0])),
};
