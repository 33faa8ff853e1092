/** The deadman of a robot's hand: whatever is wrong with the fingers, or with the hand that holds the clutch, latches. */
import { beforeEach, describe, expect, it } from "vitest";
import { HAND_JOINTS, NUMBERS_PER_HAND_JOINT, type PoseMessage } from "../../core/teleop/pose.js";
import { blend, handPose, mirrored, webxrJoints } from "../../test/support/allegro/handPoses.js";
import { DeadmanConfig } from "./config.js";
import { Deadman } from "./deadman.js";
import { FingerJudge } from "./fingerJudge.js";
import { TwoHands } from "./fingerTesting.js";
import { POSE_MS } from "./testing.js";

const config = DeadmanConfig.parse({});
let deadman: Deadman;
let hands: TwoHands;
let nowMs: number;

const tremble = (hand: Float64Array): Float64Array =>
  hand.map((value, i) => (i < 3 ? value : value + 1e-4 * Math.sin(7 * i + nowMs)));

/** The next pose, a frame later: fingers tremble by a tenth of a millimetre. */
function pose(changes: Partial<PoseMessage> = {}, laterMs = POSE_MS) {
  nowMs += laterMs;
  return deadman.receive(hands.next(nowMs, changes), nowMs);
}
function shows(hand: Float64Array | null) {
  hands.joints = hand === null ? null : webxrJoints(tremble(hand));
}
function engage(): void {
  hands.pinch = 0;
  shows(handPose("open"));
  pose();
  hands.pinch = 1;
  shows(handPose("open"));
  expect(pose().action).toBe("acquire");
  deadman.grant();
  shows(handPose("open"));
  expect(pose().follow).toBeDefined();
}
function expectLatched(code: string, why = ""): void {
  expect(deadman.state).toBe("latched");
  expect(deadman.why).toMatchObject({ code });
  expect(deadman.why!.happened).toContain(why);
  expect(deadman.why!.remedy.length).toBeGreaterThan(20);
  // Well again, and the pinch is still held: nothing goes on.
  hands = Object.assign(new TwoHands(null), { seq: hands.seq, pinch: 1 });
  for (let i = 0; i < 30; i++) {
    shows(handPose("open"));
    expect(pose().follow).toBeUndefined();
  }
  expect(deadman.state).toBe("latched");
  engage();
}

beforeEach(() => {
  nowMs = 10_000;
  hands = new TwoHands(null);
  deadman = new Deadman(config, "right", { clutchOf: "other", judge: new FingerJudge("right", config) });
  deadman.take();
});

describe("fingers that everything is well with", () => {
  it("are followed while the other hand pinches, whatever the leading one does with its own thumb", () => {
    hands.leading = { clutch: 1 };
    shows(handPose("open"));
    for (let i = 0; i < 5; i++) expect(pose()).toMatchObject({ action: "nothing", follow: undefined });
    engage();
    hands.leading = { clutch: 0 };
    for (let i = 0; i < 200; i++) {
      shows(blend(handPose("open"), handPose("fist"), 0.5 - 0.5 * Math.cos(i / 15)));
      expect(pose().follow?.hand).toBe("right");
    }
    hands.pinch = 0;
    expect(pose()).toMatchObject({ action: "letGo", follow: undefined });
    expect(deadman.state).toBe("ready");
  });

  it("may be clutched by a controller in the other hand", () => {
    hands.other = { mode: "controller" };
    engage();
  });

  it("may pinch, touch each other, and make a fist", () => {
    engage();
    for (const name of ["pinch_index", "pinch_index_touch", "fist", "point", "spread"])
      for (let i = 0; i <= 30; i++) {
        shows(blend(handPose("open"), handPose(name), 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / 30)));
        expect(pose().follow, name).toBeDefined();
      }
  });

  it("are not taken for frozen or leaping when poses are lost or bunched up on their way", () => {
    engage();
    for (let i = 0; i < 60; i++) {
      shows(blend(handPose("open"), handPose("fist"), 0.5 - 0.5 * Math.cos(i / 5)));
      nowMs += POSE_MS;
      const message = hands.next(nowMs);
      // Every third pose comes together with the next.
      if (i % 3 !== 0) continue;
      expect(deadman.receive(message, nowMs).follow, `pose ${i}`).toBeDefined();
    }
  });
});

