/** What held buttons, the gateway's words and lost connections make a worn headset do. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { EmulatedHeadset } from "../../launch/headset/emulatedHeadset.js";
import { FINGERS, HeadsetWire, WELCOME } from "../../test/support/headsetWire.js";

let clock: SimClock;
let wire: HeadsetWire;
let headset: EmulatedHeadset;

beforeEach(async () => {
  clock = new SimClock();
  wire = new HeadsetWire();
  headset = new EmulatedHeadset({ clock, openSocket: wire.openSocket });
  await connect();
});
afterEach(() => headset.close());

async function connect(): Promise<void> {
  const connecting = headset.connect("http://robot:8443", "token");
  await clock.advance(1);
  await connecting;
  await clock.advance(100);
}
/** Holds a button on the simulated clock. */
async function hold(button: "a" | "b" | "stick", ms: number): Promise<void> {
  headset.setButtons("right", { [button]: true });
  await clock.advance(ms);
  headset.setButtons("right", { [button]: false });
  await clock.advance(50);
}
async function tellRecorder(recorder: Parameters<HeadsetWire["tellRecorder"]>[0]): Promise<void> {
  wire.tellRecorder(recorder);
  await clock.advance(50);
}
const asked = () => wire.requests.filter(({ do: name }) => name !== "takeTeleop");

describe("recording from the headset", () => {
  it("start, stop, success: three held buttons, and the label names the episode that was stopped", async () => {
    await hold("a", 600);
    expect(asked()).toEqual([{ do: "startRecording", task: "demonstrations", note: "" }]);
    await tellRecorder({ state: "recording", task: "demonstrations", episode: "0007", seconds: 3 });
    expect(headset.session.phase).toBe("recording");
    await hold("a", 600);
    expect(asked().at(-1)).toEqual({ do: "stopRecording", outcome: "unlabelled", note: "" });
    await tellRecorder({ state: "idle", task: "demonstrations", episode: "0007", lastOutcome: "unlabelled" });
    expect(headset.session.phase).toBe("asking");
    await hold("a", 600);
    expect(asked().at(-1)).toEqual({
      do: "labelEpisode",
      outcome: "success",
      note: "",
      task: "demonstrations",
      episode: "0007",
    });
    expect(headset.session).toMatchObject({ phase: "idle", counts: { success: 1, failure: 0 } });
    expect(asked()).toHaveLength(3);
  });

  it.each([
    ["b", "failure"],
    ["stick", "unlabelled"],
  ] as const)("%s after stopping counts as %s", async (button, counted) => {
    await tellRecorder({ state: "recording", task: "t", episode: "0001" });
    await hold("a", 600);
    await tellRecorder({ state: "idle" });
    await hold(button, 600);
    expect(headset.session.counts[counted]).toBe(1);
    expect(headset.session.phase).toBe("idle");
  });

  it("discards only after a long hold of the stick", async () => {
    await tellRecorder({ state: "recording", episode: "0001" });
    await hold("stick", 900);
    expect(asked()).toEqual([]);
    await hold("stick", 1400);
    expect(asked()).toEqual([{ do: "discardRecording" }]);
    expect(headset.session.counts.discarded).toBe(1);
  });

  it("a short press does nothing", async () => {
    for (const button of ["a", "b", "stick"] as const) await hold(button, 250);
    expect(asked()).toEqual([]);
  });

  it("a refusal is said in the gateway's words, and the phase stays", async () => {
    wire.answerer = () => ({ code: "RECORDING_FAILED", happened: "The disk is full", remedy: "Make room" });
    await hold("a", 600);
    expect(headset.session).toMatchObject({
      phase: "idle",
      notice: { tone: "bad", text: "The disk is full. Make room" },
    });
  });

  it("somebody else's next recording ends the question about the one before", async () => {
    await tellRecorder({ state: "recording", episode: "0001" });
    await hold("a", 600);
    await tellRecorder({ state: "idle" });
    await tellRecorder({ state: "recording", episode: "0002" });
    await tellRecorder({ state: "idle" });
    expect(headset.session.phase).toBe("idle");
  });

  it("buttons that are held while nobody sees do nothing, and must be pressed anew", async () => {
    headset.setButtons("right", { a: true });
    headset.setVisibility("visible-blurred");
    await clock.advance(1000);
    headset.setVisibility("visible");
    await clock.advance(1000);
    expect(asked()).toEqual([]);
  });
});

