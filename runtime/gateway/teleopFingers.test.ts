/** Fingers led through the gateway's own desk, mapping and deadman, with a real servo on a simulated clock. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HAND_SIZES_FILE, openHandSizes } from "../../calibration/handSizes.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { readTeleopInput, TELEOP_INPUT, TELEOP_INPUT_TOPIC } from "../../episodes/messages.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { blend, handPose, webxrJoints } from "../../test/support/allegro/handPoses.js";
import { until } from "../../test/support/servoRig.js";
import { halfClosedRad, handServoInProcess } from "../../test/support/teleop/handServo.js";
import type { ServoInProcess } from "../../test/support/teleop/servoInProcess.js";
import { TwoHands } from "../teleop/fingerTesting.js";
import type { GatewaySetup } from "./messages.js";
import type { PartServices } from "./part.js";
import { FakeClient, partBench, robotDescription, testSetup } from "./partTesting.js";
import { TeleopDesk } from "./teleopPart.js";
import { teleopRobots } from "./teleopRobots.js";

const PREFIXES = (process.env.AMENT_PREFIX_PATH ?? "").split(":").filter((prefix) => prefix !== "");
/** 83 poses a second: three ticks of the servo. */
const POSE_MS = 12;

let folder: string;
let servo: ServoInProcess;
let bench: ReturnType<typeof partBench>;
let desk: TeleopDesk;
let headset: FakeClient;
let hands: TwoHands;

function openDesk(hand: GatewaySetup["hands"][string]): TeleopDesk {
  bench = partBench(
    testSetup({
      hasRecorder: true,
      prefixes: PREFIXES,
      calibrationFolder: folder,
      sockets: { hand: "/nowhere" },
      robots: [{ ...robotDescription("hand"), device: "allegro" }],
      toolPointsM: {},
      arms: {},
      hands: { hand },
    }),
  );
  const services: PartServices = {
    ...bench.services,
    clock: servo.bench.clock,
    connectServo: () => servo.connect(),
  };
  return new TeleopDesk(services, { led: teleopRobots(services), sizes: openHandSizes(folder) });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "fingers-"));
  servo = handServoInProcess();
  await servo.bench.toHolding();
  desk = openDesk({ model: "v4", side: "right", mountedOn: null });
  headset = new FakeClient(1, "operator", "headset quest3");
  hands = new TwoHands(null);
});

afterEach(async () => {
  await desk.close();
  rmSync(folder, { recursive: true });
});

/** The hand trembles by a tenth of a millimetre. */
async function show(hand: Float64Array | null, count = 1): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { clock } = servo.bench;
    const shaken = hand?.map((value, at) => (at < 3 ? value : value + 1e-4 * Math.sin(7 * at + hands.seq)));
    hands.joints = shaken === undefined ? null : webxrJoints(shaken);
    desk.onPose({ client: headset, pose: hands.next(clock.nowMs()), receivedNs: clock.nowNs() });
    await servo.run(POSE_MS);
  }
}
async function engage(hand = handPose("open")): Promise<void> {
  hands.pinch = 0;
  await show(hand, 3);
  hands.pinch = 1;
  for (let i = 0; i < 30 && desk.status().state !== "engaged"; i++) await show(hand);
  expect(desk.status()).toMatchObject({ state: "engaged", why: null });
}
const take = () => desk.requests.takeTeleop({ robot: "hand" }, headset);
const sentRad = () => Float64Array.from(servo.bench.last.sentRad);
const indexTipM = (): number[] => {
  const chain = new HandChain("v4", "right");
  chain.update(sentRad());
  return [...chain.tipsM.subarray(0, 3)];
};
const apartM = (one: readonly number[], other: readonly number[]) =>
  Math.hypot(...one.map((value, axis) => value - other[axis]!));
const largest = (one: ArrayLike<number>, other: ArrayLike<number>) =>
  Math.max(...Array.from(one, (value, joint) => Math.abs(value - other[joint]!)));

