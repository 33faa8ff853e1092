/** The driver over real loopback sockets against the emulated controller with an ideal plant. */
import { afterEach, describe, expect, it } from "vitest";
import { sleepMs } from "../../core/clock.js";
import { XArm7Emulator, type XArm7EmulatorOptions } from "../../lab/xarm7/emulator.js";
import { IdealPlant } from "../../lab/xarm7/idealPlant.js";
import { systemClock } from "../../launch/systemClock.js";
import type { Fault } from "../contract.js";
import { XArm7Config } from "./config.js";
import { XArm7Driver } from "./driver.js";
import { GRIPPER_OPENING_MAX_M } from "./protocol/index.js";

const HOME_RAD = [0, -0.247, 0, 0.909, 0, 1.15644, 0];
const never = new AbortController().signal;
const ending: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

interface Rig {
  readonly emulator: XArm7Emulator;
  readonly plant: IdealPlant;
  readonly driver: XArm7Driver;
  readonly faults: Fault[];
}

async function rig(
  emulated: Partial<XArm7EmulatorOptions> = {},
  configured: Record<string, unknown> = {},
): Promise<Rig> {
  const plant = new IdealPlant({ positionRad: HOME_RAD });
  const emulator = new XArm7Emulator({
    plant,
    clock: systemClock,
    onStep: (dtS) => plant.advance(dtS),
    ...emulated,
  });
  const { command, ...reportPorts } = await emulator.start();
  ending.push(() => emulator.close());
  const config = XArm7Config.parse({ host: "127.0.0.1", commandPort: command, reportPorts, ...configured });
  const driver = new XArm7Driver(config, systemClock);
  ending.push(() => driver.close());
  const faults: Fault[] = [];
  driver.onFault((fault) => faults.push(fault));
  return { emulator, plant, driver, faults };
}

/** Streams `target(t)` every 4 ms; answers how often each result came. */
async function stream(
  driver: XArm7Driver,
  durationS: number,
  target: (timeS: number) => number[],
): Promise<Record<string, number>> {
  const results: Record<string, number> = {};
  const startNs = systemClock.nowNs();
  const setpoint = new Float64Array(7);
  for (let tick = 0; tick < durationS * 250; tick++) {
    setpoint.set(target(tick * 0.004));
    const result = driver.command(setpoint);
    results[result] = (results[result] ?? 0) + 1;
    await systemClock.sleepUntil((startNs + BigInt(tick + 1) * 4_000_000n) as typeof startNs);
  }
  return results;
}

const sway = (timeS: number) =>
  HOME_RAD.map((angle, joint) => angle + (joint === 0 ? 0.2 * (1 - Math.cos(timeS)) : 0));
const hold = () => HOME_RAD;
const until = async (check: () => boolean, timeoutMs = 3000) => {
  for (let waited = 0; waited < timeoutMs && !check(); waited += 10) await sleepMs(systemClock, 10);
  expect(check()).toBe(true);
};

