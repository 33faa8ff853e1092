/**
 * The writing side of the black box, for a thread of its own: takes what the servo left in the ring and appends it to
 * segment files. Trouble with the disk becomes the ring's failure text and is tried again every second; what could not
 * be written stays in the ring as long as it fits.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { errorText } from "../../../core/errors.js";
import {
  CHUNK_HEADER_BYTES,
  CHUNK_TYPES,
  chunk,
  FLAG_INCIDENT,
  fileHeader,
  PAYLOAD_BYTES_MAX,
  ROW,
  sealChunk,
} from "./format.js";
import { expiredSegments, SEGMENT_S, type SegmentSpan } from "./retention.js";
import { type Note, peekNotes, type Ring, WORD } from "./ring.js";
import { scanFolder } from "./scan.js";
import { segmentName } from "./segmentName.js";

const RETRY_MS = 1000;
const LOOK_MS = 1000;

export interface WriterClock {
  /** CLOCK_MONOTONIC [ms]. */
  nowMs(): number;
  /** Since 1970-01-01 UTC [ms]. */
  epochMs(): number;
}

export interface WriterOptions {
  readonly folder: string;
  readonly ring: Ring;
  /** First part of every file name; sorts after the stems of older sessions. */
  readonly stem: string;
  /** The session's description, JSON as of `session.ts`. */
  readonly session: string;
  readonly clock: WriterClock;
}

interface OpenSegment {
  readonly path: string;
  readonly file: number;
  readonly inode: number;
  readonly fromMs: number;
  bytes: number;
  toMs: number;
  readonly incidentsMs: number[];
}

