/**
 * Setpoints that the lease holder has handed over ahead of time, one for each tick to come: a bounded ring between
 * socket and tick. It only keeps them in order; whether one may leave is judged in its tick (`Motion.nextSetpoint`).
 * What is dropped is dropped for good: a stream that has ended for any reason is never continued, only begun anew.
 *
 * Taking one allocates nothing.
 */

/** So much lies in the queue at most [s]. */
const QUEUE_S = 1;
/** Setpoints in one message at most. */
export const SETPOINTS_MAX = 64;

/** Setpoints in the order in which they are to leave; numbers lie setpoint by setpoint, base to tool. */
export interface SetpointBatch {
  /** Place of the first one in its stream; 0 begins a stream. */
  readonly firstIndex: number;
  /** Number of the first one among all that this lease has asked for. */
  readonly firstSeq: number;
  /** Joint angles [rad]. */
  readonly positionRad: ArrayLike<number>;
  /** Acceleration at which the motion passes each of them [rad/s²]. */
  readonly accelerationRadPerS2: ArrayLike<number>;
  /** The stream ends with the last of these. */
  readonly isLast: boolean;
}

export class SetpointQueue {
  /** A stream is under way: it has begun, and has neither ended nor been dropped. */
  isLive = false;
  /** The setpoint that is due, once `load` was called; it stays here after it was taken. */
  readonly positionRad: Float64Array;
  readonly accelerationRadPerS2: Float64Array;
  seq = 0;
  index = 0;
  stampMs = Number.NaN;
  readonly capacity: number;
  readonly #joints: number;
  readonly #positions: Float64Array;
  readonly #accelerations: Float64Array;
  readonly #stampsMs: Float64Array;
  readonly #expiresMs: Float64Array;
  /** Place in the ring of the setpoint that is due, and how many lie there. */
  #at = 0;
  #count = 0;
  /** Of the setpoint that is due. */
  #seq = 0;
  #index = 0;
  #isWhole = false;

  constructor(jointCount: number, rateHz: number) {
    this.capacity = Math.ceil(QUEUE_S * rateHz);
    this.#joints = jointCount;
    this.positionRad = new Float64Array(jointCount);
    this.accelerationRadPerS2 = new Float64Array(jointCount);
    this.#positions = new Float64Array(this.capacity * jointCount);
    this.#accelerations = new Float64Array(this.capacity * jointCount);
    this.#stampsMs = new Float64Array(this.capacity);
    this.#expiresMs = new Float64Array(this.capacity);
  }

  /** How many setpoints wait. */
  get count(): number {
    return this.#count;
  }

  /** Place in the stream of what must come next. */
  get nextIndex(): number {
    return this.#index + this.#count;
  }

  /** Nothing may follow: the stream's end was announced. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** When the setpoint that is due is no longer good [ms]. */
  get dueExpiresMs(): number {
    return this.#expiresMs[this.#at]!;
  }

  /** Begins a stream; what was left of another is gone. */
  begin(): void {
    this.isLive = true;
    this.#count = 0;
    this.#index = 0;
    this.#isWhole = false;
  }

  /** Takes a batch that was judged: whole, in order, and with room for it. */
  append(batch: SetpointBatch, stampMs: number, expiresMs: number): void {
    const joints = this.#joints;
    if (this.#count === 0) this.#seq = batch.firstSeq;
    const ticks = batch.positionRad.length / joints;
    for (let tick = 0; tick < ticks; tick++) {
      const slot = (this.#at + this.#count) % this.capacity;
      for (let joint = 0; joint < joints; joint++) {
        this.#positions[slot * joints + joint] = batch.positionRad[tick * joints + joint]!;
        this.#accelerations[slot * joints + joint] = batch.accelerationRadPerS2[tick * joints + joint]!;
      }
      this.#stampsMs[slot] = stampMs;
      this.#expiresMs[slot] = expiresMs;
      this.#count++;
    }
    this.#isWhole = batch.isLast;
  }

  /** Copies the setpoint that is due into the fields above; one must be waiting. */
  load(): void {
    const first = this.#at * this.#joints;
    for (let joint = 0; joint < this.#joints; joint++) {
      this.positionRad[joint] = this.#positions[first + joint]!;
      this.accelerationRadPerS2[joint] = this.#accelerations[first + joint]!;
    }
    this.seq = this.#seq;
    this.index = this.#index;
    this.stampMs = this.#stampsMs[this.#at]!;
  }

  /** The setpoint that was due has left for the device. The stream ends with its last. */
  take(): void {
    this.#at = (this.#at + 1) % this.capacity;
    this.#count--;
    this.#seq++;
    this.#index++;
    if (this.#count === 0 && this.#isWhole) this.isLive = false;
  }

  drop(): void {
    this.isLive = false;
    this.#count = 0;
  }
}
