/** The hand's fault scripts as data: complete, spelt right, and told to people as they are. `npm run test:faults` runs them. */
import { describe, expect, it } from "vitest";
import { allFaults } from "../../drivers/allegro/faults.js";
import { HandFaultScript, handFaultPage, loadHandFaultScripts } from "./faultScripts.js";
import { CONDITION_NAMES, EVENT_NAMES } from "./handFaults.js";

const scripts = loadHandFaultScripts();
const known = new Set(allFaults().map(({ code }) => code.replace(/_M\d+_/, "_M_")));

describe("the Allegro Hand's fault scripts", () => {
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
    for (const code of [...outcome.faults, ...outcome.warnings])
      expect(known.has(code.replace(/_M\d+_/, "_M_")), code).toBe(true);
  });

  it.each(scripts)("$name recovers explicitly from a latch", ({ scene, outcome, recovery }) => {
    expect(recovery.by === "none").toBe(outcome.driver === "following");
    expect(outcome.refused !== undefined).toBe(outcome.driver === "refuses");
    if (outcome.driver === "refuses") expect(scene).not.toBe("following");
    if (outcome.driver === "faulted") expect(outcome.faults).not.toEqual([]);
    if (outcome.driver === "following") expect([outcome.hand, outcome.faults]).toEqual(["powered", []]);
    else expect(outcome.hand).not.toBe("powered");
  });

  it("refuse a word that they do not know, with its place", () => {
    const { name: _name, ...script } = scripts[0]!;
    const { error } = HandFaultScript.safeParse({ ...script, steps: [{ do: [{ looses: {} }] }] });
    expect(error?.issues[0]?.path.slice(0, 4)).toEqual(["steps", 0, "do", 0]);
  });

  it("are told in README.md as they are (`npx vitest run --project unit lab/allegro/faultScripts -u` writes it)", async () => {
    await expect(handFaultPage(scripts)).toMatchFileSnapshot("../faults/allegro/README.md");
  });
});
