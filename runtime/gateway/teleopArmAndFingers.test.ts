/** An arm and the hand that it carries, led by one tracked hand: two real servos on one simulated clock, in one group. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openHandSizes } from "../../calibration/handSizes.js";
import { SimClock } from "../../core/simClock.js";
import type { TrackedPose } from "../../core/teleop/pose.js";
import { XARM7_HOME_RAD } from "../../kinematics/xarm7.js";
import { blend, handPose, webxrJoints } from "../../test/support/allegro/handPoses.js";
import { halfClosedRad, handServoInProcess } from "../../test/support/teleop/handServo.js";
import { ServoInProcess } from "../../test/support/teleop/servoInProcess.js";
import { FakeDriver, PERIOD_MS, ServoBench } from "../servo/testing.js";
import { TwoHands } from "../teleop/fingerTesting.js";
import type { PartServices } from "./part.js";
import { FakeClient, partBench, robotDescription, testSetup } from "./partTesting.js";
import { TeleopDesk } from "./teleopPart.js";
import { teleopRobots } from "./teleopRobots.js";

/** 83 poses a second: three ticks of the servos. */
const TICKS_PER_POSE = 3;
const HEAD = { positionM: [0, 1.6, 0], quatXyzw: [0, 0, 0, 1] } satisfies TrackedPose;

let clock: SimClock;
let arm: ServoInProcess;
let hand: ServoInProcess;
let desk: TeleopDesk;
let headset: FakeClient;
let hands: TwoHands;
/** How far the person's hand has gone ahead, and what it shows. */
let aheadM: number;

beforeEach(async () => {
  clock = new SimClock();
  const { limits } = new FakeDriver(clock);
  const robot = { homeRad: XARM7_HOME_RAD, limits };
  arm = new ServoInProcess(new ServoBench({}, { device: "xarm7" }, robot, clock));
  hand = handServoInProcess(clock);
  for (const { bench } of [arm, hand]) await bench.servo.connect();
  await ticks(2);
  for (const { bench } of [arm, hand]) await bench.servo.enable();
  await ticks(2);
  const bench = partBench(
    testSetup({
      calibrationFolder: "/nowhere",
      sockets: { arm: "/nowhere", hand: "/nowhere" },
      robots: [robotDescription("arm"), { ...robotDescription("hand"), device: "allegro" }],
      hands: { hand: { model: "v4", side: "right", mountedOn: "arm" } },
    }),
  );
  const services: PartServices = {
    ...bench.services,
    clock,
    connectServo: (name) => (name === "arm" ? arm : hand).connect(),
  };
  desk = new TeleopDesk(services, { led: teleopRobots(services), sizes: openHandSizes("/nowhere") });
  headset = new FakeClient(1, "operator", "headset quest3");
  hands = new TwoHands(null);
  aheadM = 0;
});
afterEach(() => desk.close());

async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await clock.advance(PERIOD_MS);
    await arm.tickNow();
    await hand.tickNow();
  }
}
async function show(shown: Float64Array, count = 1): Promise<void> {
  for (let i = 0; i < count; i++) {
    const shaken = shown.map((value, at) => (at < 3 ? value : value + 1e-4 * Math.sin(7 * at + hands.seq)));
    hands.joints = webxrJoints(shaken);
    hands.leading = {
      pose: { positionM: [0.2 + (hands.seq % 2) * 1e-6, 1, -0.3 - aheadM], quatXyzw: [0, 0, 0, 1] },
    };
    const pose = { ...hands.next(clock.nowMs()), head: HEAD };
    desk.onPose({ client: headset, pose, receivedNs: clock.nowNs() });
    await ticks(TICKS_PER_POSE);
  }
}
const take = (fingers?: boolean) =>
  desk.requests.takeTeleop({ robot: "arm", ...(fingers === undefined ? {} : { fingers }) }, headset);