describe("recentring", () => {
  it("is asked for by a held B while the clutch is open", async () => {
    await hold("b", 600);
    expect(asked()).toEqual([{ do: "recentre" }]);
  });

  it("is not while it is held", async () => {
    headset.setButtons("right", { squeeze: 1 });
    await clock.advance(50);
    await hold("b", 1000);
    expect(asked()).toEqual([]);
  });
});

describe("who operates", () => {
  const busy = { code: "TELEOP_REFUSED", happened: "Ada operates", remedy: "Ask her" };

  it("a refusal is kept, and a fresh squeeze asks again, once", async () => {
    headset.close();
    wire.answerer = (request) => (request.do === "takeTeleop" ? busy : undefined);
    headset = new EmulatedHeadset({ clock, openSocket: wire.openSocket });
    await connect();
    expect(headset.isMine).toBe(false);
    expect(headset.session.refusal).toEqual(busy);
    wire.answerer = () => undefined;
    const count = wire.requests.length;
    headset.setButtons("right", { squeeze: 1 });
    await clock.advance(500);
    expect(wire.requests.slice(count)).toEqual([{ do: "takeTeleop", robot: "xarm7" }]);
    expect(headset.isMine).toBe(true);
  });

  it("is lost when the gateway says so, by state or by name", async () => {
    wire.tellTeleop({ state: "engaged" });
    expect(headset.isMine).toBe(true);
    wire.tellTeleop({ state: "ready", operator: "somebody else" });
    expect(headset.isMine).toBe(false);
    await headset.takeTeleop();
    expect(headset.isMine).toBe(true);
    wire.tellTeleop({ state: "off", operator: WELCOME.client });
    expect(headset.isMine).toBe(false);
  });
});

it("what was asked for and granted after the headset was taken off is given back", async () => {
  wire.isMute = true;
  void headset.takeTeleop();
  headset.session.end();
  const before = asked().length;
  wire.isMute = false;
  wire.tell({ kind: "answer", id: wire.requests.length, ok: true, message: "taken" });
  await clock.advance(50);
  expect(asked().slice(before)).toEqual([{ do: "giveTeleop" }]);
});

it("pulses of the gateway reach the hand that they are for", async () => {
  const felt: string[] = [];
  headset.onHaptic(({ hand, why }) => felt.push(`${hand} ${why}`));
  wire.tell({ kind: "haptic", hand: "right", strength: 0.5, durationMs: 60, why: "limit" });
  expect(felt).toEqual(["right limit"]);
  expect(headset.lastPulse("right")).toEqual({ strength: 0.5, durationMs: 60 });
  expect(headset.lastPulse("left")).toBeUndefined();
});

it("a moved floor is another session, and says what to do", async () => {
  const before = wire.poses.at(-1)!.session;
  headset.moveFloor();
  await clock.advance(50);
  expect(wire.poses.at(-1)!.session).not.toBe(before);
  expect(headset.session.notice?.text).toContain("recentre");
});

