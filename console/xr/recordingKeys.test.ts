import { describe, expect, it } from "vitest";
import {
  KEYS,
  type Key,
  type KeyAction,
  MEANINGS,
  RecordingKeys,
  type RecordingPhase,
} from "./recordingKeys.js";

const FRAME_MS = 14;
const NONE = { a: false, b: false, stick: false, size: false };

class Hands {
  readonly keys = new RecordingKeys();
  readonly actions: KeyAction[] = [];
  nowMs = 1000;
  phase: RecordingPhase = "idle";
  isClutchOpen = true;

  hold(held: readonly Key[], ms: number): this {
    const down = { ...NONE, ...Object.fromEntries(held.map((key) => [key, true])) };
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += FRAME_MS) {
      const action = this.keys.update(down, this.phase, this.isClutchOpen, this.nowMs);
      if (action !== undefined) this.actions.push(action);
    }
    return this;
  }
}

const cases = (Object.keys(MEANINGS) as RecordingPhase[]).flatMap((phase) =>
  KEYS.map((key) => [phase, key, MEANINGS[phase][key]] as const),
);

describe.each(cases)("%s, %s held", (phase, key, meaning) => {
  const start = () => Object.assign(new Hands().hold([], 30), { phase }).hold([], 30);

  it(`does ${meaning?.action ?? "nothing"} once, however long it is held`, () => {
    expect(start().hold([key], 5000).actions).toEqual(meaning === undefined ? [] : [meaning.action]);
  });

  it("does nothing when it is let go early, however often", () => {
    const hands = start();
    for (let press = 0; press < 10; press++)
      hands.hold([key], (meaning?.holdMs ?? 500) - 50).hold([], 2 * FRAME_MS);
    expect(hands.actions).toEqual([]);
  });

  it("does nothing together with another key, nor when that one is let go", () => {
    const other = KEYS.find((one) => one !== key)!;
    expect(start().hold([key, other], 3000).hold([key], 3000).actions).toEqual([]);
  });

  it("does nothing when it was down before the phase began", () => {
    const hands = Object.assign(new Hands().hold([], 30), {
      phase: phase === "idle" ? ("asking" as const) : ("idle" as const),
    });
    hands.hold([key], 100);
    hands.phase = phase;
    expect(hands.hold([key], 5000).actions).toEqual([]);
  });
});

it("recentring wants an open clutch, also one that opens while B is held", () => {
  const hands = Object.assign(new Hands(), { isClutchOpen: false });
  expect(hands.hold([], 30).hold(["b"], 2000).actions).toEqual([]);
  hands.isClutchOpen = true;
  hands.hold(["b"], 300);
  expect(hands.actions).toEqual([]);
  expect(hands.hold(["b"], 300).actions).toEqual(["recentre"]);
});

it("one hold of A stops the recording, and another says success", () => {
  const hands = Object.assign(new Hands().hold([], 30), { phase: "recording" as RecordingPhase });
  hands.hold([], 30).hold(["a"], 600);
  hands.phase = "asking";
  hands.hold(["a"], 2000).hold([], 30).hold(["a"], 600);
  expect(hands.actions).toEqual(["stop", "labelSuccess"]);
});

it("shows how full the ring is", () => {
  const hands = new Hands().hold([], 30).hold(["a"], 230);
  expect(hands.keys.holding).toMatchObject({ key: "a", words: "record" });
  expect(hands.keys.holding!.share).toBeGreaterThan(0.4);
  expect(hands.keys.holding!.share).toBeLessThan(0.6);
  expect(hands.hold([], 30).keys.holding).toBeUndefined();
});

it("after frames were missing, a key must be pressed anew", () => {
  const hands = new Hands().hold([], 30).hold(["a"], 300);
  hands.keys.forget();
  expect(hands.hold(["a"], 3000).actions).toEqual([]);
  expect(hands.hold([], 30).hold(["a"], 600).actions).toEqual(["start"]);
});
