import { beforeEach, describe, expect, it } from "vitest";
import { MOTOR_COUNT, MOTORS } from "../../drivers/digit/protocol/joints.js";
import { createDrive } from "./body.js";
import { DigitFaults, type OperationMode } from "./digitFaults.js";
import { IdealBody } from "./idealBody.js";
import { EmulatedRobot, type LowLevelCommand, type ModeOutcome } from "./robot.js";
import { COMMAND_TIMEOUT_MS, MODE_CHANGE_MS, MOTOR_LIMITS, STAND_RAMP_MS } from "./specs.js";

const START_MS = 1000;
let body: IdealBody;
let faults: DigitFaults;
let robot: EmulatedRobot;

beforeEach(() => {
  body = new IdealBody();
  faults = new DigitFaults();
  robot = new EmulatedRobot(body, faults, START_MS);
});

type Given = { torqueNm?: number; velocity?: number; damping?: number; fallback?: number; apply?: boolean };
function command({ torqueNm = 0, velocity = 0, damping = 0, fallback = 1, apply = true }: Given) {
  const drive = createDrive();
  drive.torqueNm.fill(torqueNm);
  drive.velocityRadPerS.fill(velocity);
  drive.dampingNmSPerRad.fill(damping);
  return { ...drive, fallback, apply } satisfies LowLevelCommand;
}

/** Lets time pass with a command each millisecond, or without. */
function run(ms: number, given?: Given): void {
  for (let passed = 0; passed < ms; passed++) {
    if (given !== undefined) robot.take(command(given), robot.nowMs);
    faults.advance(robot.nowMs);
    robot.tick();
  }
}

function ask(mode: OperationMode): ModeOutcome[] {
  const outcomes: ModeOutcome[] = [];
  robot.requestMode(mode, (outcome) => outcomes.push(outcome));
  return outcomes;
}

function enterLowLevel(given: Given = {}): void {
  run(5, given);
  ask("low-level-api");
  run(MODE_CHANGE_MS + 1, given);
  expect(robot.mode).toBe("low-level-api");
}

const hold = (name: keyof DigitFaults["get"] | string, condition: object = {}) =>
  faults.begin(name as never, condition as never, Number.POSITIVE_INFINITY);

const lastSpan = () => robot.motorLog.spans.at(-1)!;

