/** The shipped stand, on the lab's body: it is the balance that it says, and bears what its pose alone does not. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFloatingBase } from "../../core/floatingBase.js";
import { addBalance } from "../../kinematics/digit/balance.js";
import { DIGIT_MOTORS } from "../../kinematics/digit/motors.js";
import { MujocoDigit } from "../../lab/digit/mujocoBody.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import { loadHistoryBundle } from "./bundle.js";
import type { HistoryPipeline } from "./pipeline.js";
import type { BodyReading } from "./reading.js";
import { openHistoryPolicy } from "./verify.js";

const bundleOf = (name: string) => fileURLToPath(new URL(`../bundles/${name}`, import.meta.url));
const STANDING = { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 };
let policy: HistoryPipeline;
let body: MujocoDigit;
beforeAll(async () => {
  policy = (await openHistoryPolicy(bundleOf("digit-stand"))).pipeline;
  body = await MujocoDigit.load({ standRad: policy.manifest.start.positionRad });
});
afterAll(async () => {
  await policy.release();
  body.dispose();
});

/** What a robot says of itself where nothing is wrong with its sensors. */
function felt(timeS: number): BodyReading {
  const { truth } = body;
  const base = createFloatingBase(truth.passivePositionRad.length);
  base.quatWorldBaseXyzw.set(truth.quatWorldBaseXyzw);
  base.angularVelocityBaseRadPerS.set(truth.angularVelocityBaseRadPerS);
  const { positionRad, velocityRadPerS } = truth;
  return { timeS, positionRad, velocityRadPerS, base, command: STANDING };
}

/** Pushed to the left for 200 ms. @returns the base's height in the end [m] */
async function stand(pushN: number, decides: boolean): Promise<number> {
  const { start } = policy.manifest;
  policy.reset();
  body.reset();
  let targetRad: ArrayLike<number> = start.positionRad;
  let stiffness: ArrayLike<number> = start.stiffnessNmPerRad;
  body.drive.dampingNmSPerRad.set(start.dampingNmSPerRad);
  for (let ms = 0; ms < 4000; ms++) {
    if (ms === 1000) body.push([0, pushN, 0], 0.2);
    if (decides && ms % 20 === 0) {
      const { target } = await policy.step(felt(ms / 1000));
      targetRad = Float64Array.from(target.positionRad);
      stiffness = Float64Array.from(target.stiffnessNmPerRad);
    }
    for (let motor = 0; motor < targetRad.length; motor++) {
      body.drive.torqueNm[motor] = stiffness[motor]! * (targetRad[motor]! - body.truth.positionRad[motor]!);
    }
    body.step(0.001);
  }
  return body.truth.positionWorldM[2]!;
}

/** Gains may differ in a float's last digits only. */
const DIGITS = 9;

describe.each(["digit-stand", "digit-random"])("the shipped %s", (name) => {
  it("begins in the stand of the servo, with its gains: nothing jumps", async () => {
    const { manifest } = await loadHistoryBundle(bundleOf(name));
    const { stand } = LegServoConfig.parse({});
    expect(manifest.robot.joints).toEqual(DIGIT_MOTORS.map((motor) => motor.name));
    for (const [ours, servos] of [
      [manifest.start.positionRad, stand.poseRad],
      [manifest.start.stiffnessNmPerRad, stand.stiffnessNmPerRad],
      [manifest.start.dampingNmSPerRad, stand.dampingNmSPerRad],
    ] as const) {
      expect(ours).toHaveLength(servos.length);
      for (const [motor, value] of ours.entries()) expect(value).toBeCloseTo(servos[motor]!, DIGITS);
    }
  });
});

describe("the shipped stand", () => {
  it("asks for the balance of kinematics/digit where it leans little", async () => {
    const { positionRad } = policy.manifest.start;
    for (const [axis, rad, rate] of [
      [0, 0.06, -0.1],
      [1, -0.08, 0.2],
    ] as const) {
      body.reset();
      body.truth.quatWorldBaseXyzw.set([0, 0, 0, Math.cos(rad / 2)]);
      body.truth.quatWorldBaseXyzw[axis] = Math.sin(rad / 2);
      body.truth.angularVelocityBaseRadPerS.fill(0);
      body.truth.angularVelocityBaseRadPerS[axis] = rate;
      const expected = Float64Array.from(positionRad);
      addBalance(expected, body.truth.quatWorldBaseXyzw, body.truth.angularVelocityBaseRadPerS);
      policy.reset();
      const { target } = await policy.step(felt(0));
      for (const [motor, wanted] of expected.entries()) {
        expect(target.positionRad[motor]).toBeCloseTo(wanted, 3);
      }
    }
  });

  it("stands, and bears a push to the side that fells the pose alone", async () => {
    expect(await stand(0, true)).toBeGreaterThan(0.9);
    expect(await stand(40, true)).toBeGreaterThan(0.9);
    expect(await stand(40, false)).toBeLessThan(0.6);
  });
});