describe("fingers in doubt", () => {
  beforeEach(engage);

  const moved = (joint: (typeof HAND_JOINTS)[number], byM: readonly number[]) => {
    const joints = [...hands.joints!];
    const at = HAND_JOINTS.indexOf(joint) * NUMBERS_PER_HAND_JOINT;
    for (let axis = 0; axis < 3; axis++) joints[at + axis]! += byM[axis]!;
    hands.joints = joints;
  };
  const scaled = (share: number) => {
    shows(handPose("open").map((value) => value * share));
  };
  const crossed = (): Float64Array => {
    const hand = handPose("open");
    // Index and middle finger change places beyond their knuckles.
    for (const k of [6, 7, 8])
      for (let axis = 0; axis < 3; axis++) {
        const other = hand[3 * (k + 4) + axis]!;
        hand[3 * (k + 4) + axis] = hand[3 * k + axis]!;
        hand[3 * k + axis] = other;
      }
    return hand;
  };
  const backwards = (): Float64Array =>
    handPose("fist").map((value, i) => (i % 3 === 0 && i > 12 ? -value : value));

  it.each<[string, string, string, () => void]>([
    ["no joints", "FINGERS_MISSING", "tracks no hand joints", () => shows(null)],
    [
      "a controller in the leading hand",
      "SOURCE_CHANGED",
      "controller",
      () => (hands.leading = { mode: "controller", joints: null }),
    ],
    [
      "a joint that is no number",
      "FINGERS_NOT_FINITE",
      "thumb-tip",
      () => moved("thumb-tip", [Number.NaN, 0, 0]),
    ],
    ["all joints in one place", "FINGERS_COLLAPSED", "long", () => scaled(0)],
    ["a hand too small for anybody", "FINGERS_COLLAPSED", "long", () => scaled(0.35)],
    ["a hand too large for anybody", "FINGERS_IMPOSSIBLE", "long", () => scaled(2.5)],
    ["a finger behind the hand", "FINGERS_IMPOSSIBLE", "other hand", () => shows(backwards())],
    [
      "the left hand's joints under the right one's name",
      "FINGERS_IMPOSSIBLE",
      "",
      () => shows(mirrored(handPose("fist"))),
    ],
    ["fingers through each other", "FINGERS_IMPOSSIBLE", "run through", () => shows(crossed())],
    ["a leap of one finger", "FINGERS_JUMP", "tip by", () => shows(handPose("fist"))],
    [
      "the hand out of sight",
      "NOT_TRACKED",
      "right",
      () => (hands.leading = { tracked: false, pose: null, joints: null }),
    ],
    [
      "the clutching hand out of sight",
      "CLUTCH_HAND_GONE",
      "left",
      () => (hands.other = { tracked: false, pose: null }),
    ],
    ["the clutching hand not told of", "CLUTCH_HAND_GONE", "left", () => (hands.hasOther = false)],
    [
      "a controller where the clutching hand was",
      "SOURCE_CHANGED",
      "left",
      () => (hands.other = { mode: "controller" }),
    ],
  ])("%s: %s", (_name, code, why, happen) => {
    happen();
    expect(pose()).toMatchObject({ action: "letGo", follow: undefined });
    expectLatched(code, why);
  });

  it("fingers that freeze while the hand goes on", () => {
    const joints = webxrJoints(handPose("open"));
    for (let i = 0; deadman.state === "engaged" && i < 60; i++) {
      hands.joints = joints.map((value, at) => (at % 8 < 3 ? value + 0.01 * Math.sin(i / 9) : value));
      pose();
    }
    expectLatched("FINGERS_FROZEN", "ms");
  });

  it("a whole hand that freezes, and a clutching hand that does", () => {
    const still = { positionM: [0.2, 1, -0.3] as never, quatXyzw: [0, 0, 0, 1] as never };
    for (const which of ["leading", "other"] as const) {
      hands[which] = { pose: still };
      for (let i = 0; deadman.state === "engaged" && i < 60; i++) {
        shows(handPose("open"));
        pose();
      }
      expectLatched("POSE_FROZEN");
    }
  });
});

it("a left hand leads no right one", () => {
  deadman = new Deadman(config, "left", { clutchOf: "other", judge: new FingerJudge("right", config) });
  deadman.take();
  hands.leads = "left";
  shows(mirrored(handPose("open")));
  pose();
  expect(deadman.why).toMatchObject({ code: "FINGERS_OTHER_HAND" });
  hands.pinch = 1;
  expect(pose().action).toBe("nothing");
});

it("says what is wrong while the clutch is open, and refuses a press then", () => {
  shows(null);
  pose();
  expect(deadman.state).toBe("ready");
  expect(deadman.why).toMatchObject({ code: "FINGERS_MISSING" });
  hands.pinch = 1;
  expect(pose().action).toBe("nothing");
  shows(handPose("open"));
  expect(pose().action).toBe("nothing");
  expect(deadman.why).toMatchObject({ code: "FINGERS_MISSING" });
  engage();
});