describe("a hand that is led", () => {
  beforeEach(async () => {
    expect(await take()).toMatchObject({ ok: true, message: expect.stringContaining("right hand") });
    await servo.run(20);
  });

  it("needs no recentring, says so, and says how it is led", async () => {
    await show(handPose("open"), 3);
    expect(desk.status()).toMatchObject({
      state: "ready",
      leads: "fingers",
      hand: "right",
      alignment: "unneeded",
      handSize: { scale: 1.3, measuredEpochMs: null, measuring: null, problem: "" },
      why: null,
    });
    expect(await desk.requests.recentre({}, headset)).toMatchObject({ ok: false });
  });

  it("stands where it stood at the first command, and then goes where the person's fingers are", async () => {
    await engage();
    expect(servo.commands[0]!.positionRad).toEqual(halfClosedRad());
    expect(servo.commands[0]!.sentRad).toEqual(halfClosedRad());
    await show(handPose("open"), 250);
    const open = indexTipM();
    for (let i = 0; i <= 60; i++) await show(blend(handPose("open"), handPose("fist"), i / 60));
    await show(handPose("fist"), 60);
    expect(apartM(open, indexTipM())).toBeGreaterThan(0.05);
    for (let i = 60; i >= 0; i--) await show(blend(handPose("open"), handPose("fist"), i / 60));
    await show(handPose("open"), 60);
    expect(apartM(open, indexTipM())).toBeLessThan(0.005);
    expect(desk.status()).toMatchObject({ target: null, leashM: expect.any(Number) });
    expect(servo.grippersM).toEqual([]);
  });

  it("holds when the pinch opens, and goes on from there with the next one", async () => {
    await engage(handPose("fist"));
    await show(handPose("fist"), 50);
    hands.pinch = 0;
    await show(handPose("fist"), 30);
    expect(desk.status().state).toBe("ready");
    const stood = sentRad();
    await show(handPose("open"), 50);
    expect(largest(sentRad(), stood)).toBe(0);
    servo.commands.length = 0;
    await engage();
    expect(largest(servo.commands[0]!.positionRad, stood)).toBe(0);
  });

  it("holds, latched, when the fingers are lost, with the reason; the pinch must open first", async () => {
    await engage();
    await show(handPose("open"), 10);
    await show(null, 30);
    expect(desk.status()).toMatchObject({
      state: "latched",
      why: { code: "FINGERS_MISSING", remedy: expect.stringContaining("whole hand") },
    });
    const stood = sentRad();
    await show(handPose("open"), 40);
    expect(desk.status().state).toBe("latched");
    expect(largest(sentRad(), stood)).toBe(0);
    await engage();
  });

  it("is not led by the other hand, whatever leads tools", async () => {
    expect(await desk.requests.teleopSettings({ hand: "left" }, headset)).toMatchObject({
      ok: false,
      remedy: expect.stringContaining("right hand"),
    });
    await engage();
  });

  it("tells the hand that pinches of contact and latches: it may hold a controller", async () => {
    await engage();
    const felt = headset.offered.flatMap((one) => ("kind" in one && one.kind === "haptic" ? [one.hand] : []));
    expect(new Set(felt)).toEqual(new Set(["left"]));
  });

  it.skipIf(PREFIXES.length === 0)("is recorded with its joints and the clutch that counted", async () => {
    await engage();
    await show(handPose("open"), 3);
    const codec = rosCodec(TELEOP_INPUT, rosDefinition(TELEOP_INPUT, PREFIXES));
    const inputs = bench.posted.flatMap((one) =>
      one.kind === "record" && one.topic === TELEOP_INPUT_TOPIC
        ? [readTeleopInput(codec.decode(one.cdr))]
        : [],
    );
    const last = inputs.at(-1)!;
    expect(last).toMatchObject({ hand: "right", clutch: 1, state: "engaged", tracked: true });
    expect(last.joints).toHaveLength(200);
    expect(Array.from(last.joints)).toEqual(hands.joints);
    expect(last.targetRad).toHaveLength(16);
    expect([...last.wanted].every(Number.isNaN)).toBe(true);
  });
});

