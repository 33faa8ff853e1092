/** The newest camera picture as a texture: one is decoded at a time, and those that come meanwhile replace each other. */
import { LinearFilter, SRGBColorSpace, Texture } from "three";
import type { CameraFrame } from "../../core/gateway/cameraFrame.js";

export class CameraPicture {
  /** Flipped while decoding: a bitmap is uploaded as it is. */
  readonly texture = Object.assign(new Texture(), {
    flipY: false,
    minFilter: LinearFilter,
    generateMipmaps: false,
    colorSpace: SRGBColorSpace,
  });
  readonly #nowMs: () => number;
  #waiting: CameraFrame | undefined;
  #isDecoding = false;
  #shown: { readonly ageMs: number; readonly atMs: number } | undefined;
  /** Counts `clear`. */
  #choice = 0;
  #replaced = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Width over height; undefined before the first picture. */
  get aspect(): number | undefined {
    const image = this.texture.image as ImageBitmap | null;
    return image instanceof ImageBitmap ? image.width / image.height : undefined;
  }

  /** Pictures that were never shown, because a newer one was there. */
  get replaced(): number {
    return this.#replaced;
  }

  /** @param transitMs how long a message of the gateway takes */
  ageMs(transitMs: number): number | undefined {
    const shown = this.#shown;
    return shown === undefined ? undefined : shown.ageMs + transitMs + this.#nowMs() - shown.atMs;
  }

  /** Another camera, or none: an old picture is not shown for it. */
  clear(): void {
    this.#choice++;
    this.#shown = undefined;
    this.#waiting = undefined;
  }

  take(frame: CameraFrame): void {
    if (this.#waiting !== undefined) this.#replaced++;
    this.#waiting = frame;
    if (!this.#isDecoding) void this.#decode();
  }

  async #decode(): Promise<void> {
    this.#isDecoding = true;
    for (let frame = this.#waiting; frame !== undefined; frame = this.#waiting) {
      this.#waiting = undefined;
      const atMs = this.#nowMs();
      const choice = this.#choice;
      try {
        const blob = new Blob([frame.jpeg as Uint8Array<ArrayBuffer>], { type: "image/jpeg" });
        const bitmap = await createImageBitmap(blob, { imageOrientation: "flipY" });
        if (choice !== this.#choice) {
          bitmap.close();
          continue;
        }
        this.#show(bitmap);
        this.#shown = { ageMs: frame.ageMs, atMs };
      } catch {
        // A damaged picture is left out: the one before is shown, and its age says so.
      }
    }
    this.#isDecoding = false;
  }

  #show(bitmap: ImageBitmap): void {
    const before = this.texture.image as ImageBitmap | null;
    // A texture's storage keeps its first size.
    if (before instanceof ImageBitmap && (before.width !== bitmap.width || before.height !== bitmap.height))
      this.texture.dispose();
    this.texture.image = bitmap;
    this.texture.needsUpdate = true;
    if (before instanceof ImageBitmap) before.close();
  }
}