async function engage(): Promise<void> {
  hands.pinch = 0;
  await show(handPose("open"), 3);
  if (desk.status().alignment === "none")
    expect(await desk.requests.recentre({}, headset)).toMatchObject({ ok: true });
  hands.pinch = 1;
  for (let i = 0; i < 40 && desk.status().state !== "engaged"; i++) await show(handPose("open"));
  expect(desk.status()).toMatchObject({ state: "engaged", why: null });
}
const sentRad = (servo: ServoInProcess) => [...servo.bench.last.sentRad];
const largest = (one: readonly number[], other: readonly number[]) =>
  Math.max(...one.map((value, joint) => Math.abs(value - other[joint]!)));

describe("an arm that carries a hand", () => {
  it("is led with its fingers when these are asked for, and says so; the arm's frame must be known", async () => {
    expect(await take(true)).toMatchObject({ ok: true });
    await ticks(10);
    await show(handPose("open"), 3);
    expect(desk.status()).toMatchObject({
      leads: "toolAndFingers",
      carriesHand: true,
      hand: "right",
      alignment: "none",
      handSize: { scale: 1.3 },
    });
    hands.pinch = 1;
    await show(handPose("open"), 5);
    expect(desk.status()).toMatchObject({ state: "latched", why: { code: "NOT_ALIGNED" } });
  });

  it("begins where both stand, to the last bit; then the wrist leads the tool and the fingers the fingers", async () => {
    await take(true);
    await ticks(10);
    await engage();
    expect(arm.commands[0]!.positionRad).toEqual([...XARM7_HOME_RAD]);
    expect(hand.commands[0]!.positionRad).toEqual(halfClosedRad());
    await show(handPose("open"), 200);
    const [armStood, fingersStood] = [sentRad(arm), sentRad(hand)];
    expect(largest(armStood, XARM7_HOME_RAD)).toBeLessThan(0.01);
    for (let i = 1; i <= 100; i++) {
      aheadM = 0.001 * i;
      await show(handPose("open"));
    }
    await show(handPose("open"), 60);
    expect(largest(sentRad(arm), armStood)).toBeGreaterThan(0.1);
    expect(largest(sentRad(hand), fingersStood)).toBeLessThan(0.03);
    const armAhead = sentRad(arm);
    for (let i = 0; i <= 60; i++) await show(blend(handPose("open"), handPose("fist"), i / 60));
    await show(handPose("fist"), 60);
    expect(largest(sentRad(hand), fingersStood)).toBeGreaterThan(0.5);
    expect(largest(sentRad(arm), armAhead)).toBeLessThan(0.02);
    expect(arm.grippersM).toEqual([]);
  });

  it("holds both when the pinch opens, when the fingers are lost, and when one of them is stopped", async () => {
    await take(true);
    await ticks(10);
    await engage();
    hands.pinch = 0;
    await show(handPose("open"), 3);
    expect(desk.status().state).toBe("ready");
    await ticks(150);
    for (const { bench } of [arm, hand])
      expect(bench.last).toMatchObject({ state: "holding", commander: "" });
    await engage();
    hands.leading = {};
    hands.joints = null;
    desk.onPose({ client: headset, pose: hands.next(clock.nowMs()), receivedNs: clock.nowNs() });
    expect(desk.status()).toMatchObject({ state: "latched", why: { code: "FINGERS_MISSING" } });
    await ticks(150);
    for (const { bench } of [arm, hand])
      expect(bench.last).toMatchObject({ state: "holding", commander: "" });
    await engage();
    void hand.bench.servo.stop(2, "a test wants it");
    await show(handPose("open"), 40);
    expect(desk.status()).toMatchObject({ state: "latched", why: { code: "LEASE_LOST" } });
    expect(desk.status().why!.happened).toContain("hand");
    expect(arm.bench.last).toMatchObject({ state: "holding", commander: "" });
  });

  it("is led alone where fingers are not asked for: by its own hand's clutch, with the hand left to others", async () => {
    await take();
    await ticks(10);
    hands.leading = { mode: "controller", joints: null };
    await show(handPose("open"));
    expect(desk.status()).toMatchObject({ leads: "tool", carriesHand: true, handSize: null });
    expect(await take(true)).toMatchObject({ ok: true });
    await ticks(10);
    expect(desk.status()).toMatchObject({ leads: "toolAndFingers" });
    expect(hand.commands).toEqual([]);
  });
});