describe("xArm7 driver", () => {
  it("introduces itself, writes the settings, enables and streams at 250 Hz", async () => {
    const { driver, emulator, plant, faults } = await rig();
    expect(driver.limits.positionMinRad[3]).toBe(-0.10472);
    const identity = await driver.configure(never);
    expect(identity).toEqual({ model: "xArm7", serial: "XS130520231201", firmware: "2.7.1" });
    expect(plant.enabled).toBe(false);
    expect(driver.state().positionRad[3]).toBeCloseTo(0.909, 6);
    expect(driver.command(Float64Array.from(HOME_RAD))).toBe("notReady");

    await driver.activate(never);
    expect(plant.enabled).toBe(true);
    expect(driver.state()).toMatchObject({ ready: true, deviceMode: 1, errorCode: 0 });
    const results = await stream(driver, 2, sway);
    expect(results.sent).toBeGreaterThan(450);
    expect(Object.keys(results).filter((key) => key !== "sent" && key !== "busy")).toEqual([]);
    await until(() => Math.abs((driver.state().positionRad[0] ?? 0) - 0.2 * (1 - Math.cos(1.996))) < 1e-3);
    const counters = driver.counters();
    expect(counters).toMatchObject({ sent: results.sent, unanswered: 0, corrupt: 0, reconnects: 0 });
    await until(() => driver.counters().replied === results.sent);
    expect(counters.reports).toBeGreaterThan(400);
    expect(faults).toEqual([]);
    expect(emulator.counters.malformedFrames).toBe(0);
  });

  it("reports velocity from the 250 Hz stream, and by itself from the 100 Hz one", async () => {
    for (const version of ["7,7,XS1305,AC1304,v2.7.1", "7,7,XS1305,AC1304,v1.12.10"]) {
      const { driver } = await rig({ version });
      await driver.configure(never);
      await driver.activate(never);
      const speeds: number[] = [];
      await stream(driver, 0.8, (timeS) => {
        if (timeS > 0.4) speeds.push(driver.state().velocityRadPerS[0] ?? 0);
        return HOME_RAD.map((angle, joint) => angle + (joint === 0 ? 0.5 * timeS : 0));
      });
      speeds.sort((a, b) => a - b);
      expect(speeds[speeds.length >> 1], version).toBeGreaterThan(0.35);
      expect(speeds[speeds.length >> 1], version).toBeLessThan(0.65);
      await driver.close();
    }
  });

  it("lets no bad setpoint through", async () => {
    const { driver } = await rig();
    await driver.configure(never);
    await driver.activate(never);
    const with0 = (value: number) => Float64Array.from([value, ...HOME_RAD.slice(1)]);
    expect(driver.command(with0(0.2)), "first far from the arm").toBe("refused");
    expect(driver.command(with0(0.01))).toBe("sent");
    expect(driver.command(with0(Number.NaN)), "not a number").toBe("refused");
    expect(driver.command(with0(1.5)), "a jump").toBe("refused");
    expect(driver.command(new Float64Array(6)), "six joints").toBe("refused");
    expect(driver.command(Float64Array.from([0, 0, 0, -0.2, 0, 0, 0])), "joint limit").toBe("refused");
    expect(driver.counters().sent).toBe(1);
  });

  it("moves the gripper between setpoints and reads it back", async () => {
    const { driver, plant } = await rig();
    await driver.configure(never);
    expect(driver.state().gripper).toMatchObject({ errorCode: 0 });
    await driver.activate(never);
    driver.setGripper(0.03);
    driver.setGripper(0.05);
    const results = await stream(driver, 2.5, hold);
    expect(plant.gripperOpeningM()).toBeCloseTo(0.05, 3);
    await until(() => Math.abs((driver.state().gripper?.openingM ?? 0) - 0.05) < 0.001);
    expect(results.refused ?? 0).toBe(0);
    driver.setGripper(1);
    await stream(driver, 2.5, hold);
    expect(plant.gripperOpeningM()).toBeCloseTo(GRIPPER_OPENING_MAX_M, 3);
  });

  it("reprograms the tool's bus when it has another rate", async () => {
    const { driver } = await rig({ toolBaudIndex: 5 });
    await driver.configure(never);
    await driver.activate(never);
    expect(driver.state().gripper?.errorCode).toBe(0);
  });

  it("tells a collision once, sends nothing more, and recovers only through activate", async () => {
    const { driver, emulator, faults, plant } = await rig();
    await driver.configure(never);
    await driver.activate(never);
    await stream(driver, 0.2, hold);
    emulator.injectError(31);
    await until(() => faults.length > 0);
    expect(driver.state().ready).toBe(false);
    await sleepMs(systemClock, 500);
    expect(faults.map((fault) => fault.code)).toEqual(["XARM_C31_COLLISION_CURRENT"]);
    expect(faults[0]).toMatchObject({ severity: "stop", deviceCode: 31 });
    const { sent } = driver.counters();
    expect(await stream(driver, 0.1, hold)).toEqual({ notReady: 25 });
    expect(driver.counters().sent).toBe(sent);

    await driver.activate(never);
    expect(driver.state()).toMatchObject({ ready: true, errorCode: 0 });
    const results = await stream(driver, 0.3, hold);
    expect(results.sent).toBeGreaterThan(50);
    expect(plant.enabled).toBe(true);
    emulator.injectError(31);
    await until(() => faults.length === 2);
  });

  it("says why an error cannot be cleared", async () => {
    const { driver, emulator } = await rig();
    await driver.configure(never);
    emulator.injectError(1, true);
    await expect(driver.activate(never)).rejects.toMatchObject({
      code: "DEVICE_FAULT",
      happened: expect.stringContaining("emergency stop button"),
    });
    expect(driver.state().ready).toBe(false);
    emulator.releaseError();
    await driver.activate(never);
    expect(driver.state().ready).toBe(true);
  });

  it("notices when something else changes the mode", async () => {
    const { driver, emulator, faults } = await rig();
    await driver.configure(never);
    await driver.activate(never);
    await stream(driver, 0.1, hold);
    emulator.controller.state.setMode(0);
    await until(() => faults.length > 0);
    expect(faults[0]).toMatchObject({ code: "XARM_MODE_CHANGED", severity: "stop" });
    expect(driver.state().ready).toBe(false);
  });

  it("stops at once, in every category, and stays stopped", async () => {
    for (const category of [0, 1, 2] as const) {
      const { driver, emulator, faults, plant } = await rig();
      await driver.configure(never);
      await driver.activate(never);
      await stream(driver, 0.1, hold);
      expect(driver.stopNow(category)).toBe(true);
      expect(driver.state().ready).toBe(false);
      await driver.deactivate(category);
      await until(() => emulator.controller.state.state !== 1 && emulator.controller.state.state !== 2);
      expect(plant.enabled).toBe(category === 2);
      expect(driver.command(Float64Array.from(HOME_RAD))).toBe("notReady");
      expect(faults).toEqual([]);
      await driver.activate(never);
      expect(driver.state().ready).toBe(true);
      await driver.close();
    }
  });

  it("does not complete an activation that a stop overtook", async () => {
    const { driver, emulator } = await rig();
    await driver.configure(never);
    for (const afterMs of [0, 5, 30, 60, 90]) {
      const activation = driver.activate(never);
      await sleepMs(systemClock, afterMs);
      driver.stopNow(2);
      await expect(activation, `${afterMs} ms`).rejects.toMatchObject({ code: "COMMAND_REFUSED" });
      await sleepMs(systemClock, 50);
      expect(driver.state().ready).toBe(false);
      expect(emulator.controller.state.state, `${afterMs} ms`).toBe(4);
    }
  });

  it("loses the connection in mid-stream, restores it, and does not move until activated", async () => {
    const { driver, emulator, faults } = await rig();
    await driver.configure(never);
    await driver.activate(never);
    await stream(driver, 0.2, hold);
    emulator.dropClients();
    await until(() => faults.length > 0);
    expect(faults[0]).toMatchObject({ code: "XARM_LINK_CLOSED" });
    expect(driver.state().ready).toBe(false);
    await until(() => driver.counters().reconnects >= 3);
    await sleepMs(systemClock, 300);
    expect(driver.state().ready).toBe(false);
    expect(await stream(driver, 0.1, hold)).toEqual({ notReady: 25 });
    await driver.configure(never);
    await driver.activate(never);
    expect((await stream(driver, 0.2, hold)).sent).toBeGreaterThan(30);
    expect(faults.map((fault) => fault.code)).toEqual(["XARM_LINK_CLOSED"]);
  });

  it("takes silence of the reports as a fault", async () => {
    const { driver, emulator, faults } = await rig();
    await driver.configure(never);
    await driver.activate(never);
    emulator.freezeReports(true);
    await until(() => faults.length > 0);
    expect(faults[0]).toMatchObject({ code: "XARM_REPORT_SILENT" });
    expect(driver.state().ready).toBe(false);
  });

  it("tells warnings and gripper errors without stopping", async () => {
    const { driver, emulator, faults } = await rig();
    await driver.configure(never);
    await driver.activate(never);
    emulator.injectWarning(11);
    emulator.injectGripperError(11);
    await stream(driver, 4, hold);
    expect(new Set(faults.map((fault) => `${fault.code} ${fault.severity}`))).toEqual(
      new Set(["XARM_W11_BUFFER_FULL warning", "XARM_G11_OVERCURRENT warning"]),
    );
    expect(driver.state().ready).toBe(true);
  });

  it("enters and leaves free drive, but not while it streams", async () => {
    const { driver, plant } = await rig();
    await driver.configure(never);
    await driver.setTeachMode(true, never);
    expect(plant.freeDrive).toBe(true);
    await driver.setTeachMode(false, never);
    expect(plant.freeDrive).toBe(false);
    await driver.setTeachMode(true, never);
    await driver.deactivate(2);
    await driver.activate(never);
    expect(plant.freeDrive).toBe(false);
    await expect(driver.setTeachMode(true, never)).rejects.toMatchObject({ code: "ILLEGAL_TRANSITION" });
    expect((await stream(driver, 0.2, hold)).sent).toBeGreaterThan(30);
  });

  it("keeps the vendor's settings in the device", async () => {
    const { driver, emulator } = await rig({}, { collisionSensitivity: 5, toolLoadKg: 1.25 });
    await driver.configure(never);
    const { settings } = emulator.controller;
    expect(settings.collisionSensitivity).toBe(5);
    expect(settings.toolLoad[0]).toBeCloseTo(1.25, 5);
  });
});

