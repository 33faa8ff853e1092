/** What an episode keeps of teleoperation: each pose as it came, and what became of it. */
import type { ClockMapping } from "../../core/clock.js";
import { toEpochNs } from "../../core/clock.js";
import {
  HAND_JOINTS,
  type HandPose,
  NUMBERS_PER_HAND_JOINT,
  type TrackedPose,
} from "../../core/teleop/pose.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { TELEOP_INPUT, writeTeleopInput } from "../../episodes/messages.js";
import { rosCodec } from "../../episodes/rosCodec.js";
import type { SessionInput } from "./session.js";

/** Numbers of a pose as it is recorded: x y z [m], quaternion x y z w. */
const POSE_NUMBERS = 7;
const EMPTY = new Float64Array(0);
const JOINT_NUMBERS = HAND_JOINTS.length * NUMBERS_PER_HAND_JOINT;

export interface InputRecord {
  /** CDR of a TeleopInput message. @param clutchBy the hand whose clutch counts; the leading one when absent */
  encode(
    input: SessionInput,
    operator: string,
    lead: HandPose["hand"],
    clutchBy?: HandPose["hand"],
  ): Uint8Array<ArrayBuffer>;
}

/** @throws CerebellumError ROS_UNAVAILABLE when the message's definition is not on this machine */
export function createInputRecord(prefixes: readonly string[], mapping: ClockMapping): InputRecord {
  const codec = rosCodec(TELEOP_INPUT, rosDefinition(TELEOP_INPUT, prefixes));
  return {
    encode({ message, receivedNs, state, why, step, commandSeq }, operator, lead, clutchBy = lead) {
      const hand = message.hands.find((one) => one.hand === lead);
      const joints = hand?.joints ?? null;
      // Of its own, because the writer's memory is larger and used again.
      return new Uint8Array(
        codec.encode(
          writeTeleopInput({
            stampNs: toEpochNs(mapping, receivedNs),
            source: message.source,
            device: message.device,
            operatorName: operator,
            seq: message.seq >>> 0,
            deviceTimeMs: message.deviceTimeMs,
            space: message.space,
            hand: lead,
            tracked: hand?.tracked ?? false,
            pose: numbersOf(hand?.pose ?? null),
            clutch: message.hands.find((one) => one.hand === clutchBy)?.clutch ?? 0,
            gripper: hand?.gripper ?? 0,
            joints: joints?.length === JOINT_NUMBERS ? Float64Array.from(joints) : EMPTY,
            state,
            why,
            wanted: numbersOf(step?.wanted ?? null),
            targetRad: step === undefined ? EMPTY : Float64Array.from(step.targetRad),
            commandSeq,
            limitedBy: [...(step?.limitedBy ?? [])],
          }),
        ),
      );
    },
  };
}

function numbersOf(pose: TrackedPose | null): Float64Array {
  if (pose === null) return new Float64Array(POSE_NUMBERS).fill(Number.NaN);
  return Float64Array.of(...pose.positionM, ...pose.quatXyzw);
}
