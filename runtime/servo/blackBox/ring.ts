/**
 * The memory between the servo's thread and the thread that writes the black box: a ring of fixed rows, a ring of
 * bytes for what is rare (events, names), and a few words for control. One producer, one consumer, no locks: each side
 * stores only its own counters, after the bytes that they count.
 */
import { type RowShape, rowBytes } from "./format.js";

/** Words of the control block. Counters of rows and bytes wrap at 2^32; their differences do not. */
export const WORD = {
  rowsWritten: 0,
  rowsDrained: 1,
  noteBytesWritten: 2,
  noteBytesDrained: 3,
  /** The consumer sleeps on this one. */
  wake: 4,
  /** Set by the producer: drain, write the end, go. */
  closing: 5,
  /** Set by the consumer: everything is written and closed. */
  closed: 6,
  /** 0 while writing works; any other number names a failure, whose text is in the failure block. */
  failure: 7,
  failureBytes: 8,
  /** Set by the consumer with its first chunk on disk, or with its first failure. */
  ready: 9,
} as const;
const CONTROL_BYTES = 64;
const FAILURE_BYTES = 1024;
/** Events of a second at their highest rate, see `recorder.ts`, and five seconds of a servo's rows. */
const NOTE_RING_BYTES = 1 << 18;
const ROWS_KEPT_S = 4;

const powerOfTwoFrom = (least: number): number => 2 ** Math.ceil(Math.log2(least));

export interface RingSize extends Pick<RowShape, "jointCount">, Partial<Pick<RowShape, "baseCount">> {
  readonly rateHz: number;
}

/** Both sides build one of these over the same memory. */
export class Ring {
  readonly memory: SharedArrayBuffer;
  readonly shape: RowShape;
  readonly rowBytes: number;
  /** A power of two, so that wrapping counters stay in step with it. */
  readonly rowCapacity: number;
  readonly control: Int32Array;
  readonly failureText: Buffer;
  readonly rows: Buffer;
  readonly rowView: DataView;
  readonly notes: Buffer;

  constructor(size: RingSize, memory?: SharedArrayBuffer) {
    this.shape = { jointCount: size.jointCount, baseCount: size.baseCount ?? 0 };
    this.rowBytes = rowBytes(this.shape);
    this.rowCapacity = powerOfTwoFrom(ROWS_KEPT_S * size.rateHz);
    const rowsAt = CONTROL_BYTES + FAILURE_BYTES;
    const notesAt = rowsAt + this.rowCapacity * this.rowBytes;
    this.memory = memory ?? new SharedArrayBuffer(notesAt + NOTE_RING_BYTES);
    this.control = new Int32Array(this.memory, 0, CONTROL_BYTES / 4);
    this.failureText = Buffer.from(this.memory, CONTROL_BYTES, FAILURE_BYTES);
    this.rows = Buffer.from(this.memory, rowsAt, this.rowCapacity * this.rowBytes);
    this.rowView = new DataView(this.memory, rowsAt, this.rowCapacity * this.rowBytes);
    this.notes = Buffer.from(this.memory, notesAt, NOTE_RING_BYTES);
  }

  get(word: number): number {
    return Atomics.load(this.control, word);
  }

  set(word: number, value: number): void {
    Atomics.store(this.control, word, value);
  }

  /** Counted since the last drain; right also where the counters have wrapped. */
  get rowsPending(): number {
    return (this.get(WORD.rowsWritten) - this.get(WORD.rowsDrained)) >>> 0;
  }

  get noteBytesPending(): number {
    return (this.get(WORD.noteBytesWritten) - this.get(WORD.noteBytesDrained)) >>> 0;
  }

  rowAt(counter: number): number {
    return (counter & (this.rowCapacity - 1)) * this.rowBytes;
  }

  get isClosing(): boolean {
    return this.get(WORD.closing) !== 0;
  }

  /** The producer's last word. */
  close(): void {
    this.set(WORD.closing, 1);
    this.wakeConsumer();
  }

  get wakeCount(): number {
    return this.get(WORD.wake);
  }

  /** Holds the consumer's thread until it is woken or time is up; not at all when it was woken since `seenCount`. */
  sleep(seenCount: number, ms: number): void {
    Atomics.wait(this.control, WORD.wake, seenCount, ms);
  }

  wakeConsumer(): void {
    Atomics.add(this.control, WORD.wake, 1);
    Atomics.notify(this.control, WORD.wake);
  }
}

/** u32 length of the payload, u8 chunk type, u8 flags, u16 zero, f64 time [ms]; the payload is padded to 8 bytes. */
const NOTE_HEADER_BYTES = 16;
const padded = (bytes: number): number => (bytes + 7) & ~7;

/** @returns false when there is no room for it */
export function pushNote(
  ring: Ring,
  note: { type: number; flags: number; timeMs: number; payload: Uint8Array },
): boolean {
  const { notes } = ring;
  const used = NOTE_HEADER_BYTES + padded(note.payload.length);
  if (ring.noteBytesPending + used > notes.length) return false;
  const record = Buffer.alloc(used);
  record.writeUInt32LE(note.payload.length, 0);
  record.writeUInt8(note.type, 4);
  record.writeUInt8(note.flags, 5);
  record.writeDoubleLE(note.timeMs, 8);
  record.set(note.payload, NOTE_HEADER_BYTES);
  const counter = ring.get(WORD.noteBytesWritten);
  const at = counter & (notes.length - 1);
  const first = Math.min(used, notes.length - at);
  notes.set(record.subarray(0, first), at);
  notes.set(record.subarray(first), 0);
  ring.set(WORD.noteBytesWritten, (counter + used) | 0);
  return true;
}

export interface Note {
  readonly type: number;
  readonly flags: number;
  readonly timeMs: number;
  readonly payload: Buffer;
}

/** Notes that wait, oldest first, and how many bytes to add to the drained counter once they are on disk. */
export function peekNotes(ring: Ring): { notes: Note[]; bytes: number } {
  const pending = ring.noteBytesPending;
  if (pending === 0) return { notes: [], bytes: 0 };
  const linear = Buffer.alloc(pending);
  const at = ring.get(WORD.noteBytesDrained) & (ring.notes.length - 1);
  const first = Math.min(pending, ring.notes.length - at);
  linear.set(ring.notes.subarray(at, at + first), 0);
  linear.set(ring.notes.subarray(0, pending - first), first);
  const notes: Note[] = [];
  for (let offset = 0; offset < pending; ) {
    const length = linear.readUInt32LE(offset);
    const payloadAt = offset + NOTE_HEADER_BYTES;
    notes.push({
      type: linear.readUInt8(offset + 4),
      flags: linear.readUInt8(offset + 5),
      timeMs: linear.readDoubleLE(offset + 8),
      payload: linear.subarray(payloadAt, payloadAt + length),
    });
    offset = payloadAt + padded(length);
  }
  return { notes, bytes: pending };
}
