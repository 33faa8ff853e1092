/** A few fault scripts of every kind, for each run of the system tests; `npm run test:faults` runs all. */
import { describe, expect, it } from "vitest";
import { loadArmFaultScripts } from "../../lab/faults/schema.js";
import { runScript } from "./runScript.js";

const QUICK = [
  "cable-pulled",
  "collision-during-enable",
  "connection-refused-at-start",
  "error-c01",
  "reboot-while-following",
  "replies-stall-190ms",
  "report-frozen",
  "second-client-position-mode",
];
const scripts = loadArmFaultScripts().filter(({ name }) => QUICK.includes(name));

describe.concurrent("xArm7 fault script", () => {
  it("finds them all", () => expect(scripts).toHaveLength(QUICK.length));
  it.for(scripts)("$name: $happens", async (script) => {
    await runScript(script);
  });
});
