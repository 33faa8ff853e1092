import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openHandSizes } from "../../calibration/handSizes.js";
import type { TeleopStatus } from "../../core/gateway/server.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { readTeleopInput, TELEOP_INPUT, TELEOP_INPUT_TOPIC } from "../../episodes/messages.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import { ServoInProcess } from "../../test/support/teleop/servoInProcess.js";
import { FakeAlignment, FakeMapping, PoseSource } from "../teleop/testing.js";
import type { FromGateway } from "./messages.js";
import type { PartServices } from "./part.js";
import { FakeClient, partBench, testSetup } from "./partTesting.js";
import { TeleopDesk } from "./teleopPart.js";

const PREFIXES = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");

let servo: ServoInProcess;
let bench: ReturnType<typeof partBench>;
let desk: TeleopDesk;
let headset: FakeClient;
let other: FakeClient;
let source: PoseSource;

beforeEach(async () => {
  servo = new ServoInProcess();
  await servo.bench.toHolding();
  bench = partBench(testSetup({ hasRecorder: true, prefixes: PREFIXES }));
  const services: PartServices = {
    ...bench.services,
    clock: servo.bench.clock,
    connectServo: () => servo.connect(),
  };
  desk = new TeleopDesk(services, {
    led: () => ({
      leads: "tool",
      carriesHand: false,
      alignment: new FakeAlignment(),
      connect: () => servo.connect(),
      createMapping: () => new FakeMapping(),
    }),
    sizes: openHandSizes("/nowhere"),
  });
  headset = new FakeClient(1, "operator", "headset quest3");
  other = new FakeClient(2, "operator", "console desk");
  source = new PoseSource();
});

afterEach(() => desk.close());

function send(client = headset): void {
  const { clock } = servo.bench;
  desk.onPose({ client, pose: source.next(clock.nowMs()), receivedNs: clock.nowNs() });
}

async function poses(count: number, client = headset): Promise<void> {
  for (let i = 0; i < count; i++) {
    source.atM = [source.atM[0] + 0.003, 1, 0];
    send(client);
    await servo.run(12);
  }
}

async function engage(client = headset): Promise<void> {
  source.clutch = 0;
  await poses(3, client);
  source.clutch = 1;
  await poses(60, client);
  expect(desk.status().state).toBe("engaged");
}

const take = (client = headset) => desk.requests.takeTeleop({ robot: "arm" }, client);
const teleopOf = (client: FakeClient): TeleopStatus[] =>
  [...client.sent, ...client.offered].flatMap((message) =>
    "kind" in message && message.kind === "teleop" ? [message.status] : [],
  );
const ofKind = <K extends FromGateway["kind"]>(kind: K) =>
  bench.posted.filter((one): one is Extract<FromGateway, { kind: K }> => one.kind === kind);

describe("the operator", () => {
  it("is one: a second is refused with the name of the first, and moves nothing", async () => {
    expect(await take()).toMatchObject({ ok: true });
    expect(await take(other)).toMatchObject({
      ok: false,
      code: "TELEOP_REFUSED",
      happened: expect.stringContaining("headset quest3"),
      remedy: expect.any(String),
    });
    await servo.run(20);
    source.clutch = 0;
    await poses(2, other);
    source.clutch = 1;
    await poses(40, other);
    expect(servo.commands).toEqual([]);
    expect(desk.status()).toMatchObject({ state: "ready", operator: "headset quest3", source: null });
    for (const request of ["giveTeleop", "recentre", "teleopSettings"] as const)
      expect(await desk.requests[request]({}, other)).toMatchObject({ ok: false, code: "TELEOP_REFUSED" });
  });

  it("is of a robot that there is", async () => {
    expect(await desk.requests.takeTeleop({ robot: "leg" }, headset)).toMatchObject({
      ok: false,
      remedy: expect.stringContaining("arm"),
    });
  });

  it("who gives it back leaves the arm to nobody, and somebody else may take it", async () => {
    await take();
    await servo.run(20);
    await engage();
    expect(await desk.requests.giveTeleop({}, headset)).toMatchObject({ ok: true });
    await servo.run(600);
    expect(servo.bench.last).toMatchObject({ state: "holding", commander: "" });
    expect(desk.status()).toMatchObject({ state: "off", operator: "" });
    expect(await take(other)).toMatchObject({ ok: true });
  });

  it("who goes in mid-motion has given it back; whoever comes again takes and presses again", async () => {
    await take();
    await servo.run(20);
    await engage();
    desk.onClosed(headset, "the page was reloaded");
    await servo.run(600);
    const commanded = servo.commands.length;
    expect(servo.bench.last).toMatchObject({ state: "holding", commander: "" });
    const again = new FakeClient(3, "operator", "headset quest3");
    source.session = "session-2";
    await poses(20, again);
    expect(servo.commands.length).toBe(commanded);
    await take(again);
    await servo.run(20);
    await poses(20, again);
    expect(servo.commands.length).toBe(commanded);
    await engage(again);
  });

  it("chooses scale and hand, which stay for the next one", async () => {
    await take();
    expect(
      await desk.requests.teleopSettings({ translationScale: 0.5, hand: "left" }, headset),
    ).toMatchObject({ ok: true });
    expect(desk.status()).toMatchObject({ translationScale: 0.5, rotationScale: 1, hand: "left" });
    await desk.requests.giveTeleop({}, headset);
    expect(desk.status()).toMatchObject({ translationScale: 0.5, hand: "left" });
  });
});

