/** The driver before an emulated Digit, in simulated time: what drives its motors, and that every doubt ends in damping. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DIGIT_STAND } from "../../kinematics/digit/motors.js";
import { DigitDriverRig, STAND_RAD } from "../../test/support/digit/driverRig.js";
import type { DigitConfig } from "./config.js";

let rig: DigitDriverRig;
const start = (...options: ConstructorParameters<typeof DigitDriverRig>) => {
  rig = new DigitDriverRig(...options);
};
beforeEach(() => start());
afterEach(() => rig.close());

describe("a Digit that is connected", () => {
  it("hears from us all the time, and nothing of ours drives its motors", async () => {
    expect(await rig.configure()).toMatchObject({ model: "Digit V3" });
    const { sent } = rig.driver.counters();
    await rig.run(500);
    expect(rig.driver.counters().sent - sent).toBeGreaterThanOrEqual(90);
    expect(rig.robot.mode).toBe("locomotion");
    expect(rig.robot.counters.appliedInOtherMode).toBe(0);
    expect(rig.driver.state().ready).toBe(false);
    expect(rig.driver.command(STAND_RAD)).toBe("notReady");
    expect(rig.codes).toEqual([]);
  });

  it.each(["mount", "base"] as const)("feels gravity upward with the sensor's axes as %s", async (imu) => {
    start({ frames: { linearVelocity: "world", angularVelocity: "imu", imu } }, { imu });
    await rig.configure();
    const [x, y, z] = rig.driver.state().base!.specificForceBaseMPerS2;
    expect(z).toBeCloseTo(9.8, 0);
    expect(Math.hypot(x!, y!)).toBeLessThan(0.5);
  });

  it.each([
    ["a field is missing", { misses: { fields: ["left_knee.position"] } }, /left_knee\.position/],
    ["a limit is wrong", { claims: { torque: 2 } }, /torque limit/],
    ["no limits are told", { claims: { nothing: true } }, /torque_limit/],
    ["its JSON interface is closed", { jsonRefuses: {} }, /JSON/],
    ["descriptions are lost on the way", { blocksFragments: {} }, /1500 bytes|do not come|describ/],
  ])("is refused when %s", async (_, fault, text) => {
    rig.inject(fault);
    await expect(rig.configure()).rejects.toThrow(text);
  });
});

describe("the self-check before it is driven", () => {
  it.each([
    ["its legs are swapped", { swapsLegs: {} }, /legs are swapped/],
    ["the sensor's axes are others", { turnsFrames: { imu: "base" } }, /frames\.imu/],
    ["its time stands still", { timeStandsStill: {} }, /time/],
    ["a number is none", { reads: { field: "left_knee.velocity", as: "nan" } }, /none/],
    ["the quaternion is no unit", { stretchesQuaternion: { factor: 1.2 } }, /unit|length/],
    ["its battery is empty", { batteryIs: { percent: 3 } }, /battery/],
    ["it has an error", { tellsError: {} }, /error flag/],
    ["another client has its actions", { privilegeIsTaken: {} }, /privilege/],
    ["it refuses the mode", { refusesMode: { info: "not today" } }, /not today/],
  ])("refuses it when %s, and leaves it as it was", async (_, fault, text) => {
    await rig.configure();
    rig.inject(fault);
    await rig.run(30);
    await expect(rig.activate()).rejects.toThrow(text);
    await rig.run(50);
    expect(rig.robot.mode).toBe("locomotion");
    expect(rig.driver.command(STAND_RAD)).toBe("notReady");
    expect(rig.robot.motorLog.spans.some(({ cause }) => cause === "command")).toBe(false);
  });

  it("refuses a robot that lies on the ground", async () => {
    await rig.configure();
    rig.inject({ pushes: { forceN: [400, 0, 0], ms: 200 } });
    await rig.run(3000);
    await expect(rig.activate()).rejects.toThrow(/stand it up|Stand it up/);
    expect(rig.robot.mode).not.toBe("low-level-api");
  });

  it("can be broken off, and the robot goes on standing by itself", async () => {
    await rig.configure();
    const abort = new AbortController();
    const activation = rig.activate(abort.signal);
    setTimeoutInRig(abort);
    await expect(activation).rejects.toThrow();
    expect(rig.robot.mode).toBe("locomotion");
  });
  const setTimeoutInRig = (abort: AbortController) => queueMicrotask(() => abort.abort(new Error("enough")));
});

describe("a Digit that is driven", () => {
  it("was held where it stood while control was taken, and then does what the servo says", async () => {
    await rig.enable();
    await rig.run(200);
    expect(rig.driver.state().ready).toBe(true);
    expect(rig.robot.mode).toBe("low-level-api");
    expect(rig.outcomes.every((outcome) => outcome === "sent")).toBe(true);
    const { spans } = rig.robot.motorLog;
    expect(spans.some(({ cause }) => cause === "idle")).toBe(false);
    const ours = spans.filter(({ cause }) => cause === "command");
    expect(Math.max(...ours.map(({ askedPeakNm }) => askedPeakNm))).toBeLessThan(100);
    expect(rig.motors).toMatchObject({ cause: "command", effect: "driven" });
    expect(rig.codes).toEqual([]);
  });

  it.each([
    ["damping", 1],
    ["disabled", 0],
  ] as const)("names %s as what it does in silence, in every command", async (fallback, number) => {
    start({ fallback } as Partial<DigitConfig>);
    await rig.enable();
    await rig.run(100);
    expect(new Set(rig.robot.commandLog.since(0).map((command) => command.fallback))).toEqual(
      new Set([number]),
    );
  });

  it.each([
    [0, "limp", "disabled"],
    [1, "damping", "damping"],
    [2, "damping", "damping"],
  ] as const)("ends a stop of category %d in %s with the next command", async (category, effect, mode) => {
    await rig.enable();
    rig.commands = false;
    expect(rig.driver.stopNow(category)).toBe(true);
    await rig.run(2);
    expect(rig.motors).toMatchObject({ cause: "command", effect });
    expect(rig.driver.command(STAND_RAD)).toBe("notReady");
    await rig.settled(rig.driver.deactivate(category));
    await rig.run(50);
    expect(rig.robot.mode).toBe(mode);
    expect(rig.robot.counters.timeouts).toBe(0);
  });

  it("stays limp when a gentler stop follows a grave one", async () => {
    await rig.enable();
    rig.commands = false;
    rig.driver.stopNow(0);
    rig.driver.stopNow(2);
    await rig.run(3);
    expect(rig.motors.effect).toBe("limp");
  });

  it("damps when the servo falls silent", async () => {
    await rig.enable();
    rig.commands = false;
    await rig.run(33);
    expect(rig.codes).toEqual(["DIGIT_COMMANDS_SILENT"]);
    expect(rig.motors.effect).toBe("damping");
  });

  it.each([
    ["a target that is no number", { 3: Number.NaN }],
    ["a target beyond the range", { 3: 1.5 }],
  ])("refuses %s, and sends nothing of it", async (_, change) => {
    await rig.enable();
    const { sent } = rig.driver.counters();
    expect(rig.driver.command(Object.assign(STAND_RAD.slice(), change))).toBe("refused");
    expect(rig.driver.counters().sent).toBe(sent);
  });

  it.each([
    ["negative damping", { dampingNmSPerRad: Array(20).fill(-1) }],
    ["stiffness that is no number", { stiffnessNmPerRad: Array(20).fill(Number.NaN) }],
  ])("refuses %s", async (_, change) => {
    await rig.enable();
    expect(rig.driver.commandImpedance(STAND_RAD, { ...DIGIT_STAND, ...change })).toBe("refused");
  });

  it("begins where it is: a first target far away is refused", async () => {
    await rig.configure();
    await rig.activate();
    const far = STAND_RAD.slice();
    far[3]! += 0.2;
    expect(rig.driver.command(far)).toBe("refused");
    expect(rig.driver.command(STAND_RAD)).toBe("sent");
    expect(rig.driver.command(far)).toBe("sent");
  });

  it("cuts torque and damping to what the motors announced, and counts", async () => {
    await rig.enable();
    const far = STAND_RAD.slice();
    far[3]! += 0.3;
    const stiff = { stiffnessNmPerRad: Array(20).fill(1500), dampingNmSPerRad: Array(20).fill(60) };
    expect(rig.driver.commandImpedance(far, stiff)).toBe("sent");
    await rig.run(2);
    expect(rig.driver.cut).toMatchObject({ torques: 1, dampings: 12 });
    expect(rig.robot.counters).toMatchObject({ clampedTorques: 0, clampedDampings: 0 });
  });

  it("warns of a battery that is low, and goes on", async () => {
    await rig.enable();
    rig.inject({ batteryIs: { percent: 15 } });
    await rig.run(300);
    expect(rig.faults).toMatchObject([{ code: "DIGIT_BATTERY_LOW", severity: "warning" }]);
    expect(rig.driver.state().ready).toBe(true);
  });
});

const KNEE = { field: "left_knee.position", as: 2 };
describe.each([
  ["falls", { pushes: { forceN: [400, 0, 0], ms: 200 } }, "FALLEN", 2000],
  ["raises its error flag", { tellsError: {} }, "ERROR_FLAG", 5],
  ["says the same again and again", { freezes: {} }, "OBSERVATION_FROZEN", 25],
  ["lets its time stand still", { timeStandsStill: {} }, "OBSERVATION_FROZEN", 25],
  ["has a time that goes back", { timeJumps: { s: -5 } }, "OBSERVATION_FROZEN", 25],
  ["tells what is no number", { reads: { field: "imu.angular_velocity", as: "nan" } }, "NOT_FINITE", 5],
  ["tells a quaternion that is no unit", { stretchesQuaternion: { factor: 1.1 } }, "QUATERNION", 5],
  ["tells a knee where it cannot be", { reads: KNEE }, "ENCODER", 5],
  ["has a hip's encoder slip within its range", { jumps: { motor: "left_hip_yaw", rad: 0.2 } }, "ENCODER", 5],
  ["has a knee's encoder slip a little", { jumps: { motor: "right_knee", rad: 0.13 } }, "ENCODER", 30],
  ["has a toe's encoder slip a little", { jumps: { motor: "left_toe_B", rad: -0.13 } }, "ENCODER", 30],
  ["tells a speed that cannot be", { reads: { field: "left_knee.velocity", as: 40 } }, "SPEED", 15],
  ["tells a torque that cannot be", { reads: { field: "left_knee.torque", as: 400 } }, "TORQUE", 25],
  ["has no battery left", { batteryIs: { percent: 2 } }, "BATTERY_EMPTY", 210],
  ["falls silent", { loses: { side: "observations" } }, "OBSERVATION_OLD", 30],
  ["has its mode changed by somebody else", { setsMode: { mode: "damping" } }, "MODE_LOST", 150],
  ["loses its privilege", { privilegeIsTaken: {} }, "PRIVILEGE_LOST", 150],
  ["closes its JSON connection", { jsonCloses: {} }, "JSON_LOST", 5],
  ["says nothing on its JSON connection", { jsonIsSilent: {} }, "JSON_LOST", 600],
  ["describes itself otherwise meanwhile", { laysOut: { as: "padded" } }, "OBSERVATION_OLD", 500],
])("a driven Digit that %s", (_, fault, name, withinMs) => {
  it(`damps within ${withinMs} ms (${name}), and stays so`, async () => {
    await rig.enable();
    expect(rig.motors).toMatchObject({ cause: "command", effect: "driven" });
    rig.inject(fault);
    let ms = 0;
    for (; ms < withinMs && rig.codes.length === 0; ms++) await rig.run(1);
    const [first] = rig.codes.filter((code) => code !== "DIGIT_BATTERY_LOW");
    expect(first).toBe(`DIGIT_${name}`);
    await rig.run(3);
    expect(rig.motors.effect).toBe("damping");
    await rig.run(100);
    expect(rig.driver.command(STAND_RAD)).toBe("notReady");
    expect(rig.motors.effect).toBe("damping");
  });
});

describe("after a fault", () => {
  it("only being configured and activated anew drives it again", async () => {
    await rig.enable();
    rig.inject({ timeStandsStill: {}, forMs: 50 });
    await rig.run(60);
    expect(rig.codes).toEqual(["DIGIT_OBSERVATION_FROZEN"]);
    rig.commands = false;
    await rig.settled(rig.driver.deactivate(2));
    await rig.run(100);
    await expect(rig.activate()).rejects.toThrow(/faulted/);
    rig.inject({ standsUp: {} });
    await rig.run(200);
    await rig.configure();
    await rig.activate();
    rig.commands = true;
    await rig.run(50);
    expect(rig.motors).toMatchObject({ cause: "command", effect: "driven" });
  });

  it("a stream that ends while nobody drives is told as a lost link, and configured anew when it is back", async () => {
    await rig.configure();
    rig.inject({ loses: { side: "both" }, forMs: 400 });
    await rig.run(300);
    expect(rig.faults).toMatchObject([{ code: "DIGIT_STREAM_LOST", kind: "link" }]);
    await rig.run(300);
    await rig.configure();
    expect(rig.driver.counters().reconnects).toBe(1);
  });

  it("the robot damps by itself when our commands do not arrive, and we damp it when it is heard again", async () => {
    await rig.enable();
    rig.inject({ loses: { side: "both" }, forMs: 400 });
    await rig.run(80);
    expect(rig.codes).toEqual(["DIGIT_OBSERVATION_OLD"]);
    expect(rig.motors).toMatchObject({ cause: "damping", effect: "damping" });
    await rig.run(500);
    expect(rig.motors.effect).toBe("damping");
    expect(rig.driver.command(STAND_RAD)).toBe("notReady");
  });
});
