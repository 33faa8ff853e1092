import { describe, expect, it } from "vitest";
import { judgeStop, type WireFrame } from "./wire.js";

const PERIOD_NS = 4_000_000n;
const STEP_RAD = 0.0016;

/** Setpoints of one joint every 4 ms, at float32 as on the wire; `null` is a stop frame. */
const log = (joint: readonly (number | null)[]): WireFrame[] =>
  joint.map((value, i) => ({
    index: i,
    atNs: BigInt(i) * PERIOD_NS,
    kind: value === null ? "stop" : "motion",
    client: 1,
    stateByte: 0,
    positionRad: value === null ? undefined : [Math.fround(value), 0, 0, 0, 0, 0, 0],
  }));
const cruise = (count: number) => Array.from({ length: count }, (_, i) => 0.3 + i * STEP_RAD);
const at = (tick: number) => BigInt(tick) * PERIOD_NS;

describe("judging a stop by the wire", () => {
  it("takes the first setpoint that is shorter than the cruise, not float32 rounding", () => {
    const last = 0.3 + 29 * STEP_RAD;
    const frames = log([...cruise(30), last + STEP_RAD, last + 2 * STEP_RAD - 6.4e-7, last + 2.5 * STEP_RAD]);
    const judged = judgeStop(frames, at(29) + 1_000_000n);
    expect(judged).toMatchObject({ reaction: "braking", reactionMs: 7 });
    expect(judged!.cruiseStepRad).toBeCloseTo(STEP_RAD, 6);
    expect(judged!.restMs).toBe(11);
  });

  it("takes a stop frame when it comes first", () => {
    const judged = judgeStop(log([...cruise(30), null]), at(29) + 2_000_000n);
    expect(judged).toEqual({
      reaction: "stop",
      reactionMs: 2,
      restMs: 0,
      lastSetpointMs: expect.any(Number),
      cruiseStepRad: expect.any(Number),
    });
  });

  it("says that there was none while the arm cruises on", () => {
    const judged = judgeStop(log(cruise(60)), at(29));
    expect(judged).toMatchObject({ reaction: "none", reactionMs: Number.NaN, lastSetpointMs: 120 });
  });

  it("judges nothing when the arm did not cruise before", () => {
    expect(judgeStop(log(cruise(5)), at(4))).toBeUndefined();
    expect(judgeStop(log(cruise(30).map((value) => value ** 2)), at(20))).toBeUndefined();
    expect(judgeStop(log(Array<number>(30).fill(0.3)), at(20))).toBeUndefined();
  });
});