describe("a tracker without a page", () => {
  const tracker = () => Object.assign(new FakeClient(9, "operator", "vive wand"), { kind: "mqtt" as const });

  it("takes it with its clutch, moves with the next press, and gives it back by ten seconds of silence", async () => {
    const wand = tracker();
    source.clutch = 0;
    await poses(2, wand);
    expect(desk.status().state).toBe("off");
    source.clutch = 1;
    await poses(60, wand);
    expect(desk.status()).toMatchObject({
      state: "latched",
      operator: "vive wand",
      why: { code: "CLUTCH_HELD" },
    });
    expect(servo.commands).toEqual([]);
    await engage(wand);
    await servo.run(5000);
    expect(desk.status()).toMatchObject({ state: "latched", why: { code: "POSE_OLD" } });
    await servo.run(5100);
    expect(desk.status().state).toBe("off");
  });

  it("takes nothing from whoever has it, and nothing as an observer", async () => {
    const wand = tracker();
    await take();
    source.clutch = 1;
    await poses(5, wand);
    expect(desk.status().operator).toBe("headset quest3");
    await desk.requests.giveTeleop({}, headset);
    await poses(5, Object.assign(tracker(), { role: "observer" as const }));
    expect(desk.status().state).toBe("off");
  });
});

describe("what others hear", () => {
  it("subscribers: the status at once, at every change, and twenty times a second", async () => {
    desk.onSubscribe(other, { teleop: true });
    expect(teleopOf(other).map(({ state }) => state)).toEqual(["off"]);
    await take();
    await servo.run(20);
    await engage();
    const states = other.sent.flatMap((message) => (message.kind === "teleop" ? [message.status.state] : []));
    expect(states.filter((state, i) => state !== states[i - 1])).toEqual([
      "off",
      "ready",
      "engaging",
      "engaged",
    ]);
    const before = other.offered.length;
    await poses(84);
    expect(other.offered.length - before).toBeGreaterThanOrEqual(17);
    expect(other.offered.length - before).toBeLessThanOrEqual(21);
    expect(teleopOf(headset)).toEqual([]);
    desk.onSubscribe(other, { teleop: false });
    const then = other.offered.length;
    await poses(20);
    expect(other.offered.length).toBe(then);
  });

  it("the daemon: who has it and how it is", async () => {
    await take();
    await servo.run(20);
    await engage();
    source.clutch = 0;
    await poses(2);
    await desk.requests.giveTeleop({}, headset);
    const states = ofKind("teleop").map(({ status }) => status.state);
    expect(states.filter((state, i) => state !== states[i - 1])).toEqual([
      "ready",
      "engaging",
      "engaged",
      "ready",
      "off",
    ]);
    expect(ofKind("teleop")[0]!.status).toMatchObject({ robot: "arm", operator: "headset quest3" });
  });

  it("the hand: that it leads, and that it does not any more", async () => {
    await take();
    await servo.run(20);
    await engage();
    desk.onMalformed(headset, "it is not JSON");
    const haptics = headset.offered.flatMap((message) =>
      "kind" in message && message.kind === "haptic" ? [message] : [],
    );
    expect(haptics.map(({ hand }) => hand)).toEqual(["right", "right"]);
    expect(haptics[1]!.why).toContain("no pose");
    expect(desk.status().why?.code).toBe("MALFORMED");
  });

  it("the latency: the source's own part by the page's clock", async () => {
    await take();
    desk.onLink(headset, { roundTripMs: 8, clockOffsetMs: -5003 });
    await servo.run(20);
    await poses(3);
    // The source's clock is 5000 ms ahead; by the page's reckoning the way takes 3 ms.
    expect(desk.status().latency.transportMs).toBeCloseTo(3, 3);
    expect(desk.status().latency.roundTripMs).toBe(8);
  });
});

describe("what an episode keeps", () => {
  it("is every pose, and what became of it", async () => {
    await take();
    await servo.run(20);
    await engage();
    const records = ofKind("record");
    expect(records.length).toBe(source.seq);
    const codec = rosCodec(TELEOP_INPUT, rosDefinition(TELEOP_INPUT, PREFIXES));
    const last = readTeleopInput(codec.decode(records.at(-1)!.cdr));
    expect(records.at(-1)!.topic).toBe(TELEOP_INPUT_TOPIC);
    expect(last).toMatchObject({
      source: "webxr",
      device: "quest3",
      operatorName: "headset quest3",
      seq: source.seq,
      hand: "right",
      tracked: true,
      clutch: 1,
      state: "engaged",
      why: "",
      commandSeq: servo.commands.at(-1)!.seq,
    });
    expect([...last.targetRad]).toEqual(servo.commands.at(-1)!.positionRad);
    const first = readTeleopInput(codec.decode(records[0]!.cdr));
    expect(first).toMatchObject({ state: "ready", commandSeq: 0 });
    expect([...first.wanted].every(Number.isNaN)).toBe(true);
  });
});
