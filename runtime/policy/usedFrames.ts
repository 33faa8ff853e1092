/**
 * The newest images of a policy's camera as received, until it is known which of them a step has used. A step is
 * reported at the latest when the one after it ends; the images that it names are then kept without loss.
 */
import type { EpochNs } from "../../core/clock.js";
import type { PolicyStep } from "../../episodes/messages.js";

interface Kept {
  stampNs: EpochNs | undefined;
  bytes: Uint8Array;
  byteLength: number;
}

export class UsedFrames {
  readonly #kept: Kept[];
  #next = 0;
  /** Images that a step has used and that had gone by then. */
  missedCount = 0;

  /** @param countMax images that are kept, e.g. those of one second at the slowest policy's two periods */
  constructor(countMax: number) {
    this.#kept = Array.from({ length: countMax }, () => ({
      stampNs: undefined,
      bytes: new Uint8Array(0),
      byteLength: 0,
    }));
  }

  /** Copies a message in place of the oldest one. Memory is taken once for each place, unless images grow. */
  keep(stampNs: EpochNs, cdr: Uint8Array): void {
    const place = this.#kept[this.#next]!;
    this.#next = (this.#next + 1) % this.#kept.length;
    if (place.bytes.length < cdr.length) place.bytes = new Uint8Array(cdr.length);
    place.bytes.set(cdr);
    place.byteLength = cdr.length;
    place.stampNs = stampNs;
  }

  /**
   * @returns the message whose stamp the step names, valid until the next `keep`; each is given once. Nothing for a
   *   step that computed nothing: a refused frame was not used
   */
  take({ imageStampNs, outputRad }: Pick<PolicyStep, "imageStampNs" | "outputRad">): Uint8Array | undefined {
    if (outputRad.length === 0) return undefined;
    const place = this.#kept.find(({ stampNs }) => stampNs === imageStampNs);
    if (place === undefined) {
      this.missedCount++;
      return undefined;
    }
    place.stampNs = undefined;
    return place.bytes.subarray(0, place.byteLength);
  }
}
