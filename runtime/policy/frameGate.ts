/** Decides whether a frame may lead to an action: missing, old, frozen and repeated frames may not. */
import { type ClockMapping, type MonotonicNs, nsToMs, toMonotonicNs } from "../../core/clock.js";
import type { Frame } from "./frameSlots.js";

export const FRAME_REFUSALS = [
  "noFrame",
  "staleFrame",
  "futureFrame",
  "backwardsFrame",
  "repeatedFrame",
] as const;
export type FrameRefusal = (typeof FRAME_REFUSALS)[number];

/** A stamp may be this far ahead of now: clocks of two processes are mapped with some error [ms]. */
const FUTURE_MS_MAX = 10;

export class FrameGate {
  readonly #frameAgeMsMax: number;
  readonly #mapping: ClockMapping;
  #previous: Pick<Frame, "sequence" | "stampNs"> | undefined;
  /** Copy of the previous frame's pixels: a camera that hangs may go on sending one image with new stamps. */
  #pixels = Buffer.alloc(0);

  constructor(frameAgeMsMax: number, mapping: ClockMapping) {
    this.#frameAgeMsMax = frameAgeMsMax;
    this.#mapping = mapping;
  }

  /** Age of the image by its stamp [ms]. */
  ageMs(frame: Frame, nowNs: MonotonicNs): number {
    return nsToMs(nowNs - toMonotonicNs(this.#mapping, frame.stampNs));
  }

  /** @returns why the frame must not be used, or undefined when it may. Every frame seen is remembered. */
  check(frame: Frame | undefined, nowNs: MonotonicNs): FrameRefusal | undefined {
    if (frame === undefined) return "noFrame";
    const previous = this.#previous;
    const samePixels = this.#remember(frame);
    const ageMs = this.ageMs(frame, nowNs);
    if (ageMs > this.#frameAgeMsMax || nsToMs(nowNs - frame.receivedNs) > this.#frameAgeMsMax)
      return "staleFrame";
    if (ageMs < -FUTURE_MS_MAX) return "futureFrame";
    if (previous === undefined) return undefined;
    if (frame.sequence < previous.sequence || frame.stampNs < previous.stampNs) return "backwardsFrame";
    if (frame.sequence === previous.sequence || frame.stampNs === previous.stampNs || samePixels) {
      return "repeatedFrame";
    }
    return undefined;
  }

  #remember(frame: Frame): boolean {
    this.#previous = { sequence: frame.sequence, stampNs: frame.stampNs };
    const { buffer, byteOffset, byteLength } = frame.pixels;
    const pixels = Buffer.from(buffer, byteOffset, byteLength);
    const same = pixels.equals(this.#pixels);
    if (this.#pixels.length !== byteLength) this.#pixels = Buffer.alloc(byteLength);
    if (!same) pixels.copy(this.#pixels);
    return same;
  }
}
