/**
 * The last minute of ticks: requested, sent and measured positions with the reasons of each difference, for the
 * recorder and for the question why the arm stopped. One block of memory, written in place.
 */
import { type MonotonicNs, msToMonotonicNs } from "../../core/clock.js";
import { SERVO_STATES, type ServoStateName } from "./api.js";
import type { MutableSnapshot } from "./snapshot.js";

const KEPT_S = 60;
/** tick, tickMs, state, epoch, reasons, commandSeq. */
const HEAD = 6;

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

  add(snapshot: MutableSnapshot): void {
    const at = (this.#written++ % this.#capacity) * this.#row;
    const rows = this.#rows;
    rows[at] = snapshot.tick;
    rows[at + 1] = snapshot.tickMs;
    rows[at + 2] = SERVO_STATES.indexOf(snapshot.state);
    rows[at + 3] = snapshot.epoch;
    rows[at + 4] = snapshot.reasons;
    rows[at + 5] = snapshot.commandSeq;
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
      tickNs: msToMonotonicNs(rows[at + 1]!),
      state: SERVO_STATES[rows[at + 2]!]!,
      epoch: rows[at + 3]!,
      reasons: rows[at + 4]!,
      commandSeq: rows[at + 5]!,
      requestedRad: joints(0),
      sentRad: joints(1),
      positionRad: joints(2),
    };
  }
}
