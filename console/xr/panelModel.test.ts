import { describe, expect, it } from "vitest";
import type { TeleopStatus } from "../../core/gateway/server.js";
import { FINGERS, RECORDER, TELEMETRY, TELEOP } from "../../test/support/headsetWire.js";
import { type PanelInput, panelModel } from "./panelModel.js";

const INPUT: PanelInput = {
  link: "open",
  linkRefusal: undefined,
  isMine: true,
  refusal: undefined,
  status: TELEOP,
  telemetry: TELEMETRY,
  phase: "idle",
  holding: undefined,
  notice: undefined,
  counts: { success: 2, failure: 1, unlabelled: 0, discarded: 4 },
  roundTripMs: 6,
  sentHz: 72,
  dropped: 0,
  usesHands: false,
  camera: { name: "wrist", ageMs: 80 },
  nowMs: 10_000,
};
const band = (change: Partial<PanelInput>) => panelModel({ ...INPUT, ...change }).band;
const row = (label: string, change: Partial<PanelInput> = {}) =>
  panelModel({ ...INPUT, ...change }).rows.find((one) => one.label.includes(label));
const why = { code: "POSE_OLD", happened: "No pose came for 130 ms", remedy: "Look at the network" };

describe("the band says what is and what to do", () => {
  it.each<[string, Partial<PanelInput>, string, RegExp]>([
    ["ready", {}, "Ready", /squeeze the grip and hold/],
    ["ready by hand", { usesHands: true }, "Ready", /pinch thumb and index finger/],
    ["not aligned", { status: { ...TELEOP, alignment: "none" } }, "Ready", /hold B to recentre/],
    ["refused at engage", { status: { ...TELEOP, why } }, "Ready", /No pose came.*Look at the network/],
    ["engaging", { status: { ...TELEOP, state: "engaging" } }, "Taking hold", /still/],
    ["engaged", { status: { ...TELEOP, state: "engaged" } }, "Moving with you", /Let go of the grip/],
    [
      "latched",
      { status: { ...TELEOP, state: "latched", why } },
      "Held",
      /130 ms.*Let go.*squeeze the grip again/,
    ],
    [
      "latched by hand",
      { usesHands: true, status: { ...TELEOP, state: "latched", why } },
      "Held",
      /Open your fingers/,
    ],
    [
      "off",
      { isMine: false, status: { ...TELEOP, state: "off", operator: "" } },
      "Not yours",
      /Nobody operates/,
    ],
    [
      "warned",
      { status: { ...TELEOP, state: "engaged", warning: "The elbow is turned over" } },
      "Moving with you",
      /^The elbow is turned over\. Let go/,
    ],
    [
      "another's",
      { isMine: false, status: { ...TELEOP, operator: "Ada" } },
      "Not yours",
      /Ada operates the robot/,
    ],
    ["refused", { isMine: false, refusal: why }, "Not yours", /No pose came.*To ask again/],
    ["lost", { link: "lost" }, "Not connected", /follows you no more/],
    ["refused link", { link: "refused", linkRefusal: why }, "Refused", /Look at the network/],
    ["no status yet", { status: undefined }, "Asking", /Waiting/],
  ])("%s", (_, change, title, advice) => {
    expect(band(change).title).toBe(title);
    expect(band(change).advice).toMatch(advice);
  });

  it.each([
    [
      "Wake the controller; release the clutch and press it again",
      "It slept. Wake the controller. Let go of the grip, then squeeze the grip again",
    ],
    ["Release the clutch and press it again", "It slept. Let go of the grip, then squeeze the grip again"],
  ])("says once what to do with the clutch: %s", (remedy, advice) => {
    const slept = { code: "HAND_GONE", happened: "It slept", remedy };
    expect(band({ status: { ...TELEOP, state: "latched", why: slept } }).advice).toBe(advice);
  });

  it("moving, held and lost have tones of their own", () => {
    const tones = (["ready", "engaged", "latched"] as const).map(
      (state) => band({ status: { ...TELEOP, state } }).tone,
    );
    expect(tones).toEqual(["calm", "moving", "warn"]);
    expect(band({ link: "lost" }).tone).toBe("bad");
  });
});

describe("the strip", () => {
  it("shows a held key before the question, the question before a notice, a notice before the hints", () => {
    const holding = { key: "a", share: 0.5, words: "success" } as const;
    const notice = { text: "Recording", tone: "good", atMs: 9000 } as const;
    expect(panelModel({ ...INPUT, holding, notice, phase: "asking" }).strip).toMatchObject({
      kind: "hold",
      share: 0.5,
    });
    expect(panelModel({ ...INPUT, notice, phase: "asking" }).strip).toMatchObject({
      text: expect.stringMatching(/How was it/),
    });
    expect(panelModel({ ...INPUT, notice }).strip).toMatchObject({ text: "Recording" });
    expect(panelModel({ ...INPUT, notice: { ...notice, atMs: 0 } }).strip).toMatchObject({
      text: expect.stringMatching(/Hold A: record/),
    });
    expect(panelModel({ ...INPUT, phase: "recording" }).strip).toMatchObject({
      text: expect.stringMatching(/discard/),
    });
  });

  it.each(["idle", "recording", "asking"] as const)("names no button to a bare hand: %s", (phase) => {
    const { strip } = panelModel({ ...INPUT, usesHands: true, phase });
    expect(strip).toMatchObject({ kind: "text", text: expect.stringMatching(/thumb and ring finger/i) });
    expect(strip).not.toMatchObject({ text: expect.stringMatching(/\b[AB]\b|stick/) });
  });
});

