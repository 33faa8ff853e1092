/** The judge of the kill campaign finds what it is there to find. */
import { describe, expect, it } from "vitest";
import type { WireFrame } from "../launch/rig/wire.js";
import {
  judgeFresh,
  judgeLimits,
  judgeRest,
  judgeStanding,
  measureStreams,
  REST_MS_MAX,
} from "./campaigns/kill/wireJudge.js";

const frame = (index: number, first: number, client = 1): WireFrame => ({
  index,
  atNs: BigInt(index) * 4_000_000n,
  kind: "motion",
  client,
  stateByte: 0,
  positionRad: [first, 0, 0, 0.9, 0, 0, 0],
});
const moving = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => frame(from + i, 0.001 * i));
const standing = (count: number, from: number, at: number, client = 1) =>
  Array.from({ length: count }, (_, i) => frame(from + i, at, client));
const killedNs = 40_000_000n;

describe("the kill campaign's judge", () => {
  it("measures from the kill to the last setpoint that moved", () => {
    const frames = [...moving(31), ...standing(200, 31, 0.03)];
    expect(judgeRest(frames, killedNs, true)).toEqual({ restMs: 80 });
  });

  it("finds an arm that moves on, moves again, or moves although nobody moved it", () => {
    expect(judgeRest(moving(200), killedNs, true).violation).toMatch(/until 756/);
    const again = [...moving(20), ...standing(150, 20, 0.019), frame(170, 0.02)];
    expect(judgeRest(again, killedNs, true).violation).toMatch(/until 640/);
    expect(judgeRest(moving(20), killedNs, false).violation).toMatch(/did not before/);
    expect(REST_MS_MAX).toBeLessThan(500);
  });

  it("does not count an overloaded machine's silences as motion", () => {
    const stretched = moving(60).map((one) => ({
      ...one,
      atNs: one.atNs + BigInt(Math.floor(one.index / 20)) * 150_000_000n,
    }));
    const { restMs, violation } = judgeRest(stretched, killedNs, true);
    expect(restMs).toBeGreaterThan(REST_MS_MAX);
    expect(violation).toBeUndefined();
    expect(judgeRest(moving(200), killedNs, true).violation).toBeDefined();
  });

  it("does not call the difference between two connections a motion", () => {
    const frames = [...standing(20, 0, 0.5), ...standing(20, 20, 0.4, 2)];
    expect(judgeRest(frames, killedNs, false)).toEqual({ restMs: 0 });
  });

  it("finds a setpoint that does not stand", () => {
    expect(judgeStanding(standing(10, 0, 0.2), "before")).toBeUndefined();
    expect(judgeStanding([...standing(10, 0, 0.2), frame(10, 0.20001)], "before")).toMatch(
      /moved by 1.00e-5/,
    );
    expect(judgeStanding([], "before")).toBeUndefined();
  });

  it("finds setpoints of an earlier target, and an arm that does not obey", () => {
    const start = [0, 0, 0, 0.9, 0, 0, 0];
    const fresh = [0.1, 0, 0, 0.9, 0, 0, 0];
    expect(judgeFresh(moving(50), start, fresh)).toBeUndefined();
    expect(judgeFresh([...moving(5), frame(5, -0.01)], start, fresh)).toMatch(/joint 1 at -0.0100/);
    expect(judgeFresh([...moving(5), frame(5, 0.11)], start, fresh)).toMatch(/joint 1 at 0.1100/);
    expect(judgeFresh(standing(20, 0, 0), start, fresh)).toMatch(/did not follow/);
    expect(judgeFresh([], start, fresh)).toMatch(/no setpoint/);
  });

  it("finds every limit that is exceeded, and a stream that begins elsewhere", () => {
    const seven = (value: number) => Array<number>(7).fill(value);
    const limits = {
      velocityMaxRadPerS: seven(1),
      accelerationMaxRadPerS2: seven(5),
      jerkMaxRadPerS3: seven(60),
    };
    const within = {
      velocityRadPerS: seven(1),
      accelerationRadPerS2: seven(5),
      jerkRadPerS3: seven(60),
      interruptions: 0,
    };
    expect(judgeLimits(within, 0.01, limits)).toEqual([]);
    expect(judgeLimits({ ...within, velocityRadPerS: seven(1.01) }, 0, limits)).toHaveLength(7);
    const one = [...seven(5).slice(1), 5.2];
    expect(judgeLimits({ ...within, accelerationRadPerS2: one }, 0, limits)).toHaveLength(1);
    expect(judgeLimits({ ...within, jerkRadPerS3: seven(100) }, 0, limits)).toHaveLength(7);
    expect(judgeLimits(within, 0.06, limits)).toEqual([expect.stringContaining("0.0600 rad from the arm")]);
  });

  it("measures velocity, acceleration and jerk as an independent calculation does", () => {
    const at = (t: number) => 5 * t ** 3 - 0.7 * t ** 2 + 0.2 * t;
    const frames = Array.from({ length: 100 }, (_, i) => frame(i, at(i * 0.004)));
    const { velocityRadPerS, accelerationRadPerS2, jerkRadPerS3 } = measureStreams(frames, 4);
    expect(velocityRadPerS[0]).toBeCloseTo(15 * 0.394 ** 2 - 1.4 * 0.394 + 0.2, 2);
    expect(accelerationRadPerS2[0]).toBeCloseTo(30 * 0.392 - 1.4, 1);
    expect(jerkRadPerS3[0]).toBeCloseTo(30, 3);
    expect(velocityRadPerS[1]).toBe(0);
  });

  it("lets a stream go on from rest after a silence, but never further than a step", () => {
    const late = moving(20).map((one) => ({ ...one, atNs: one.atNs + (one.index > 10 ? 20_000_000n : 0n) }));
    const stood = [...late, ...standing(5, 26, 0.019)];
    expect(measureStreams(stood, 4).accelerationRadPerS2[0]).toBeGreaterThan(50);
    // Two setpoints had waited for the controller; the servo has seen the silence and goes on from rest.
    const waited = { ...late[12]!, atNs: late[11]!.atNs + 100_000n };
    const stoodAtOnce = [...late.slice(0, 12), waited, ...standing(5, 17, 0.012)];
    const figures = measureStreams(stoodAtOnce, 4);
    expect(figures).toMatchObject({ interruptions: 1 });
    expect(figures.accelerationRadPerS2[0]).toBeLessThan(1e-6);
    const jumped = [...late.slice(0, 11), { ...late[11]!, positionRad: [0.05, 0, 0, 0.9, 0, 0, 0] }];
    expect(measureStreams(jumped, 4).velocityRadPerS[0]).toBeGreaterThan(5);
  });

  it("knows a silence that the controller's own lateness hides, and no other standing setpoint", () => {
    // 11 ms, 11 ms: the controller was late twice, the servo saw no answer for five periods and stands.
    const late = moving(20).map((one) => ({
      ...one,
      atNs: one.atNs + (one.index > 17 ? 14_000_000n : one.index > 16 ? 7_000_000n : 0n),
    }));
    const figures = measureStreams([...late, ...standing(8, 24, 0.019)], 4);
    expect(figures.interruptions).toBe(1);
    expect(figures.accelerationRadPerS2[0]).toBeLessThan(1e-6);
    const punctual = measureStreams([...moving(20), ...standing(8, 20, 0.019)], 4);
    expect(punctual.interruptions).toBe(0);
    expect(punctual.accelerationRadPerS2[0]).toBeCloseTo(62.5, 6);
  });
});