describe("the emulated Digit's operation modes", () => {
  it("begin with its own controller, which stands", () => {
    body.truth.positionRad.fill(0.1);
    robot = new EmulatedRobot(body, faults, START_MS);
    run(STAND_RAMP_MS + 500);
    expect([robot.mode, lastSpan().effect]).toEqual(["locomotion", "driven"]);
    expect(
      Math.max(...body.standRad.map((rad, motor) => Math.abs(body.truth.positionRad[motor]! - rad))),
    ).toBeLessThan(0.01);
  });

  it("do not become low-level without command packets", () => {
    expect(ask("low-level-api")).toEqual([{ status: "failure", info: "no low-level commands are present" }]);
    run(100);
    expect(robot.mode).toBe("locomotion");
  });

  it("become low-level after a while, and act on commands that are to be applied only", () => {
    const given = { torqueNm: 5, damping: 2 };
    run(5, { ...given, apply: false });
    const outcomes = ask("low-level-api");
    expect(outcomes).toEqual([]);
    run(MODE_CHANGE_MS + 1, { ...given, apply: false });
    expect(outcomes).toEqual([{ status: "success", info: "" }]);
    expect([lastSpan().cause, lastSpan().effect]).toEqual(["idle", "damping"]);
    run(3, given);
    expect([lastSpan().cause, lastSpan().effect]).toEqual(["command", "driven"]);
    expect(body.drive.torqueNm[7]).toBe(5);
  });

  it.each([
    [0, "disabled", "limp"],
    [1, "damping", "damping"],
    [2, "locomotion", "driven"],
    [3, "disabled", "limp"],
  ] as const)(
    "fall back by the last commanded %i to %s after 50 ms without packets",
    (fallback, mode, effect) => {
      enterLowLevel({ torqueNm: 3, fallback });
      const lastMs = robot.commandLog.lastMs;
      run(COMMAND_TIMEOUT_MS - 1);
      expect(robot.mode).toBe("low-level-api");
      run(3);
      expect([robot.mode, lastSpan().effect]).toEqual([mode, effect]);
      const { atMs, why } = robot.modeChanges.at(-1)!;
      expect([atMs - lastMs, why]).toEqual([COMMAND_TIMEOUT_MS + 1, "timeout"]);
      // Packets that come back change nothing by themselves.
      run(100, { torqueNm: 3, fallback });
      expect(robot.mode).toBe(mode);
      expect(robot.counters.appliedInOtherMode).toBeGreaterThan(50);
    },
  );

  it("end low-level control after an error's delay", () => {
    enterLowLevel({ damping: 3 });
    hold("tellsError");
    run(400, { damping: 3 });
    expect([robot.hasError, robot.mode]).toEqual([true, "low-level-api"]);
    run(150, { damping: 3 });
    expect([robot.mode, robot.modeChanges.at(-1)!.why]).toEqual(["damping", "error"]);
    expect(ask("low-level-api")[0]?.status).toBe("failure");
  });

  it("are disabled by the emergency stop, and stay so until it is released and somebody asks", () => {
    enterLowLevel({ torqueNm: 3 });
    hold("emergencyStop");
    run(2, { torqueNm: 3 });
    expect([robot.mode, lastSpan().effect]).toEqual(["disabled", "limp"]);
    expect(ask("damping")[0]?.status).toBe("failure");
    faults.end("emergencyStop");
    run(20);
    expect(robot.mode).toBe("disabled");
    ask("damping");
    run(MODE_CHANGE_MS + 1);
    expect(robot.mode).toBe("damping");
  });

  it("give a fallen robot up to damping, and do not take it over lying", () => {
    robot.happen("pushes", { forceN: [200, 0, 0], ms: 500 });
    run(5000);
    expect([robot.mode, robot.modeChanges.at(-1)!.why]).toEqual(["damping", "fall"]);
    expect(ask("locomotion")).toEqual([{ status: "failure", info: "the robot does not stand" }]);
    robot.happen("standsUp", {});
    run(5);
    expect([robot.mode, robot.isUpright]).toEqual(["locomotion", true]);
  });

  it("tell a request that another one replaces", () => {
    run(2, { apply: false });
    const first = ask("low-level-api");
    const second = ask("damping");
    run(MODE_CHANGE_MS + 1);
    expect([first[0]?.status, second[0]?.status, robot.mode]).toEqual(["inactive", "success", "damping"]);
  });
});

