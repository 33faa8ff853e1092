/** The person's fingers in the loop with a hand that follows at once: what is touched, turned, tried again, given up. */
import { describe, expect, it } from "vitest";
import type { TeleopState } from "../../core/gateway/server.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { HandKeypoints } from "../../kinematics/allegro/keypoints.js";
import { limitsOf } from "../../kinematics/allegro/limits.js";
import { Retargeting } from "../../kinematics/allegro/retargeting.js";
import { RetargetingConfig } from "../../kinematics/allegro/retargetingConfig.js";
import { multiplyQuat, quatFromRpy } from "../../kinematics/pose.js";
import type { HandLook } from "./fingerGuide.js";
import { FingerOperator } from "./fingerOperator.js";

const HAND = { model: "v4", side: "right", limits: limitsOf("v4", "right") } as const;
const CONFIG = RetargetingConfig.parse({});
const LYING: HandLook["quatXyzw"] = [0.5, 0.5, 0.5, 0.5];
const FRAME_S = 1 / 72;

class FollowingHand {
  readonly retargeting = new Retargeting(HAND, CONFIG);
  readonly #keypoints = new HandKeypoints();
  readonly #chain = new HandChain("v4", "right");

  constructor(positionRad: Float64Array) {
    this.retargeting.startAt(positionRad);
  }

  follow(joints: readonly number[]): void {
    expect(this.#keypoints.read(Float64Array.from(joints), "right")).toBe(true);
    this.retargeting.step(this.#keypoints.pointsM, FRAME_S);
  }

  get tipsM(): HandLook["tipsM"] {
    this.#chain.update(this.retargeting.positionRad);
    return [0, 3, 6, 9].map((at) => [...this.#chain.tipsM.subarray(at, at + 3)]) as HandLook["tipsM"];
  }
}

describe("a scripted person's fingers", () => {
  it.each([1, 2, 3, 4])("bring the index fingertip to a thing, and keep it there (person %i)", (seed) => {
    const operator = new FingerOperator("finger-reach", seed, "right", CONFIG.scale);
    const hand = new FollowingHand(operator.startRad(HAND, CONFIG));
    const topM: [number, number, number] = [0.045, 0.03, -0.018];
    let state: TeleopState = "ready";
    let nowS = 0;
    for (; nowS < 20 && !operator.isDone; nowS += FRAME_S) {
      const look: HandLook = { tipsM: hand.tipsM, topM, centreM: [0.03, 0.03, -0.018], quatXyzw: LYING };
      const { joints, pinch } = operator.frame(nowS, { look, state });
      if (pinch) hand.follow(joints);
      state = pinch ? "engaged" : "ready";
    }
    expect(operator.failure).toBeUndefined();
    const [x, y, z] = hand.tipsM[0]!;
    expect(Math.hypot(x - topM[0] - 0.012, y - topM[1], z - topM[2])).toBeLessThan(0.014);
    expect(nowS).toBeLessThan(15);
  });

  it("close under a cube until it has turned over, and open again", () => {
    const operator = new FingerOperator("cube-flip", 5, "right", CONFIG.scale);
    const hand = new FollowingHand(operator.startRad(HAND, CONFIG));
    let state: TeleopState = "ready";
    let hasTurned = false;
    let mostRad = 0;
    for (let nowS = 0; nowS < 20 && !operator.isDone; nowS += FRAME_S) {
      const flexionRad = hand.retargeting.positionRad[5]!;
      mostRad = Math.max(mostRad, flexionRad);
      hasTurned ||= flexionRad > 0.9;
      const quatXyzw: [number, number, number, number] = [
        ...multiplyQuat(quatFromRpy(0, hasTurned ? -Math.PI / 2 : 0, 0), LYING),
      ];
      const look: HandLook = {
        tipsM: hand.tipsM,
        topM: [0.05, 0.01, 0.03],
        centreM: [0.03, 0.01, 0.03],
        quatXyzw,
      };
      const { joints, pinch } = operator.frame(nowS, { look, state });
      if (pinch) hand.follow(joints);
      state = pinch ? "engaged" : "ready";
    }
    expect(operator).toMatchObject({ isDone: true, failure: undefined });
    expect(mostRad).toBeGreaterThan(0.9);
    expect(hand.retargeting.positionRad[5]).toBeLessThan(0.4);
    // The cube lies on index and middle finger: the ring finger stays where it is.
    expect(hand.retargeting.positionRad[9]).toBeLessThan(0.4);
  });

  it("let go after a latch and pinch again, and give up when nothing helps", () => {
    const operator = new FingerOperator("finger-reach", 7, "right", CONFIG.scale);
    const hand = new FollowingHand(operator.startRad(HAND, CONFIG));
    const look: HandLook = {
      tipsM: hand.tipsM,
      topM: [0.045, 0.03, -0.018],
      centreM: [0.03, 0.03, -0.018],
      quatXyzw: LYING,
    };
    let pinches = 0;
    let before = false;
    for (let nowS = 0; nowS < 60 && !operator.isDone; nowS += FRAME_S) {
      const { pinch } = operator.frame(nowS, { look, state: before ? "latched" : "ready" });
      if (pinch && !before) pinches++;
      before = pinch;
    }
    expect(operator.isDone).toBe(true);
    expect(operator.failure).toContain("did not follow");
    expect(pinches).toBe(6);
  });

  it("are the same person for the same seed", () => {
    const [one, same, other] = [3, 3, 4].map((seed) =>
      new FingerOperator("cube-flip", seed, "right", CONFIG.scale).startRad(HAND, CONFIG),
    );
    expect(one).toEqual(same);
    expect(one).not.toEqual(other);
  });
});
