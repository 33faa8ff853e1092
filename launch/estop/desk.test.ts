import { describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { FakeServo } from "../../runtime/ros/testing.js";
import { EstopDesk } from "./desk.js";
import type { SourceStatus, StopReport } from "./messages.js";
import type { SourceEvents } from "./source.js";
import type { NamedSource, SourceName } from "./sources.js";

const HOME = [0, -0.3, 0, 0.9, 0, 1.2, 0];
const turns = async () => {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
};

/** A source that the test drives. */
class Hand {
  on: SourceEvents | undefined;
  listens = 0;
  #end: (why: string) => void = () => {};

  named(name: SourceName, required: boolean, endIsStop = false): NamedSource {
    return {
      name,
      required,
      source: {
        endIsStop,
        listen: (on, signal) => {
          this.on = on;
          this.listens++;
          return new Promise((resolve) => {
            this.#end = resolve;
            signal.addEventListener("abort", () => resolve("told to end"));
          });
        },
      },
    };
  }
  end(why: string): void {
    this.#end(why);
  }
}

async function start(required: boolean, endIsStop = false) {
  const clock = new SimClock();
  const hand = new Hand();
  const stops: string[] = [];
  const reports: StopReport[] = [];
  let statuses: readonly SourceStatus[] = [];
  const reachable = { left: true, right: true };
  const servos = new Map(
    (["left", "right"] as const).map((robot) => {
      const ended = new AbortController();
      const servo = Object.assign(new FakeServo(clock, HOME), {
        closed: ended.signal,
        stop: async (category: number, reason: string) => void stops.push(`${robot} ${category} ${reason}`),
      });
      return [robot as string, servo];
    }),
  );
  const desk = new EstopDesk({
    clock,
    sources: [hand.named("mqtt", required, endIsStop)],
    category: 1,
    robots: ["left", "right"],
    connect: async (robot) => {
      if (!reachable[robot as "left"]) throw new Error("nobody listens");
      return servos.get(robot)!;
    },
    onStatus: (sources) => {
      statuses = sources;
    },
    onStop: (report) => reports.push(report),
  });
  const ended = desk.run();
  await turns();
  return { clock, hand, stops, reports, reachable, desk, ended, status: () => statuses[0]! };
}

describe("e-stop desk", () => {
  it("stops every robot, in its category, with the source's words, and says so", async () => {
    const { hand, stops, reports } = await start(true);
    hand.on!.live();
    hand.on!.stop("message on cell/stop");
    await turns();
    const reason = "mqtt: message on cell/stop";
    expect(stops).toEqual([`left 1 ${reason}`, `right 1 ${reason}`]);
    expect(reports).toEqual([{ source: "mqtt", category: 1, reason, failures: [] }]);
  });

  it("takes a stop also before the source said that it is live", async () => {
    const { hand, stops } = await start(false);
    hand.on!.stop("early");
    await turns();
    expect(stops).toHaveLength(2);
  });

  it("knows a source as absent, live, held, live again", async () => {
    const { hand, status } = await start(true);
    expect(status()).toMatchObject({ state: "absent", required: true });
    hand.on!.live();
    expect(status()).toMatchObject({ state: "live" });
    hand.on!.held(true);
    expect(status()).toMatchObject({ state: "held" });
    hand.on!.held(false);
    expect(status()).toMatchObject({ state: "live" });
  });

  it("stops when a required source goes, by decelerating and holding, and tries it again", async () => {
    const { clock, hand, stops, status } = await start(true);
    hand.on!.live();
    hand.end("broker gone");
    await turns();
    expect(stops).toEqual([
      "left 2 the required stop source mqtt is gone: broker gone",
      "right 2 the required stop source mqtt is gone: broker gone",
    ]);
    expect(status()).toMatchObject({ state: "absent", message: "broker gone" });
    await clock.advance(1100);
    await turns();
    expect(hand.listens).toBe(2);
    hand.on!.live();
    expect(status()).toMatchObject({ state: "live" });
  });

  it("does not stop when one goes that is not required, or that was never there", async () => {
    const optional = await start(false);
    optional.hand.on!.live();
    optional.hand.end("gone");
    const never = await start(true);
    never.hand.end("refused");
    await turns();
    expect([...optional.stops, ...never.stops]).toEqual([]);
    expect(never.status()).toMatchObject({ state: "absent", message: "refused" });
  });

  it("takes the end for a stop where the button is wired so, required or not", async () => {
    const { hand, stops } = await start(false, true);
    hand.on!.live();
    hand.end("/dev/ttyUSB0: it ended");
    await turns();
    expect(stops[0]).toBe("left 1 mqtt: /dev/ttyUSB0: it ended");
    expect(stops).toHaveLength(2);
  });

  it("names the robot that it could not reach, and stops the others", async () => {
    const { clock, hand, stops, reports, reachable } = await start(true);
    reachable.left = false;
    // A connection from before would still do.
    const unreached = await startUnreachable();
    unreached.hand.on!.stop("now");
    await turns();
    expect(unreached.stops).toEqual(["right 1 mqtt: now"]);
    expect(unreached.reports[0]!.failures).toEqual(["left: nobody listens"]);
    hand.on!.stop("now");
    await turns();
    expect(stops).toHaveLength(2);
    expect(reports[0]!.failures).toEqual([]);
    await clock.advance(1);
  });

  it("ends without a stop when it is closed", async () => {
    const { desk, ended, hand, stops } = await start(true);
    hand.on!.live();
    desk.close();
    await ended;
    expect(stops).toEqual([]);
  });
});

async function startUnreachable() {
  const clock = new SimClock();
  const hand = new Hand();
  const stops: string[] = [];
  const reports: StopReport[] = [];
  const right = Object.assign(new FakeServo(clock, HOME), {
    stop: async (category: number, reason: string) => void stops.push(`right ${category} ${reason}`),
  });
  const desk = new EstopDesk({
    clock,
    sources: [hand.named("mqtt", true)],
    category: 1,
    robots: ["left", "right"],
    connect: async (robot) => {
      if (robot === "left") throw new Error("nobody listens");
      return right;
    },
    onStatus: () => {},
    onStop: (report) => reports.push(report),
  });
  void desk.run();
  await turns();
  return { hand, stops, reports };
}
