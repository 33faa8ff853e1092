/**
 * The hand's firmware behind its bus: servo on and off, torques, streams in their periods, answers to requests. It has NO
 * watchdog: the last torque acts until another comes or the servo goes off, as has to be assumed of the real one.
 *
 * Known from the vendor's drivers: messages, counts, periods, what info and serial say. Assumed, because nobody says, and
 * the worse where there are two ways: ON begins with the torque that was told last, also before or while off; temperature
 * sensor f is the hottest motor of finger f (V5: one byte a joint); too hot is only said, it switches nothing off; a V5
 * tells of it in an error message.
 */

import {
  countsOfRad,
  decodeHostFrame,
  encodeError,
  encodeImu,
  encodeInfo,
  encodePose,
  encodePressure,
  encodeSerial,
  encodeTemperature,
  FINGER_INDICES,
  type FingerIndex,
  GENERATION,
  type HostMessage,
  MOTOR_ERROR_BITS,
  TORQUE_TABLES,
  torqueOfCommand,
} from "../../drivers/allegro/protocol/index.js";
import type { CanFrame } from "../../drivers/can/frame.js";
import {
  FINGERS,
  HAND_JOINT_COUNT,
  type HandModel,
  type HandSide,
  JOINTS_PER_FINGER,
} from "../../kinematics/allegro/hand.js";
import type { ActiveFaults, Events } from "./handFaults.js";
import { emptyHandCounters, HandLog } from "./handLog.js";
import { MotorHeat } from "./heat.js";
import type { HandPlant } from "./plant.js";

export interface HandIdentity {
  readonly model: HandModel;
  readonly side: HandSide;
  /** Eight characters; V5 names its type and side in the third and the fourth. */
  readonly serial: string;
  readonly firmware: number;
}

export interface EmulatedHandOptions extends HandIdentity {
  readonly plant: HandPlant;
  readonly faults: ActiveFaults;
  /** Whether positions are streamed while the servo is off; of V4 nobody says, a third party denies it. */
  readonly streamsWhileOff: boolean;
  /** V5 firmware often leaves the request for info unanswered. */
  readonly answersInfo: boolean;
  /** Three words that nobody knows the unit of. */
  readonly imuWords?: readonly [number, number, number];
  /** A frame for the bus. */
  emit(frame: CanFrame): void;
}

export const SERIALS: Readonly<Record<HandModel, Readonly<Record<HandSide, string>>>> = {
  v4: { right: "A080R001", left: "A080L001" },
  v5a: { right: "AHAR0001", left: "AHAL0001" },
  v5b: { right: "AHBR0001", left: "AHBL0001" },
};

const STREAMS = ["joint", "imu", "temperature"] as const;
type Stream = (typeof STREAMS)[number];

/** How much of a pause is made up for: what a computer's USB would have kept. Older periods never were. */
const CATCH_UP_MS_MAX = 20;
const NO_COMMAND = new Int16Array(HAND_JOINT_COUNT);
const OVERHEAT_BITS = 1 << MOTOR_ERROR_BITS.overheat;

export class EmulatedHand {
  readonly log = new HandLog();
  readonly counters = emptyHandCounters();
  readonly heat = new MotorHeat();
  /** As last told, wire order; exerted while on. */
  readonly command = new Int16Array(HAND_JOINT_COUNT);
  readonly periodMs: Record<Stream, number> = { joint: 0, imu: 0, temperature: 0 };
  readonly #options: EmulatedHandOptions;
  readonly #dueMs: Record<Stream, number> = { joint: 0, imu: 0, temperature: 0 };
  readonly #offsetCounts = new Int32Array(HAND_JOINT_COUNT);
  readonly #frozenCounts = new Map<number, readonly number[]>();
  readonly #shares = new Float64Array(HAND_JOINT_COUNT);
  #isOn = false;
  #atMs: number;

  constructor(options: EmulatedHandOptions, startMs: number) {
    this.#options = options;
    this.#atMs = startMs;
  }

