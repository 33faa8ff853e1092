import { describe, expect, it } from "vitest";
import { ClientMessage } from "../../../core/gateway/client.js";
import { PageSimClock } from "../../../test/support/console/pageSimClock.js";
import { AT_REST, type DriveInput } from "./driveInput.js";
import { PACES, VelocityStream } from "./velocityStream.js";

const RANGE = {
  forwardMPerS: [-0.3, 1] as [number, number],
  leftMPerS: [-0.3, 0.3] as [number, number],
  yawRateRadPerS: [-1, 1] as [number, number],
};

function rig() {
  const clock = new PageSimClock();
  const sent: Extract<ClientMessage, { kind: "velocity" }>[] = [];
  const state: { input: DriveInput; range: typeof RANGE | undefined; takes: boolean; whys: string[] } = {
    input: AT_REST,
    range: RANGE,
    takes: true,
    whys: [],
  };
  const stream = new VelocityStream({
    clock,
    robot: "digit",
    range: () => state.range,
    send: (asked) => {
      const message = ClientMessage.parse({ kind: "velocity", ...asked });
      if (message.kind === "velocity") sent.push(message);
      return state.takes;
    },
    input: {
      read: () => state.input,
      release: () => {
        state.input = AT_REST;
      },
    },
    onChange: (isHeld, why) => {
      if (!isHeld) state.whys.push(why);
    },
  });
  stream.start();
  const last = () => sent.at(-1)!;
  return { clock, sent, state, stream, last };
}
const held = (forward: number, left = 0, yaw = 0): DriveInput => ({
  isHeld: true,
  linear: [forward, left, 0],
  angular: [0, 0, yaw],
});

describe("a stream of velocities", () => {
  it("says nothing while nothing is held, and the end once", () => {
    const { clock, sent, state, last } = rig();
    clock.advance(2000);
    expect(sent).toEqual([]);
    state.input = held(0);
    clock.advance(1000);
    expect(sent.length).toBeGreaterThanOrEqual(19);
    expect(last().isHeld).toBe(true);
    state.input = AT_REST;
    clock.advance(1000);
    const count = sent.length;
    expect(last()).toMatchObject({
      robot: "digit",
      isHeld: false,
      velocity: { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 },
    });
    clock.advance(1000);
    expect(sent.length).toBe(count);
  });

  it("rises to its share of the policy's range, each way its own, and falls at once", () => {
    const { clock, sent, state, stream, last } = rig();
    stream.pace = "full";
    state.input = held(1);
    clock.advance(1000);
    expect(last().velocity.forwardMPerS).toBe(1);
    for (const [index, { velocity }] of sent.entries())
      expect(velocity.forwardMPerS - (sent[index - 1]?.velocity.forwardMPerS ?? 0)).toBeLessThanOrEqual(0.11);
    state.input = held(0);
    clock.advance(60);
    expect(last().velocity.forwardMPerS).toBe(0);
    state.input = held(-1, 1, -1);
    clock.advance(1000);
    expect(last().velocity).toEqual({ forwardMPerS: -0.3, leftMPerS: 0.3, yawRateRadPerS: -1 });
    stream.pace = "slow";
    clock.advance(60);
    expect(last().velocity.yawRateRadPerS).toBeCloseTo(-PACES.slow.share, 9);
  });

  it("is above the cut-offs of a walking policy even at its slowest", () => {
    const { clock, state, stream, last } = rig();
    stream.pace = "slow";
    state.input = held(-1, -1, 1);
    clock.advance(1000);
    const { forwardMPerS, leftMPerS, yawRateRadPerS } = last().velocity;
    expect(Math.min(-forwardMPerS, -leftMPerS)).toBeGreaterThanOrEqual(0.1);
    expect(yawRateRadPerS).toBeGreaterThanOrEqual(0.26);
  });

  it.each<[string, (rig_: ReturnType<typeof rig>) => void, RegExp]>([
    ["a page that stood still", ({ clock }) => clock.stall(400), /stood still/],
    ["somebody's word", ({ stream }) => stream.release("stopped"), /stopped/],
    [
      "a connection that takes no more",
      ({ clock, state }) => {
        state.takes = false;
        clock.advance(60);
      },
      /takes no more/,
    ],
  ])("ends by %s, with zero", (_, happens, why) => {
    const page = rig();
    page.state.input = held(1);
    page.clock.advance(500);
    happens(page);
    expect(page.last()).toMatchObject({ isHeld: false, velocity: { forwardMPerS: 0 } });
    expect(page.state.whys[0]).toMatch(why);
  });

  it("asks for nothing where no policy takes any", () => {
    const { clock, state, last } = rig();
    state.range = undefined;
    state.input = held(1);
    clock.advance(500);
    expect(last()).toMatchObject({ isHeld: true, velocity: { forwardMPerS: 0 } });
  });
});
