/** Rows of one session as a table in time: found by bisection, decoded only where somebody looks. */
import { SERVO_STATES, type ServoStateName } from "../api.js";
import { JOINT_BLOCKS, type JointBlock, ROW, type RowShape, rowBytes } from "./format.js";

/** Times are CLOCK_MONOTONIC [ms]; arrays have one number per joint, base to tool. NaN where there was none. */
export interface LoggedTick extends Readonly<Record<JointBlock, readonly number[]>> {
  readonly tick: number;
  readonly atMs: number;
  readonly state: ServoStateName;
  readonly epoch: number;
  readonly reasons: number;
  readonly commander: number;
  readonly commandSeq: number;
  /** When the first setpoint of the newest command left for the device; 0 for none. */
  readonly commandWireMs: number;
  readonly stateAgeMs: number;
  readonly commandAgeMs: number;
  readonly inputAgeMs: number;
  readonly supervisorAgeMs: number;
  readonly commanderAgeMs: number;
  readonly gripperOpeningM: number;
  readonly deviceErrorCode: number;
  /** Rows before this one that found no room, since the session's start. */
  readonly lostRows: number;
  /** As `BASE_NUMBERS` says; only of a robot that has a base. */
  readonly base?: readonly number[];
}

export class TickTable {
  readonly #rows: Buffer;
  readonly #shape: RowShape;
  readonly #rowBytes: number;
  readonly length: number;

  /** @param rows whole rows, oldest first */
  constructor(rows: Buffer, shape: RowShape) {
    this.#rows = rows;
    this.#shape = shape;
    this.#rowBytes = rowBytes(shape);
    this.length = Math.floor(rows.length / this.#rowBytes);
  }

  atMs(index: number): number {
    return this.#rows.readDoubleLE(index * this.#rowBytes + ROW.tickMs);
  }

  state(index: number): ServoStateName {
    return stateOf(this.#rows.readUInt8(index * this.#rowBytes + ROW.state));
  }

  reasons(index: number): number {
    return this.#rows.readUInt32LE(index * this.#rowBytes + ROW.reasons);
  }

  /** A command was pursued. */
  isCommanded(index: number): boolean {
    return !Number.isNaN(this.#rows.readFloatLE(index * this.#rowBytes + ROW.commandAgeMs));
  }

  /** Index of the first tick at or after that moment; `length` when there is none. */
  firstFrom(atMs: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.atMs(middle) < atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Ticks of a span of time, oldest first, as far as they were kept. */
  between(fromMs: number, toMs: number): LoggedTick[] {
    const found: LoggedTick[] = [];
    for (let index = this.firstFrom(fromMs); index < this.length && this.atMs(index) <= toMs; index++)
      found.push(this.at(index)!);
    return found;
  }

  at(index: number): LoggedTick | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const rows = this.#rows;
    const at = index * this.#rowBytes;
    const f32 = (offset: number) => rows.readFloatLE(at + offset);
    const { jointCount, baseCount } = this.#shape;
    const baseAt = ROW.joints + 4 * jointCount * JOINT_BLOCKS.length;
    const joints = (block: JointBlock) => {
      const blockAt = ROW.joints + 4 * jointCount * JOINT_BLOCKS.indexOf(block);
      return Array.from({ length: jointCount }, (_, joint) => f32(blockAt + 4 * joint));
    };
    return {
      tick: rows.readDoubleLE(at + ROW.tick),
      atMs: this.atMs(index),
      state: this.state(index),
      epoch: rows.readUInt32LE(at + ROW.epoch),
      reasons: this.reasons(index),
      commander: rows.readUInt16LE(at + ROW.commander),
      commandSeq: rows.readUInt32LE(at + ROW.commandSeq),
      commandWireMs: rows.readDoubleLE(at + ROW.commandWireMs),
      stateAgeMs: f32(ROW.stateAgeMs),
      commandAgeMs: f32(ROW.commandAgeMs),
      inputAgeMs: f32(ROW.inputAgeMs),
      supervisorAgeMs: f32(ROW.supervisorAgeMs),
      commanderAgeMs: f32(ROW.commanderAgeMs),
      gripperOpeningM: f32(ROW.gripperOpeningM),
      deviceErrorCode: rows.readUInt16LE(at + ROW.deviceErrorCode),
      lostRows: rows.readUInt32LE(at + ROW.lostRows),
      positionRad: joints("positionRad"),
      velocityRadPerS: joints("velocityRadPerS"),
      effortNm: joints("effortNm"),
      requestedRad: joints("requestedRad"),
      sentRad: joints("sentRad"),
      ...(baseCount > 0 && { base: Array.from({ length: baseCount }, (_, i) => f32(baseAt + 4 * i)) }),
    };
  }
}

/** A number that is no state came past a checksum: a defect of the writer, shown as the most cautious state. */
const stateOf = (number: number): ServoStateName => SERVO_STATES[number] ?? "disconnected";
