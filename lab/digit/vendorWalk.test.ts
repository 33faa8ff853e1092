/** The carried walk on the body of MuJoCo: where it goes, how its feet do, and that it stands by itself afterwards. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tiltRad } from "./body.js";
import { DigitFaults } from "./digitFaults.js";
import { MujocoDigit } from "./mujocoBody.js";
import { EmulatedRobot } from "./robot.js";
import { DIGIT_SCENES } from "./scenes.js";

let body: MujocoDigit;
beforeAll(async () => {
  body = await MujocoDigit.load();
});
afterAll(() => body.dispose());

describe("the walk of the emulated controller", () => {
  it("goes as far as it was told with its feet on the ground in turn, and stands by itself afterwards", () => {
    const robot = new EmulatedRobot(body, new DigitFaults(), 0);
    const down = [0, 0];
    let [bothUp, samples] = [0, 0];
    const run = (ms: number) => {
      for (let passed = 0; passed < ms; passed++) robot.tick();
    };
    run(500);
    const fromM = body.truth.positionWorldM[0]!;
    expect(robot.walk({ forwardMPerS: 0.25, leftMPerS: 0, yawRateRadPerS: 0 })).toBe("");
    run(500);
    for (let ms = 0; ms < 2400; ms++) {
      run(1);
      const [left, right] = body.truth.footContact;
      down[0]! += left!;
      down[1]! += right!;
      bothUp += left === 0 && right === 0 ? 1 : 0;
      samples++;
    }
    for (const count of down) {
      expect(count / samples).toBeGreaterThan(0.3);
      expect(count / samples).toBeLessThan(0.9);
    }
    expect(bothUp / samples).toBeLessThan(0.3);
    robot.walk(undefined);
    run(2000);
    expect(robot.isWalking).toBe(false);
    // Half a second to be that fast, and as long to stop.
    expect(body.truth.positionWorldM[0]! - fromM).toBeCloseTo(0.25 * 2.9, 1);
    expect([robot.mode, robot.isUpright]).toEqual(["locomotion", true]);
    expect(tiltRad(body.truth)).toBeLessThan(0.05);
  });

  it("is refused where the ground is not level", async () => {
    const slope = await MujocoDigit.load({ scene: DIGIT_SCENES["slope-up-4"] });
    const robot = new EmulatedRobot(slope, new DigitFaults(), 0);
    expect(robot.walk({ forwardMPerS: 0.1, leftMPerS: 0, yawRateRadPerS: 0 })).toMatch(/level ground only/);
    slope.dispose();
  });
});
