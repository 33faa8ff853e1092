/** The host's side of an emulated hand for the lab's tests: opens the adapter, sends frames, keeps what comes. */
import { SimClock } from "../../core/simClock.js";
import { decodeHandFrame, type HandMessage, isNeverSent } from "../../drivers/allegro/protocol/index.js";
import type { CanFrame } from "../../drivers/can/frame.js";
import { SlcanReader, slcanOpening, slcanText } from "../../drivers/can/slcan.js";
import { AllegroEmulator, type AllegroEmulatorOptions } from "./emulator.js";
import { IdealHandPlant } from "./idealPlant.js";
import type { HandPlant } from "./plant.js";

export interface Arrival {
  /** Since the rig began, simulated [ms]. */
  readonly atMs: number;
  readonly frame: CanFrame;
}

export class HandRig {
  readonly emulator: AllegroEmulator;
  readonly plant: HandPlant;
  /** Everything that came, as text. */
  text = "";
  readonly arrivals: Arrival[] = [];
  readonly plugs: boolean[] = [];
  refusals = 0;
  readonly busStates: string[] = [];
  readonly reader: SlcanReader;
  #atMs = 0;

  constructor(options: Partial<AllegroEmulatorOptions> = {}) {
    this.plant = options.plant ?? new IdealHandPlant();
    this.reader = new SlcanReader({
      onFrame: (frame) =>
        this.arrivals.push({ atMs: this.#atMs, frame: { ...frame, data: frame.data.slice() } }),
      onRefused: () => void this.refusals++,
      onErrors: () => {},
      onBusState: (state) => this.busStates.push(state),
    });
    this.emulator = new AllegroEmulator({
      model: "v4",
      side: "right",
      clock: new SimClock(),
      lockstep: true,
      send: (bytes) => {
        this.text += Buffer.from(bytes).toString("latin1");
        this.reader.push(bytes);
      },
      onPlug: (isPlugged) => this.plugs.push(isPlugged),
      ...options,
      plant: this.plant,
    });
  }

  say(text: string): void {
    this.emulator.receive(Buffer.from(text, "latin1"));
  }

  open(): this {
    this.say(slcanOpening(1_000_000));
    return this;
  }

  send(...frames: readonly CanFrame[]): void {
    if (frames.some(isNeverSent)) throw new Error("a frame that must never be sent");
    this.say(frames.map((frame) => slcanText(frame)).join(""));
  }

  /** Lets simulated time pass in steps of a millisecond. */
  run(ms: number): void {
    for (let step = 0; step < ms; step++) {
      this.#atMs += 1;
      this.emulator.step(0.001);
    }
  }

  /** What came since the last call, decoded; frames that are not a hand's are left out. */
  take(model: AllegroEmulatorOptions["model"] = "v4"): HandMessage[] {
    const messages = this.arrivals.map(({ frame }) => decodeHandFrame(frame, model));
    this.arrivals.length = 0;
    return messages.filter((message) => message !== undefined);
  }

  /** Runs and answers with what came meanwhile. */
  after(ms: number, model: AllegroEmulatorOptions["model"] = "v4"): HandMessage[] {
    this.arrivals.length = 0;
    this.run(ms);
    return this.take(model);
  }
}

/** Frames of these fingers among messages. */
export const posesOf = (messages: readonly HandMessage[], finger?: number) =>
  messages
    .filter((message) => message.kind === "pose")
    .filter((message) => finger === undefined || message.finger === finger);
