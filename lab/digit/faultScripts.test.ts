/** Digit's fault scripts as data: complete, spelt right, and told to people as they are. `npm run test:faults` runs them. */
import { describe, expect, it } from "vitest";
import { allDigitFaults } from "../../drivers/digit/faults.js";
import { CONDITION_NAMES, EVENT_NAMES } from "./digitFaults.js";
import { DigitFaultScript, digitFaultPage, loadDigitFaultScripts } from "./faultScripts.js";

const scripts = loadDigitFaultScripts();
const known = new Map(allDigitFaults().map(({ code, severity }) => [code, severity]));

describe("Digit's fault scripts", () => {
  it("are as many as the safety case counts on", () => {
    expect(scripts.length).toBeGreaterThanOrEqual(60);
  });

  it("use everything that can go wrong", () => {
    const used = new Set(
      scripts.flatMap(({ steps, recovery }) =>
        [...steps.flatMap((step) => step.do), ...recovery.first].flatMap((fault) => Object.keys(fault)),
      ),
    );
    expect([...CONDITION_NAMES, ...EVENT_NAMES].filter((name) => !used.has(name))).toEqual([]);
  });

  it.each(scripts)("$name names only faults that there are", ({ outcome }) => {
    for (const code of outcome.faults) expect(known.get(code), code).toMatch(/stop|power/);
    for (const code of outcome.warnings) expect(known.get(code), code).toBe("warning");
  });

  it.each(scripts)("$name recovers explicitly from a latch", ({ scene, outcome, recovery }) => {
    expect(recovery.by === "none").toBe(outcome.driver === "following");
    expect(outcome.refused !== undefined).toBe(outcome.driver === "refuses");
    if (outcome.driver === "refuses") expect(scene).not.toBe("following");
    if (outcome.driver === "faulted") expect(outcome.faults).not.toEqual([]);
    if (outcome.driver === "following") expect([outcome.motors, outcome.faults]).toEqual(["commanded", []]);
    else expect(outcome.motors).not.toBe("commanded");
  });

  it("refuse a word that they do not know, with its place", () => {
    const { name: _name, ...script } = scripts[0]!;
    const { error } = DigitFaultScript.safeParse({ ...script, steps: [{ do: [{ looses: {} }] }] });
    expect(error?.issues[0]?.path.slice(0, 4)).toEqual(["steps", 0, "do", 0]);
  });

  it("are told in README.md as they are (`npx vitest run --project unit lab/digit/faultScripts -u` writes it)", async () => {
    await expect(digitFaultPage(scripts)).toMatchFileSnapshot("../faults/digit/README.md");
  });
});
