import { describe, expect, it } from "vitest";
import { type CloseSample, judgeClose, SHUT_RAD, SHUT_S, STUCK_RAD } from "./closeFridge.js";

/** Samples every 50 ms of how far the door is open as a function of time. */
const trial = (seconds: number, doorRad: (atS: number) => number, lagRad = 0.01): CloseSample[] =>
  Array.from({ length: Math.round(20 * seconds) + 1 }, (_, i) => ({
    atS: i / 20,
    doorRad: doorRad(i / 20),
    lagRad,
  }));
/** Open until `fromS`, then shut until `toS`. */
const shut =
  (fromS: number, toS = 99) =>
  (atS: number) =>
    atS >= fromS && atS < toS ? SHUT_RAD : 1.2;

describe("CloseFridge verdict", () => {
  it("is a success when the door is shut for all of the last second", () => {
    expect(judgeClose(trial(6, shut(4)), true)).toMatchObject({
      success: true,
      shutAtS: 4,
      endedBecause: "shut the door",
    });
    expect(judgeClose(trial(6, shut(6 - SHUT_S)), true).success).toBe(true);
  });
  it("is none when it is shut for less than a second, or came open again", () => {
    expect(judgeClose(trial(6, shut(5.05)), true).success).toBe(false);
    expect(judgeClose(trial(6, shut(2, 5.5)), true)).toMatchObject({
      success: false,
      shutAtS: 2,
      endedBecause: "the door has come open again",
    });
  });
  it("is none when the door is left a crack open", () => {
    expect(
      judgeClose(
        trial(6, () => SHUT_RAD + 1e-6),
        true,
      ),
    ).toMatchObject({
      success: false,
      shutAtS: undefined,
      endedBecause: "never shut the door",
    });
  });
  it("is none when the arm presses against something at the end", () => {
    expect(judgeClose(trial(6, shut(4), STUCK_RAD + 1e-6), true)).toMatchObject({
      success: false,
      endedBecause: "the arm is stuck",
    });
    const pressedBefore = trial(6, shut(2)).map((sample) =>
      sample.atS < 4 ? { ...sample, lagRad: 0.2 } : sample,
    );
    expect(judgeClose(pressedBefore, true).success).toBe(true);
  });
  it("is none when the trial is too short, when the mover gave up, or without ground truth", () => {
    expect(judgeClose(trial(0.5, shut(0)), true).success).toBe(false);
    expect(judgeClose(trial(6, shut(2)), false)).toMatchObject({
      success: false,
      endedBecause: "policy stopped",
    });
    expect(judgeClose([], true)).toMatchObject({ success: false, endedBecause: "no ground truth" });
  });
});
