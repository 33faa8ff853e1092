import { beforeEach, describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { limitsOf, MOTORS, OBSERVATION_FIELDS } from "../../drivers/digit/protocol/index.js";
import { zstdDecompressor } from "../../episodes/import/zstd.js";
import { conjugate, type QuatXyzw, rotate } from "../../kinematics/pose.js";
import { LAYOUTS } from "./digitFaults.js";
import { DigitEmulator } from "./emulator.js";
import { IdealBody } from "./idealBody.js";
import { MOTOR_LIMITS } from "./specs.js";
import { DigitRig } from "./testing.js";

const inflate = await zstdDecompressor();
let rig: DigitRig;
beforeEach(() => {
  rig = new DigitRig({}, inflate);
});

describe("the emulated Digit on its network", () => {
  it("is silent until it understands commands, and then describes itself", () => {
    rig.sends = false;
    rig.run(200);
    expect(rig.emulator.observations.sentCount).toBe(0);
    rig.sends = true;
    rig.run(10);
    expect([rig.stream.state, rig.reader?.missing]).toEqual(["live", []]);
    expect(rig.observations).toBeGreaterThanOrEqual(9);
    const limits = limitsOf(rig.stream.description!);
    expect([limits.missing, limits.errorShutdownDelayS]).toEqual([[], 0.5]);
    expect([...limits.torqueNm]).toEqual(MOTOR_LIMITS.map(({ torqueNm }) => torqueNm));
  });

  it("tells what the body does", () => {
    rig.run(300);
    const { observation, body } = rig;
    expect(observation.timeS).toBeCloseTo(0.3, 6);
    expect([...observation.motorPositionRad]).toEqual([...body.truth.positionRad]);
    expect([...observation.jointPositionRad]).toEqual([...body.truth.passivePositionRad]);
    expect([...observation.baseTranslationM]).toEqual([...body.truth.positionWorldM]);
    expect([observation.error, observation.batteryPercent]).toEqual([false, 80]);
  });

  it("does with its motors what a command says, and falls back when commands end", () => {
    rig.run(5);
    rig.enter("low-level-api");
    rig.command.apply = true;
    rig.command.torqueNm.fill(4);
    rig.run(10);
    expect(rig.body.drive.torqueNm[9]).toBe(4);
    rig.sends = false;
    rig.run(60);
    expect(rig.emulator.robot.mode).toBe("damping");
    expect(rig.body.drive.torqueNm[9]).toBe(0);
    // Its own subscriber forgets the client soon after, and observations end.
    rig.run(100);
    const { sentCount } = rig.emulator.observations;
    rig.run(100);
    expect(rig.emulator.observations.sentCount).toBe(sentCount);
  });

  it.each(LAYOUTS)("is read the same whatever the layout: %s", (as) => {
    rig.emulator.inject({ laysOut: { as } });
    rig.body.truth.positionRad.set(MOTORS.map((_, motor) => motor / 16));
    rig.run(20);
    expect([rig.stream.state, rig.reader?.missing]).toEqual(["live", []]);
    expect(rig.observations).toBeGreaterThan(10);
    for (let motor = 0; motor < MOTORS.length; motor++)
      expect(rig.observation.motorPositionRad[motor]).toBeCloseTo(rig.body.truth.positionRad[motor]!, 5);
    expect(rig.observation.batteryPercent).toBe(80);
  });

  it("is learnt anew by its client when its layout changes on the way", () => {
    rig.run(500);
    rig.emulator.inject({ laysOut: { as: "singlePrecision" } });
    rig.run(1500);
    expect(rig.losses.length).toBeGreaterThanOrEqual(1);
    expect(rig.stream.state).toBe("live");
    expect(rig.observation.timeS).toBeCloseTo(2, 2);
  });

  it("comes from another port after a restart, in the mode without power and with a time of its own", () => {
    rig.run(5);
    rig.enter("low-level-api");
    rig.emulator.inject({ restarts: {} });
    rig.run(1000);
    expect([...rig.sources]).toEqual([0, 1]);
    expect([rig.stream.state, rig.emulator.robot.mode]).toEqual(["live", "disabled"]);
    expect(rig.observation.timeS).toBeCloseTo(1, 3);
  });

  it("never becomes live where fragments are lost", () => {
    rig.emulator.inject({ blocksFragments: {} });
    rig.run(1000);
    expect(rig.stream.state).toBe("silent");
    expect(rig.emulator.toRobot.lost).toBeGreaterThan(1);
  });

  it("is heard among strangers by who keeps to a sender", () => {
    rig.run(20);
    rig.emulator.inject({ strangers: {} });
    rig.run(100);
    expect(rig.stream.counters.foreign).toBe(100);
    expect(rig.observation.motorPositionRad[0]).not.toBe(0.5);
  });
});

describe("what an emulated Digit can measure wrongly", () => {
  const read = (name: string) =>
    rig.observation.values[OBSERVATION_FIELDS.find((field) => field.name === name)!.at]!;

  it("is a frozen observation, or only its time", () => {
    rig.run(50);
    rig.emulator.inject({ timeStandsStill: {}, forMs: 20 });
    rig.run(10);
    const stoodS = read("time");
    rig.body.truth.positionRad[2] = 1;
    rig.run(5);
    expect([read("time"), read("left_hip_pitch.position") > 0.5]).toEqual([stoodS, true]);
    rig.run(20);
    expect(read("time")).toBeCloseTo(0.085, 6);
    rig.emulator.inject({ freezes: {} });
    rig.body.truth.positionRad[2] = 2;
    const count = rig.observations;
    rig.run(10);
    expect([rig.observations - count, read("left_hip_pitch.position") < 1.5]).toEqual([10, true]);
  });

  it("is no number, a stretched quaternion, a slipped encoder, the other leg", () => {
    rig.emulator.inject({ reads: { field: "left_knee.velocity", as: "nan" } });
    rig.emulator.inject({ stretchesQuaternion: { factor: 1.1 } });
    rig.emulator.inject({ jumps: { motor: "left_elbow", rad: 0.2 } });
    rig.run(5);
    expect(read("left_knee.velocity")).toBeNaN();
    expect(Math.hypot(...rig.observation.baseOrientationWxyz)).toBeCloseTo(1.1, 6);
    expect(read("left_elbow.position") - rig.body.truth.positionRad[15]!).toBeCloseTo(0.2, 9);
    rig.emulator.inject({ swapsLegs: {} });
    rig.run(1);
    expect(read("left_knee.position")).toBe(rig.body.truth.positionRad[9]);
    expect(read("left_tarsus.position")).toBe(rig.body.truth.passivePositionRad[6]);
  });

  it("is a description that lacks fields, limits that are wrong or of the wrong kind", () => {
    rig.emulator.inject({ misses: { fields: ["imu.angular_velocity", "left_knee.torque_limit"] } });
    rig.emulator.inject({ claims: { damping: 2, asSinglePrecision: false, nothing: false } });
    rig.run(5);
    const limits = limitsOf(rig.stream.description!);
    expect([rig.reader!.missing, limits.missing]).toEqual([
      ["imu.angular_velocity"],
      ["left_knee.torque_limit"],
    ]);
    expect(limits.dampingNmSPerRad[0]).toBeCloseTo(2 * MOTOR_LIMITS[0]!.dampingNmSPerRad, 9);
  });

  it("is a size other than described", () => {
    rig.run(5);
    rig.emulator.inject({ missizes: { bytes: -3 } });
    rig.run(5);
    expect(rig.stream.counters.wrongSize).toBe(5);
  });
});

describe("the frames that an emulated Digit tells its base in", () => {
  const [x, y, z, w] = [0.1, -0.2, 0.6, 0.7].map((part) => part / Math.hypot(0.1, 0.2, 0.6, 0.7)) as [
    number,
    number,
    number,
    number,
  ];
  const quat: QuatXyzw = [x, y, z, w];

  function tilted(conventions: ConstructorParameters<typeof DigitRig>[0]): DigitRig {
    const turned = new DigitRig(conventions);
    const { truth } = turned.body;
    truth.quatWorldBaseXyzw.set(quat);
    truth.linearVelocityWorldMPerS.set([0.3, 0.5, 0.1]);
    truth.angularVelocityBaseRadPerS.set([0.4, -0.6, 0.2]);
    truth.specificForceBaseMPerS2.set(rotate(conjugate(quat), [0, 0, 9.806]));
    turned.run(5);
    return turned;
  }
  function close(found: ArrayLike<number>, expected: readonly number[]): void {
    for (const [index, value] of expected.entries()) expect(found[index]).toBeCloseTo(value, 9);
  }

  it("are the world for velocities, and the sensor's mount: gravity is felt on x of a robot that stands", () => {
    rig.run(5);
    close(rig.observation.imuLinearAccelerationMPerS2, [9.806, 0, 0]);
    const { observation } = tilted({});
    close(observation.baseLinearVelocityMPerS, [0.3, 0.5, 0.1]);
    close(observation.baseAngularVelocityRadPerS, [0.4, -0.6, 0.2]);
    // base = (-imu z, imu y, imu x)
    const [ix, iy, iz] = observation.imuAngularVelocityRadPerS as unknown as [number, number, number];
    close([-iz, iy, ix], [0.4, -0.6, 0.2]);
    const [qw, qx, qy, qz] = observation.imuOrientationWxyz as unknown as [number, number, number, number];
    // The sensor's x axis is the base's z axis.
    close(rotate([qx, qy, qz, qw], [1, 0, 0]), rotate(quat, [0, 0, 1]));
  });

  it("can be the base, and the heading", () => {
    const { observation } = tilted({ linearVelocity: "base", angularVelocity: "world", imu: "base" });
    close(observation.baseLinearVelocityMPerS, rotate(conjugate(quat), [0.3, 0.5, 0.1]));
    close(observation.baseAngularVelocityRadPerS, rotate(quat, [0.4, -0.6, 0.2]));
    close(observation.imuAngularVelocityRadPerS, [0.4, -0.6, 0.2]);
    const heading = tilted({ linearVelocity: "heading" }).observation.baseLinearVelocityMPerS;
    const [fx, fy] = rotate(quat, [1, 0, 0]);
    const yaw = Math.atan2(fy, fx);
    close(heading, [
      0.3 * Math.cos(yaw) + 0.5 * Math.sin(yaw),
      -0.3 * Math.sin(yaw) + 0.5 * Math.cos(yaw),
      0.1,
    ]);
  });
});

describe("the emulated Digit's loop", () => {
  it("ticks each millisecond of the clock, also while nobody talks to it", async () => {
    const clock = new SimClock();
    const emulator = new DigitEmulator({
      body: new IdealBody(),
      clock,
      conventions: { linearVelocity: "world", angularVelocity: "base", imu: "mount" },
      seed: 1,
      sendObservation: () => {},
    });
    emulator.start();
    await clock.advance(250);
    expect(emulator.robot.timeS).toBeCloseTo(0.25, 2);
    expect(emulator.skippedMs).toBe(0);
    await emulator.close();
  });
});