describe("the emulated Digit's motors", () => {
  it("never get more than their limits, and count what was cut", () => {
    enterLowLevel({ damping: 1 });
    run(1, { torqueNm: 1e4, velocity: -1e3, damping: 1e3 });
    for (let motor = 0; motor < MOTOR_COUNT; motor++) {
      const { torqueNm, velocityRadPerS, dampingNmSPerRad } = MOTOR_LIMITS[motor]!;
      expect(body.drive.torqueNm[motor]).toBe(torqueNm);
      expect(body.drive.velocityRadPerS[motor]).toBe(-velocityRadPerS);
      expect(body.drive.dampingNmSPerRad[motor]).toBe(dampingNmSPerRad);
      expect(Math.abs(body.truth.torqueNm[motor]!)).toBeLessThanOrEqual(torqueNm);
    }
    const { clampedTorques, clampedVelocities, clampedDampings } = robot.counters;
    expect([clampedTorques, clampedVelocities, clampedDampings]).toEqual([20, 20, 20]);
  });

  it("do not take numbers that are none, nor count them as a sign of life", () => {
    enterLowLevel({ damping: 1 });
    run(COMMAND_TIMEOUT_MS + 2, { torqueNm: Number.NaN });
    expect(robot.mode).toBe("damping");
    expect(robot.counters.notFinite).toBeGreaterThan(COMMAND_TIMEOUT_MS);
  });

  it("are quiet since the fallback acts, and the log says from when", () => {
    enterLowLevel({ torqueNm: 4, damping: 1 });
    run(50, { torqueNm: 4, damping: 1 });
    expect(robot.motorLog.quietSinceMs).toBeUndefined();
    const lostMs = robot.nowMs;
    run(200);
    const quietMs = robot.motorLog.quietSinceMs!;
    expect(quietMs - lostMs).toBeGreaterThanOrEqual(COMMAND_TIMEOUT_MS);
    expect(quietMs - lostMs).toBeLessThanOrEqual(COMMAND_TIMEOUT_MS + 1);
    const driven = robot.motorLog.spans.findLast(({ effect }) => effect === "driven")!;
    expect([driven.cause, driven.askedPeakNm, driven.untilMs]).toEqual(["command", 4, quietMs]);
  });

  it("give less where they are weak", () => {
    enterLowLevel({ damping: 1 });
    hold("weakens", { motors: ["left_knee"], share: 0.5 });
    run(1, { torqueNm: 10 });
    expect([body.drive.torqueNm[3], body.drive.torqueNm[2]]).toEqual([5, 10]);
  });

  it("are without power while the control program hangs", () => {
    enterLowLevel({ torqueNm: 3 });
    hold("hangs");
    run(2, { torqueNm: 3 });
    expect([lastSpan().cause, lastSpan().effect]).toEqual(["unpowered", "limp"]);
  });
});

describe("the emulated Digit's own time", () => {
  it("begins anew with the control program, in the mode without power", () => {
    run(500);
    robot.restart();
    run(10);
    expect(robot.timeS).toBeCloseTo(0.01, 9);
    expect(robot.mode).toBe("disabled");
  });

  it("is not lived through where the process that plays the robot lost it", () => {
    run(10);
    robot.skip(300);
    run(10);
    expect(robot.timeS).toBeCloseTo(0.02, 9);
    expect(robot.nowMs).toBe(START_MS + 320);
  });
});

describe("the ideal Digit", () => {
  it("turns a joint as an inertia under torque and damping does", () => {
    enterLowLevel({ damping: 10 });
    run(2000, { torqueNm: 5, damping: 10 });
    // At rest torque = (damping + friction) velocity.
    expect(body.truth.velocityRadPerS[0]).toBeCloseTo(5 / 11, 6);
    expect(body.truth.torqueNm[0]).toBeCloseTo(5 - 10 * (5 / 11), 5);
  });

  it("falls towards where it is pushed, gravity and speed told in step with the attitude", () => {
    body.push([0, -100, 0], 0.5);
    for (let ms = 0; ms < 600; ms++) body.step(0.001);
    const { truth } = body;
    expect(truth.positionWorldM[1]).toBeLessThan(-0.05);
    const beforeM = Array.from(truth.positionWorldM);
    body.step(0.001);
    for (const axis of [0, 1, 2])
      expect((truth.positionWorldM[axis]! - beforeM[axis]!) / 0.001).toBeCloseTo(
        truth.linearVelocityWorldMPerS[axis]!,
        2,
      );
    expect(Math.hypot(...truth.specificForceBaseMPerS2)).toBeCloseTo(9.806, 6);
  });

  it("has the names of the motors that the limits are told for", () => {
    expect(MOTORS[3]).toBe("left_knee");
    expect(MOTOR_LIMITS[3]!.torqueNm).toBeCloseTo(231.317, 3);
    expect(MOTOR_LIMITS.every((limits) => limits.torqueNm > 0)).toBe(true);
  });
});