describe("the hand's size", () => {
  beforeEach(async () => {
    await take();
    await servo.run(20);
  });
  const measure = (phase: "begin" | "cancel" = "begin") => desk.requests.measureHand({ phase }, headset);
  const size = () => desk.status().handSize!;
  /** Larger than the vectors' hand, flat. */
  const large = () => handPose("open").map((value) => 1.15 * value);
  /** Writing takes real time. */
  const kept = () => until("a size on the disk", () => size().measuredEpochMs !== null);

  it("is measured in five seconds of a flat hand, kept, and counts from the next engagement on", async () => {
    await show(large(), 3);
    expect(await measure()).toMatchObject({ ok: true, message: expect.stringContaining("flat") });
    await show(large(), 100);
    expect(size().measuring).toMatchObject({ advice: expect.stringContaining("still") });
    expect(size().measuring!.share).toBeGreaterThan(0.2);
    expect(size().measuring!.share).toBeLessThan(0.3);
    await show(large(), 330);
    expect(size().measuring).toBeNull();
    await kept();
    expect(size()).toMatchObject({ problem: "", measuredEpochMs: expect.any(Number) });
    expect(size().scale).toBeCloseTo(1.31 / 1.15, 1);
    expect(readFileSync(join(folder, HAND_SIZES_FILE), "utf8")).toContain('"headset quest3"');
    await engage();
    await desk.close();
    desk = openDesk({ model: "v4", side: "right", mountedOn: null });
    await take();
    await servo.run(20);
    await show(large(), 3);
    expect(size().scale).toBeCloseTo(1.31 / 1.15, 1);
    await desk.close();
    desk = openDesk({ model: "v4", side: "right", mountedOn: null });
    headset = new FakeClient(3, "operator", "headset of somebody else");
    await take();
    await show(large(), 3);
    expect(size()).toMatchObject({ scale: 1.3, measuredEpochMs: null });
  });

  it.each<[string, (() => Promise<void>)[], RegExp]>([
    ["a fist", [() => show(handPose("fist"), 440)], /bent fingers/],
    ["no hand at all", [() => show(null, 900)], /no hand was shown/],
    ["a hand that goes after a second", [() => show(large(), 90), () => show(null, 400)], /not tracked/],
    ["a headset that falls silent", [() => show(large(), 90), () => servo.run(2500)], /no pose/],
    ["a pinch meanwhile", [() => show(large(), 90), () => engage(large())], /it leads/],
  ])("is not measured by %s", async (_name, happenings, why) => {
    await show(large(), 3);
    await measure();
    for (const happen of happenings) await happen();
    expect(size()).toMatchObject({ measuring: null, measuredEpochMs: null });
    expect(size().problem).toMatch(why);
    expect(existsSync(join(folder, HAND_SIZES_FILE))).toBe(false);
  });

  it("is measured with an open clutch only, by the operator, once there are poses; and is called off", async () => {
    expect(await measure()).toMatchObject({ ok: false, happened: expect.stringContaining("No pose") });
    await engage();
    expect(await measure()).toMatchObject({ ok: false, happened: expect.stringContaining("led") });
    hands.pinch = 0;
    await show(handPose("open"), 3);
    const other = new FakeClient(2, "operator", "console desk");
    expect(await desk.requests.measureHand({ phase: "begin" }, other)).toMatchObject({ ok: false });
    await measure();
    expect(await measure("cancel")).toMatchObject({ ok: true });
    expect(size()).toMatchObject({ measuring: null, problem: "" });
  });
});

it("a hand whose geometry nobody knows is not taken, and says what else moves it", async () => {
  await desk.close();
  desk = openDesk({ model: "v5b", side: "right", mountedOn: null });
  expect(await take()).toMatchObject({
    ok: false,
    code: "TELEOP_REFUSED",
    happened: expect.stringContaining("v5b"),
    remedy: expect.stringContaining("policy"),
  });
});
