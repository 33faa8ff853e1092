import { describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { readJointState } from "../../core/rosWire.js";
import { JointStateMessage, TransformsMessage } from "./stateMessages.js";

describe("joint state message", () => {
  it.each([["joint1"], ["joint1", "drive_joint"], ["a", "bc", "def"]])(
    "reads back as written: %s",
    (...names) => {
      const message = new JointStateMessage(names);
      names.forEach((_, joint) => {
        message.set(joint, joint + 0.5, -joint, 10 * joint);
      });
      message.stamp(asEpochNs(1_700_000_000_123_456_789n));
      const parsed = readJointState(message.bytes);
      expect(parsed.ok).toBe(true);
      if (!parsed.ok) return;
      expect(parsed.value).toEqual({
        stampNs: 1_700_000_000_123_456_789n,
        names,
        positionRad: Float64Array.from(names, (_, joint) => joint + 0.5),
        velocityRadPerS: Float64Array.from(names, (_, joint) => -joint),
        effortNm: Float64Array.from(names, (_, joint) => 10 * joint),
      });
    },
  );
});

describe("transforms message", () => {
  it("has the bytes that the ROS serialiser gives", () => {
    const message = new TransformsMessage([
      { parent: "link_base", child: "link1" },
      { parent: "link1", child: "ab" },
    ]);
    message.stamp(asEpochNs(5_000_000_007n));
    message.set(0, [1, 2, 3], [0, 0, 0, 1]);
    message.set(1, [4, 5, 6], [1, 0, 0, 0]);
    // rclpy.serialization.serialize_message of the same TFMessage, kilted, little endian; its padding, which is
    // whatever was in memory, as zeros.
    expect(message.bytes.toString("hex")).toBe(TF_HEX);
  });
});

const TF_HEX =
  "000100000200000005000000070000000a0000006c696e6b5f62617365000000060000006c696e6b31000000000000000000f03f00000000000000400000000000000840000000000000000000000000000000000000000000000000000000000000f03f0500000007000000060000006c696e6b31000000030000006162000000000000000000000000104000000000000014400000000000001840000000000000f03f000000000000000000000000000000000000000000000000";
