import { describe, expect, it } from "vitest";
import { readJointState } from "../../core/rosWire.js";
import { SimClock } from "../../core/simClock.js";
import { flangePose, poseBuffer } from "../../kinematics/chain.js";
import { compose, IDENTITY_POSE } from "../../kinematics/pose.js";
import { XARM7_HOME_RAD } from "../../kinematics/xarm7.js";
import { OPENING_MAX_M } from "../../kinematics/xarmGripper.js";
import { armModel } from "./armModel.js";
import { startRobotNode } from "./robotNode.js";
import { FakeNode, FakeServo, readTransforms } from "./testing.js";

function start() {
  const clock = new SimClock();
  const servo = new FakeServo(clock, XARM7_HOME_RAD);
  const node = new FakeNode();
  const wrist = {
    name: "wrist",
    link: "link7",
    poseParentOptical: { positionM: [0.075, 0, 0.025], quatXyzw: [0, 0, 0, 1] },
  } as const;
  const place = { robotName: "arm", framePrefix: "", cameras: [wrist] };
  const arm = startRobotNode(node, {
    robot: "arm",
    model: armModel(place, { gripper: true }),
    client: servo,
    clock,
    jointStateRateHz: 100,
    transformRateHz: 30,
    accepting: () => true,
    log: () => {},
  });
  const ticks = async (count: number, newState = true) => {
    for (let i = 0; i < count; i++) {
      servo.tick(newState);
      await clock.advance(4);
    }
  };
  const states = () =>
    node.on("/arm/joint_states").map(({ message }) => {
      const parsed = readJointState(message as Uint8Array);
      if (!parsed.ok) throw new Error(parsed.reason);
      return parsed.value;
    });
  return { clock, servo, node, arm, ticks, states };
}

describe("an arm on ROS", () => {
  it("publishes 100 of 250 states a second, stamped when the device's state was received", async () => {
    const { clock, servo, ticks, states } = start();
    const epochNs = clock.epochNs();
    await ticks(250);
    expect(states().length).toBeGreaterThanOrEqual(99);
    expect(states().length).toBeLessThanOrEqual(101);
    const [first] = states();
    expect(first!.stampNs).toBe(epochNs - 2_000_000n);
    expect(first!.names).toEqual(["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "joint7"]);
    expect([...first!.positionRad]).toEqual([...servo.positionRad]);
    expect(first!.velocityRadPerS[6]).toBe(0.25);
    expect(first!.effortNm[0]).toBe(3);
  });

  it("adds the gripper's drive joint once the gripper has reported", async () => {
    const { servo, ticks, states } = start();
    await ticks(1);
    servo.gripperOpeningM = OPENING_MAX_M;
    await ticks(3);
    expect(states().at(-1)!.names.at(-1)).toBe("drive_joint");
    expect(states().at(-1)!.positionRad[7]).toBeCloseTo(0, 6);
    servo.gripperOpeningM = 0;
    await ticks(3);
    expect(states().at(-1)!.positionRad[7]).toBeCloseTo(0.85, 9);
  });

  it("falls silent on joint_states while the device's state does not change", async () => {
    const { node, ticks, states } = start();
    await ticks(10);
    // The newest state may still wait for its turn.
    await ticks(4, false);
    const before = states().length;
    await ticks(100, false);
    expect(states().length).toBe(before);
    expect(node.on("/arm/joint_command").length).toBeGreaterThan(30);
  });

  it("publishes what was sent on joint_command", async () => {
    const { node, ticks } = start();
    await ticks(1);
    const parsed = readJointState(node.on("/arm/joint_command")[0]!.message as Uint8Array);
    expect(parsed.ok && parsed.value.positionRad[3]).toBeCloseTo(XARM7_HOME_RAD[3]! + 0.001, 12);
  });

  it("publishes link transforms whose product is the flange pose", async () => {
    const { node, ticks } = start();
    await ticks(250);
    const messages = node.on("/tf");
    expect(messages.length).toBeGreaterThanOrEqual(29);
    expect(messages.length).toBeLessThanOrEqual(31);
    const transforms = readTransforms(messages[0]!.message as Buffer);
    expect(transforms).toHaveLength(13);
    const arm = transforms.slice(0, 7);
    expect(arm.map((one) => one.child)).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => `link${n}`));
    const flange = arm.reduce((pose, one) => compose(pose, one.pose), IDENTITY_POSE);
    const expected = poseBuffer();
    flangePose(XARM7_HOME_RAD, expected);
    flange.positionM.forEach((value, axis) => {
      expect(value).toBeCloseTo(expected.positionM[axis]!, 12);
    });
    const dot = flange.quatXyzw.reduce((sum, value, i) => sum + value * expected.quatXyzw[i]!, 0);
    expect(Math.abs(dot)).toBeCloseTo(1, 12);
  });

  it("describes itself once, with the fixed frames of gripper and camera", () => {
    const { node } = start();
    const [description] = node.on("/arm/robot_description");
    expect(String(description!.message)).toContain('<robot name="arm">');
    const fixed = readTransforms(node.on("/tf_static")[0]!.message as Buffer);
    expect(fixed.map(({ parent, child }) => `${parent} > ${child}`)).toEqual([
      "link7 > gripper_base",
      "gripper_base > link_tcp",
      "link7 > wrist_color_optical_frame",
    ]);
  });

  it("stops publishing and cancels when closed", async () => {
    const { node, arm, ticks } = start();
    arm.close();
    await ticks(10);
    expect(node.on("/arm/joint_states")).toHaveLength(0);
    expect(node.listeners.size).toBe(0);
  });
});