describe("a hand that leads fingers", () => {
  const wrist = (x: number) => ({ positionM: [x, 1.1, -0.3] as never, quatXyzw: [0, 0, 0, 1] as never });
  const pinch = async (
    side: "left" | "right",
    fingers: { index?: number; middle?: number; ring?: number; little?: number },
    ms: number,
  ) => {
    headset.setHandPose(side, wrist(side === "right" ? 0.2 : -0.2), fingers);
    await clock.advance(ms);
    headset.setHandPose(side, wrist(side === "right" ? 0.2 : -0.2));
    await clock.advance(50);
  };
  beforeEach(async () => {
    wire.tellTeleop(FINGERS);
    for (const side of ["left", "right"] as const) await pinch(side, {}, 20);
  });

  it("says nothing by what its fingers do; the other one records and measures", async () => {
    for (const finger of ["index", "middle", "ring", "little"]) await pinch("right", { [finger]: 1 }, 1500);
    expect(asked()).toEqual([]);
    await pinch("left", { middle: 1 }, 600);
    expect(asked()).toEqual([{ do: "measureHand", phase: "begin" }]);
    await pinch("left", { ring: 1 }, 600);
    expect(asked().at(-1)).toMatchObject({ do: "startRecording" });
  });

  it("needs no recentring: the little finger is good for labels only", async () => {
    await pinch("left", { little: 1 }, 1000);
    expect(asked()).toEqual([]);
    await tellRecorder({ state: "recording", task: "t", episode: "0001" });
    await pinch("left", { ring: 1 }, 600);
    await tellRecorder({ state: "idle" });
    await pinch("left", { little: 1 }, 600);
    expect(headset.session.counts.failure).toBe(1);
  });

  it("is not measured while it leads, and a measurement is called off by the same key", async () => {
    headset.setHandPose("left", wrist(-0.2), { index: 1, middle: 1 });
    await clock.advance(1000);
    expect(asked()).toEqual([]);
    await pinch("left", {}, 50);
    const measuring = { share: 0.1, flatCount: 9, bentCount: 0, unseenCount: 0, advice: "" };
    wire.tellTeleop({ ...FINGERS, handSize: { ...FINGERS.handSize, measuring } });
    await pinch("left", { middle: 1 }, 600);
    expect(asked()).toEqual([{ do: "measureHand", phase: "cancel" }]);
  });

  it("is told how its measurement went, by words and by a pulse", async () => {
    const size = FINGERS.handSize;
    wire.tellTeleop({ ...FINGERS, handSize: { ...size, problem: "The hand was not measured: bent" } });
    expect(headset.session.notice).toMatchObject({ tone: "bad", text: expect.stringContaining("bent") });
    wire.tellTeleop({ ...FINGERS, handSize: { ...size, scale: 1.14, measuredEpochMs: 1.7e12 } });
    expect(headset.session.notice).toMatchObject({ tone: "good", text: expect.stringContaining("1.14") });
  });

  it("of a tool has no size to measure", async () => {
    wire.tellTeleop({});
    await pinch("left", { middle: 1 }, 1000);
    expect(asked()).toEqual([]);
  });
});

describe("an arm that carries a hand", () => {
  const taken = () => wire.requests.filter((request) => request.do === "takeTeleop");
  const wrist = { positionM: [0.2, 1.1, -0.3], quatXyzw: [0, 0, 0, 1] } as never;

  it("is taken with its fingers once the leading hand is bare, and without once it holds a controller", async () => {
    wire.tellTeleop({ carriesHand: true });
    await clock.advance(100);
    expect(taken()).toHaveLength(1);
    headset.setHandPose("right", wrist);
    await clock.advance(100);
    expect(taken().at(-1)).toEqual({ do: "takeTeleop", robot: "xarm7", fingers: true });
    wire.tellTeleop({ carriesHand: true, leads: "toolAndFingers" });
    await clock.advance(2000);
    expect(taken()).toHaveLength(2);
    headset.setController("right", wrist);
    await clock.advance(100);
    expect(taken().at(-1)).toEqual({ do: "takeTeleop", robot: "xarm7" });
    expect(taken()).toHaveLength(3);
  });

  it("is not taken anew while it is led, nor more than once a second", async () => {
    wire.tellTeleop({ carriesHand: true, state: "engaged" });
    headset.setHandPose("right", wrist);
    await clock.advance(2000);
    expect(taken()).toHaveLength(1);
    wire.tellTeleop({ carriesHand: true });
    await clock.advance(2500);
    expect(taken().length).toBeLessThanOrEqual(4);
    expect(taken().length).toBeGreaterThan(1);
  });

  it("without a hand is led by bare hands as ever", async () => {
    headset.setHandPose("right", wrist);
    await clock.advance(2000);
    expect(taken()).toHaveLength(1);
  });
});
