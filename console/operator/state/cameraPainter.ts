/**
 * One camera's pictures on one canvas. The newest wins: while one is being decoded only the newest of those that came is
 * kept, and a picture that is overtaken is never drawn. So a slow page shows fewer pictures, not older ones.
 */
import type { CameraFrame } from "../../../core/gateway/cameraFrame.js";

export interface DecodedPicture {
  readonly width: number;
  readonly height: number;
  close(): void;
}

export interface PainterOptions<P extends DecodedPicture> {
  readonly decode: (jpeg: Uint8Array) => Promise<P>;
  readonly draw: (picture: P) => void;
  readonly nowMs: () => number;
}

/** Sequence numbers are 32 bits and start again. */
const isNewer = (sequence: number, than: number): boolean => ((sequence - than) | 0) > 0;

export class CameraPainter<P extends DecodedPicture> {
  readonly #options: PainterOptions<P>;
  #waiting: CameraFrame | undefined;
  #isBusy = false;
  #isClosed = false;
  #drawn: { readonly ageMs: number; readonly receivedMs: number } | undefined;
  #newest: { readonly sequence: number; readonly receivedMs: number } | undefined;
  /** Pictures that came and were never drawn. */
  skipped = 0;

  constructor(options: PainterOptions<P>) {
    this.#options = options;
  }

  take(frame: CameraFrame): void {
    if (this.#isClosed) return;
    if (this.#newest !== undefined && !isNewer(frame.sequence, this.#newest.sequence)) {
      this.skipped++;
      return;
    }
    this.#newest = { sequence: frame.sequence, receivedMs: this.#options.nowMs() };
    if (this.#waiting !== undefined) this.skipped++;
    this.#waiting = frame;
    if (!this.#isBusy) void this.#work();
  }

  /** How long ago the picture on the canvas was taken [ms]; undefined before the first. */
  ageMs(): number | undefined {
    const drawn = this.#drawn;
    return drawn === undefined ? undefined : drawn.ageMs + this.#options.nowMs() - drawn.receivedMs;
  }

  /** A daemon that starts again counts from the beginning. */
  restart(): void {
    this.#newest = undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting = undefined;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let frame = this.#waiting; frame !== undefined; frame = this.#waiting) {
      this.#waiting = undefined;
      const receivedMs = this.#newest?.receivedMs ?? this.#options.nowMs();
      try {
        const picture = await this.#options.decode(frame.jpeg);
        if (!this.#isClosed) {
          this.#options.draw(picture);
          this.#drawn = { ageMs: frame.ageMs, receivedMs };
        }
        picture.close();
      } catch {
        // A damaged picture is one that never came.
        this.skipped++;
      }
    }
    this.#isBusy = false;
  }
}
