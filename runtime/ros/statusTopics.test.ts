import { describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import type { PolicyStatus } from "../policy/host.js";
import type { StepRecord } from "../policy/steps.js";
import type { ServoSnapshot } from "../servo/api.js";
import { policyStatusMessage, servoStateMessage } from "./statusTopics.js";

const clock = new SimClock(5_000_000_000n, 1_700_000_000_000_000_000n);

describe("servo state message", () => {
  it("carries the stamp of the measured state, not of the tick", () => {
    const joints = new Float64Array([0.1, 0.2]);
    const snapshot = {
      state: "following",
      epoch: 3,
      commander: "policy",
      reasons: 5,
      stateNs: asMonotonicNs(4_500_000_000n),
      tickNs: asMonotonicNs(5_000_000_000n),
      requestedRad: joints,
      sentRad: joints,
      positionRad: joints,
      deviceErrorCode: 0,
    } as unknown as ServoSnapshot;
    const mapping = { monotonicNs: clock.nowNs(), epochNs: clock.epochNs() };
    expect(servoStateMessage(snapshot, mapping)).toMatchObject({
      header: { stamp: { sec: 1_699_999_999, nanosec: 500_000_000 } },
      state: "following",
      measured: [0.1, 0.2],
    });
  });
});

describe("policy status message", () => {
  const status = {
    phase: "running",
    bundle: { policy: "reach" },
    statistics: { steps: 10, commands: 7 },
    failure: undefined,
  } as unknown as PolicyStatus;

  it("counts commands and held steps apart", () => {
    const newest = { imageAgeMs: 40, encodeMs: 6, imageToWireMs: 55 } as StepRecord;
    expect(policyStatusMessage(status, newest, clock)).toMatchObject({
      steps: 7n,
      held: 3n,
      encode_ms: 6,
      reason: "",
    });
  });

  it("says why the newest step held, with NaN for what it did not get to", () => {
    const message = policyStatusMessage(status, { refusal: "stale" } as unknown as StepRecord, clock);
    expect(message).toMatchObject({ reason: "stale", encode_ms: Number.NaN });
  });
});
