import { describe, expect, it } from "vitest";
import { quatFromRpy } from "../../kinematics/pose.js";
import { filterLagMs, PoseFilter, RADIAN_M } from "./poseFilter.js";

const CONFIG = { minCutoffHz: 6, beta: 20 };
const PERIOD_S = 1 / 90;
const UPRIGHT = [0, 0, 0, 1];

/** Lag [ms] behind a hand that has moved along x at a constant speed for two seconds. */
function measuredLagMs(speedMPerS: number, config = CONFIG): number {
  const filter = new PoseFilter(config);
  filter.startAt([0, 0, 0], UPRIGHT);
  let at = 0;
  for (let k = 1; k <= 180; k++) {
    at = speedMPerS * k * PERIOD_S;
    filter.update([at, 0, 0], UPRIGHT, PERIOD_S);
  }
  return (1000 * (at - filter.positionM[0]!)) / speedMPerS;
}

describe("pose filter", () => {
  it("is as late as it says, at every speed and for every knob", () => {
    for (const config of [CONFIG, { minCutoffHz: 1, beta: 0 }, { minCutoffHz: 4, beta: 10 }])
      for (const speed of [0.01, 0.1, 0.4, 1])
        expect(measuredLagMs(speed, config)).toBeCloseTo(filterLagMs(config, speed), 2);
    expect(filterLagMs(CONFIG, 0)).toBeCloseTo(26.5, 1);
    expect(filterLagMs(CONFIG, 0.4)).toBeCloseTo(11.4, 1);
  });

  it("is as late for rotation, a rad/s counting as so many m/s", () => {
    const filter = new PoseFilter(CONFIG);
    filter.startAt([0, 0, 0], UPRIGHT);
    const speed = 1.2;
    let angle = 0;
    for (let k = 1; k <= 180; k++) {
      angle = speed * k * PERIOD_S;
      filter.update([0, 0, 0], quatFromRpy(0, 0, angle), PERIOD_S);
    }
    const behind = 2 * Math.acos(Math.min(1, cosOfHalf(filter.quatXyzw, quatFromRpy(0, 0, angle))));
    expect((1000 * behind) / speed).toBeCloseTo(filterLagMs(CONFIG, RADIAN_M * speed), 1);
  });

  it("calms a trembling hand to less than half", () => {
    const filter = new PoseFilter(CONFIG);
    filter.startAt([0, 0, 0], UPRIGHT);
    let [raw, calm] = [0, 0];
    for (let k = 1; k <= 900; k++) {
      const at = 3e-4 * Math.sin(2.4 * k);
      filter.update([at, 0, 0], UPRIGHT, PERIOD_S);
      raw += at ** 2;
      calm += filter.positionM[0]! ** 2;
    }
    expect(Math.sqrt(calm / raw)).toBeLessThan(0.5);
  });

  it("knows the hand's velocity", () => {
    const filter = new PoseFilter(CONFIG);
    filter.startAt([0, 0, 0], UPRIGHT);
    for (let k = 1; k <= 90; k++)
      filter.update([0, 0.2 * k * PERIOD_S, 0], quatFromRpy(0.5 * k * PERIOD_S, 0, 0), PERIOD_S);
    expect([...filter.velocityMPerS]).toEqual([0, expect.closeTo(0.2, 6), 0]);
    expect([...filter.turnRadPerS]).toEqual([expect.closeTo(0.5, 6), 0, 0]);
  });

  it("takes a quaternion and its negative for the same", () => {
    const filter = new PoseFilter(CONFIG);
    const quat = quatFromRpy(0.3, 0.2, -1);
    filter.startAt([0, 0, 0], quat);
    filter.update(
      [0, 0, 0],
      quat.map((value) => -value),
      PERIOD_S,
    );
    expect(filter.turnSpeedRadPerS).toBeLessThan(1e-9);
  });
});

const cosOfHalf = (one: ArrayLike<number>, other: ArrayLike<number>): number =>
  Math.abs([0, 1, 2, 3].reduce((sum, i) => sum + one[i]! * other[i]!, 0));
