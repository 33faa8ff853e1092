/** The balance law on the body that it was found on: what a stiff pose alone does not bear. */
import { afterEach, describe, expect, it } from "vitest";
import { addBalance } from "../../kinematics/digit/balance.js";
import { DIGIT_MOTORS, DIGIT_POSES } from "../../kinematics/digit/motors.js";
import { MujocoDigit } from "./mujocoBody.js";

const STIFFNESS_NM_PER_RAD = 1000;
const DAMPING_NM_S_PER_RAD = 30;
const PUSH_S = 0.2;

describe("a stand that is pushed", () => {
  let body: MujocoDigit;
  afterEach(() => body.dispose());

  /** Tilt of the base [rad] and its rate [rad/s] three seconds after the push, or as it fell. */
  async function afterPush(forceN: readonly [number, number, number], isBalanced: boolean) {
    body = await MujocoDigit.load({ standRad: DIGIT_POSES.upright });
    const { drive, truth, standRad } = body;
    const targetRad = new Float64Array(DIGIT_MOTORS.length);
    const tilt = () =>
      Math.acos(1 - 2 * (truth.quatWorldBaseXyzw[0]! ** 2 + truth.quatWorldBaseXyzw[1]! ** 2));
    for (const [motor, { announcedDampingMaxNmSPerRad }] of DIGIT_MOTORS.entries())
      drive.dampingNmSPerRad[motor] = Math.min(DAMPING_NM_S_PER_RAD, announcedDampingMaxNmSPerRad);
    for (let ms = 0; ms < 3500 && tilt() < 0.8; ms++) {
      if (ms === 500) body.push(forceN, PUSH_S);
      targetRad.set(standRad);
      if (isBalanced) addBalance(targetRad, truth.quatWorldBaseXyzw, truth.angularVelocityBaseRadPerS);
      for (let motor = 0; motor < DIGIT_MOTORS.length; motor++)
        drive.torqueNm[motor] = STIFFNESS_NM_PER_RAD * (targetRad[motor]! - truth.positionRad[motor]!);
      body.step(0.001);
    }
    const [x, y] = truth.angularVelocityBaseRadPerS;
    return { tiltRad: tilt(), rateRadPerS: Math.hypot(x!, y!) };
  }

  it("falls to the side where only its pose is held", async () => {
    expect((await afterPush([0, 50, 0], false)).tiltRad).toBeGreaterThan(0.3);
  });

  it.each([
    ["the side", [0, 50, 0]],
    ["the front", [50, 0, 0]],
    ["the back", [-50, 0, 0]],
  ] as const)("is upright and quiet again where it keeps its balance (towards %s)", async (_, forceN) => {
    const { tiltRad, rateRadPerS } = await afterPush(forceN, true);
    expect(tiltRad).toBeLessThan(0.05);
    // What is left of the push fades; a law that rocks the robot keeps it at 0.7 rad/s.
    expect(rateRadPerS).toBeLessThan(0.2);
  });
});
