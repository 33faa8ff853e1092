/**
 * Messages from the daemon's main thread to the recorder's thread, as bytes in shared memory: one writer, one reader,
 * one copy, a stated bound. What does not fit is dropped and counted for its topic; the writer never waits.
 *
 * Positions are counts of bytes modulo 2^32; the capacity is a power of two, so a position's place is a mask away. A
 * record is length, topic number, receive time (16 bytes), then the message, padded to 8 bytes; one that would reach
 * over the end begins at the start again, and a mark tells the reader to skip the rest.
 */
import { asMonotonicNs, type MonotonicNs } from "../../core/clock.js";
import { invariant } from "../../core/errors.js";

/** Words of the control block. Only the writer stores HEAD, only the reader TAIL. */
const HEAD = 0;
const TAIL = 1;
const TOPIC_COUNT = 2;
const CAPACITY = 3;
const CONTROL_BYTES = 64;
const HEADER_BYTES = 16;
const ALIGNMENT = 8;
/** In place of a length: nothing more before the end of the memory. */
const SKIP = 0xffff_ffff;
const CAPACITY_MIN = 4096;
const CAPACITY_MAX = 2 ** 30;

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const countersBytes = (topicCount: number): number => align(4 * topicCount);

/** @param bytes rounded up to a power of two */
export function createRing(bytes: number, topicCount: number): SharedArrayBuffer {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(CAPACITY_MIN, bytes)));
  invariant(capacity <= CAPACITY_MAX, `a ring of ${bytes} bytes is at most ${CAPACITY_MAX}`);
  const buffer = new SharedArrayBuffer(CONTROL_BYTES + countersBytes(topicCount) + capacity);
  const control = new Int32Array(buffer, 0, 4);
  control[TOPIC_COUNT] = topicCount;
  control[CAPACITY] = capacity;
  return buffer;
}

class RingMemory {
  readonly control: Int32Array;
  readonly dropped: Uint32Array;
  readonly capacity: number;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly moments: BigInt64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.control = new Int32Array(buffer, 0, 4);
    const topicCount = this.control[TOPIC_COUNT]!;
    this.capacity = this.control[CAPACITY]!;
    this.dropped = new Uint32Array(buffer, CONTROL_BYTES, topicCount);
    const start = CONTROL_BYTES + countersBytes(topicCount);
    invariant(buffer.byteLength === start + this.capacity, "the shared memory is that of a ring");
    this.bytes = new Uint8Array(buffer, start, this.capacity);
    this.words = new Uint32Array(buffer, start, this.capacity / 4);
    this.moments = new BigInt64Array(buffer, start, this.capacity / 8);
  }

  head(): number {
    return Atomics.load(this.control, HEAD) >>> 0;
  }

  tail(): number {
    return Atomics.load(this.control, TAIL) >>> 0;
  }
}

export class RingWriter {
  readonly #memory: RingMemory;

  constructor(buffer: SharedArrayBuffer) {
    this.#memory = new RingMemory(buffer);
  }

  get usedBytes(): number {
    return (this.#memory.head() - this.#memory.tail()) >>> 0;
  }

  /** Copies one message in. @returns false when it did not fit; it is counted then */
  write(topic: number, receivedNs: MonotonicNs, message: Uint8Array): boolean {
    const { capacity, control, bytes, words, moments, dropped } = this.#memory;
    const head = this.#memory.head();
    const freeBytes = capacity - ((head - this.#memory.tail()) >>> 0);
    const neededBytes = HEADER_BYTES + align(message.length);
    const place = head & (capacity - 1);
    const untilEnd = capacity - place;
    const skippedBytes = neededBytes > untilEnd ? untilEnd : 0;
    if (skippedBytes + neededBytes > freeBytes) {
      Atomics.add(dropped, topic, 1);
      return false;
    }
    if (skippedBytes > 0) words[place / 4] = SKIP;
    const at = skippedBytes > 0 ? 0 : place;
    words[at / 4] = message.length;
    words[at / 4 + 1] = topic;
    moments[at / 8 + 1] = receivedNs;
    bytes.set(message, at + HEADER_BYTES);
    Atomics.store(control, HEAD, (head + skippedBytes + neededBytes) | 0);
    Atomics.notify(control, HEAD, 1);
    return true;
  }

  /** Messages of a topic that did not fit, since the ring was made. */
  droppedCount(topic: number): number {
    return Atomics.load(this.#memory.dropped, topic);
  }
}

export type TakeMessage = (topic: number, receivedNs: MonotonicNs, message: Uint8Array) => void;

export class RingReader {
  readonly #memory: RingMemory;

  constructor(buffer: SharedArrayBuffer) {
    this.#memory = new RingMemory(buffer);
  }

  get usedBytes(): number {
    return (this.#memory.head() - this.#memory.tail()) >>> 0;
  }

  get isEmpty(): boolean {
    return this.#memory.head() === this.#memory.tail();
  }

  droppedCount(topic: number): number {
    return Atomics.load(this.#memory.dropped, topic);
  }

  /**
   * Hands the oldest message over and frees its place.
   * @param take gets bytes that are only valid during the call
   * @returns false when there is none
   */
  take(take: TakeMessage): boolean {
    const { capacity, control, bytes, words, moments } = this.#memory;
    const head = this.#memory.head();
    let tail = this.#memory.tail();
    if (head === tail) return false;
    let at = tail & (capacity - 1);
    if (words[at / 4] === SKIP) {
      tail = (tail + capacity - at) >>> 0;
      at = 0;
    }
    const length = words[at / 4]!;
    invariant(
      HEADER_BYTES + align(length) <= (head - tail) >>> 0,
      `a record of ${length} bytes lies in the ring`,
    );
    try {
      const start = at + HEADER_BYTES;
      take(words[at / 4 + 1]!, asMonotonicNs(moments[at / 8 + 1]!), bytes.subarray(start, start + length));
    } finally {
      Atomics.store(control, TAIL, (tail + HEADER_BYTES + align(length)) | 0);
    }
    return true;
  }

  /** Resolves when there is something to take, at the latest after `msMax`. */
  async filled(msMax: number): Promise<void> {
    const { control } = this.#memory;
    const tail = Atomics.load(control, TAIL);
    // HEAD equals TAIL while the ring is empty; a value that has changed already answers at once.
    const waiting = Atomics.waitAsync(control, HEAD, tail, msMax);
    if (waiting.async) await waiting.value;
  }
}
