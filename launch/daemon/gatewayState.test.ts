import { describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import type { GatewayEvent, GatewayState, GatewayStatus } from "../../runtime/gateway/host.js";
import { ToGateway } from "../../runtime/gateway/messages.js";
import type { PolicyStatus } from "../../runtime/policy/host.js";
import { StepCounters } from "../../runtime/policy/steps.js";
import type { RecorderStatus } from "../../runtime/recorder/host.js";
import { GatewayStateFeed } from "./gatewayState.js";

const POLICY: PolicyStatus = {
  phase: "ready",
  bundle: undefined,
  statistics: new StepCounters().summary(),
  framesWritten: 0,
  failure: undefined,
};
const RECORDER: RecorderStatus = {
  state: "idle",
  task: "",
  episode: "",
  folder: "",
  seconds: 0,
  bytes: 0,
  messages: 0,
  dropped: 0,
  lostBefore: 0,
  topics: {},
  diskFreeBytes: 1e9,
  queueBytes: 0,
  message: "",
  lastEnded: undefined,
  repairs: [],
  restarts: 0,
};

function started({ isAlwaysTold = false } = {}) {
  const clock = new SimClock();
  const states: GatewayState[] = [];
  const events: GatewayEvent[] = [];
  const known: { policy?: PolicyStatus; recorder?: RecorderStatus; clients: number } = { clients: 1 };
  const feed = new GatewayStateFeed({
    clock,
    isAlwaysTold,
    host: {
      state: (state) => states.push(state),
      event: (event) => events.push(event),
      status: () => ({ clients: Array(known.clients).fill({}) }) as unknown as GatewayStatus,
    },
    policy: () => known.policy,
    steering: () => undefined,
    recorder: () => known.recorder,
    activity: () => "reaching",
    cameras: () => new Map([["wrist", { newestAgeMs: () => 21.123, rateHz: () => Number.NaN }]]),
  });
  return { clock, states, events, known, feed };
}

describe("the gateway's state", () => {
  it("is told five times a second, only while somebody is connected, in the form the thread takes", async () => {
    const { clock, states, known, feed } = started();
    known.policy = POLICY;
    known.recorder = RECORDER;
    void feed.run();
    await clock.advance(1000);
    expect(states.length).toBeGreaterThanOrEqual(5);
    expect(states.length).toBeLessThanOrEqual(6);
    for (const state of states) ToGateway.parse({ kind: "state", ...state });
    // Nothing has been measured yet: unknown, not zero.
    expect(states[0]!.policy!.partsMs.encode).toEqual({ p50: null, p99: null });
    expect(states[0]!.cameras).toEqual({ wrist: { ageMs: 21.12, rateHz: 0 } });
    known.clients = 0;
    states.length = 0;
    await clock.advance(1000);
    expect(states).toEqual([]);
    feed.close();
  });

  it("is told all the time where a fleet hears of it: who listens to a broker is no client here", async () => {
    const { clock, states, known, feed } = started({ isAlwaysTold: true });
    known.clients = 0;
    known.recorder = { ...RECORDER, state: "recording", task: "reach", episode: "episode-000001" };
    void feed.run();
    await clock.advance(1000);
    known.recorder = RECORDER;
    await clock.advance(1000);
    expect(states[0]?.recorder?.state).toBe("recording");
    expect(states.at(-1)?.recorder?.state).toBe("idle");
    feed.close();
  });

  it("passes each set of diagnostics on once, without numbers that JSON does not have", () => {
    const { states, feed } = started();
    feed.takeDiagnostics([
      {
        name: "servo: arm",
        hardwareId: "",
        level: "ok",
        message: "holding",
        values: { ageMs: Number.NaN, n: 1 },
      },
    ]);
    feed.tell();
    feed.tell();
    expect(states[0]!.diagnostics).toEqual([
      { name: "servo: arm", level: "ok", message: "holding", values: { ageMs: null, n: 1 } },
    ]);
    expect(states[1]!.diagnostics).toBeUndefined();
  });

  it("makes events of what has changed, also while nobody is connected", () => {
    const { events, known, feed } = started();
    known.clients = 0;
    known.policy = POLICY;
    known.recorder = RECORDER;
    feed.tell();
    known.recorder = { ...RECORDER, state: "recording", task: "reach", episode: "episode-000001" };
    feed.tell();
    feed.tell();
    known.recorder = {
      ...RECORDER,
      lastEnded: {
        task: "reach",
        episode: "episode-000001",
        seconds: 4.2,
        bytes: 0,
        messages: 0,
        dropped: 0,
        lostBefore: 0,
        topics: {},
        folder: "",
        because: "stopped",
        detail: "",
        outcome: "success",
        flags: [],
        discarded: false,
      },
    };
    known.policy = {
      ...POLICY,
      phase: "failed",
      failure: { code: "FRAME_STALE", happened: "the camera is old", remedy: "Look at it" },
    };
    feed.tell();
    const camera = { name: "camera: wrist", hardwareId: "", values: {} };
    feed.takeDiagnostics([{ ...camera, level: "ok", message: "30 Hz" }]);
    feed.takeDiagnostics([{ ...camera, level: "error", message: "no image" }]);
    feed.takeDiagnostics([{ ...camera, level: "error", message: "no image for longer" }]);
    feed.takeDiagnostics([{ ...camera, level: "ok", message: "30 Hz" }]);
    expect(events.map(({ level, source, text }) => `${level} ${source}: ${text}`)).toEqual([
      "info policy: policy is ready",
      "info recorder: recording reach/episode-000001",
      "error policy: the camera is old",
      "info recorder: reach/episode-000001: 4.2 s, success",
      "error camera: wrist: no image",
      "info camera: wrist: 30 Hz",
    ]);
    expect(events[2]!.remedy).toBe("Look at it");
  });
});
