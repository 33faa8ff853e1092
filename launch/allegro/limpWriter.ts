/** How a process that does not drive a hand reaches it: one that can be held ready, and sends LIMP when it must. */
import type { Clock } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { LIMP } from "../../drivers/allegro/limp.js";
import type { CanBus, OpenCanBus } from "../../drivers/can/bus.js";
import type { CanConfig } from "../../drivers/can/config.js";
import { openSocketCanBus } from "../../drivers/can/socketCanBus.js";
import { SerialLimp } from "./serialLimp.js";

export interface LimpWriter {
  /** For people. */
  readonly name: string;
  /** Opens what LIMP will go through. @throws why that is not possible */
  hold(): Promise<void>;
  /** Closes it: the device was unplugged. */
  letGo(): void;
  /** @returns how, for people. @throws why nothing left */
  send(): string;
}

export function limpWriter({ slcan, socketcan }: CanConfig, clock: Clock): LimpWriter {
  if (slcan !== undefined) return new SerialLimp(slcan, clock);
  if (socketcan !== undefined) {
    const { interface: name } = socketcan;
    return new SocketLimp(name, openSocketCanBus({ interface: name, clock }));
  }
  throw new Error("a CAN configuration has one of its two kinds: the schema says so");
}

/** Any number of processes may write to an interface of the kernel. */
export class SocketLimp implements LimpWriter {
  readonly name: string;
  readonly #open: OpenCanBus;
  #bus: CanBus | undefined;

  constructor(name: string, open: OpenCanBus) {
    this.name = name;
    this.#open = open;
  }

  async hold(): Promise<void> {
    const before = this.#bus;
    this.#bus = undefined;
    await before?.close();
    this.#bus = await this.#open({ onFrame: () => {}, onState: () => {} }, new AbortController().signal);
  }

  /** An interface comes back under its name whoever has a socket on it, and the bus looks for it by itself. */
  letGo(): void {}

  send(): string {
    if (this.#bus?.write(LIMP)) return `through ${this.name}`;
    throw new CerebellumError(
      "LINK_CLOSED",
      `${this.name} took nothing`,
      "Switch the hand's power off, then look at the interface with ip -details link",
    );
  }
}
