import { describe, expect, it } from "vitest";
import { asEpochNs, asMonotonicNs } from "../../core/clock.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { POLICY_STEP, readPolicyStep, writePolicyStep } from "../../episodes/messages.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import { toPolicyStep } from "./recordedStep.js";
import type { StepRecord } from "./steps.js";

const mapping = {
  monotonicNs: asMonotonicNs(5_000_000_000n),
  epochNs: asEpochNs(1_800_000_000_000_000_000n),
};
const origin = { policy: "reach-block", camera: "wrist" };
const done: StepRecord = {
  step: 3,
  dueNs: asMonotonicNs(6_000_000_000n),
  startNs: asMonotonicNs(6_000_100_000n),
  startLatenessMs: 0.1,
  skippedSteps: 1,
  framesMissed: 0,
  imageStampNs: asEpochNs(1_800_000_000_950_000_001n),
  imageAgeMs: 50.1,
  queueMs: 40,
  preprocessMs: 4,
  encodeMs: 20,
  controlMs: 1,
  sendMs: 0.2,
  commandSeq: 17,
  commandWireNs: asMonotonicNs(6_030_000_000n),
  positionRad: [0.1, 0.2],
  gripperOpeningM: 0.08,
  outputRad: [Math.fround(0.3), -0.01],
  actionRad: [0.15, -0.01],
  targetRad: [0.25, 0.19],
  clippedCount: 1,
};

describe("a step in an episode", () => {
  it("has the episode's times and what the actor was given and answered, through the wire and back", () => {
    const step = toPolicyStep(done, mapping, { ...origin, labelRad: [0.2, -0.02], phase: "reach" });
    const prefixes = process.env.AMENT_PREFIX_PATH!.split(":");
    const codec = rosCodec(POLICY_STEP, rosDefinition(POLICY_STEP, prefixes));
    expect(readPolicyStep(codec.decode(codec.encode(writePolicyStep(step))))).toEqual(step);
    expect(step).toMatchObject({
      stampNs: 1_800_000_001_000_100_000n,
      imageStampNs: 1_800_000_000_950_000_001n,
      wireStampNs: 1_800_000_001_030_000_000n,
      outputRad: Float64Array.of(Math.fround(0.3), -0.01),
      actionRad: Float64Array.of(0.15, -0.01),
      labelRad: Float64Array.of(0.2, -0.02),
      gripperOpeningM: 0.08,
      commandSeq: 17,
      refusal: "",
    });
  });

  it("of a policy that moves the gripper has the opening as it was answered and asked for, and as a teacher wanted it", () => {
    const moved = { ...done, gripperOutputM: Math.fround(-0.003), gripperTargetM: 0 };
    const step = toPolicyStep(moved, mapping, { ...origin, gripperLabelM: 0.08 });
    const codec = rosCodec(
      POLICY_STEP,
      rosDefinition(POLICY_STEP, process.env.AMENT_PREFIX_PATH!.split(":")),
    );
    expect(readPolicyStep(codec.decode(codec.encode(writePolicyStep(step))))).toMatchObject({
      gripperOutputM: Math.fround(-0.003),
      gripperTargetM: 0,
      gripperLabelM: 0.08,
    });
    const {
      gripper_output_m: _,
      gripper_target_m: __,
      gripper_label_m: ___,
      ...older
    } = writePolicyStep(step);
    expect(readPolicyStep(older)).toMatchObject({ gripperOutputM: Number.NaN, gripperTargetM: Number.NaN });
  });

  it("that was refused says why, and is empty where it did not get", () => {
    const { step, dueNs, startNs, startLatenessMs, skippedSteps, framesMissed } = done;
    const refused = { step, dueNs, startNs, startLatenessMs, skippedSteps, framesMissed };
    expect(toPolicyStep({ ...refused, refusal: "noFrame" }, mapping, origin)).toMatchObject({
      refusal: "noFrame",
      imageStampNs: 0n,
      wireStampNs: 0n,
      commandSeq: 0,
      outputRad: new Float64Array(0),
      labelRad: new Float64Array(0),
      gripperOpeningM: Number.NaN,
      encodeMs: Number.NaN,
    });
  });
});
