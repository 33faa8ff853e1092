/** LIMP through an interface of the kernel, on a stand-in for its bus. */
import { expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { LIMP } from "../../drivers/allegro/limp.js";
import { FakeHand } from "../../drivers/allegro/testing.js";
import { SocketLimp } from "./limpWriter.js";

it("leaves through an interface that was lost and is back, though nobody lives to say so", async () => {
  const hand = new FakeHand(new SimClock());
  const limp = new SocketLimp("can0", hand.open);
  expect(() => limp.send()).toThrow(/took nothing/);
  await limp.hold();
  hand.setBus("lost", "down");
  limp.letGo();
  expect(() => limp.send()).toThrow(/took nothing/);
  hand.setBus("up");
  expect(limp.send()).toMatch(/can0/);
  expect(hand.written).toEqual([...LIMP]);
  hand.end();
});

it("is one bus at a time", async () => {
  const hand = new FakeHand(new SimClock());
  const limp = new SocketLimp("can0", hand.open);
  await limp.hold();
  await limp.hold();
  expect(limp.send()).toMatch(/can0/);
  expect(hand.written).toEqual([...LIMP]);
  hand.end();
});
