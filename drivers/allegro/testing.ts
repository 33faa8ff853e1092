/**
 * A bus with a hand on it for tests of the driver: answers, streams and moves as its options say, in simulated time,
 * without an adapter. It shares the codec with the driver, so it proves nothing about that.
 */
import { type Clock, sleepMs } from "../../core/clock.js";
import { HAND_JOINT_COUNT, type HandModel, type HandSide } from "../../kinematics/allegro/hand.js";
import type { CanBus, CanBusListener, CanBusState, OpenCanBus } from "../can/bus.js";
import type { CanFrame } from "../can/frame.js";
import type { Guardian } from "./guardian.js";
import {
  countsOfRad,
  decodeHostFrame,
  encodeError,
  encodeInfo,
  encodePose,
  encodeSerial,
  encodeTemperature,
  FINGER_INDICES,
  type FingerIndex,
  type HostMessage,
  torqueOfCommand,
} from "./protocol/index.js";

export interface FakeHandOptions {
  readonly model: HandModel;
  readonly side: HandSide;
  readonly hardware: number;
  readonly firmware: number;
  readonly serial: string;
  readonly answersInfo: boolean;
  readonly answersSerial: boolean;
  /** Whether positions are streamed while the servo is off. */
  readonly streamsWhileOff: boolean;
}

const DEFAULTS: FakeHandOptions = {
  model: "v4",
  side: "right",
  hardware: 0x0400,
  firmware: 0x0102,
  serial: "RH040001",
  answersInfo: true,
  answersSerial: true,
  streamsWhileOff: true,
};

/** Joint speed for a torque [rad/s / N·m]: a viscous joint without mass. */
const SPEED_PER_TORQUE = 5;

export class FakeHand {
  /** Everything that was written, in order. */
  readonly written: CanFrame[] = [];
  readonly positionRad = new Float64Array(HAND_JOINT_COUNT);
  readonly command = new Int16Array(HAND_JOINT_COUNT);
  readonly silentFingers = new Set<FingerIndex>();
  isOn = false;
  periodMs = 0;
  temperatureC = 30;
  sensorC = [30, 30, 30, 30];
  serial: string;
  overTemperature = false;
  communicationFault = false;
  /** What the hand says of its servo, whatever it is. */
  saysOff = false;
  answersInfo: boolean;
  answersSerial: boolean;
  /** The adapter takes what is written. */
  takes = true;
  /** The hand does what it is told. */
  obeys = true;
  errors = 0;
  bytesDiscarded = 0;
  isClosed = false;
  readonly #options: FakeHandOptions;
  readonly #clock: Clock;
  readonly #end = new AbortController();
  readonly #torque = new Float64Array(HAND_JOINT_COUNT);
  #listener: CanBusListener | undefined;
  #state: CanBusState = "up";

  constructor(clock: Clock, options: Partial<FakeHandOptions> = {}) {
    this.#clock = clock;
    this.#options = { ...DEFAULTS, ...options };
    this.serial = this.#options.serial;
    this.answersInfo = this.#options.answersInfo;
    this.answersSerial = this.#options.answersSerial;
    void this.#stream();
  }

  readonly open: OpenCanBus = async (listener) => {
    this.#listener = listener;
    this.isClosed = false;
    return this.#bus();
  };

  /** A frame from the bus. */
  send(frame: CanFrame): void {
    this.#listener?.onFrame(frame);
    this.#listener?.onPause?.(this.#clock.nowMs());
  }

  setBus(state: CanBusState, why = ""): void {
    this.#state = state;
    this.#listener?.onState(state, why);
  }

  motorError(motor: number, bits: number): void {
    this.send(encodeError(motor, bits));
  }

  sendPose(finger: FingerIndex): void {
    const { model } = this.#options;
    const counts = [0, 1, 2, 3].map((i) => countsOfRad(model, this.positionRad[4 * finger + i]!));
    this.send(encodePose(finger, counts));
  }

  end(): void {
    this.#end.abort();
  }

  #bus(): CanBus {
    const hand = this;
    return {
      name: "fake bus",
      get state() {
        return hand.#state;
      },
      write: (frames) => hand.#write(frames),
      readNow: () => {},
      statistics: () => ({
        framesSent: hand.written.length,
        framesReceived: 0,
        framesDropped: 0,
        bytesDiscarded: hand.bytesDiscarded,
        errors: hand.errors,
        busOffs: 0,
        reconnects: 0,
      }),
      close: async () => {
        hand.isClosed = true;
      },
    };
  }

  #write(frames: readonly CanFrame[]): boolean {
    if (!this.takes || this.#state !== "up") return false;
    for (const frame of frames) {
      this.written.push({ ...frame, data: frame.data.slice() });
      if (this.obeys) this.#obey(frame);
    }
    return true;
  }

  #obey(frame: CanFrame): void {
    const message = decodeHostFrame(frame);
    switch (message?.kind) {
      case "systemOn":
        this.isOn = true;
        return;
      case "systemOff":
        this.isOn = false;
        return;
      case "torque":
        this.command.set(message.command, 4 * message.finger);
        return;
      case "period":
        this.periodMs = message.jointMs;
        return;
      default:
        if (message !== undefined) queueMicrotask(() => this.#answer(message));
    }
  }

  #answer(message: HostMessage): void {
    const { model, hardware, firmware, side } = this.#options;
    if (message.kind === "requestInfo" && this.answersInfo) {
      const { temperatureC, overTemperature, communicationFault } = this;
      const servoOn = this.isOn && !this.saysOff;
      this.send(
        encodeInfo({ hardware, firmware, side, temperatureC, servoOn, overTemperature, communicationFault }),
      );
    } else if (message.kind === "requestSerial" && this.answersSerial) this.send(encodeSerial(this.serial));
    else if (message.kind === "requestPose") this.sendPose(message.finger);
    else if (message.kind === "requestTemperature")
      this.send(encodeTemperature(model, message.sensor, this.sensorC[message.sensor]!));
  }

  async #stream(): Promise<void> {
    while (!this.#end.signal.aborted) {
      const stepMs = this.periodMs > 0 ? this.periodMs : 1;
      await sleepMs(this.#clock, stepMs, this.#end.signal);
      this.#move(stepMs / 1000);
      const streams = this.periodMs > 0 && (this.isOn || this.#options.streamsWhileOff);
      if (!streams || this.#state !== "up") continue;
      for (const finger of FINGER_INDICES) if (!this.silentFingers.has(finger)) this.sendPose(finger);
    }
  }

  #move(stepS: number): void {
    torqueOfCommand(this.#options.model, this.command, this.#torque);
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++)
      if (this.isOn) this.positionRad[joint]! += SPEED_PER_TORQUE * this.#torque[joint]! * stepS;
  }
}

/** A guardian that notes what it is told. */
export class FakeGuardian implements Guardian {
  readonly words: string[] = [];
  failure: string | undefined;

  async watch(): Promise<void> {
    this.words.push("watch");
  }

  beat(): void {
    this.words.push("beat");
  }

  rest(): void {
    this.words.push("rest");
  }

  letGo(): void {
    this.words.push("letGo");
  }

  async dismiss(): Promise<void> {
    this.words.push("dismiss");
  }
}