describe("xArm7 driver refuses", () => {
  it.each([
    ["6,6,XI1300,AC1300,v2.7.1", "6 axes"],
    ["7,3,XS1200,AC1200,v2.7.1", "type 3"],
    ["7,7,XS1200,AC1200,v1.3.9", "1.3.9"],
  ])("another arm: %s", async (version, reason) => {
    const { driver } = await rig({ version, limits: "wide" });
    await expect(driver.configure(never)).rejects.toMatchObject({
      code: "DEVICE_MISMATCH",
      happened: expect.stringContaining(reason),
    });
  });

  it("another serial number, and takes the limits of the generation", async () => {
    const { driver } = await rig({}, { expectSerial: "XS130020200101" });
    await expect(driver.configure(never)).rejects.toMatchObject({ code: "DEVICE_MISMATCH" });
    const old = await rig({ serial: "XS120020200101" }, { expectSerial: "XS120020200101" });
    await old.driver.configure(never);
    expect(old.driver.limits.positionMinRad[3]).toBe(-0.191986);
  });

  it("an address where nobody answers, within the time given", async () => {
    const { driver, emulator } = await rig({}, { connectTimeoutMs: 300 });
    await emulator.close();
    await expect(driver.configure(never)).rejects.toMatchObject({ code: "DEVICE_UNREACHABLE" });
    await expect(driver.activate(never)).rejects.toMatchObject({ code: "ILLEGAL_TRANSITION" });
    await driver.deactivate(2);
    expect(driver.stopNow(2)).toBe(false);
  });

  it("an arm that stands outside of its limits, with the way back", async () => {
    const { driver, emulator, plant } = await rig();
    plant.displace(1, 2.4);
    await driver.configure(never);
    await expect(driver.activate(never)).rejects.toMatchObject({
      code: "DEVICE_REFUSED",
      happened: expect.stringContaining("joint 2 stands at"),
      remedy: expect.stringContaining("teach mode"),
    });
    await until(() => emulator.controller.state.state === 4);
    expect(driver.state().ready).toBe(false);
  });

  it("a gripper that is not there", async () => {
    const { driver, emulator } = await rig();
    emulator.setGripperPlugged(false);
    await expect(driver.configure(never)).rejects.toMatchObject({
      remedy: expect.stringContaining("gripper: none"),
    });
    const without = await rig({}, { gripper: "none" });
    without.emulator.setGripperPlugged(false);
    await without.driver.configure(never);
    expect(without.driver.state().gripper).toBeUndefined();
  });
});
