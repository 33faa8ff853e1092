/** Whatever is lost while a Digit is commanded, its motors are let go of in time, and stay so. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DigitConfig } from "../../drivers/digit/config.js";
import { IdealBody } from "../../lab/digit/idealBody.js";
import { LegServoConfig } from "../../runtime/servo/config.js";
import { DIGIT_LOSSES, type DigitLossName, type Loss, StandingPolicy, tryLoss } from "./digitLoss.js";
import { DigitServo } from "./digitServo.js";

const SETTLE_MS = 800;
const servo = LegServoConfig.parse({});
const { poseRad, stiffnessNmPerRad, dampingNmSPerRad } = servo.stand;
const frames = { linearVelocity: "world", angularVelocity: "imu", imu: "mount" } as const;
const robot = {
  device: "digit",
  digit: DigitConfig.parse({ host: "127.0.0.1", frames }),
  servo,
} as const;

describe("a commanded Digit", () => {
  let rig: DigitServo;
  let policy: StandingPolicy;

  beforeEach(async () => {
    rig = new DigitServo({ robot, body: new IdealBody() });
    await rig.enable();
    await rig.run(SETTLE_MS);
    policy = new StandingPolicy(rig, poseRad, { stiffnessNmPerRad, dampingNmSPerRad });
  });
  afterEach(() => rig.close());

  it.each(Object.keys(DIGIT_LOSSES) as DigitLossName[])("is let go of in time: %s", async (name) => {
    const loss: Loss = DIGIT_LOSSES[name];
    const end = await tryLoss(rig, loss, policy);
    expect(end.quietAfterMs, JSON.stringify(end)).toBeLessThanOrEqual(loss.quietMsMax);
    expect(end.droveAgain).toBe(false);
    expect(end.by).toBe("damping");
    // A mode of the robot's own, or a command that damps.
    expect(end.cause).toBe(loss.by === "robot" ? "damping" : "command");
  });

  it("follows to the end when nothing is lost", async () => {
    const nothing: Loss = { words: "", happen: () => {}, quietMsMax: 100, by: "servo" };
    const end = await tryLoss(rig, nothing, policy);
    expect(end.quietAfterMs).toBeUndefined();
    expect(rig.state).toBe("following");
  });

  it("is not commanded again by itself when the policy comes back", async () => {
    await tryLoss(rig, DIGIT_LOSSES.policyHangs, policy);
    policy.isAlive = true;
    for (let ms = 0; ms < 100; ms++) {
      policy.beat();
      await rig.tick();
    }
    expect(rig.state).toBe("stopped");
    expect(rig.servo.statistics().refusedCommands.noLease).toBeGreaterThan(0);
    expect(rig.digit.emulator.robot.motorLog.quietSinceMs).toBeDefined();
  });
});
