/** What the self-check finds in what a moving robot tells, what it lets pass, and that every fault says what to do. */
import { describe, expect, it } from "vitest";
import { createFloatingBase } from "../../core/floatingBase.js";
import { SIDES } from "../../kinematics/digit/bodies.js";
import { closeLeg } from "../../kinematics/digit/loops.js";
import { DIGIT_MOTORS, DIGIT_STAND } from "../../kinematics/digit/motors.js";
import { DigitConfig } from "./config.js";
import { allDigitFaults, digitFault } from "./faults.js";
import { type DigitLimits, DigitObservation, MOTOR_COUNT, MOTORS, PASSIVE_JOINTS } from "./protocol/index.js";
import { RODS } from "./rods.js";
import {
  type Moment,
  refuseContradictions,
  refuseImplausible,
  refuseLimits,
  refuseMissing,
} from "./selfCheck.js";
import { DigitWatch, WATCH_ROWS, type Watched } from "./watch.js";

const FRAMES = { linearVelocity: "world", angularVelocity: "imu", imu: "mount" } as const;
const MOMENTS = 16;
const EVERY_S = 0.02;

interface Motion {
  readonly turnRadPerS?: readonly [number, number, number];
  readonly gyroRadPerS?: readonly [number, number, number];
  readonly goesMPerS?: readonly [number, number, number];
  readonly velocityMPerS?: readonly [number, number, number];
  readonly forceMPerS2?: readonly [number, number, number];
  readonly change?: (observation: DigitObservation) => void;
}

function standing(): DigitObservation {
  const observation = new DigitObservation();
  observation.motorPositionRad.set(DIGIT_STAND.positionRad);
  for (const side of SIDES) {
    const [knee, toeA, toeB] = (["knee", "toe_A", "toe_B"] as const).map(
      (motor) => DIGIT_STAND.positionRad[MOTORS.indexOf(`${side}_${motor}`)]!,
    ) as [number, number, number];
    const { tarsusRad, toePitchRad, toeRollRad } = closeLeg(side, knee, toeA, toeB);
    const set = (joint: "tarsus" | "toe_pitch" | "toe_roll", rad: number) => {
      observation.jointPositionRad[PASSIVE_JOINTS.indexOf(`${side}_${joint}`)] = rad;
    };
    set("tarsus", tarsusRad);
    set("toe_pitch", toePitchRad);
    set("toe_roll", toeRollRad);
  }
  return observation;
}

/** Turns about one axis and goes along in the world, as it says or not. */
function moments({
  turnRadPerS = [0, 0, 0],
  gyroRadPerS = turnRadPerS,
  goesMPerS = [0, 0, 0],
  velocityMPerS = goesMPerS,
  forceMPerS2 = [0, 0, 9.8],
  change = () => {},
}: Motion): Moment[] {
  return Array.from({ length: MOMENTS }, (_, index) => {
    const timeS = 10 + index * EVERY_S;
    const observation = standing();
    change(observation);
    const base = createFloatingBase(PASSIVE_JOINTS.length);
    const rate = Math.hypot(...turnRadPerS);
    const half = (rate * index * EVERY_S) / 2;
    const share = rate === 0 ? 0 : Math.sin(half) / rate;
    base.quatWorldBaseXyzw.set([...turnRadPerS.map((r) => r * share), Math.cos(half)]);
    base.translationWorldM.set(goesMPerS.map((v) => v * index * EVERY_S));
    base.linearVelocityBaseMPerS.set(velocityMPerS);
    base.angularVelocityBaseRadPerS.set(gyroRadPerS);
    base.specificForceBaseMPerS2.set(forceMPerS2);
    return { timeS, observation, base };
  });
}

describe("what a robot tells together", () => {
  it.each([
    ["of one that stands", {}],
    ["of one that swings on its gantry", { turnRadPerS: [0.3, 0.2, 0.1] }],
    ["of one that is carried along", { goesMPerS: [0.3, 0.1, 0] }],
    ["of one that leans a little", { forceMPerS2: [1, 0, 9.75] }],
  ] as [string, Motion][])("passes %s", (_, motion) => {
    expect(() => refuseContradictions(moments(motion), FRAMES)).not.toThrow();
  });

  it.each([
    [
      "a gyroscope in other axes",
      { turnRadPerS: [0.6, 0, 0], gyroRadPerS: [0, 0, 0.6] },
      /imu\.angular_velocity/,
    ],
    [
      "a gyroscope of the other sign",
      { turnRadPerS: [0, 0.4, 0], gyroRadPerS: [0, -0.4, 0] },
      /orientation turns/,
    ],
    [
      "a velocity in another frame",
      { goesMPerS: [0.3, 0, 0], velocityMPerS: [0, -0.3, 0] },
      /linearVelocity/,
    ],
    ["gravity that is none", { forceMPerS2: [0, 0, 0.2] }, /imu\.linear_acceleration/],
    ["gravity along another axis", { forceMPerS2: [9.8, 0, 0] }, /frames\.imu/],
    ["gravity upside down", { forceMPerS2: [0, 0, -9.8] }, /frames\.imu/],
    [
      "a knee that does not go with its tarsus",
      { change: (o: DigitObservation) => o.jointPositionRad.fill(0.9) },
      /tarsus/,
    ],
  ] as [string, Motion, RegExp][])("refuses %s", (_, motion, text) => {
    expect(() => refuseContradictions(moments(motion), FRAMES)).toThrow(text);
  });

  it("refuses a time that stands still, and nothing at all", () => {
    const still = moments({}).map((moment) => ({ ...moment, timeS: 3 }));
    expect(() => refuseContradictions(still, FRAMES)).toThrow(/time does not advance/);
    expect(() => refuseContradictions([], FRAMES)).toThrow(/time does not advance/);
  });

  it("is looked at before anything else for joints that cannot be", () => {
    const [{ base }] = moments({}) as [Moment];
    expect(() => refuseImplausible(standing(), base, 0.6)).not.toThrow();
    expect(() => refuseImplausible(standing(), base, 1.2)).toThrow(/over the lower foot/);
    const observation = standing();
    observation.motorPositionRad[2] = 2.5;
    expect(() => refuseImplausible(observation, base, 0.6)).toThrow(/left_hip_pitch\.position/);
    const slipped = standing();
    slipped.motorPositionRad[MOTORS.indexOf("right_toe_B")]! += 0.2;
    expect(() => refuseImplausible(slipped, base, 0.6)).toThrow(
      /do not close: right_toe_B_rod .*right_toe_B/,
    );
  });
});

