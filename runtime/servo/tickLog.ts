/**
 * The last minute of ticks: requested, sent and measured positions with the reasons of each difference, for the
 * recorder and for the question why the arm stopped. One block of memory, written in place.
 */
import type { MonotonicNs } from "../../core/clock.js";
import { SERVO_STATES, type ServoSnapshot, type ServoStateName } from "./api.js";

const KEPT_S = 60;
/** tick, tickNs high and low half, state, epoch, reasons, commandSeq. */
const HEAD = 7;
const HALF = 2 ** 32;

export interface LoggedTick {
  readonly tick: number;
  readonly tickNs: MonotonicNs;
  readonly state: ServoStateName;
  readonly epoch: number;
  readonly reasons: number;
  readonly commandSeq: number;
  /** What the newest command asked for, what the interpolator and limiter made of it, what the device reported. */
  readonly requestedRad: readonly number[];
  readonly sentRad: readonly number[];
  readonly positionRad: readonly number[];
}

export class TickLog {
  readonly #joints: number;
  readonly #row: number;
  readonly #capacity: number;
  readonly #rows: Float64Array;
  #written = 0;

  constructor(jointCount: number, rateHz: number, keptS = KEPT_S) {
    this.#joints = jointCount;
    this.#row = HEAD + 3 * jointCount;
    this.#capacity = Math.ceil(keptS * rateHz);
    this.#rows = new Float64Array(this.#capacity * this.#row);
  }

  add(snapshot: ServoSnapshot): void {
    const at = (this.#written++ % this.#capacity) * this.#row;
    const rows = this.#rows;
    rows[at] = snapshot.tick;
    // Nanoseconds since boot outgrow the exact integers of a number after 104 days; halves do not.
    rows[at + 1] = Number(snapshot.tickNs >> 32n);
    rows[at + 2] = Number(snapshot.tickNs & 0xffff_ffffn);
    rows[at + 3] = SERVO_STATES.indexOf(snapshot.state);
    rows[at + 4] = snapshot.epoch;
    rows[at + 5] = snapshot.reasons;
    rows[at + 6] = snapshot.commandSeq;
    rows.set(snapshot.requestedRad, at + HEAD);
    rows.set(snapshot.sentRad, at + HEAD + this.#joints);
    rows.set(snapshot.positionRad, at + HEAD + 2 * this.#joints);
  }

  /** Ticks after the given one, oldest first, as far as they are kept. */
  after(tick: number): LoggedTick[] {
    const kept = Math.min(this.#written, this.#capacity);
    const found: LoggedTick[] = [];
    for (let back = kept; back >= 1; back--) {
      const at = ((this.#written - back) % this.#capacity) * this.#row;
      if (this.#rows[at]! > tick) found.push(this.#read(at));
    }
    return found;
  }

  #read(at: number): LoggedTick {
    const rows = this.#rows;
    const joints = (block: number) => [
      ...rows.subarray(at + HEAD + block * this.#joints, at + HEAD + (block + 1) * this.#joints),
    ];
    return {
      tick: rows[at]!,
      tickNs: (BigInt(rows[at + 1]!) * BigInt(HALF) + BigInt(rows[at + 2]!)) as MonotonicNs,
      state: SERVO_STATES[rows[at + 3]!]!,
      epoch: rows[at + 4]!,
      reasons: rows[at + 5]!,
      commandSeq: rows[at + 6]!,
      requestedRad: joints(0),
      sentRad: joints(1),
      positionRad: joints(2),
    };
  }
}
