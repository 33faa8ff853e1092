/** Every fault script of Digit against the real driver and links, in simulated time; `DIGIT_FAULTS=name,name` runs a few. */
import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { loadDigitFaultScripts, type NamedDigitScript } from "../../lab/digit/faultScripts.js";
import { DigitRig } from "./digitRig.js";

const wanted = process.env.DIGIT_FAULTS?.split(",").filter((name) => name !== "") ?? [];
const scripts = loadDigitFaultScripts().filter(({ name }) => wanted.length === 0 || wanted.includes(name));
/** How far ahead of a fault the commander leads the robot, and how long an outcome must last. */
const LEAD_MS = 150;
const LASTS_MS = 200;
const FALLBACK_DAMPING = 1;

/** Brings driver and robot into the scene; for `starting` and `enabling` the fault comes first. */
async function setScene(rig: DigitRig, script: NamedDigitScript): Promise<unknown> {
  if (script.scene === "starting") inject(rig, script, 0);
  let thrown = await rig.settle(rig.driver.configure(rig.never));
  if (script.scene === "starting" && script.outcome.driver === "refuses") return thrown;
  expect(thrown).toBeUndefined();
  if (script.scene === "enabling") {
    inject(rig, script, 0);
    await rig.run(5);
  }
  thrown = await enable(rig);
  if (script.scene === "enabling" && script.outcome.driver === "refuses") return thrown;
  expect(thrown).toBeUndefined();
  await rig.run(LEAD_MS);
  expect([rig.isFollowing, rig.faults]).toEqual([true, []]);
  if (script.scene !== "following") return undefined;
  inject(rig, script, 0);
  for (const [index, { afterMs }] of script.steps.entries()) {
    if (index === 0) continue;
    await rig.run(afterMs);
    inject(rig, script, index);
  }
  return undefined;
}

function inject(rig: DigitRig, { steps }: NamedDigitScript, step: number): void {
  for (const fault of steps[step]!.do) rig.emulator.inject(fault);
}

async function enable(rig: DigitRig): Promise<unknown> {
  const thrown = await rig.settle(rig.driver.activate(rig.never));
  if (thrown === undefined) rig.lead();
  return thrown;
}

const codesOf = (rig: DigitRig, isWarning: boolean): string[] =>
  [
    ...new Set(
      rig.faults.filter(({ severity }) => (severity === "warning") === isWarning).map(({ code }) => code),
    ),
  ].sort();

/** @param byMs when the motors must have been so, by the robot's clock */
function expectMotors(rig: DigitRig, { outcome }: NamedDigitScript, byMs: number): void {
  const { robot } = rig.emulator;
  const { cause, effect } = robot.motorLog.spans.at(-1)!;
  switch (outcome.motors) {
    case "commanded":
      expect([cause, effect]).toEqual(["command", "driven"]);
      return;
    case "own":
      expect(cause).toBe("locomotion");
      return;
    case "limp":
      expect(effect).toBe("limp");
      break;
    case "quiet":
      expect(effect).not.toBe("driven");
  }
  expect(robot.motorLog.quietSinceMs, "since when nothing is driven").toBeLessThanOrEqual(byMs);
}

/** What reaches the robot is within its limits, has numbers, and says what is to become of it. */
function expectDecency(rig: DigitRig): void {
  const { robot, commands } = rig.emulator;
  const { clampedTorques, clampedDampings, clampedVelocities, notFinite } = robot.counters;
  expect({ clampedTorques, clampedDampings, clampedVelocities, notFinite }).toEqual({
    clampedTorques: 0,
    clampedDampings: 0,
    clampedVelocities: 0,
    notFinite: 0,
  });
  expect(commands.impossibleCount).toBe(0);
  expect(robot.commandLog.since(0).every(({ fallback }) => fallback === FALLBACK_DAMPING)).toBe(true);
}

const ENABLE_ATTEMPTS = 4;
const ENABLE_PAUSE_MS = 250;

describe("fault scripts of Digit", () => {
  it.each(scripts)("$name: $happens", async (script) => {
    const rig = new DigitRig(script);
    const { outcome } = script;
    const thrown = await setScene(rig, script);
    if (outcome.driver === "refuses") {
      expect(thrown).toBeInstanceOf(CerebellumError);
      const { code, message } = thrown as CerebellumError;
      expect([code, message]).toEqual([
        outcome.refused!.code,
        expect.stringContaining(outcome.refused!.says),
      ]);
    } else expect(thrown).toBeUndefined();
    const byMs = rig.emulator.robot.nowMs + outcome.withinMs;
    await rig.run(outcome.withinMs);
    expectMotors(rig, script, byMs);
    await rig.run(LASTS_MS);
    expectMotors(rig, script, byMs);
    expect(rig.emulator.robot.mode).toBe(outcome.mode);
    expect(codesOf(rig, false)).toEqual([...outcome.faults].sort());
    expect(codesOf(rig, true)).toEqual([...outcome.warnings].sort());
    expect(rig.isFollowing).toBe(outcome.driver === "following");
    expectDecency(rig);
    if (outcome.driver !== "following") {
      // Targets of a commander that never learns change nothing.
      const { sent } = rig.answers;
      await rig.run(LASTS_MS);
      expect(rig.answers.sent).toBe(sent);
      await recover(rig, script);
    }
    const before = rig.answers.sent;
    await rig.run(LASTS_MS);
    expect(rig.answers.sent - before, "targets taken").toBeGreaterThan(LASTS_MS / 2);
    expect(rig.isFollowing).toBe(true);
    expectDecency(rig);
    await rig.close();
    expect(rig.emulator.robot.mode).not.toBe("low-level-api");
  });
});

async function recover(rig: DigitRig, { recovery }: NamedDigitScript): Promise<void> {
  for (const fault of recovery.first) rig.emulator.inject(fault);
  let thrown: unknown;
  for (let attempt = 0; attempt < ENABLE_ATTEMPTS; attempt++) {
    await rig.run(ENABLE_PAUSE_MS);
    thrown = (await rig.settle(rig.driver.configure(rig.never))) ?? (await enable(rig));
    if (thrown === undefined) return;
  }
  expect(thrown).toBeUndefined();
}
