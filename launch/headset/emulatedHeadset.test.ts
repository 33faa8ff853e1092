/** The page's own code with iwer in Node: what a headset's frames become on the wire. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { HAND_JOINTS, parsePose } from "../../core/teleop/pose.js";
import { handPose, webxrJoints } from "../../test/support/allegro/handPoses.js";
import { HeadsetWire } from "../../test/support/headsetWire.js";
import { EmulatedHeadset } from "./emulatedHeadset.js";

const HERE = { positionM: [0.3, 1.2, -0.4], quatXyzw: [0, Math.SQRT1_2, 0, Math.SQRT1_2] } as const;
const pose = () => ({ positionM: [...HERE.positionM], quatXyzw: [...HERE.quatXyzw] }) as never;

let clock: SimClock;
let wire: HeadsetWire;
let headset: EmulatedHeadset;

const globalsBefore = Object.getOwnPropertyNames(globalThis).sort();
beforeEach(async () => {
  clock = new SimClock();
  wire = new HeadsetWire();
  headset = new EmulatedHeadset({ clock, rateHz: 72, openSocket: wire.openSocket });
  const connecting = headset.connect("http://robot:8443", "token");
  await clock.advance(1);
  await connecting;
});
afterEach(() => headset.close());

const newest = () => wire.poses.at(-1)!;
const right = () => newest().hands.find(({ hand }) => hand === "right")!;

describe("EmulatedHeadset", () => {
  it("says hello, takes teleoperation, and sends a pose each frame that the schema takes", async () => {
    expect(wire.said[0]).toMatchObject({ kind: "hello", client: "headset", token: "token" });
    expect(wire.requests).toEqual([{ do: "takeTeleop", robot: "xarm7" }]);
    expect(headset.isMine).toBe(true);
    await clock.advance(1000);
    expect(wire.poses.length).toBeGreaterThanOrEqual(71);
    expect(wire.poses.length).toBeLessThanOrEqual(73);
    expect(wire.poses.map(({ seq }) => seq)).toEqual(wire.poses.map((_, index) => index));
    for (const sent of wire.poses) expect(parsePose(JSON.stringify(sent))).toMatchObject({ ok: true });
    expect(new Set(wire.poses.map(({ session }) => session)).size).toBe(1);
  });

  it("leaves nothing of a browser in the process", async () => {
    await clock.advance(100);
    expect(Object.getOwnPropertyNames(globalThis).sort()).toEqual(globalsBefore);
  });

  it("sends the grip pose that was set, to the tremor", async () => {
    headset.setController("right", pose());
    await clock.advance(50);
    const sent = right();
    expect(sent).toMatchObject({ mode: "controller", tracked: true, joints: null });
    for (const axis of [0, 1, 2])
      expect(Math.abs(sent.pose!.positionM[axis]! - HERE.positionM[axis]!)).toBeLessThan(4e-5);
    const dot = sent.pose!.quatXyzw.reduce((sum, value, axis) => sum + value * HERE.quatXyzw[axis]!, 0);
    expect(Math.abs(dot)).toBeGreaterThan(1 - 1e-6);
  });

  it("is never still to the last bit, unless told to be", async () => {
    headset.setController("right", pose());
    await clock.advance(500);
    const places = wire.poses.slice(-20).map((sent) => JSON.stringify(sent.hands[1]!.pose!.positionM));
    expect(new Set(places).size).toBe(20);
  });

  it("carries buttons: squeeze is the clutch, trigger the gripper, A, B and the stick", async () => {
    headset.setButtons("right", { squeeze: 0.9, trigger: 0.4, a: true, stick: true });
    await clock.advance(50);
    expect(right()).toMatchObject({ clutch: 0.9, gripper: 0.4, buttons: { a: true, b: false, stick: true } });
    expect(right().stick).toEqual([0, 0]);
  });

  it("carries the head", async () => {
    headset.setHead({ positionM: [0.1, 1.7, 0.2], quatXyzw: [0, 0, 0, 1] });
    await clock.advance(50);
    expect(newest().head!.positionM[1]).toBeCloseTo(1.7, 5);
  });

  it("carries hands: 25 joints with radii, the wrist where it was set, pinches as clutch and gripper", async () => {
    headset.setHandPose("right", pose(), { index: 1 });
    await clock.advance(50);
    const pinched = right();
    expect(pinched).toMatchObject({ mode: "hand", tracked: true, clutch: 1, gripper: 0 });
    expect(pinched.joints).toHaveLength(HAND_JOINTS.length * 8);
    for (const axis of [0, 1, 2])
      expect(Math.abs(pinched.pose!.positionM[axis]! - HERE.positionM[axis]!)).toBeLessThan(5e-5);
    for (let joint = 0; joint < HAND_JOINTS.length; joint++) {
      const numbers = pinched.joints!.slice(8 * joint, 8 * joint + 8);
      expect(Math.hypot(...numbers.slice(3, 7))).toBeCloseTo(1, 4);
      expect(numbers[7]).toBeGreaterThan(0.004);
      expect(numbers[7]).toBeLessThan(0.03);
    }
    expect(pinched.joints!.slice(0, 3)).toEqual(
      pinched.pose!.positionM.map((value) => Math.round(value * 1e6) / 1e6),
    );
    headset.setHandPose("right", pose(), { middle: 1 });
    await clock.advance(50);
    expect(right()).toMatchObject({ clutch: 0, gripper: 1, buttons: { a: false, b: false } });
    headset.setHandPose("right", pose(), { ring: 1 });
    await clock.advance(50);
    expect(right()).toMatchObject({ clutch: 0, gripper: 0, buttons: { a: true, b: false } });
  });

  it("carries a whole hand, joint by joint, beside another one that pinches", async () => {
    const joints = webxrJoints(handPose("pinch_index"));
    headset.setHand("right", joints);
    headset.setPinch("left", true);
    await clock.advance(50);
    const sent = right();
    expect(sent).toMatchObject({ mode: "hand", tracked: true });
    for (const [index, value] of joints.entries()) {
      // A quaternion and its negative are the same attitude.
      const same = index % 8 >= 3 && index % 8 < 7 && value * sent.joints![index]! < 0 ? -value : value;
      expect(Math.abs(sent.joints![index]! - same), `number ${index}`).toBeLessThan(1e-4);
    }
    expect(newest().hands.find(({ hand }) => hand === "left")).toMatchObject({ mode: "hand", clutch: 1 });
    headset.setPinch("left", false);
    await clock.advance(50);
    expect(newest().hands.find(({ hand }) => hand === "left")).toMatchObject({ mode: "hand", clutch: 0 });
  });

  it("shows a hand beside a controller where the headset mixes them", async () => {
    headset.setHand("right", webxrJoints(handPose("open")));
    headset.setMode("left", "controller");
    headset.setButtons("left", { squeeze: 1 });
    await clock.advance(50);
    expect(newest().hands).toMatchObject([
      { hand: "left", mode: "controller", clutch: 1 },
      { hand: "right", mode: "hand", clutch: 0 },
    ]);
  });

  it("a guessed position is untracked, an absent controller too, and the clutch stays as it was held", async () => {
    headset.setButtons("right", { squeeze: 1 });
    await clock.advance(50);
    headset.setTracked("right", false);
    await clock.advance(50);
    expect(right()).toMatchObject({ tracked: false, clutch: 1 });
    headset.setTracked("right", true);
    await clock.advance(50);
    expect(right().tracked).toBe(true);
    headset.setConnected("right", false);
    await clock.advance(50);
    expect(right()).toMatchObject({ tracked: false, pose: null, clutch: 1 });
  });

  it("hidden: the visibility is said, and no hand is tracked", async () => {
    await clock.advance(50);
    headset.setVisibility("hidden");
    await clock.advance(50);
    expect(newest().visibility).toBe("hidden");
    expect(newest().hands.some(({ tracked }) => tracked)).toBe(false);
  });

  it("asleep: not one pose more, and they go on afterwards", async () => {
    await clock.advance(100);
    headset.setAsleep(true);
    const count = wire.poses.length;
    await clock.advance(300);
    expect(wire.poses).toHaveLength(count);
    headset.setAsleep(false);
    await clock.advance(100);
    expect(wire.poses.length).toBeGreaterThan(count + 4);
  });

  it("comes back after the connection was lost and takes teleoperation anew", async () => {
    await clock.advance(100);
    const { session, seq } = newest();
    wire.drop();
    expect(headset.isMine).toBe(false);
    await clock.advance(1000);
    expect(newest().session).toBe(session);
    expect(newest().seq).toBeGreaterThan(seq + 20);
    expect(wire.requests.filter((request) => request.do === "takeTeleop")).toHaveLength(2);
    expect(headset.isMine).toBe(true);
  });

  it("drops poses rather than queueing them behind a slow connection", async () => {
    wire.bufferedBytes = 100_000;
    const count = wire.poses.length;
    await clock.advance(200);
    expect(wire.poses).toHaveLength(count);
    expect(headset.session.dropped).toBeGreaterThan(10);
    wire.bufferedBytes = 0;
    await clock.advance(50);
    expect(newest().seq).toBeGreaterThan(10);
  });

  it("gives teleoperation back when it is taken off", async () => {
    headset.close();
    expect(wire.requests.at(-1)).toEqual({ do: "giveTeleop" });
  });
});

it("a refusal by the gateway is an error with its own words", async () => {
  wire.welcome = {
    kind: "refused",
    code: "NOT_AUTHORISED",
    happened: "This token is not known",
    remedy: "Pair",
  };
  const other = new EmulatedHeadset({ clock, openSocket: wire.openSocket });
  const connecting = other.connect("http://robot:8443", "wrong");
  const expected = expect(connecting).rejects.toMatchObject({ code: "NOT_AUTHORISED" });
  await clock.advance(10);
  await expected;
});
