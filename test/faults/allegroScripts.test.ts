/** Every fault script of the Allegro Hand against the real driver, in simulated time; `HAND_FAULTS=name,name` runs a few. */
import { describe, expect, it } from "vitest";
import { CerebellumError } from "../../core/errors.js";
import { loadHandFaultScripts, type NamedHandScript } from "../../lab/allegro/faultScripts.js";
import { limpTimes } from "../../lab/allegro/handLog.js";
import { AllegroRig } from "./allegroRig.js";

const wanted = process.env.HAND_FAULTS?.split(",").filter((name) => name !== "") ?? [];
const scripts = loadHandFaultScripts().filter(({ name }) => wanted.length === 0 || wanted.includes(name));
/** How far ahead of a fault the commander leads the hand, and how long an outcome must last. */
const LEAD_MS = 150;
const LASTS_MS = 200;
/** Four periods: a lost frame, a late set and the jitter of both. */
const TORQUE_GAP_MS_MAX = 12;
const TORQUES_LAST = 60;

/** Brings driver and hand into the scene; for `starting` and `enabling` the fault comes first. */
async function setScene(rig: AllegroRig, script: NamedHandScript): Promise<unknown> {
  if (script.scene === "starting") {
    inject(rig, script, 0);
    return rig.settle(rig.driver.configure(rig.never));
  }
  expect(await rig.settle(rig.driver.configure(rig.never))).toBeUndefined();
  if (script.scene === "enabling") {
    inject(rig, script, 0);
    await rig.run(5);
    return rig.settle(rig.driver.activate(rig.never));
  }
  expect(await enable(rig)).toBeUndefined();
  await rig.run(LEAD_MS);
  expect(rig.isFollowing).toBe(true);
  inject(rig, script, 0);
  for (const [index, { afterMs }] of script.steps.entries()) {
    if (index === 0) continue;
    await rig.run(afterMs);
    inject(rig, script, index);
  }
  return undefined;
}

function inject(rig: AllegroRig, { steps }: NamedHandScript, step: number): void {
  for (const fault of steps[step]!.do) rig.emulator.inject(fault);
}

async function enable(rig: AllegroRig): Promise<unknown> {
  const thrown = await rig.settle(rig.driver.activate(rig.never));
  if (thrown === undefined) rig.lead();
  return thrown;
}

const codesOf = (rig: AllegroRig, isWarning: boolean): string[] =>
  [
    ...new Set(
      rig.faults.filter(({ severity }) => (severity === "warning") === isWarning).map(({ code }) => code),
    ),
  ].sort();

function expectHand(rig: AllegroRig, script: NamedHandScript): void {
  const { hand } = rig.emulator;
  const limp = limpTimes(hand.log.records);
  switch (script.outcome.hand) {
    case "limp":
      expect(limp, "told to go limp").toBeDefined();
      expect(hand.isOn).toBe(false);
      return;
    case "slack":
      expect(hand.isLimp).toBe(true);
      return;
    case "unreachable":
      expect(limp).toBeUndefined();
      return;
    case "powered":
      expect(hand.isOn).toBe(true);
  }
}

function expectDecency(rig: AllegroRig): void {
  const { torqueBeyondLimit, neverSent, malformed, unknown } = rig.emulator.hand.counters;
  expect({ torqueBeyondLimit, neverSent, malformed, unknown }).toEqual({
    torqueBeyondLimit: 0,
    neverSent: 0,
    malformed: 0,
    unknown: 0,
  });
}

/** The last torque acts until the next: a loop that goes on is one whose frames keep coming. Not as far back as ON. */
function expectSteadyTorque(rig: AllegroRig): void {
  const nowMs = rig.clock.nowMs();
  const times = rig.emulator.hand.log.records
    .filter(({ message }) => message.kind === "torque" && message.finger === 0)
    .map(({ atMs }) => atMs);
  const sinceMs = [...times.slice(-TORQUES_LAST), nowMs].map(
    (atMs, index, all) => atMs - (all[index - 1] ?? atMs),
  );
  expect(Math.max(...sinceMs), "longest time between two torques [ms]").toBeLessThan(TORQUE_GAP_MS_MAX);
}

/** People try again: an adapter that is back is found within seconds. */
const ENABLE_ATTEMPTS = 10;
const ENABLE_PAUSE_MS = 500;
const REACHED_MS = 4000;

describe("fault scripts of the Allegro Hand", () => {
  it.each(scripts)("$name: $happens", async (script) => {
    const rig = new AllegroRig(script);
    const { outcome, recovery } = script;
    const thrown = await setScene(rig, script);
    if (outcome.driver === "refuses") {
      expect(thrown).toBeInstanceOf(CerebellumError);
      const { code, message } = thrown as CerebellumError;
      expect([code, message]).toEqual([
        outcome.refused!.code,
        expect.stringContaining(outcome.refused!.says),
      ]);
    } else expect(thrown).toBeUndefined();
    await rig.run(outcome.withinMs);
    expectHand(rig, script);
    if (outcome.driver === "following") expectSteadyTorque(rig);
    await rig.run(LASTS_MS);
    expectHand(rig, script);
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
    if (recovery.by !== "power" && recovery.refused === undefined) {
      const before = rig.answers.sent;
      await rig.run(LASTS_MS);
      expect(rig.answers.sent - before, "targets taken").toBeGreaterThan(LASTS_MS / 4 / 2);
      expect(rig.isFollowing).toBe(true);
    }
    expectDecency(rig);
    await rig.close();
    if (recovery.by !== "power") expect(rig.emulator.hand.isLimp).toBe(true);
  });
});

async function recover(rig: AllegroRig, { outcome, recovery }: NamedHandScript): Promise<void> {
  if (recovery.by === "power") return;
  for (const fault of recovery.first) rig.emulator.inject(fault);
  if (outcome.hand === "unreachable") {
    await rig.run(REACHED_MS);
    expect(limpTimes(rig.emulator.hand.log.records), "told to go limp once it is reached").toBeDefined();
  }
  let thrown: unknown;
  for (let attempt = 0; attempt < ENABLE_ATTEMPTS; attempt++) {
    await rig.run(ENABLE_PAUSE_MS);
    thrown = (await rig.settle(rig.driver.configure(rig.never))) ?? (await enable(rig));
    if (thrown === undefined || (thrown as CerebellumError).code === recovery.refused) break;
  }
  if (recovery.refused === undefined) expect(thrown).toBeUndefined();
  else expect(thrown).toMatchObject({ code: recovery.refused });
}
