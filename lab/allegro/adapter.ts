/**
 * A serial CAN adapter as CANable firmware makes it: SLCAN text on one side, a bus of 1 Mbit/s on the other. It never
 * acknowledges anything, ignores what it does not know (a bare CR, a second `O`), takes a bit rate only while closed, and
 * stays open when the program that opened it is gone: only `C` or its plug close it.
 */
import type { CanFrame } from "../../drivers/can/frame.js";
import {
  type SlcanBusState,
  type SlcanCommand,
  SlcanCommandReader,
  slcanStateText,
  slcanText,
} from "../../drivers/can/slcan.js";

export const BUS_BIT_PER_S = 1_000_000;
/** What the firmware begins with; nobody should count on it. */
const FIRST_BIT_PER_S = 500_000;
const VERSION_TEXT = "CANable emulated by Cerebellum's lab\r";

export interface AdapterSides {
  /** A frame from the host goes on the bus. */
  toBus(frame: CanFrame): void;
  /** Text for the host, whole lines. */
  toHost(text: string): void;
}

export class CanableAdapter {
  /** Frames of the host that never reached the bus: closed, listening only, or at another bit rate. */
  framesRefused = 0;
  readonly #sides: AdapterSides;
  #commands = this.#reader();
  #mode: "closed" | "open" | "listening" = "closed";
  #bitPerS: number | undefined = FIRST_BIT_PER_S;

  constructor(sides: AdapterSides) {
    this.#sides = sides;
  }

  get isOpen(): boolean {
    return this.#mode !== "closed";
  }

  /** Bytes from the host, in pieces as they come. */
  receive(bytes: Uint8Array): void {
    this.#commands.push(bytes);
  }

  /** A frame from the bus. */
  deliver(frame: CanFrame): void {
    if (this.isOpen && this.#hears) this.#sides.toHost(slcanText(frame));
  }

  /** The state of its controller, from an adapter that tells it as Linux' driver reads it. */
  tellState(state: SlcanBusState): void {
    const errors = state === "off" ? 256 : 0;
    if (this.isOpen) this.#sides.toHost(slcanStateText(state, 0, errors));
  }

  /** Pulled out and plugged in again. */
  reset(): void {
    this.#commands = this.#reader();
    this.#mode = "closed";
    this.#bitPerS = FIRST_BIT_PER_S;
  }

  get #hears(): boolean {
    return this.#bitPerS === BUS_BIT_PER_S;
  }

  #reader(): SlcanCommandReader {
    return new SlcanCommandReader((command) => this.#obey(command));
  }

  #obey(command: SlcanCommand): void {
    switch (command.kind) {
      case "frame":
        if (this.#mode === "open" && this.#hears) this.#sides.toBus(command.frame);
        else this.framesRefused++;
        return;
      case "bitrate":
        if (!this.isOpen) this.#bitPerS = command.bitPerS;
        return;
      case "open":
        if (!this.isOpen) this.#mode = "open";
        return;
      case "listen":
        if (!this.isOpen) this.#mode = "listening";
        return;
      case "close":
        this.#mode = "closed";
        return;
      case "version":
        this.#sides.toHost(VERSION_TEXT);
        return;
    }
  }
}
