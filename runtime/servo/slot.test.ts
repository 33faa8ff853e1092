import { expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { FakeServo } from "../ros/testing.js";
import { ServoSlot } from "./slot.js";

const HOME = [0, -0.3, 0, 0.9, 0, 1.2, 0];

function servo() {
  const ended = new AbortController();
  const fake = Object.assign(new FakeServo(new SimClock(), HOME), { closed: ended.signal });
  return { fake, end: () => ended.abort() };
}

it("knows nothing and asks nothing of a process that is gone", async () => {
  const { fake, end } = servo();
  const slot = new ServoSlot(fake);
  expect(slot.latest()).toBeDefined();
  end();
  expect(slot.latest()).toBeUndefined();
  expect(slot.positionAt(new SimClock().nowNs())).toBeUndefined();
  for (const ask of [
    () => slot.enable(),
    () => slot.stop(2, "test"),
    () => slot.reset(),
    () => slot.statistics(),
    () => slot.acquireLease("test"),
    () => slot.revokeLease("test"),
  ]) {
    await expect(ask()).rejects.toMatchObject({ code: "LINK_CLOSED" });
  }
});

it("goes on telling its listeners when another process has taken the place", () => {
  const first = servo();
  const second = servo();
  const slot = new ServoSlot(first.fake);
  let heard = 0;
  const forget = slot.onSnapshot(() => heard++);
  first.fake.tick();
  first.end();
  slot.replace(second.fake);
  second.fake.tick();
  expect(heard).toBe(2);
  expect(slot.closed.aborted).toBe(false);
  expect(slot.latest()).toBeDefined();
  forget();
  second.fake.tick();
  expect(heard).toBe(2);
});