describe("the rows", () => {
  it("count episodes without the discarded", () =>
    expect(row("Episodes")?.value).toBe("3  (2 good, 1 failed)"));

  it("tell what holds the motion back", () => {
    expect(row("Held back")).toMatchObject({ value: "nothing", tone: "plain" });
    expect(row("Held back", { status: { ...TELEOP, limitedBy: ["reach", "joint 4 limit"] } })).toMatchObject({
      value: "reach, joint 4 limit",
      tone: "warn",
    });
  });

  it("tell how far the tool is behind the hand, once it is more than a centimetre", () => {
    const behind = (leashM: number) =>
      row("Held back", { status: { ...TELEOP, limitedBy: ["reach"], leashM } })?.value;
    expect([behind(0.004), behind(0.0315)]).toEqual(["reach", "reach, 32 mm behind"]);
  });

  it("warn of an old picture, of none, of a slow round trip and of few poses", () => {
    expect(row("Picture")).toMatchObject({ value: "80 ms old, wrist", tone: "plain" });
    expect(row("Picture", { camera: { name: "wrist", ageMs: 1200 } })?.tone).toBe("bad");
    expect(row("Picture", { camera: undefined })).toMatchObject({ value: "none", tone: "bad" });
    expect(row("Round trip", { roundTripMs: 90 })?.tone).toBe("warn");
    expect(row("Poses", { sentHz: 20, dropped: 3 })).toMatchObject({ value: "20 /s, 3 lost", tone: "warn" });
  });

  it("tell how recording stands, and nothing of before once the connection is lost", () => {
    expect(row("Recording")?.value).toBe("off");
    expect(row("Recording", { link: "lost", phase: "recording" })?.value).toBe("unknown");
    const recording = {
      ...TELEMETRY,
      recorder: { ...RECORDER, state: "recording", seconds: 12.4, episode: "0007" },
    };
    expect(row("Recording", { phase: "recording", telemetry: recording })?.value).toBe("12 s  0007");
    expect(row("Saved", { phase: "asking" })?.tone).toBe("warn");
    expect(row("Recording", { telemetry: { ...TELEMETRY, recorder: null } })?.value).toMatch(
      /does not record/,
    );
  });

  it("show a dash for what is not known", () => {
    expect(row("wire", { status: undefined })?.value).toBe("–  (99 %: –)");
  });
});

describe("where fingers lead fingers", () => {
  const fingers = (change: Partial<TeleopStatus> = {}): Partial<PanelInput> => ({
    usesHands: true,
    status: { ...TELEOP, ...FINGERS, ...change },
  });
  const measured = { ...FINGERS.handSize, scale: 1.14, measuredEpochMs: 1.7e12 };
  const strip = (change: Partial<PanelInput>) => panelModel({ ...INPUT, ...change }).strip;

  it.each<[string, Partial<PanelInput>, string, RegExp]>([
    [
      "ready",
      fingers({ handSize: measured }),
      "Ready",
      /^Show your right hand\. To lead with it, pinch with your left hand and hold$/,
    ],
    [
      "ready, not measured",
      fingers(),
      "Ready",
      /pinch with your left hand.*measured: thumb and middle finger/,
    ],
    [
      "ready, a controller in the other hand",
      { ...fingers(), usesHands: false },
      "Ready",
      /squeeze the grip in your left hand.*measured: trigger/,
    ],
    [
      "a left hand leads",
      fingers({ hand: "left" }),
      "Ready",
      /Show your left hand.*pinch with your right hand/,
    ],
    ["in doubt", fingers({ why }), "Ready", /No pose came/],
    [
      "measuring",
      fingers({
        handSize: {
          ...measured,
          measuring: { share: 0.4, flatCount: 120, bentCount: 1, unseenCount: 0, advice: "Hold it flat" },
        },
      }),
      "Measuring",
      /^Hold it flat$/,
    ],
    [
      "catching up",
      fingers({ state: "engaged", limitedBy: ["catching up"] }),
      "Catching up",
      /come to where yours are\. Open your left hand to hold/,
    ],
    [
      "engaged",
      fingers({ state: "engaged", limitedBy: ["thumb reach"] }),
      "Moving with you",
      /^Open your left hand to hold/,
    ],
    [
      "latched",
      fingers({ state: "latched", why }),
      "Held",
      /Open your left hand, then pinch with your left hand again/,
    ],
    ["not theirs", { ...fingers(), isMine: false }, "Not yours", /To ask again, pinch with your left hand/],
  ])("%s", (_name, change, title, advice) => {
    expect(band(change)).toMatchObject({ title, advice: expect.stringMatching(advice) });
  });

  it("says what the other hand's fingers do, and offers no recentring", () => {
    expect(strip(fingers())).toMatchObject({
      text: "Thumb and ring finger: record   middle finger: measure hand",
    });
  });

  it("shows how far a measurement is, and what the hand is in numbers", () => {
    const measuring = { share: 0.4, flatCount: 120, bentCount: 1, unseenCount: 0, advice: "Hold it flat" };
    expect(strip(fingers({ handSize: { ...measured, measuring } }))).toEqual({
      kind: "hold",
      share: 0.4,
      words: "120 good",
    });
    expect(row("Your hand", fingers())).toMatchObject({ tone: "warn", value: "not measured, ×1.30" });
    expect(row("Your hand", fingers({ handSize: measured }))).toMatchObject({ tone: "plain" });
    expect(row("Your hand")).toBeUndefined();
    // As many rows as the panel has room for.
    expect(panelModel({ ...INPUT, ...fingers() }).rows).toHaveLength(panelModel(INPUT).rows.length);
  });
});
