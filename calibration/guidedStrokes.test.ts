import { describe, expect, it } from "vitest";
import type { CerebellumError } from "../core/errors.js";
import type { HandPose, PoseMessage } from "../core/teleop/pose.js";
import { conjugate, type QuatXyzw, rotate } from "../kinematics/pose.js";
import type { Vector3 } from "../kinematics/xarm7.js";
import { GUIDE_LIMITS, GuidedStrokes } from "./guidedStrokes.js";
import { frameDifferenceDeg } from "./trackerSolver.js";

/** Axes of openvr-standing to forward, left, up. */
const TRUTH: QuatXyzw = [0.5, -0.5, -0.5, 0.5];
const STROKES: readonly Vector3[] = [
  [0.3, 0, 0],
  [0, 0.3, 0],
  [0, 0, 0.3],
];
const PERIOD_MS = 11;

type Change = Partial<HandPose> & { session?: string; space?: PoseMessage["space"]; noHands?: boolean };

class Operator {
  readonly guide = new GuidedStrokes("vive", "right");
  nowMs = 1000;
  atM: Vector3 = [0, 1, 0];
  #seq = 0;

  pose(change: Change = {}): void {
    const { session = "session-1", space = "openvr-standing", noHands = false, ...hand } = change;
    this.guide.take(
      {
        v: 1,
        source: "vive",
        device: "vive",
        session,
        seq: this.#seq++,
        deviceTimeMs: this.nowMs,
        space,
        visibility: "visible",
        head: null,
        hands: noHands
          ? []
          : [
              {
                hand: "right",
                mode: "controller",
                tracked: true,
                pose: { positionM: [...this.atM], quatXyzw: [0, 0, 0, 1] },
                clutch: 0,
                gripper: 0,
                buttons: { a: false, b: false, stick: false },
                stick: [0, 0],
                joints: null,
                ...hand,
              },
            ],
      },
      this.nowMs,
    );
    this.nowMs += PERIOD_MS;
  }

  /** The whole way of one stroke, in 60 poses. */
  move(strokeBaseM: Vector3): void {
    const [x, y, z] = rotate(conjugate(TRUTH), strokeBaseM);
    const from = this.atM;
    for (let i = 1; i <= 60; i++) {
      this.atM = [from[0] + (x * i) / 60, from[1] + (y * i) / 60, from[2] + (z * i) / 60];
      this.pose();
    }
  }

  stroke(strokeBaseM: Vector3): void {
    this.pose();
    this.guide.begin(this.nowMs);
    this.move(strokeBaseM);
    this.guide.end();
  }
}

const said = (work: () => unknown): string => {
  try {
    work();
  } catch (thrown) {
    return (thrown as CerebellumError).message;
  }
  return "accepted";
};

