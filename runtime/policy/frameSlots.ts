/**
 * Camera frames from the daemon's main thread to one policy worker through shared memory; the newest wins. Three slots
 * change owner: the writer fills its own, then exchanges it with the middle one in a single atomic step; the reader
 * exchanges its own likewise. No slot ever has two owners, so a frame cannot be torn, and neither side ever waits.
 */
import { asEpochNs, asMonotonicNs, type EpochNs, type MonotonicNs } from "../../core/clock.js";
import { invariant } from "../../core/errors.js";

export interface FrameFormat {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly encoding: "rgb8" | "bgr8";
}

export interface Frame extends FrameFormat {
  /** Rises by one with every frame that was written. */
  readonly sequence: number;
  /** When the image was taken, by its message. */
  readonly stampNs: EpochNs;
  readonly receivedNs: MonotonicNs;
  /** Tightly packed, 3 bytes a pixel. */
  readonly pixels: Uint8Array;
}

/** Where a consumer gets frames from. A frame's pixels stay valid until the next call. */
export interface FrameSource {
  newest(): Frame | undefined;
  /** Frames that were written but never returned by `newest`. */
  readonly missedCount: number;
}

/** Words of the control block: the slot that each side owns, and the middle one with a mark when it is unread. */
const WRITER = 0;
const MIDDLE = 1;
const READER = 2;
const UNREAD = 4;
const SLOT_MASK = 3;
const SLOT_COUNT = 3;
const CONTROL_BYTES = 64;
/** Per slot: sequence, stamp, receive time as 64-bit integers, padded to a cache line. */
const SLOT_HEADER_BYTES = 64;

const pixelBytes = (format: FrameFormat): number => format.widthPx * format.heightPx * 3;
const slotBytes = (format: FrameFormat): number =>
  SLOT_HEADER_BYTES + 64 * Math.ceil(pixelBytes(format) / 64);

/** Shared memory for frames of one format, to be given to one writer and one reader. */
export function createFrameSlots(format: FrameFormat): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(CONTROL_BYTES + SLOT_COUNT * slotBytes(format));
  new Int32Array(buffer, 0, SLOT_COUNT).set([0, 1, 2]);
  return buffer;
}

interface Slot {
  readonly header: BigInt64Array;
  readonly pixels: Uint8Array;
}

function slotViews(buffer: SharedArrayBuffer, format: FrameFormat): readonly Slot[] {
  invariant(
    buffer.byteLength === CONTROL_BYTES + SLOT_COUNT * slotBytes(format),
    `frame slots of ${buffer.byteLength} bytes do not fit ${format.widthPx} x ${format.heightPx}`,
  );
  return Array.from({ length: SLOT_COUNT }, (_, index) => {
    const offset = CONTROL_BYTES + index * slotBytes(format);
    return {
      header: new BigInt64Array(buffer, offset, 3),
      pixels: new Uint8Array(buffer, offset + SLOT_HEADER_BYTES, pixelBytes(format)),
    };
  });
}

export class FrameWriter {
  readonly #control: Int32Array;
  readonly #slots: readonly Slot[];
  readonly #rowBytes: number;
  readonly #format: FrameFormat;
  #sequence = 0n;
  #overwrittenCount = 0;

  constructor(buffer: SharedArrayBuffer, format: FrameFormat) {
    this.#control = new Int32Array(buffer, 0, SLOT_COUNT);
    this.#slots = slotViews(buffer, format);
    this.#format = format;
    this.#rowBytes = 3 * format.widthPx;
  }

  get writtenCount(): number {
    return Number(this.#sequence);
  }

  /** Frames that were replaced by a newer one before the reader took them. */
  get overwrittenCount(): number {
    return this.#overwrittenCount;
  }

  /**
   * Copies one image in and makes it the newest.
   *
   * @param data rows of `stepBytes` each, as sensor_msgs/Image has them
   * @returns its sequence number, or undefined when `data` is too short for the format
   */
  write(data: Uint8Array, stepBytes: number, stampNs: EpochNs, receivedNs: MonotonicNs): number | undefined {
    const { heightPx } = this.#format;
    if (stepBytes < this.#rowBytes || data.length < stepBytes * (heightPx - 1) + this.#rowBytes)
      return undefined;
    const own = Atomics.load(this.#control, WRITER);
    const { header, pixels } = this.#slots[own]!;
    if (stepBytes === this.#rowBytes) pixels.set(data.subarray(0, pixels.length));
    else {
      for (let y = 0; y < heightPx; y++) {
        pixels.set(data.subarray(y * stepBytes, y * stepBytes + this.#rowBytes), y * this.#rowBytes);
      }
    }
    header[0] = ++this.#sequence;
    header[1] = stampNs;
    header[2] = receivedNs;
    const previous = Atomics.exchange(this.#control, MIDDLE, own | UNREAD);
    if ((previous & UNREAD) !== 0) this.#overwrittenCount++;
    Atomics.store(this.#control, WRITER, previous & SLOT_MASK);
    Atomics.notify(this.#control, MIDDLE, 1);
    return Number(this.#sequence);
  }
}

export class FrameReader implements FrameSource {
  readonly #control: Int32Array;
  readonly #slots: readonly Slot[];
  readonly #format: FrameFormat;
  #frame: Frame | undefined;
  #missedCount = 0;

  constructor(buffer: SharedArrayBuffer, format: FrameFormat) {
    this.#control = new Int32Array(buffer, 0, SLOT_COUNT);
    this.#slots = slotViews(buffer, format);
    this.#format = format;
  }

  get missedCount(): number {
    return this.#missedCount;
  }

  /** Resolves when there is a frame that `newest` has not given yet, at the latest after `msMax`. */
  async filled(msMax: number): Promise<void> {
    const middle = Atomics.load(this.#control, MIDDLE);
    if ((middle & UNREAD) !== 0) return;
    const waiting = Atomics.waitAsync(this.#control, MIDDLE, middle, msMax);
    if (waiting.async) await waiting.value;
  }

  /** The newest frame: the same one again when no other has come since. Its pixels are valid until the next call. */
  newest(): Frame | undefined {
    if ((Atomics.load(this.#control, MIDDLE) & UNREAD) === 0) return this.#frame;
    const taken = Atomics.exchange(this.#control, MIDDLE, Atomics.load(this.#control, READER)) & SLOT_MASK;
    Atomics.store(this.#control, READER, taken);
    const { header, pixels } = this.#slots[taken]!;
    const sequence = Number(header[0]!);
    if (this.#frame !== undefined) this.#missedCount += Math.max(0, sequence - this.#frame.sequence - 1);
    this.#frame = {
      ...this.#format,
      sequence,
      stampNs: asEpochNs(header[1]!),
      receivedNs: asMonotonicNs(header[2]!),
      pixels,
    };
    return this.#frame;
  }
}
