import { expect, it } from "vitest";
import { GrowingPause } from "./growingPause.js";

it("doubles up to its limit, and begins anew once it has worked", () => {
  const pause = new GrowingPause(100, 1000);
  expect(Array.from({ length: 6 }, () => pause.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  pause.reset();
  expect(pause.next()).toBe(100);
});