  /** Up to when time has passed [ms]; while streams are sent, their own time. */
  get atMs(): number {
    return this.#atMs;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** No motor pulls: off, or told to exert nothing. */
  get isLimp(): boolean {
    return !this.#isOn || this.command.every((count) => count === 0);
  }

  /** When the next stream falls due [ms]. */
  get nextDueMs(): number {
    return Math.min(
      ...STREAMS.filter((stream) => this.#periodOf(stream) > 0).map((stream) => this.#dueMs[stream]),
    );
  }

  /** A frame from the bus. */
  take(frame: CanFrame): void {
    const message = decodeHostFrame(frame);
    if (message === undefined) {
      this.counters.unknown++;
      return;
    }
    this.log.note(this.#atMs, message);
    this.#obey(message);
  }

  /** Lets time pass up to `nowMs`: joints move, streams that fall due are sent at their times. */
  advanceTo(nowMs: number): void {
    if (nowMs - this.#atMs > CATCH_UP_MS_MAX) this.#skipTo(nowMs - CATCH_UP_MS_MAX);
    for (let dueMs = this.nextDueMs; dueMs <= nowMs; dueMs = this.nextDueMs) {
      this.#moveTo(dueMs);
      for (const stream of STREAMS)
        if (this.#periodOf(stream) > 0 && this.#dueMs[stream] <= dueMs) {
          this.#dueMs[stream] += this.#periodOf(stream);
          this.#send(stream);
        }
    }
    this.#moveTo(nowMs);
    this.#reportHeat();
  }

  /** Supply on or off: without it nothing is kept. */
  setPowered(isPowered: boolean): void {
    if (isPowered) return;
    this.command.fill(0);
    this.#switch(false);
    for (const stream of STREAMS) this.periodMs[stream] = 0;
  }

  happen<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    HAPPENINGS[name](this, event);
  }

  jump(joint: number, counts: number): void {
    this.#offsetCounts[joint] = this.#offsetCounts[joint]! + counts;
  }

  switchOff(): void {
    this.#switch(false);
  }

  leave(counts: number): void {
    this.#switch(true);
    this.command.fill(counts);
    this.#exert();
  }

  motorError(motor: number, bits: number): void {
    this.#options.emit(encodeError(motor, bits));
  }

  /** Remembers the counts of fingers that freeze from now on. */
  freeze(): void {
    this.#frozenCounts.clear();
    const frozen = this.#options.faults.get("freezes")?.fingers ?? [];
    for (const finger of frozen) {
      const index = FINGERS.indexOf(finger) as FingerIndex;
      this.#frozenCounts.set(index, this.#counts(index));
    }
  }

  #obey(message: HostMessage): void {
    const ignored = this.#options.faults.get("ignores")?.messages ?? [];
    if (ignored.some((kind) => kind === message.kind)) return;
    switch (message.kind) {
      case "systemOn":
      case "systemOff":
        this.#switch(message.kind === "systemOn");
        return;
      case "torque":
        this.#setTorque(message.finger, message.command);
        return;
      case "period":
        this.#setPeriods(message.jointMs, message.imuMs, message.temperatureMs);
        return;
      case "neverSent":
        this.counters.neverSent++;
        return;
      case "malformed":
        this.counters.malformed++;
        return;
      default:
        this.counters.requests++;
        this.#answer(message);
    }
  }

  #switch(on: boolean): void {
    this.#isOn = on;
    this.#exert();
  }

  #setTorque(finger: number, command: Int16Array): void {
    this.counters.torqueFrames++;
    const first = finger * JOINTS_PER_FINGER;
    const { commandMax } = TORQUE_TABLES[this.#options.model];
    if (command.some((count, place) => Math.abs(count) > commandMax[first + place]!))
      this.counters.torqueBeyondLimit++;
    if (!this.#isOn) this.counters.torqueWhileOff++;
    this.command.set(command, first);
    this.#exert();
  }

  /** What is commanded goes to the motors, while they are on. */
  #exert(): void {
    const { model, plant } = this.#options;
    const command = this.#isOn ? this.command : NO_COMMAND;
    torqueOfCommand(model, command, plant.torqueNm);
    const { commandMax } = TORQUE_TABLES[model];
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++)
      this.#shares[joint] = Math.max(-1, Math.min(1, command[joint]! / commandMax[joint]!));
  }

