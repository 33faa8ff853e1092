/**
 * Pictures on their way from a camera thread to the thread that publishes them: a few slots of shared memory, each
 * either free or filled. A camera that finds no free slot leaves its picture out and counts it.
 */
const SLOTS = 3;
const [FREE, FILLED] = [0, 1];
const DEPTH_WANTED = SLOTS;

export class FrameSlots {
  readonly #states: Int32Array;
  readonly #rgb: readonly Uint8Array[];
  readonly #depthMm: readonly Uint16Array[];

  static bytes(widthPx: number, heightPx: number): number {
    return 4 * (SLOTS + 1) + SLOTS * widthPx * heightPx * (2 + 3);
  }

  constructor(
    readonly buffer: SharedArrayBuffer,
    widthPx: number,
    heightPx: number,
  ) {
    const pixels = widthPx * heightPx;
    this.#states = new Int32Array(buffer, 0, SLOTS + 1);
    const depthStart = 4 * (SLOTS + 1);
    const rgbStart = depthStart + 2 * SLOTS * pixels;
    const slots = Array.from({ length: SLOTS }, (_, slot) => slot);
    this.#depthMm = slots.map((slot) => new Uint16Array(buffer, depthStart + 2 * slot * pixels, pixels));
    this.#rgb = slots.map((slot) => new Uint8Array(buffer, rgbStart + 3 * slot * pixels, 3 * pixels));
  }

  static create(widthPx: number, heightPx: number): FrameSlots {
    const buffer = new SharedArrayBuffer(FrameSlots.bytes(widthPx, heightPx));
    return new FrameSlots(buffer, widthPx, heightPx);
  }

  /** A slot that may be written, or undefined when all wait to be read. */
  free(): number | undefined {
    for (let slot = 0; slot < SLOTS; slot++) if (Atomics.load(this.#states, slot) === FREE) return slot;
    return undefined;
  }

  fill(slot: number): void {
    Atomics.store(this.#states, slot, FILLED);
  }

  release(slot: number): void {
    Atomics.store(this.#states, slot, FREE);
  }

  rgb(slot: number): Uint8Array {
    return this.#rgb[slot]!;
  }

  depthMm(slot: number): Uint16Array {
    return this.#depthMm[slot]!;
  }

  /** Whether anybody takes depth pictures: they are not made otherwise. */
  get depthWanted(): boolean {
    return Atomics.load(this.#states, DEPTH_WANTED) === 1;
  }
  set depthWanted(on: boolean) {
    Atomics.store(this.#states, DEPTH_WANTED, on ? 1 : 0);
  }
}
