import { describe, expect, it } from "vitest";
import { PoseMessage } from "../../../core/teleop/pose.js";
import { PageSimClock } from "../../../test/support/console/pageSimClock.js";
import type { DriveInput } from "./driveInput.js";
import { AT_REST } from "./driveInput.js";
import { PoseStream } from "./poseStream.js";

function rig(change: { send?: (pose: PoseMessage) => boolean } = {}) {
  const clock = new PageSimClock();
  const sent: PoseMessage[] = [];
  const state: { input: DriveInput; released: number; whys: string[] } = {
    input: AT_REST,
    released: 0,
    whys: [],
  };
  const stream = new PoseStream({
    clock,
    send: (pose) => {
      sent.push(PoseMessage.parse(pose));
      return change.send?.(pose) ?? true;
    },
    session: "0123456789abcdef",
    source: "keyboard",
    device: "console-keyboard",
    input: {
      read: () => state.input,
      release: () => {
        state.released++;
        state.input = AT_REST;
      },
    },
    hand: "right",
    startM: [0.4, 0, 0.3],
    gripper: 0.25,
    onChange: (isHeld, why) => {
      if (!isHeld) state.whys.push(why);
    },
  });
  stream.start();
  return { clock, sent, state, stream };
}
const forward: DriveInput = { isHeld: true, linear: [1, 0, 0], angular: [0, 0, 0] };
const clutchOf = (pose: PoseMessage) => pose.hands[0]!.clutch;
const placeOf = (pose: PoseMessage) => pose.hands[0]!.pose!.positionM;

describe("a stream of poses", () => {
  it("says nothing while nothing is held", () => {
    const { clock, sent } = rig();
    clock.advance(5000);
    expect(sent).toEqual([]);
  });

  it("shows the clutch open before it is pressed, and open once after it was let go", () => {
    const { clock, sent, state } = rig();
    state.input = forward;
    clock.advance(500);
    expect(sent.map(clutchOf).slice(0, 3)).toEqual([0, 1, 1]);
    expect(placeOf(sent[0]!)).toEqual(placeOf(sent[1]!));
    const held = sent.length;
    expect(held).toBeGreaterThan(25);
    expect(held).toBeLessThan(35);
    state.input = AT_REST;
    clock.advance(2000);
    expect(sent.length).toBe(held + 1);
    expect(clutchOf(sent.at(-1)!)).toBe(0);
    expect(placeOf(sent.at(-1)!)).toEqual(placeOf(sent.at(-2)!));
  });

  it("moves at the chosen speed, starting softly, and numbers rise by one", () => {
    const { clock, sent, state, stream } = rig();
    state.input = forward;
    stream.speed = "fast";
    clock.advance(2000);
    expect(placeOf(sent.at(-1)!)[0]).toBeGreaterThan(0.4 + 0.25 * 1.8);
    expect(placeOf(sent.at(-1)!)[0]).toBeLessThan(0.4 + 0.25 * 2);
    for (const [index, pose] of sent.entries()) {
      expect(pose.seq).toBe(index);
      if (index > 1)
        expect(placeOf(pose)[0] - placeOf(sent[index - 1]!)[0]).toBeLessThanOrEqual(0.25 * 0.0171);
    }
  });

  it("turns keep a unit quaternion and end where they must", () => {
    const { clock, sent, state } = rig();
    state.input = { isHeld: true, linear: [0, 0, 0], angular: [0, 0, 1] };
    clock.advance(4000);
    const [x, y, z, w] = sent.at(-1)!.hands[0]!.pose!.quatXyzw;
    expect(Math.hypot(x, y, z, w)).toBeCloseTo(1, 9);
    expect([x, y]).toEqual([0, 0]);
    // 0.5 rad/s for 4 s, less the soft start.
    expect(2 * Math.atan2(z, w)).toBeGreaterThan(1.9);
    expect(2 * Math.atan2(z, w)).toBeLessThan(2);
  });

  it("seen from the front, forward is towards the base", () => {
    const { clock, sent, state, stream } = rig();
    stream.standpoint = "facing";
    state.input = forward;
    clock.advance(1000);
    expect(placeOf(sent.at(-1)!)[0]).toBeLessThan(0.4);
  });

  it("lets go after the page stood still, without moving on", () => {
    const { clock, sent, state } = rig();
    state.input = forward;
    clock.advance(500);
    const before = placeOf(sent.at(-1)!);
    clock.stall(400);
    expect(clutchOf(sent.at(-1)!)).toBe(0);
    expect(placeOf(sent.at(-1)!)).toEqual(before);
    expect(state.released).toBe(1);
    expect(state.whys[0]).toMatch(/stood still for 4\d\d ms/);
    const count = sent.length;
    clock.advance(1000);
    expect(sent.length).toBe(count);
  });

  it("lets go when the connection takes no pose", () => {
    let takes = true;
    const { clock, state } = rig({ send: () => takes });
    state.input = forward;
    clock.advance(200);
    takes = false;
    clock.advance(100);
    expect(state.released).toBe(1);
    expect(state.whys).toEqual(["the connection takes no more"]);
  });

  it("a release from outside is said at once; a second one says nothing", () => {
    const { clock, sent, state, stream } = rig();
    state.input = forward;
    clock.advance(200);
    stream.release("stopped");
    expect(clutchOf(sent.at(-1)!)).toBe(0);
    const count = sent.length;
    stream.release("stopped");
    stream.close();
    clock.advance(1000);
    expect(sent.length).toBe(count);
  });

  it("pressed again soon it goes on from where it was, after a rest from the start", () => {
    const { clock, sent, state } = rig();
    const press = () => {
      state.input = forward;
      clock.advance(500);
      state.input = AT_REST;
      clock.advance(50);
    };
    press();
    const end = placeOf(sent.at(-1)!);
    const first = sent.length;
    press();
    expect(placeOf(sent[first]!)).toEqual(end);
    clock.advance(3000);
    const second = sent.length;
    press();
    expect(placeOf(sent[second]!)).toEqual([0.4, 0, 0.3]);
  });

  it("begins with the gripper as it stands, and toggles it", () => {
    const { clock, sent, state, stream } = rig();
    state.input = { ...forward, linear: [0, 0, 0] };
    clock.advance(100);
    expect(sent.at(-1)!.hands[0]!.gripper).toBe(0.25);
    stream.toggleGripper();
    clock.advance(100);
    expect(sent.at(-1)!.hands[0]!.gripper).toBe(1);
    stream.toggleGripper();
    clock.advance(100);
    expect(sent.at(-1)!.hands[0]!.gripper).toBe(0);
  });
});