const known = (): DigitLimits => ({
  torqueNm: Float64Array.from(DIGIT_MOTORS, (motor) => motor.announcedTorqueMaxNm),
  dampingNmSPerRad: Float64Array.from(DIGIT_MOTORS, (motor) => motor.announcedDampingMaxNmSPerRad),
  velocityRadPerS: Float64Array.from(DIGIT_MOTORS, (motor) => motor.announcedVelocityMaxRadPerS),
  errorShutdownDelayS: 0.5,
  missing: [],
});

describe("what a robot announces", () => {
  it("may differ by a fifth from what is known, and no more", () => {
    for (const share of [0.81, 1, 1.19]) {
      const limits = known();
      limits.dampingNmSPerRad[7]! *= share;
      expect(() => refuseLimits(limits)).not.toThrow();
    }
    for (const value of [0, -1, Number.NaN, 1e6]) {
      for (const which of ["torqueNm", "dampingNmSPerRad", "velocityRadPerS"] as const) {
        const limits = known();
        limits[which][19] = value;
        expect(() => refuseLimits(limits)).toThrow(/right_elbow/);
      }
    }
  });

  it("must be all there", () => {
    expect(() => refuseMissing([])).not.toThrow();
    expect(() => refuseMissing(["time", "error"])).toThrow(/time.*and 1 more/);
  });
});

describe("the watch", () => {
  const config = DigitConfig.parse({ host: "robot", frames: FRAMES });
  const watched = (changes: Partial<Watched> = {}): Watched => {
    const observation = standing();
    observation.values[observation.values.length - 1] = 80;
    const quatWorldBaseXyzw = [0, 0, 0, 1];
    return {
      observation,
      quatWorldBaseXyzw,
      limits: known(),
      config,
      standstillMs: 0,
      heightM: 0.9,
      slipRad: new Float64Array(MOTOR_COUNT),
      rodStretchM: new Float64Array(RODS.length),
      ...changes,
    };
  };
  const leaning = { quatWorldBaseXyzw: [0, Math.sin(0.5), 0, Math.cos(0.5)] };

  it("finds nothing wrong with a robot that stands", () => {
    for (const { isBad } of WATCH_ROWS) expect(isBad(watched())).toBe(false);
  });

  it("waits as long as a row says, begins anew after a break, and tells once", () => {
    const watch = new DigitWatch();
    const told: string[] = [];
    const look = (ms: number, what: Watched) => watch.look(what, ms, (name) => told.push(name));
    for (let ms = 0; ms < 10; ms++) look(ms, watched(leaning));
    look(10, watched());
    for (let ms = 11; ms < 21; ms++) look(ms, watched(leaning));
    expect(told).toEqual([]);
    for (let ms = 21; ms < 60; ms++) look(ms, watched(leaning));
    expect(told).toEqual(["FALLEN"]);
    watch.reset();
    for (let ms = 60; ms < 90; ms++) look(ms, watched(leaning));
    expect(told).toEqual(["FALLEN", "FALLEN"]);
  });

  it("names the motor and the field that it means", () => {
    const fast = watched();
    fast.observation.motorVelocityRadPerS[9] = -50;
    const speed = WATCH_ROWS.find(({ fault }) => fault === "SPEED")!;
    expect(speed.isBad(fast)).toBe(true);
    expect(digitFault("SPEED", speed.found(fast)).cause).toMatch(/right_knee is at -50\.00 rad\/s/);
    const far = watched();
    far.observation.motorPositionRad[0] = 1.2;
    const position = WATCH_ROWS.find(({ fault }) => fault === "POSITION")!;
    expect(position.isBad(far)).toBe(true);
    expect(position.found(far)).toBe("left_hip_roll is at 1.20 rad");
    const broken = watched();
    broken.observation.imuAngularVelocityRadPerS[1] = Number.POSITIVE_INFINITY;
    const notFinite = WATCH_ROWS.find(({ fault }) => fault === "NOT_FINITE")!;
    expect(notFinite.isBad(broken)).toBe(true);
    expect(notFinite.found(broken)).toBe("imu.angular_velocity");
  });

  it("has a fault with a remedy for each row, and each code once", () => {
    const faults = allDigitFaults();
    expect(new Set(faults.map(({ code }) => code)).size).toBe(faults.length);
    for (const { cause, remedy } of faults) {
      expect(cause).not.toContain("{}");
      expect(cause.endsWith(".")).toBe(false);
      expect(remedy.length).toBeGreaterThan(5);
    }
    for (const { fault } of WATCH_ROWS) expect(faults.map(({ code }) => code)).toContain(`DIGIT_${fault}`);
    expect(MOTOR_COUNT).toBe(20);
  });
});
