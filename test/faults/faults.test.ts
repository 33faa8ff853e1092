/** Every fault script of lab/faults against a real servo process; `FAULTS=name,name` runs a few. */
import { afterAll, describe, expect, it } from "vitest";
import { loadArmFaultScripts } from "../../lab/faults/schema.js";
import { type Measured, runScript } from "./runScript.js";

const wanted = process.env.FAULTS?.split(",").filter((name) => name !== "") ?? [];
const scripts = loadArmFaultScripts().filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const measured: Measured[] = [];

describe.concurrent("xArm7 fault script", () => {
  it.for(scripts)("$name: $happens", async (script) => {
    measured.push(await runScript(script));
  });
});

afterAll(() => {
  expect(scripts.length).toBeGreaterThan(0);
  const reached = measured.flatMap(({ reachedMs }) => (reachedMs === undefined ? [] : [reachedMs]));
  reached.sort((a, b) => a - b);
  const at = (share: number) => Math.round(reached[Math.floor(share * (reached.length - 1))] ?? 0);
  console.log(`${measured.length} scripts; from fault to outcome: median ${at(0.5)} ms, longest ${at(1)} ms`);
});