describe("the guided motion", () => {
  it("leads through three strokes and finds the frame", () => {
    const operator = new Operator();
    expect(operator.guide.state).toMatchObject({ stroke: "forward", isMoving: false, lengthM: 0 });
    for (const stroke of STROKES) operator.stroke(stroke);
    expect(operator.guide.state).toMatchObject({ stroke: undefined, isMoving: false });
    const frame = operator.guide.result("arm", 5000);
    expect(frameDifferenceDeg(frame.quatBaseTracker, TRUTH)).toBeLessThan(0.01);
    expect(frame).toMatchObject({
      device: "vive",
      space: "openvr-standing",
      robot: "arm",
      createdEpochMs: 5000,
    });
    expect(frame.strokesM).toHaveLength(3);
  });

  it.each([
    ["local-floor", /another heading after each start.*recentre/],
    ["base", /are in the robot's base frame already/],
  ] as const)("measures no frame that is another one tomorrow, or needs none: %s", (space, words) => {
    const operator = new Operator();
    operator.pose({ space });
    expect(said(() => operator.guide.begin(operator.nowMs))).toMatch(words);
    operator.pose({ space: "ros" });
    operator.guide.begin(operator.nowMs);
  });

  it("shows how far the present stroke has come", () => {
    const operator = new Operator();
    operator.pose();
    operator.guide.begin(operator.nowMs);
    operator.move([0.2, 0, 0]);
    expect(operator.guide.state.isMoving).toBe(true);
    expect(operator.guide.state.lengthM).toBeCloseTo(0.2, 6);
    expect(operator.guide.state.instruction).toMatch(/away from the robot's base/);
  });

  it.each([
    ["the clutch is pressed", (one: Operator) => one.pose({ clutch: 1 }), /the clutch was pressed/],
    ["tracking is lost", (one: Operator) => one.pose({ tracked: false }), /tracking was lost/],
    ["the pose is missing", (one: Operator) => one.pose({ pose: null }), /tracking was lost/],
    ["the hand is gone", (one: Operator) => one.pose({ noHands: true }), /tracking was lost/],
    ["the source starts again", (one: Operator) => one.pose({ session: "session-2" }), /started again/],
    ["its frame becomes another", (one: Operator) => one.pose({ space: "ros" }), /poses are in ros/],
    [
      "the tracker jumps",
      (one: Operator) => {
        one.atM = [one.atM[0] + 0.3, one.atM[1], one.atM[2]];
        one.pose();
      },
      /jumped by 30 cm/,
    ],
    [
      "poses pause",
      (one: Operator) => {
        one.nowMs += GUIDE_LIMITS.poseAgeMsMax + 1;
        one.pose();
      },
      /no pose came for/,
    ],
    [
      "it takes too long",
      (one: Operator) => {
        for (let i = 0; i < 2800; i++) one.pose();
      },
      /longer than 30 s/,
    ],
    ["a pose is malformed", (one: Operator) => one.guide.malformed("not JSON"), /malformed \(not JSON\)/],
  ] as const)(
    "breaks a stroke off when %s, keeps the others, and takes the next try",
    (_name, spoil, expected) => {
      const operator = new Operator();
      operator.stroke(STROKES[0]!);
      operator.pose();
      operator.guide.begin(operator.nowMs);
      operator.move([0, 0.05, 0]);
      spoil(operator);
      expect(operator.guide.state.isMoving).toBe(false);
      expect(operator.guide.state.problem?.message).toMatch(expected);
      expect(said(() => operator.guide.end())).toMatch(expected);
      expect(operator.guide.state.stroke).toBe("left");
      const again = operator;
      for (const stroke of STROKES.slice(1)) {
        again.pose();
        again.guide.begin(again.nowMs);
        again.move(stroke);
        again.guide.end();
      }
      expect(again.guide.state.fit?.residualDeg).toBeLessThan(0.01);
    },
  );

  it.each([
    ["no pose has come", (_one: Operator) => {}, /No poses come from vive/],
    [
      "poses are old",
      (one: Operator) => {
        one.pose();
        one.nowMs += 1000;
      },
      /No poses come/,
    ],
    ["the hand is not tracked", (one: Operator) => one.pose({ tracked: false }), /not tracked/],
    ["the clutch is held", (one: Operator) => one.pose({ clutch: 0.7 }), /The clutch is held/],
  ] as const)("does not begin a stroke while %s", (_name, prepare, expected) => {
    const operator = new Operator();
    prepare(operator);
    expect(said(() => operator.guide.begin(operator.nowMs))).toMatch(expected);
    expect(operator.guide.state.isMoving).toBe(false);
  });

  it("asks for the same stroke again when it was too short", () => {
    const operator = new Operator();
    expect(said(() => operator.stroke([0.1, 0, 0]))).toMatch(/10 cm long, at least 15 cm/);
    expect(operator.guide.state).toMatchObject({ stroke: "forward", isMoving: false });
  });

  it("begins anew with all three when they do not fit together", () => {
    const operator = new Operator();
    operator.stroke([0, 0.3, 0]);
    operator.stroke([0.3, 0, 0]);
    expect(said(() => operator.stroke([0, 0, 0.3]))).toMatch(/mirrored/);
    expect(operator.guide.state).toMatchObject({ stroke: "forward", fit: undefined });
    expect(said(() => operator.guide.result("arm", 0))).toMatch(/mirrored/);
    for (const stroke of STROKES) operator.stroke(stroke);
    expect(operator.guide.result("arm", 0).residualDeg).toBeLessThan(0.01);
  });

  it("gives no result before all three, and no fourth stroke after", () => {
    const operator = new Operator();
    expect(said(() => operator.guide.result("arm", 0))).toMatch(/forward is still to be done/);
    for (const stroke of STROKES) operator.stroke(stroke);
    operator.pose();
    expect(said(() => operator.guide.begin(operator.nowMs))).toMatch(/All three strokes are done/);
  });
});
