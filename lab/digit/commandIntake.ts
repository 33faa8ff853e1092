/**
 * The robot's side of the command stream, by the rules of the vendor's own subscriber: it keeps to whoever sent the first
 * STRT, believes data once the description is complete, and forgets a client of whom no valid chunk comes for 100 ms.
 */
import {
  ChunkReader,
  CommandReader,
  checksumOf,
  createCommand,
  DescriptionBuilder,
} from "../../drivers/digit/protocol/index.js";
import type { LowLevelCommand } from "./robot.js";
import { STREAM_TIMEOUT_MS } from "./specs.js";

export interface IntakeCounters {
  datagrams: number;
  /** Of another sender than the one that is listened to. */
  foreign: number;
  corrupt: number;
  wrongSize: number;
  /** Data before the description, and commands with a fallback mode that is none. */
  untaken: number;
  /** Clients that were forgotten, and descriptions that changed. */
  timeouts: number;
  redescribed: number;
}

export class CommandIntake {
  readonly counters: IntakeCounters = {
    datagrams: 0,
    foreign: 0,
    corrupt: 0,
    wrongSize: 0,
    untaken: 0,
    timeouts: 0,
    redescribed: 0,
  };
  /** The client has not been told the description of observations yet. */
  isNew = false;
  readonly #onCommand: (command: LowLevelCommand, atMs: number) => void;
  readonly #chunk = new ChunkReader();
  readonly #builder = new DescriptionBuilder();
  readonly #command = createCommand();
  #source: string | undefined;
  #heardMs = 0;
  #reader: CommandReader | undefined;

  constructor(onCommand: (command: LowLevelCommand, atMs: number) => void) {
    this.#onCommand = onCommand;
  }

  /** Address of the client whose commands are understood. */
  get client(): string | undefined {
    return this.#reader === undefined ? undefined : this.#source?.slice(0, this.#source.lastIndexOf(":"));
  }

  /** Address and port of whoever is listened to. */
  get source(): string | undefined {
    return this.#source;
  }

  reset(): void {
    this.#source = undefined;
    this.#reader = undefined;
    this.#builder.isBuilding = false;
    this.isNew = false;
  }

  tick(nowMs: number): void {
    if (this.#source === undefined || nowMs - this.#heardMs <= STREAM_TIMEOUT_MS) return;
    this.counters.timeouts++;
    this.reset();
  }

  /** @param from address and port of the sender */
  receive(datagram: Uint8Array, from: string, nowMs: number): void {
    this.counters.datagrams++;
    if (this.#source !== undefined && from !== this.#source) {
      this.counters.foreign++;
      return;
    }
    const chunk = this.#chunk;
    if (chunk.read(datagram) !== undefined) {
      this.counters.corrupt++;
      return;
    }
    if (this.#source === undefined && chunk.kind !== "STRT") {
      this.counters.untaken++;
      return;
    }
    this.#heardMs = nowMs;
    switch (chunk.kind) {
      case "STRT":
        this.#source = from;
        this.#builder.start();
        return;
      case "DEND":
        this.#described();
        return;
      case "UDAT":
        this.#take(nowMs);
        return;
      default:
        this.#builder.add(chunk);
    }
  }

  #described(): void {
    const chunk = this.#chunk;
    if (this.#reader !== undefined && checksumOf(chunk) !== this.#reader.description.checksum) {
      this.counters.redescribed++;
      this.reset();
      return;
    }
    const described = this.#builder.finish(chunk);
    if (this.#reader !== undefined || described.kind === "refused") return;
    const reader = new CommandReader(described.description);
    if (reader.missing.length > 0) return;
    this.#reader = reader;
    this.isNew = true;
  }

  #take(nowMs: number): void {
    const { view, dataStart, dataBytes } = this.#chunk;
    if (this.#reader === undefined) {
      this.counters.untaken++;
      return;
    }
    if (dataBytes !== this.#reader.description.messageBytes) {
      this.counters.wrongSize++;
      return;
    }
    if (this.#reader.read(view, dataStart, this.#command)) this.#onCommand(this.#command, nowMs);
    else this.counters.untaken++;
  }
}
