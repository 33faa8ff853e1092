/** Who steers a robot on legs, and everything that ends it. */
import { describe, expect, it } from "vitest";
import type { GatewayClient, GatewayPart } from "./part.js";
import { FakeClient, partBench, robotDescription, testSetup } from "./partTesting.js";
import { STEERING_SILENT_MS, steeringPart } from "./steeringPart.js";

const PERIOD_MS = 50;
const forward = (forwardMPerS: number) => ({ forwardMPerS, leftMPerS: 0, yawRateRadPerS: 0 });

async function started() {
  const digit = { ...robotDescription("digit"), legs: { passiveJointNames: [] } };
  const bench = partBench(testSetup({ robots: [digit, robotDescription("arm")] }));
  const part: GatewayPart = await steeringPart(bench.services);
  const ask = (client: GatewayClient, isHeld: boolean, speed = 0.5, robot = "digit") =>
    part.onVelocity!(client, { kind: "velocity", robot, isHeld, velocity: forward(isHeld ? speed : 0) });
  const told = () =>
    bench.posted.flatMap((message) =>
      message.kind === "velocity"
        ? [`${message.client} ${message.isHeld ? "holds" : "rests"} ${message.velocity.forwardMPerS}`]
        : [],
    );
  const events = () => bench.services.events.newest().map(({ text }) => text);
  return { ...bench, part, ask, told, events };
}

describe("steering a robot on legs", () => {
  it("is told for as long as the key is down, and its end once", async () => {
    const { clock, ask, told, events } = await started();
    const page = new FakeClient(1);
    for (let i = 0; i < 3; i++) {
      ask(page, true, 0.2 * i);
      await clock.advance(PERIOD_MS);
    }
    ask(page, false);
    ask(page, false);
    await clock.advance(1000);
    expect(told()).toEqual([
      "console 1 holds 0",
      "console 1 holds 0.2",
      "console 1 holds 0.4",
      "console 1 rests 0",
    ]);
    expect(events()).toEqual([]);
  });

  it.each<[string, (rig: Awaited<ReturnType<typeof started>>, page: FakeClient) => unknown]>([
    ["silence", ({ clock }) => clock.advance(STEERING_SILENT_MS + 1)],
    ["what is not understood", ({ part }, page) => part.onMalformed!(page, "no number")],
    ["the end of its connection", ({ part }, page) => part.onClosed!(page, "closed")],
  ])("ends with %s, in the same moment", async (_, happens) => {
    const rig = await started();
    const page = new FakeClient(1);
    rig.ask(page, true);
    await happens(rig, page);
    expect(rig.told().at(-1)).toBe("console 1 rests 0");
    expect(rig.events()).toHaveLength(1);
  });

  it("goes on after a silence only when the key was up once", async () => {
    const { clock, ask, told } = await started();
    const page = new FakeClient(1);
    ask(page, true);
    await clock.advance(STEERING_SILENT_MS + 1);
    ask(page, true);
    expect(told().at(-1)).toBe("console 1 rests 0");
    ask(page, false);
    ask(page, true, 0.3);
    expect(told().at(-1)).toBe("console 1 holds 0.3");
  });

  it("is one client's at a time; a key that was down meanwhile does not count afterwards", async () => {
    const { ask, told } = await started();
    const [page, other] = [new FakeClient(1), new FakeClient(2)];
    ask(page, true);
    ask(other, true, 1);
    ask(other, false);
    expect(told()).toEqual(["console 1 holds 0.5"]);
    ask(other, true, 1);
    ask(page, false);
    ask(other, true, 1);
    expect(told().at(-1)).toBe("console 1 rests 0");
    ask(other, false);
    ask(other, true, 1);
    expect(told().at(-1)).toBe("console 2 holds 1");
  });

  it("is of robots on legs only, and ends with the gateway", async () => {
    const { part, ask, told } = await started();
    const page = new FakeClient(1);
    ask(page, true, 0.5, "arm");
    ask(page, true, 0.5, "nobody");
    expect(told()).toEqual([]);
    ask(page, true);
    await part.close!();
    expect(told().at(-1)).toBe("console 1 rests 0");
  });
});
