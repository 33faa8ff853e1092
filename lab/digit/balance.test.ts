/** The balance law on the body that it was found on: what a stiff pose alone does not bear. */
import { afterEach, describe, expect, it } from "vitest";
import { addBalance } from "../../kinematics/digit/balance.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { MujocoDigit } from "./mujocoBody.js";

const STIFFNESS_NM_PER_RAD = 1000;
const DAMPING_NM_S_PER_RAD = 30;
const PUSH_S = 0.2;

describe("a stand that is pushed to the side", () => {
  let body: MujocoDigit;
  afterEach(() => body.dispose());

  /** Tilt of the base three seconds after the push [rad], or as it fell. */
  async function leanAfterPush(forceN: number, isBalanced: boolean): Promise<number> {
    body = await MujocoDigit.load();
    const { drive, truth, standRad } = body;
    const targetRad = new Float64Array(DIGIT_MOTORS.length);
    const tilt = () =>
      Math.acos(1 - 2 * (truth.quatWorldBaseXyzw[0]! ** 2 + truth.quatWorldBaseXyzw[1]! ** 2));
    for (const [motor, { announcedDampingMaxNmSPerRad }] of DIGIT_MOTORS.entries())
      drive.dampingNmSPerRad[motor] = Math.min(DAMPING_NM_S_PER_RAD, announcedDampingMaxNmSPerRad);
    for (let ms = 0; ms < 3500 && tilt() < 0.8; ms++) {
      if (ms === 500) body.push([0, forceN, 0], PUSH_S);
      targetRad.set(standRad);
      if (isBalanced) addBalance(targetRad, truth.quatWorldBaseXyzw, truth.angularVelocityBaseRadPerS);
      for (let motor = 0; motor < DIGIT_MOTORS.length; motor++)
        drive.torqueNm[motor] = STIFFNESS_NM_PER_RAD * (targetRad[motor]! - truth.positionRad[motor]!);
      body.step(0.001);
    }
    return tilt();
  }

  it("falls where only its pose is held", async () => {
    expect(await leanAfterPush(50, false)).toBeGreaterThan(0.3);
  });

  it("is upright again where it keeps its balance", async () => {
    expect(await leanAfterPush(50, true)).toBeLessThan(0.05);
  });
});
