/**
 * What a host said to the emulated hand, in order and with times: the evidence of tests. Bounded; the oldest goes first.
 */
import type { HostMessage } from "../../drivers/allegro/protocol/index.js";
import { FINGERS } from "../../kinematics/allegro/hand.js";

export interface HandRecord {
  /** When the frame reached the hand, the emulator's clock [ms]. */
  readonly atMs: number;
  readonly message: HostMessage;
}

/** A minute of four torque frames at 333 Hz, and room for the rest. */
const RECORDS_MAX = 100_000;

export interface HandCounters {
  torqueFrames: number;
  /** Torque frames that came while the servo was off: without effect until it goes on. */
  torqueWhileOff: number;
  /** Torque frames with a command beyond a joint's limit. */
  torqueBeyondLimit: number;
  requests: number;
  /** Messages that must never be sent: configuration, pick, place and their like. */
  neverSent: number;
  malformed: number;
  /** Frames that no host of this hand sends. */
  unknown: number;
  /** Stream periods that were left out because the emulator was not run. */
  skippedPeriods: number;
}

export const emptyHandCounters = (): HandCounters => ({
  torqueFrames: 0,
  torqueWhileOff: 0,
  torqueBeyondLimit: 0,
  requests: 0,
  neverSent: 0,
  malformed: 0,
  unknown: 0,
  skippedPeriods: 0,
});

export class HandLog {
  #records: HandRecord[] = [];
  /** Records that were dropped because there were too many. */
  forgotten = 0;

  get records(): readonly HandRecord[] {
    return this.#records;
  }

  note(atMs: number, message: HostMessage): void {
    this.#records.push({ atMs, message });
    if (this.#records.length < 2 * RECORDS_MAX) return;
    this.forgotten += this.#records.length - RECORDS_MAX;
    this.#records = this.#records.slice(-RECORDS_MAX);
  }

  clear(): void {
    this.#records = [];
  }
}

export interface LimpTimes {
  /** When the last of four zero torques, OFF and the end of streams reached the hand [ms]. */
  readonly zeroMs: number;
  readonly offMs: number;
  readonly periodMs: number;
}

/**
 * When the hand was told to go limp for good: the first zero torque for all fingers, servo off, no stream, in this order,
 * after which no torque other than zero and no ON follow. Undefined: it was not.
 */
export function limpTimes(records: readonly HandRecord[]): LimpTimes | undefined {
  const start = records.findLastIndex(({ message }) => isForce(message)) + 1;
  const zeroed = new Set<number>();
  let zeroMs: number | undefined;
  let offMs: number | undefined;
  for (const { atMs, message } of records.slice(start)) {
    if (message.kind === "torque") {
      zeroed.add(message.finger);
      if (zeroed.size === FINGERS.length) zeroMs ??= atMs;
    } else if (message.kind === "systemOff") {
      if (zeroMs !== undefined) offMs ??= atMs;
    } else if (isStreamEnd(message) && zeroMs !== undefined && offMs !== undefined)
      return { zeroMs, offMs, periodMs: atMs };
  }
  return undefined;
}

const isForce = (message: HostMessage): boolean =>
  message.kind === "systemOn" || (message.kind === "torque" && message.command.some((count) => count !== 0));

const isStreamEnd = (message: HostMessage): boolean =>
  message.kind === "period" && message.jointMs === 0 && message.imuMs === 0 && message.temperatureMs === 0;