  #setPeriods(joint: number, imu: number, temperature: number): void {
    for (const [stream, ms] of Object.entries({ joint, imu, temperature }) as [Stream, number][]) {
      this.periodMs[stream] = ms;
      this.#dueMs[stream] = this.#atMs + this.#periodOf(stream);
    }
  }

  #periodOf(stream: Stream): number {
    const told = this.periodMs[stream];
    return stream === "joint" && told > 0 ? (this.#options.faults.get("periodIs")?.jointMs ?? told) : told;
  }

  #answer(message: HostMessage): void {
    const mute: readonly string[] = this.#options.faults.get("isMute")?.to ?? [];
    switch (message.kind) {
      case "requestInfo":
        if (this.#options.answersInfo && !mute.includes("info")) this.#options.emit(this.#info());
        return;
      case "requestSerial":
        if (!mute.includes("serial")) this.#options.emit(encodeSerial(this.#identity().serial));
        return;
      case "requestPose":
        if (!mute.includes("pose")) this.#sendPose(message.finger);
        return;
      case "requestTemperature":
        if (!mute.includes("temperature")) this.#sendTemperature(message.sensor);
        return;
      case "requestImu":
        this.#send("imu");
        return;
    }
  }

  #identity(): HandIdentity {
    const { model, side, serial, firmware } = this.#options;
    const said = this.#options.faults.get("says") ?? {};
    const shown = { model: said.model ?? model, side: said.side ?? side };
    const isOther = said.model !== undefined || said.side !== undefined;
    return {
      ...shown,
      serial: said.serial ?? (isOther ? SERIALS[shown.model][shown.side] : serial),
      firmware: said.firmware ?? firmware,
    };
  }

  /** The V5 manual has zero for side and temperature, and a servo that is always on. */
  #info(): CanFrame {
    const { model, side, firmware } = this.#identity();
    const said = this.#options.faults.get("says") ?? {};
    const isV5 = GENERATION[model] === 5;
    return encodeInfo({
      hardware: GENERATION[model] << 8,
      firmware,
      side: isV5 ? undefined : side,
      temperatureC: isV5 ? undefined : Math.round(this.heat.hottestC),
      servoOn: (isV5 || this.#isOn) && said.servoOff !== true,
      overTemperature: said.overTemperature ?? this.heat.isOver,
      communicationFault: said.communicationFault ?? false,
    });
  }

  #send(stream: Stream): void {
    if (stream === "imu") this.#options.emit(encodeImu(this.#options.imuWords ?? [0, 0, 0]));
    else if (stream === "temperature") for (const sensor of FINGER_INDICES) this.#sendTemperature(sensor);
    else if (this.#isOn || this.#options.streamsWhileOff) {
      for (const finger of FINGER_INDICES) this.#sendPose(finger);
      // A V5 Plus was seen to stream its fingertips along with the joints; nothing touches these.
      if (this.#options.model === "v5b")
        for (const first of [0, 2] as const) this.#options.emit(encodePressure(first, [0, 0]));
    }
  }

  #sendPose(finger: FingerIndex): void {
    this.#options.emit(encodePose(finger, this.#frozenCounts.get(finger) ?? this.#counts(finger)));
  }

  #counts(finger: FingerIndex): number[] {
    const { model, plant } = this.#options;
    const first = finger * JOINTS_PER_FINGER;
    return Array.from({ length: JOINTS_PER_FINGER }, (_, place) => {
      const counts =
        countsOfRad(model, plant.positionRad[first + place]!) + this.#offsetCounts[first + place]!;
      return Math.max(-0x8000, Math.min(0x7fff, counts));
    });
  }

  #sendTemperature(sensor: FingerIndex): void {
    const { model, emit } = this.#options;
    const first = sensor * JOINTS_PER_FINGER;
    const motors = [...this.heat.celsius.subarray(first, first + JOINTS_PER_FINGER)].map(Math.round);
    emit(encodeTemperature(model, sensor, GENERATION[model] === 5 ? motors : Math.max(...motors)));
  }

  #reportHeat(): void {
    const newly = this.heat.takeNewlyOver();
    if (GENERATION[this.#options.model] === 5)
      for (const motor of newly) this.motorError(motor, OVERHEAT_BITS);
  }

  #moveTo(ms: number): void {
    const dtS = (ms - this.#atMs) / 1000;
    if (dtS <= 0) return;
    this.#options.plant.step(dtS);
    this.heat.step(dtS, this.#shares);
    this.#atMs = ms;
  }

  /** Time in which nobody ran this hand: the joints stay where they are, streams keep their grid. */
  #skipTo(ms: number): void {
    for (const stream of STREAMS) {
      const periodMs = this.#periodOf(stream);
      if (periodMs <= 0 || this.#dueMs[stream] > ms) continue;
      const missed = Math.floor((ms - this.#dueMs[stream]) / periodMs) + 1;
      this.#dueMs[stream] += missed * periodMs;
      this.counters.skippedPeriods += missed;
    }
    this.#atMs = ms;
  }
}

const HAPPENINGS: { [Name in keyof Events]: (hand: EmulatedHand, event: Events[Name]) => void } = {
  jumps: (hand, { joint, counts }) => hand.jump(joint, counts),
  heats: (hand, { fingers, celsius }) => {
    for (const finger of fingers) {
      const first = FINGERS.indexOf(finger) * JOINTS_PER_FINGER;
      hand.heat.celsius.fill(celsius, first, first + JOINTS_PER_FINGER);
    }
  },
  motorError: (hand, { motor, bits }) => hand.motorError(motor, bits),
  wasLeft: (hand, { counts }) => hand.leave(counts),
  switchesOff: (hand) => hand.switchOff(),
  ends: () => {},
};
