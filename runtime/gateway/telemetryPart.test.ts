import { describe, expect, it } from "vitest";
import { createFloatingBase } from "../../core/floatingBase.js";
import { ServerMessage, type Telemetry } from "../../core/gateway/server.js";
import { messageText } from "./messageText.js";
import {
  FakeClient,
  partBench,
  pass,
  robotDescription,
  snapshotAt,
  testSetup,
  wanting,
} from "./partTesting.js";
import { telemetryPart } from "./telemetryPart.js";

const HOME = [0, -0.3, 0, 0.9, 0, 1.2, 0];

async function started(setup = testSetup()) {
  const bench = partBench(setup);
  bench.servo.newest = snapshotAt(bench.clock, HOME);
  const part = await telemetryPart(bench.services);
  return { ...bench, part };
}

const telemetryOf = ({ offered }: FakeClient) => offered as Telemetry[];

describe("the telemetry part", () => {
  it("connects to no servo and sets no timer while nobody wants telemetry", async () => {
    const { servo, clock, part } = await started();
    part.onSubscribe!(new FakeClient(), wanting({ events: true }));
    await pass(clock, 2000);
    expect(servo.connects).toBe(0);
  });

  it("gives each client its own rate, and one object to all who are due at one moment", async () => {
    const { clock, part } = await started();
    const [fast, slow, odd] = [new FakeClient(1), new FakeClient(2), new FakeClient(3)];
    part.onSubscribe!(fast, wanting({ telemetryHz: 30 }));
    part.onSubscribe!(slow, wanting({ telemetryHz: 10 }));
    await pass(clock, 333);
    part.onSubscribe!(odd, wanting({ telemetryHz: 30 }));
    const before = telemetryOf(fast).length;
    await pass(clock, 3000);
    expect(telemetryOf(fast).length - before).toBeGreaterThanOrEqual(89);
    expect(telemetryOf(fast).length - before).toBeLessThanOrEqual(91);
    expect(telemetryOf(slow).length).toBeGreaterThanOrEqual(32);
    expect(telemetryOf(slow).length).toBeLessThanOrEqual(34);
    // Whoever came later is on the same grid.
    expect(new Set([...telemetryOf(fast), ...telemetryOf(odd)]).size).toBe(telemetryOf(fast).length);
    expect(messageText(telemetryOf(fast).at(-1)!)).toBe(messageText(telemetryOf(odd).at(-1)!));
  });

  it("sends what the schema promises, null for what is not finite, and the tool where the arm has it", async () => {
    const { clock, servo, part, fromMain } = await started();
    servo.newest = { ...snapshotAt(clock, HOME), gripperOpeningM: Number.NaN };
    for (let i = 0; i < 100; i++) servo.histogram.add(40);
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ telemetryHz: 10 }));
    fromMain({
      kind: "state",
      policy: null,
      recorder: null,
      activity: "waiting",
      cameras: {},
    });
    await pass(clock, 1500);
    const newest = telemetryOf(client).at(-1)!;
    expect(ServerMessage.parse(JSON.parse(messageText(newest)))).toEqual(newest);
    const arm = newest.robots.arm!;
    expect(arm.effortNm).toEqual(Array(7).fill(null));
    expect(arm.gripperOpeningM).toBeNull();
    expect(arm.positionRad).toEqual(HOME);
    expect(arm.latenessUs!.p50).toBeGreaterThan(35);
    expect(arm.latenessUs!.p50).toBeLessThan(45);
    expect(newest.activity).toBe("waiting");
    // Straight ahead of the base: y is zero, and the tool points down.
    expect(arm.tool!.positionM[1]).toBeCloseTo(0, 4);
    expect(arm.tool!.positionM[0]).toBeGreaterThan(0.2);
  });

  it("sends where a robot on legs is, once it is known", async () => {
    const robots = [{ ...robotDescription("digit"), legs: { passiveJointNames: ["shin", "heel"] } }];
    const { clock, servo, part } = await started(testSetup({ robots, arms: {}, toolPointsM: {} }));
    const base = createFloatingBase(2);
    base.translationWorldM.set([1, -2, Number.NaN]);
    base.passivePositionRad.set([0.1, Number.NaN]);
    servo.newest = { ...snapshotAt(clock, HOME), base };
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ telemetryHz: 10 }));
    await pass(clock, 300);
    expect(telemetryOf(client).at(-1)!.robots.digit!.base).toBeNull();
    base.translationWorldM[2] = 0.97;
    await pass(clock, 300);
    const newest = telemetryOf(client).at(-1)!;
    ServerMessage.parse(newest);
    expect(newest.robots.digit!.base).toEqual({
      positionM: [1, -2, 0.97],
      quatXyzw: [0, 0, 0, 1],
      passiveRad: [0.1, null],
    });
  });

  it("sends a hand's sixteen joints, which has no tool", async () => {
    const hands = { hand: { model: "v4", side: "right", mountedOn: null } } as const;
    const robots = [{ ...robotDescription("hand"), device: "allegro", hasGripper: false }];
    const { clock, servo, part } = await started(testSetup({ robots, hands, arms: {}, toolPointsM: {} }));
    servo.newest = snapshotAt(clock, Array<number>(16).fill(0.3));
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ telemetryHz: 10 }));
    await pass(clock, 500);
    const { hand } = telemetryOf(client).at(-1)!.robots;
    expect(hand!.positionRad).toEqual(Array(16).fill(0.3));
    expect(hand!.tool).toBeNull();
  });

  it("leaves a robot out while its servo is gone, and finds it again", async () => {
    const { clock, servo, part } = await started();
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ telemetryHz: 10 }));
    await pass(clock, 500);
    expect(Object.keys(telemetryOf(client).at(-1)!.robots)).toEqual(["arm"]);
    servo.crash();
    await pass(clock, 1000);
    expect(telemetryOf(client).at(-1)!.robots).toEqual({});
    servo.isDown = false;
    await pass(clock, 1500);
    expect(Object.keys(telemetryOf(client).at(-1)!.robots)).toEqual(["arm"]);
    expect(servo.open.length).toBe(1);
  });

  it("lets go of the servo when the last client leaves or wants none", async () => {
    const { clock, servo, part } = await started();
    const [one, other] = [new FakeClient(1), new FakeClient(2)];
    part.onSubscribe!(one, wanting({ telemetryHz: 10 }));
    part.onSubscribe!(other, wanting({ telemetryHz: 10 }));
    await pass(clock, 300);
    part.onSubscribe!(one, wanting());
    await pass(clock, 300);
    expect(servo.open.length).toBe(1);
    part.onClosed!(other, "gone");
    await pass(clock, 300);
    expect(servo.open.length).toBe(0);
    const count = one.offered.length + other.offered.length;
    await pass(clock, 1000);
    expect(one.offered.length + other.offered.length).toBe(count);
  });

  it("asks for about 50 snapshots a second as an observer, whatever the servo's rate", async () => {
    const { clock, servo, part } = await started(
      testSetup({ robots: [{ ...robotDescription(), rateHz: 100 }] }),
    );
    part.onSubscribe!(new FakeClient(), wanting({ telemetryHz: 30 }));
    await pass(clock, 100);
    expect(servo.open[0]!.everyTicks).toBe(2);
    expect(servo.open[0]!.role).toBe("observer");
  });

  it("knows nothing of the cameras once the main thread has been silent", async () => {
    const { clock, part, fromMain } = await started(
      testSetup({
        cameras: [
          {
            camera: "wrist",
            index: 0,
            widthPx: 64,
            heightPx: 48,
            ageMsMax: 150,
            encoding: "rgb8",
            frames: new SharedArrayBuffer(8),
          },
        ],
      }),
    );
    const client = new FakeClient();
    part.onSubscribe!(client, wanting({ telemetryHz: 10 }));
    fromMain({
      kind: "state",
      policy: null,
      recorder: null,
      activity: "",
      cameras: { wrist: { ageMs: 21, rateHz: 30 } },
    });
    await pass(clock, 500);
    expect(telemetryOf(client).at(-1)!.cameras.wrist).toEqual({ ageMs: 21, rateHz: 30, skipped: 0 });
    await pass(clock, 2000);
    expect(telemetryOf(client).at(-1)!.cameras.wrist).toEqual({ ageMs: null, rateHz: null, skipped: 0 });
  });
});
