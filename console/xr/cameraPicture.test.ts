import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { CameraPicture } from "./cameraPicture.js";

class Bitmap {
  readonly width = 4;
  readonly height = 3;
  isClosed = false;
  close(): void {
    this.isClosed = true;
  }
}

let waiting: ((bitmap: Bitmap) => void)[];
beforeEach(() => {
  waiting = [];
  vi.stubGlobal("ImageBitmap", Bitmap);
  vi.stubGlobal("createImageBitmap", () => new Promise<Bitmap>((resolve) => waiting.push(resolve)));
});
afterEach(() => vi.unstubAllGlobals());

const frame = (cameraIndex: number) => ({
  cameraIndex,
  sequence: 1,
  captureEpochMs: 0,
  ageMs: 20,
  jpeg: new Uint8Array(3),
});
const settle = () => new Promise((resolve) => setImmediate(resolve));

it("is as old as it was on arrival and what has passed since", async () => {
  let nowMs = 1000;
  const picture = new CameraPicture(() => nowMs);
  picture.take(frame(0));
  waiting.shift()!(new Bitmap());
  await settle();
  nowMs += 300;
  expect(picture.ageMs(5)).toBe(325);
});

it("one that was still being decoded when another camera was chosen is not shown for it", async () => {
  const picture = new CameraPicture(() => 0);
  picture.take(frame(0));
  picture.clear();
  const late = new Bitmap();
  waiting.shift()!(late);
  await settle();
  expect(picture.ageMs(0)).toBeUndefined();
  expect(late.isClosed).toBe(true);
  picture.take(frame(1));
  waiting.shift()!(new Bitmap());
  await settle();
  expect(picture.ageMs(0)).toBe(20);
});
