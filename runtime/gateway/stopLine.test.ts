/** The gateway's own way to stop robots, with servos that come and go. */
import { afterEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { FakeServo } from "./partTesting.js";
import { StopLine } from "./stopLine.js";

const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};
let line: StopLine;
afterEach(() => line.close());

describe("the stop line", () => {
  it("keeps one connection, also when a stop comes while it is being made", async () => {
    const clock = new SimClock();
    const servo = new FakeServo();
    const waiting: (() => void)[] = [];
    line = new StopLine({
      clock,
      robots: ["arm"],
      connect: async () => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return servo.connect("observer", "gateway", 0);
      },
    });
    void line.keep();
    const stops = [line.stop(2, "one"), line.stop(1, "two")];
    await turns();
    for (const connected of waiting) connected();
    expect(await Promise.all(stops)).toEqual([[], []]);
    expect(servo.stops.map(({ reason }) => reason)).toEqual(["one", "two"]);
    expect(servo.open).toHaveLength(1);
  });

  it("makes it again when the servo process was started anew, without waiting for a stop", async () => {
    const clock = new SimClock();
    const servo = new FakeServo();
    line = new StopLine({ clock, robots: ["arm"], connect: () => servo.connect("observer", "gateway", 0) });
    void line.keep();
    await turns();
    servo.crash();
    await clock.advance(1000);
    expect(await line.stop(2, "gone")).toEqual(["arm: nobody listens"]);
    servo.isDown = false;
    await clock.advance(1000);
    expect(servo.open).toHaveLength(1);
    expect(await line.stop(2, "back")).toEqual([]);
  });
});
