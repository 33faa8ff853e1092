/**
 * Turns a TCP byte stream into frames, whatever its segments. The buffer is fixed and reused: at 250 frames a second
 * nothing is allocated. Neither kind of connection has a sync word, so once `push` answers a reason the stream is
 * lost and the connection must be made anew.
 */
import { invariant } from "../../../core/errors.js";
import { COMMAND_FRAME_BYTES_MAX, commandFrameBytes, FEEDBACK_UNIT, HEADER_BYTES } from "./commandFrame.js";
import { viewOf } from "./decoded.js";

/** Length of the frame that starts at `offset`; 0 = more bytes are needed to know, -1 = no frame can start so. */
export type MeasureFrame = (view: DataView, offset: number, availableBytes: number) => number;
/** The frame lies in the reader's own buffer: it is valid only during the call. */
export type OnFrame = (view: DataView, offset: number, frameBytes: number) => void;

/** The bytes of such a frame, not copied. */
export const bytesOfFrame = (view: DataView, offset: number, frameBytes: number): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset + offset, frameBytes);

export class FrameBuffer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #filled = 0;
  #lost = "";
  /** Rises with `clear`, so that a frame handler which ends the connection also ends the running `push`. */
  #generation = 0;

  constructor(
    readonly frameBytesMax: number,
    readonly measure: MeasureFrame,
  ) {
    this.#bytes = new Uint8Array(2 * frameBytesMax);
    this.#view = viewOf(this.#bytes);
  }

  /** Bytes kept of a frame that has not ended. */
  get waitingBytes(): number {
    return this.#filled;
  }

  /** Forgets everything: for a new connection. */
  clear(): void {
    this.#filled = 0;
    this.#lost = "";
    this.#generation++;
  }

  /** Calls `onFrame` for each frame that is now complete; answers "" or why the stream is lost. */
  push(chunk: Uint8Array, onFrame: OnFrame): string {
    const generation = this.#generation;
    let taken = 0;
    while (this.#lost === "" && taken < chunk.length && generation === this.#generation) {
      const part = Math.min(this.#bytes.length - this.#filled, chunk.length - taken);
      this.#bytes.set(part === chunk.length ? chunk : chunk.subarray(taken, taken + part), this.#filled);
      this.#filled += part;
      taken += part;
      this.#takeFrames(onFrame, generation);
    }
    return this.#lost;
  }

  #takeFrames(onFrame: OnFrame, generation: number): void {
    let start = 0;
    while (start < this.#filled) {
      const frameBytes = this.measure(this.#view, start, this.#filled - start);
      if (frameBytes < 0 || frameBytes > this.frameBytesMax) {
        const head = Buffer.from(this.#bytes.subarray(start, Math.min(start + 8, this.#filled)));
        this.#lost = `no frame starts with ${head.toString("hex")}`;
        return;
      }
      if (frameBytes === 0 || start + frameBytes > this.#filled) break;
      onFrame(this.#view, start, frameBytes);
      if (generation !== this.#generation) return;
      start += frameBytes;
    }
    if (start > 0) this.#bytes.copyWithin(0, start, this.#filled);
    this.#filled -= start;
    invariant(this.#filled < this.#bytes.length, "a frame longer than the longest was kept");
  }
}

/** Frames of the command port, replies and feedback apart; a controller reads its requests through `onFrame`. */
export class CommandStream {
  readonly #buffer = new FrameBuffer(COMMAND_FRAME_BYTES_MAX, commandFrameBytes);
  readonly #onFrame: OnFrame;

  constructor(onFrame: OnFrame, onFeedback: OnFrame = onFrame) {
    this.#onFrame = (view, offset, frameBytes) =>
      view.getUint8(offset + HEADER_BYTES) === FEEDBACK_UNIT
        ? onFeedback(view, offset, frameBytes)
        : onFrame(view, offset, frameBytes);
  }

  clear(): void {
    this.#buffer.clear();
  }

  /** Answers "" or why the connection must be made anew. */
  push(chunk: Uint8Array): string {
    return this.#buffer.push(chunk, this.#onFrame);
  }
}
