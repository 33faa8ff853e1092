/** What servo and policy are doing, as our own messages: `/<robot>/servo_state` and `/cerebellum/policy_status`. */
import {
  type Clock,
  type ClockMapping,
  measureMapping,
  nsToMs,
  toEpochNs,
  toRosTime,
} from "../../core/clock.js";
import type { PolicyStatus } from "../policy/host.js";
import type { StepRecord } from "../policy/steps.js";
import type { ServoClient, ServoSnapshot } from "../servo/api.js";
import type { RosNode } from "./rosRuntime.js";

const SERVO_STATE_RATE_HZ = 10;

/** Returns its own undo. */
export function publishServoState(
  node: RosNode,
  robot: string,
  client: ServoClient,
  clock: Clock,
): () => void {
  const publisher = node.publisher("cerebellum_msgs/msg/ServoState", `/${robot}/servo_state`, "reliable");
  let dueMs = 0;
  return client.onSnapshot((snapshot) => {
    const nowMs = nsToMs(snapshot.tickNs);
    if (nowMs < dueMs) return;
    dueMs = nowMs + 1000 / SERVO_STATE_RATE_HZ;
    publisher.publish(servoStateMessage(snapshot, measureMapping(clock)));
  });
}

export function servoStateMessage(snapshot: ServoSnapshot, mapping: ClockMapping): object {
  return {
    header: { stamp: toRosTime(toEpochNs(mapping, snapshot.stateNs)), frame_id: "" },
    state: snapshot.state,
    epoch: snapshot.epoch,
    commander: snapshot.commander,
    reasons: snapshot.reasons,
    requested: [...snapshot.requestedRad],
    sent: [...snapshot.sentRad],
    measured: [...snapshot.positionRad],
    device_error_code: snapshot.deviceErrorCode,
  };
}

export function policyStatusPublisher(
  node: RosNode,
  clock: Clock,
): (status: PolicyStatus, newest?: StepRecord) => void {
  const publisher = node.publisher(
    "cerebellum_msgs/msg/PolicyStatus",
    "/cerebellum/policy_status",
    "latched",
  );
  return (status, newest) => publisher.publish(policyStatusMessage(status, newest, clock));
}

/** Parts of a step that it did not get to are NaN. */
export function policyStatusMessage(
  status: PolicyStatus,
  newest: StepRecord | undefined,
  clock: Clock,
): object {
  const { steps = 0, commands = 0 } = status.statistics ?? {};
  return {
    header: { stamp: toRosTime(clock.epochNs()), frame_id: "" },
    bundle: status.bundle?.policy ?? "",
    state: status.phase,
    steps: BigInt(commands),
    held: BigInt(steps - commands),
    image_age_ms: newest?.imageAgeMs ?? Number.NaN,
    encode_ms: newest?.encodeMs ?? Number.NaN,
    total_ms: newest?.imageToWireMs ?? Number.NaN,
    reason: status.failure?.happened ?? newest?.refusal ?? "",
  };
}
