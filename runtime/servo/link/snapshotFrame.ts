/**
 * The snapshot message, written every tick without allocation: the layout of `MESSAGES.snapshot` in schema.ts, by hand.
 * The codec's own writer reads values by name, which makes a new object of every number; a test holds the two to the
 * same bytes.
 */
import type { FloatingBase } from "../../../core/floatingBase.js";
import { SERVO_STATES } from "../api.js";
import type { MutableSnapshot } from "../snapshot.js";
import { HEADER_BYTES, MESSAGES, NAME_BYTES_MAX, PROTOCOL_VERSION } from "./schema.js";

/** Far above any robot's snapshot: eight vectors of 32 numbers, a base and a name. */
const BYTES_MAX = 4096;
const HALF = 2 ** 32;

export class SnapshotFrame {
  readonly #bytes = Buffer.alloc(BYTES_MAX);
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, BYTES_MAX);
  #frame = this.#bytes.subarray(0, 0);
  #name = "";
  #nameBytes = Buffer.alloc(0);
  #at = 0;

  /** The frame's bytes: the same memory every time. */
  write(snapshot: MutableSnapshot): Buffer {
    const view = this.#view;
    this.#at = HEADER_BYTES;
    this.#number(snapshot.tick);
    this.#moment(snapshot.tickMs);
    view.setUint8(this.#at++, SERVO_STATES.indexOf(snapshot.state));
    this.#word(snapshot.epoch);
    this.#text(snapshot.commander);
    this.#moment(snapshot.stateMs);
    this.#number(snapshot.stateSequence);
    this.#vector(snapshot.positionRad);
    this.#vector(snapshot.velocityRadPerS);
    this.#vector(snapshot.effortNm);
    this.#vector(snapshot.requestedRad);
    this.#vector(snapshot.limitedRad);
    this.#vector(snapshot.sentRad);
    this.#word(snapshot.reasons);
    this.#word(snapshot.commandSeq);
    this.#moment(snapshot.commandWireMs);
    this.#number(snapshot.gripperCommandM);
    this.#number(snapshot.gripperOpeningM);
    this.#number(snapshot.deviceTimeUs);
    this.#word(snapshot.deviceErrorCode);
    this.#base(snapshot.base);
    view.setUint32(0, this.#at - 4, true);
    view.setUint8(4, PROTOCOL_VERSION);
    view.setUint8(5, MESSAGES.snapshot.number);
    if (this.#frame.length !== this.#at) this.#frame = this.#bytes.subarray(0, this.#at);
    return this.#frame;
  }

  #base(base: FloatingBase | undefined): void {
    this.#view.setUint8(this.#at++, base === undefined ? 0 : 1);
    if (base === undefined) return;
    this.#numbers(base.quatWorldBaseXyzw);
    this.#numbers(base.translationWorldM);
    this.#numbers(base.linearVelocityBaseMPerS);
    this.#numbers(base.angularVelocityBaseRadPerS);
    this.#numbers(base.specificForceBaseMPerS2);
    this.#vector(base.passivePositionRad);
    this.#vector(base.passiveVelocityRadPerS);
  }

  #number(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  #word(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  /** Milliseconds as whole nanoseconds in 64 bits. */
  #moment(ms: number): void {
    const ns = Math.round(ms * 1e6);
    const high = Math.floor(ns / HALF);
    this.#word(ns - high * HALF);
    this.#word(high);
  }

  #vector(values: Float64Array): void {
    this.#view.setUint8(this.#at++, values.length);
    this.#numbers(values);
  }

  #numbers(values: Float64Array): void {
    for (let i = 0; i < values.length; i++) this.#number(values[i]!);
  }

  #text(value: string): void {
    if (value !== this.#name) {
      this.#name = value;
      const whole = Buffer.alloc(NAME_BYTES_MAX);
      this.#nameBytes = whole.subarray(0, whole.write(value));
    }
    this.#view.setUint16(this.#at, this.#nameBytes.length, true);
    this.#at += 2;
    this.#bytes.set(this.#nameBytes, this.#at);
    this.#at += this.#nameBytes.length;
  }
}
