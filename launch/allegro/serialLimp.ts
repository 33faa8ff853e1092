/**
 * LIMP to a serial CAN adapter from a process that does not own it. The port is opened for writing only, beside the
 * process that reads it, and kept open: while anybody has it open its settings stay, the line is not hung up (DTR) and
 * what that process had written still leaves first. Raw mode and rate are the port's own, so nothing is set here.
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { Clock } from "../../core/clock.js";
import { limpLines } from "../../drivers/allegro/limp.js";
import type { SlcanConfig } from "../../drivers/can/config.js";
import { slcanOpening } from "../../drivers/can/slcan.js";
import type { LimpWriter } from "./limpWriter.js";

const FLAGS = constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK;
/** An adapter that takes nothing for so long is given up. */
const WRITE_MS_MAX = 500;
const FULL_PAUSE_MS = 0.5;

export class SerialLimp implements LimpWriter {
  readonly name: string;
  readonly #opening: Uint8Array;
  readonly #clock: Clock;
  readonly #park = new Int32Array(new SharedArrayBuffer(4));
  #port: number | undefined;

  constructor({ path, bitrate }: SlcanConfig, clock: Clock) {
    this.name = path;
    this.#opening = new TextEncoder().encode(slcanOpening(bitrate));
    this.#clock = clock;
  }

  async hold(): Promise<void> {
    this.#open();
  }

  letGo(): void {
    const port = this.#port;
    this.#port = undefined;
    if (port === undefined) return;
    try {
      closeSync(port);
    } catch {
      // It was unplugged: there is nothing left to close.
    }
  }

  /** Through the open port; if that is dead, through a new one. */
  send(): string {
    const held = this.#port;
    if (held !== undefined) {
      try {
        this.#writeAll(held, limpLines());
        return "through the port that was held open";
      } catch {
        this.letGo();
      }
    }
    const port = this.#open();
    // For an adapter whose channel was closed when the port was.
    this.#writeAll(port, this.#opening);
    this.#writeAll(port, limpLines());
    return "through the port, opened anew";
  }

  #open(): number {
    this.letGo();
    const port = openSync(this.name, FLAGS);
    this.#port = port;
    return port;
  }

  #writeAll(port: number, bytes: Uint8Array): void {
    const deadlineMs = this.#clock.nowMs() + WRITE_MS_MAX;
    for (let written = 0; written < bytes.length; ) {
      try {
        written += writeSync(port, bytes, written);
      } catch (thrown) {
        const isFull = (thrown as NodeJS.ErrnoException).code === "EAGAIN";
        if (!isFull || this.#clock.nowMs() > deadlineMs) throw thrown;
        // This thread may have real-time priority, and whoever empties the port has not.
        Atomics.wait(this.#park, 0, 0, FULL_PAUSE_MS);
      }
    }
  }
}
