/** The robot's side of the command stream: who commands, and what. */
import { CommandReader, createCommand, StreamReader } from "../../drivers/digit/protocol/index.js";
import type { LowLevelCommand } from "./robot.js";

/** Silence counts where it is found twice; as often as the vendor's own client looks, or oftener [ms]. */
const LOOK_EVERY_MS = 10;

export class CommandIntake {
  /** The client has not been told the description of observations yet. */
  isNew = false;
  /** Commands whose fallback mode is none: not taken. */
  impossibleCount = 0;
  lostCount = 0;
  readonly #stream: StreamReader;
  readonly #command = createCommand();
  #reader: CommandReader | undefined;
  #nowMs = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(onCommand: (command: LowLevelCommand, atMs: number) => void) {
    this.#stream = new StreamReader({
      onDescription: (description) => {
        const reader = new CommandReader(description);
        // Whoever leaves a motor out is no client of this robot.
        if (reader.missing.length > 0) return;
        this.#reader = reader;
        this.isNew = true;
      },
      onMessage: (view, start) => {
        if (this.#reader === undefined) return;
        if (this.#reader.read(view, start, this.#command)) onCommand(this.#command, this.#nowMs);
        else this.impossibleCount++;
      },
      onLost: () => {
        this.lostCount++;
        this.#forget();
      },
    });
  }

  /** Address of the client whose commands are understood. */
  get client(): string | undefined {
    const { sender } = this.#stream;
    return this.#reader === undefined ? undefined : sender.slice(0, sender.lastIndexOf(":"));
  }

  /** Of the wire: damaged, foreign and other datagrams. */
  get counters() {
    return this.#stream.counters;
  }

  reset(): void {
    this.#stream.reset();
    this.#forget();
  }

  tick(nowMs: number): void {
    if (nowMs - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#lookedMs = nowMs;
    this.#stream.expire(nowMs);
  }

  receive(datagram: Uint8Array, address: string, port: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#stream.push(datagram, address, port, nowMs);
  }

  #forget(): void {
    this.#reader = undefined;
    this.isNew = false;
  }
}
