import { describe, expect, it } from "vitest";
import { createFloatingBase, type VelocityCommand } from "../../core/floatingBase.js";
import { readJointState } from "../../core/rosWire.js";
import { SimClock } from "../../core/simClock.js";
import { DIGIT_MOTORS, DIGIT_PASSIVE_JOINTS, DIGIT_POSES } from "../../kinematics/digit/motors.js";
import type { ServoSnapshot } from "../servo/api.js";
import { legModel } from "./legModel.js";
import { startLegNode } from "./legNode.js";
import { FakeNode, FakeServo, readTransforms } from "./testing.js";

/** A servo whose snapshots have a base, as a robot on legs has one. */
class FakeLegServo extends FakeServo {
  readonly base = createFloatingBase(10);

  override onSnapshot(listener: (snapshot: ServoSnapshot) => void): () => void {
    return super.onSnapshot((snapshot) => listener({ ...snapshot, base: this.base }));
  }
}

function start(accepting = true) {
  const clock = new SimClock();
  const servo = new FakeLegServo(clock, DIGIT_POSES.stand);
  const node = new FakeNode();
  const velocities: VelocityCommand[] = [];
  const legs = startLegNode(node, {
    robot: "digit",
    model: legModel({ robotName: "digit", framePrefix: "d_", cameras: [] }, "d_odom"),
    client: servo,
    clock,
    jointStateRateHz: 100,
    transformRateHz: 30,
    accepting: () => accepting,
    onVelocity: (velocity) => {
      velocities.push(velocity);
      return velocity.forwardMPerS > 1 ? "the policy is ready" : undefined;
    },
  });
  const run = async (ticks: number) => {
    for (let i = 0; i < ticks; i++) {
      servo.tick(true);
      await clock.advance(1);
    }
  };
  return { servo, node, legs, velocities, run };
}
const twist = (x: number, y: number, yaw: number) => ({
  linear: { x, y, z: 0 },
  angular: { x: 0, y: 0, z: yaw },
});

describe("a robot on legs on ROS", () => {
  it("tells all its joints, those without motor after the others, 100 times a second", async () => {
    const { servo, node, run } = start();
    servo.base.passivePositionRad[1] = -0.34;
    servo.base.passiveVelocityRadPerS[9] = 0.5;
    await run(1000);
    const states = node.on("/digit/joint_states");
    expect(states.length).toBeGreaterThanOrEqual(99);
    expect(states.length).toBeLessThanOrEqual(101);
    const parsed = readJointState(states[0]!.message as Uint8Array);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(parsed.value.names).toEqual([...DIGIT_MOTORS.map(({ name }) => name), ...DIGIT_PASSIVE_JOINTS]);
    expect([...parsed.value.positionRad].slice(0, 20)).toEqual([...DIGIT_POSES.stand]);
    expect(parsed.value.positionRad[21]).toBe(-0.34);
    expect(parsed.value.velocityRadPerS[29]).toBe(0.5);
    expect(node.on("/digit/joint_command").length).toBeGreaterThanOrEqual(99);
  });

  it("puts its base into its odometry's frame, and each joint's angle where that joint is", async () => {
    const { servo, node, run } = start();
    servo.base.translationWorldM.set([1, 2, 0.97]);
    servo.base.quatWorldBaseXyzw.set([0, 0, 1, 0]);
    servo.base.passivePositionRad[1] = -0.34;
    await run(100);
    const frames = node.on("/tf").flatMap(({ message }) => readTransforms(message as Buffer));
    const base = frames.find(({ parent }) => parent === "d_odom")!;
    expect(base.child).toBe("d_base");
    expect(base.pose).toEqual({ positionM: [1, 2, 0.97], quatXyzw: [0, 0, 1, 0] });
    expect(frames.filter(({ parent }) => parent === "d_odom").length).toBeLessThanOrEqual(4);
    const still = start();
    await still.run(100);
    const tarsus = (all: typeof frames) => all.find(({ child }) => child === "d_left_tarsus")!;
    const resting = still.node.on("/tf").flatMap(({ message }) => readTransforms(message as Buffer));
    expect(turnRad(tarsus(frames).pose.quatXyzw, tarsus(resting).pose.quatXyzw)).toBeCloseTo(0.34, 6);
  });

  it("tells its inertial sensor, laid out as the message is, and nothing of covariances", async () => {
    const { servo, node, run } = start();
    servo.base.quatWorldBaseXyzw.set([0.1, 0.2, 0.3, 0.9]);
    servo.base.angularVelocityBaseRadPerS.set([1, 2, 3]);
    servo.base.specificForceBaseMPerS2.set([4, 5, 9.8]);
    await run(20);
    const bytes = Buffer.from(node.on("/digit/imu")[0]!.message as Uint8Array);
    // Encapsulation 4, stamp 8, length of the frame's name 4, "d_base" and its zero 7, padding to 8 after the encapsulation.
    expect(bytes.toString("latin1", 16, 22)).toBe("d_base");
    const first = 4 + Math.ceil((8 + 4 + 7) / 8) * 8;
    const numbers = Array.from({ length: 37 }, (_, i) => bytes.readDoubleLE(first + 8 * i));
    expect(bytes.length).toBe(first + 8 * 37);
    expect(numbers.slice(0, 4)).toEqual([0.1, 0.2, 0.3, 0.9]);
    expect(numbers.slice(13, 16)).toEqual([1, 2, 3]);
    expect(numbers.slice(25, 28)).toEqual([4, 5, 9.8]);
    expect(numbers.filter((number) => number !== 0)).toHaveLength(10);
  });

  it("hands velocities on, and refuses what is none or comes while nothing is active", () => {
    const { node, legs, velocities } = start();
    const send = node.listeners.get("/digit/cmd_vel")!;
    send(twist(0.5, -0.1, 0.2));
    expect(velocities).toEqual([{ forwardMPerS: 0.5, leftMPerS: -0.1, yawRateRadPerS: 0.2 }]);
    send(twist(Number.NaN, 0, 0));
    send({ linear: { x: 1 } });
    expect(velocities).toHaveLength(1);
    expect(legs.diagnostics()[0]).toMatchObject({
      level: "warn",
      values: { takenCount: 1, refusedCount: 2 },
    });
    send(twist(1.5, 0, 0));
    expect(legs.diagnostics()[0]).toMatchObject({ level: "warn", message: "refused: the policy is ready" });
    const idle = start(false);
    idle.node.listeners.get("/digit/cmd_vel")!(twist(0.5, 0, 0));
    expect(idle.velocities).toEqual([]);
    expect(idle.legs.diagnostics()[0]!.message).toMatch(/not active/);
  });

  it("says nothing more once it is closed", async () => {
    const { node, legs, run } = start();
    legs.close();
    await run(50);
    expect(node.on("/digit/joint_states")).toEqual([]);
    expect(node.listeners.size).toBe(0);
  });
});

/** Angle between two rotations [rad]. */
const turnRad = (one: readonly number[], other: readonly number[]): number =>
  2 * Math.acos(Math.min(1, Math.abs(one.reduce((sum, value, i) => sum + value * other[i]!, 0))));
