import { describe, expect, it } from "vitest";
import { readJointState } from "../../core/rosWire.js";
import { SimClock } from "../../core/simClock.js";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { ALLEGRO_JOINT_NAMES } from "../../kinematics/allegro/hand.js";
import { HAND_LIMITS } from "../../kinematics/allegro/limits.js";
import { compose, IDENTITY_POSE, type Pose } from "../../kinematics/pose.js";
import { handModel } from "./handModel.js";
import type { ModelPlace } from "./robotModel.js";
import { startRobotNode } from "./robotNode.js";
import { FakeNode, FakeServo, readPoses, readTransforms } from "./testing.js";

const POSE_RAD = ALLEGRO_JOINT_NAMES.map((_, joint) => 0.3 + 0.005 * joint);
const LIMITS = HAND_LIMITS.v4.right!;
const STAND: Pose = { positionM: [0, 0, 0.15], quatXyzw: [Math.SQRT1_2, 0, Math.SQRT1_2, 0] };
const OVERHEAD: Pose = { positionM: [0.3, 0, 0.05], quatXyzw: [0, Math.SQRT1_2, 0, Math.SQRT1_2] };

/** Lets promises that wait for each other run. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

function start(place: Partial<ModelPlace> = {}, which = { model: "v4", side: "right" } as const) {
  const clock = new SimClock();
  const each = (value: number) => Array<number>(16).fill(value);
  const servo = new FakeServo(clock, POSE_RAD, {
    robot: "hand",
    device: "allegro",
    rateHz: 333,
    limits: {
      ...LIMITS,
      jointNames: ALLEGRO_JOINT_NAMES,
      accelerationMaxRadPerS2: each(60),
      jerkMaxRadPerS3: each(3000),
      toolSpeedMaxMPerS: 0.85,
    },
  });
  const node = new FakeNode();
  const model = handModel(
    {
      robotName: "hand",
      framePrefix: "",
      cameras: [{ name: "overhead", link: "palm_link", poseParentOptical: OVERHEAD }],
      carriedBy: { frame: "world", pose: STAND },
      ...place,
    },
    { ...which, limits: LIMITS },
  );
  const hand = startRobotNode(node, {
    robot: "hand",
    model,
    client: servo,
    clock,
    jointStateRateHz: 100,
    transformRateHz: 30,
    accepting: () => true,
    log: () => {},
  });
  const ticks = async (count: number) => {
    for (let i = 0; i < count; i++) {
      servo.tick();
      await clock.advance(3);
    }
  };
  const newest = (topic: string) => node.on(topic).at(-1)!.message as Buffer;
  return { clock, servo, node, hand, ticks, newest };
}

describe("a hand on ROS", () => {
  it("publishes sixteen joints as measured and as sent", async () => {
    const { node, servo, ticks, newest } = start();
    await ticks(333);
    expect(node.on("/hand/joint_states").length).toBeGreaterThanOrEqual(98);
    const state = readJointState(newest("/hand/joint_states"));
    if (!state.ok) throw new Error(state.reason);
    expect(state.value.names).toEqual(ALLEGRO_JOINT_NAMES);
    expect([...state.value.positionRad]).toEqual(POSE_RAD);
    const sent = readJointState(newest("/hand/joint_command"));
    expect(sent.ok && [...sent.value.positionRad]).toEqual([...servo.latest().sentRad]);
  });

  it("puts fingertips where the transforms do, and where forward kinematics has them", async () => {
    const { ticks, newest, node } = start();
    await ticks(10);
    const { frame, poses } = readPoses(newest("/hand/fingertips"));
    expect(frame).toBe("palm_link");
    expect(poses).toHaveLength(4);
    const chain = new HandChain("v4", "right");
    chain.update(POSE_RAD);
    const all = [
      ...readTransforms(newest("/tf")),
      ...readTransforms(node.on("/tf_static")[0]!.message as Buffer),
    ];
    expect(all).toHaveLength(16 + 4 + 1 + 1);
    const inPalm = (child: string): Pose => {
      const one = all.find((other) => other.child === child)!;
      return compose(one.parent === "palm_link" ? IDENTITY_POSE : inPalm(one.parent), one.pose);
    };
    poses.forEach((tip, finger) => {
      const framed = inPalm(`link_${4 * finger + 3}_tip`);
      tip.positionM.forEach((value, axis) => {
        expect(value).toBeCloseTo(chain.tipsM[3 * finger + axis]!, 12);
        expect(value).toBeCloseTo(framed.positionM[axis]!, 9);
      });
      const dot = tip.quatXyzw.reduce((sum, value, i) => sum + value * framed.quatXyzw[i]!, 0);
      expect(Math.abs(dot)).toBeCloseTo(1, 9);
    });
  });

  it("stands in the world and carries its camera on the palm", () => {
    const { node } = start();
    const fixed = readTransforms(node.on("/tf_static")[0]!.message as Buffer);
    const at = (child: string) => fixed.find((one) => one.child === child)!;
    expect(at("palm_link")).toMatchObject({ parent: "world", pose: STAND });
    expect(at("overhead_color_optical_frame").parent).toBe("palm_link");
    at("overhead_color_optical_frame").pose.positionM.forEach((value, axis) => {
      expect(value).toBeCloseTo(OVERHEAD.positionM[axis]!, 12);
    });
    const description = String(node.on("/hand/robot_description")[0]!.message);
    expect(description).toContain('<robot name="hand">');
    expect(description).toContain('<child link="overhead_color_optical_frame"/>');
  });

  it("hangs on the arm that carries it, with names of its own, but the camera's", async () => {
    const carriedBy = { frame: "arm_link7", pose: IDENTITY_POSE };
    const { node, ticks, newest } = start({ framePrefix: "hand_", carriedBy });
    await ticks(2);
    const fixed = readTransforms(node.on("/tf_static")[0]!.message as Buffer);
    expect(fixed.map(({ parent, child }) => `${parent} > ${child}`)).toEqual([
      "arm_link7 > hand_palm_link",
      ...[3, 7, 11, 15].map((joint) => `hand_link_${joint} > hand_link_${joint}_tip`),
      "hand_palm_link > overhead_color_optical_frame",
    ]);
    for (const { parent, child } of readTransforms(newest("/tf")))
      expect(`${parent} ${child}`).toMatch(/^hand_\S+ hand_link_\d+$/);
    expect(readPoses(newest("/hand/fingertips")).frame).toBe("hand_palm_link");
    expect(String(node.on("/hand/robot_description")[0]!.message)).toContain('<link name="hand_palm_link">');
  });

  it("publishes joints and a palm of a hand whose geometry nobody knows, and no fingertips", async () => {
    const { node, ticks } = start({}, { model: "v5b", side: "right" } as never);
    await ticks(20);
    expect(node.on("/hand/joint_states").length).toBeGreaterThan(3);
    expect(node.on("/tf")).toHaveLength(0);
    expect(node.on("/hand/fingertips")).toHaveLength(0);
    const fixed = readTransforms(node.on("/tf_static")[0]!.message as Buffer);
    expect(fixed.map(({ child }) => child)).toEqual(["palm_link", "overhead_color_optical_frame"]);
  });

  it("begins a trajectory where the servo holds the fingers and ends it there, whatever they press on", async () => {
    const { clock, servo, node, hand } = start();
    const held = servo.latest().sentRad;
    servo.positionRad = servo.positionRad.map((rad) => rad - 0.2);
    servo.stuck = true;
    servo.latest = () => ({
      ...FakeServo.prototype.latest.call(servo),
      sentRad: Float64Array.from(servo.commands.at(-1)?.target.positionRad ?? held),
    });
    const goal = Array.from(held, (rad) => rad + 0.1);
    node.listeners.get("/hand/joint_trajectory")!({
      header: { stamp: { sec: 0, nanosec: 0 } },
      joint_names: [...ALLEGRO_JOINT_NAMES],
      points: [
        { positions: Array.from(held), time_from_start: { sec: 0, nanosec: 0 } },
        { positions: goal, time_from_start: { sec: 1, nanosec: 0 } },
      ],
    });
    await settle();
    await clock.advance(1500);
    await settle();
    expect(hand.trajectories.diagnostic()).toMatchObject({ level: "ok", message: "reached its end" });
    const [first] = servo.commands;
    held.forEach((rad, joint) => {
      expect(Math.abs(first!.target.positionRad[joint]! - rad)).toBeLessThan(0.01);
    });
  });
});