export class BlackBoxWriter {
  readonly #options: WriterOptions;
  readonly #ring: Ring;
  readonly #scratch: Buffer;
  /** Difference of the clocks at the session's start: one for all of its times. */
  readonly #epochOffsetMs: number;
  #segment: OpenSegment | undefined;
  #closed: SegmentSpan[] = [];
  #number = 0;
  #commander: Buffer | undefined;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #lookAtMs = 0;
  #failures = 0;
  #scanned = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#ring = options.ring;
    this.#scratch = Buffer.alloc(CHUNK_HEADER_BYTES + options.ring.rowCapacity * options.ring.rowBytes);
    this.#epochOffsetMs = options.clock.epochMs() - options.clock.nowMs();
  }

  /** To be called about ten times a second. Never throws. */
  drain(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs < this.#retryAtMs) return;
    try {
      this.#checkSegment(nowMs);
      this.#writePending();
      if (this.#ring.get(WORD.failure) !== 0) this.#ring.set(WORD.failure, 0);
    } catch (thrown) {
      this.#fail(thrown, nowMs);
    }
    this.#ring.set(WORD.ready, 1);
    if (!this.#scanned) this.#takeOver();
  }

  /** Writes what is left and the session's orderly end. */
  close(): void {
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
    this.drain();
    const segment = this.#segment;
    if (segment !== undefined) {
      try {
        this.#append(chunk(CHUNK_TYPES.end, 0, this.#options.clock.nowMs(), Buffer.alloc(0)));
      } catch {
        // Without its end the session looks cut off, which it then is.
      }
      this.#closeSegment();
    }
    this.#ring.set(WORD.closed, 1);
  }

  #checkSegment(nowMs: number): void {
    const segment = this.#segment;
    if (segment === undefined) this.#openSegment(nowMs);
    else if (nowMs - segment.fromMs >= 1000 * SEGMENT_S) {
      this.#closeSegment();
      this.#openSegment(nowMs);
      this.#deleteExpired();
    } else if (nowMs >= this.#lookAtMs) {
      this.#lookAtMs = nowMs + LOOK_MS;
      // Somebody may have cleaned the folder away; writing on would write to nowhere.
      if (statSync(segment.path, { throwIfNoEntry: false })?.ino !== segment.inode) {
        closeSync(segment.file);
        this.#segment = undefined;
        this.#openSegment(nowMs);
      }
    }
  }

  #openSegment(nowMs: number): void {
    const { folder, stem, ring, session, clock } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, segmentName(stem, this.#number++));
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    const inode = fstatSync(file).ino;
    const clocks = Buffer.alloc(16);
    clocks.writeDoubleLE(clock.nowMs(), 0);
    clocks.writeDoubleLE(clock.epochMs(), 8);
    const opening = [
      fileHeader(ring.shape),
      chunk(CHUNK_TYPES.session, 0, nowMs, Buffer.from(session)),
      chunk(CHUNK_TYPES.clocks, 0, nowMs, clocks),
    ];
    if (this.#commander !== undefined) opening.push(chunk(CHUNK_TYPES.commander, 0, nowMs, this.#commander));
    this.#segment = { path, file, inode, fromMs: nowMs, toMs: nowMs, bytes: 0, incidentsMs: [] };
    try {
      this.#append(Buffer.concat(opening));
    } catch (thrown) {
      this.#segment = undefined;
      closeSync(file);
      unlinkSync(path);
      throw thrown;
    }
  }

  #writePending(): void {
    const { notes, bytes } = peekNotes(this.#ring);
    if (bytes > 0) {
      // A name stands before the rows that use its number.
      this.#append(
        Buffer.concat(notes.map(({ type, flags, timeMs, payload }) => chunk(type, flags, timeMs, payload))),
      );
      this.#ring.set(WORD.noteBytesDrained, (this.#ring.get(WORD.noteBytesDrained) + bytes) | 0);
      for (const note of notes) this.#remember(note);
    }
    // What has piled up beyond one chunk's size has further ones.
    while (this.#options.ring.rowsPending > 0) this.#writeRows();
  }

  #remember({ type, flags, timeMs, payload }: Note): void {
    const segment = this.#segment!;
    segment.toMs = Math.max(segment.toMs, timeMs);
    if (type === CHUNK_TYPES.commander) this.#commander = payload;
    if ((flags & FLAG_INCIDENT) !== 0) segment.incidentsMs.push(timeMs);
  }

  #writeRows(): void {
    const ring = this.#ring;
    const count = Math.min(ring.rowsPending, Math.floor(PAYLOAD_BYTES_MAX / ring.rowBytes));
    const drained = ring.get(WORD.rowsDrained);
    const at = ring.rowAt(drained);
    const bytes = count * ring.rowBytes;
    const first = Math.min(bytes, ring.rows.length - at);
    this.#scratch.set(ring.rows.subarray(at, at + first), CHUNK_HEADER_BYTES);
    this.#scratch.set(ring.rows.subarray(0, bytes - first), CHUNK_HEADER_BYTES + first);
    const newestMs = this.#scratch.readDoubleLE(CHUNK_HEADER_BYTES + bytes - ring.rowBytes + ROW.tickMs);
    const size = sealChunk(this.#scratch, 0, CHUNK_TYPES.ticks, 0, newestMs, bytes);
    this.#append(this.#scratch.subarray(0, size));
    this.#segment!.toMs = Math.max(this.#segment!.toMs, newestMs);
    ring.set(WORD.rowsDrained, (drained + count) | 0);
  }

  #append(bytes: Uint8Array): void {
    const segment = this.#segment!;
    let written = 0;
    while (written < bytes.length) {
      const count = writeSync(segment.file, bytes, written, bytes.length - written, segment.bytes + written);
      if (count === 0) throw new Error("nothing was written");
      written += count;
    }
    segment.bytes += written;
  }

  #closeSegment(): void {
    const segment = this.#segment!;
    this.#segment = undefined;
    this.#closed.push({
      path: segment.path,
      fromMs: segment.fromMs + this.#epochOffsetMs,
      toMs: segment.toMs + this.#epochOffsetMs,
      incidentsMs: segment.incidentsMs.map((atMs) => atMs + this.#epochOffsetMs),
    });
    closeSync(segment.file);
  }

  #fail(thrown: unknown, nowMs: number): void {
    this.#retryAtMs = nowMs + RETRY_MS;
    if (this.#segment !== undefined) {
      try {
        ftruncateSync(this.#segment.file, this.#segment.bytes);
      } catch {
        // The torn chunk stays; its checksum gives it away.
      }
      try {
        this.#closeSegment();
      } catch {
        // The trouble that is told is the first one.
      }
    }
    const text = Buffer.from(
      `${this.#options.folder} cannot be written (${errorText(thrown, 200)}); expected room for about 1 MB every ` +
        `${SEGMENT_S} s. Make room on its disk or make the folder writable; it is tried again every second`,
    ).subarray(0, this.#ring.failureText.length);
    this.#ring.failureText.set(text);
    this.#ring.set(WORD.failureBytes, text.length);
    this.#ring.set(WORD.failure, ++this.#failures);
  }

  /** What older sessions left is this session's to delete. */
  #takeOver(): void {
    this.#scanned = true;
    this.#closed = [...scanFolder(this.#options.folder, this.#options.stem), ...this.#closed];
    this.#deleteExpired();
  }

  #deleteExpired(): void {
    const nowMs = this.#options.clock.nowMs() + this.#epochOffsetMs;
    const expired = new Set(expiredSegments(this.#closed, nowMs));
    for (const { path } of expired) {
      try {
        unlinkSync(path);
      } catch {
        // Gone already, or not ours to delete: then it is of no concern here any more.
      }
    }
    this.#closed = this.#closed.filter((segment) => !expired.has(segment));
  }
}
