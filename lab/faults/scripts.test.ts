/** The fault scripts as data: complete, spelt right, and told to people as they are. Running them is `npm run test:faults`. */
import { describe, expect, it } from "vitest";
import { allFaults } from "../../drivers/xarm7/faults.js";
import { REASON_BITS } from "../../runtime/servo/api.js";
import { TRIGGER_NAMES } from "../../runtime/servo/triggers.js";
import { FaultScript, loadArmFaultScripts } from "./schema.js";
import { faultPage } from "./table.js";

const scripts = loadArmFaultScripts();
/** Faults that have no vendor code. */
const OURS =
  /^XARM_(MODE_CHANGED|REPORT_SILENT|STATUS_SILENT|LINK_CLOSED|GRIPPER_SILENT|C99_UNKNOWN|J[1-7]_S\d+)$/;

describe("the xArm7 fault scripts", () => {
  it("are as many as the safety case counts on", () => {
    expect(scripts.length).toBeGreaterThanOrEqual(120);
  });

  it.each(scripts)("$name names only what there is", ({ outcome }) => {
    const known = new Set(allFaults().map(({ code }) => code));
    for (const code of [...outcome.faults, ...outcome.told])
      expect(known.has(code) || OURS.test(code), code).toBe(true);
    for (const name of outcome.triggers) expect(TRIGGER_NAMES).toContain(name);
    for (const name of outcome.reasons) expect(Object.keys(REASON_BITS)).toContain(name);
  });

  it.each(scripts)("$name recovers explicitly from a latch", ({ outcome, recovery, scene }) => {
    if (outcome.state === "stopped" || outcome.state === "faulted") expect(recovery.by).toBe("reset");
    if (outcome.state === "disconnected") expect(recovery.by).toBe("enable");
    if (outcome.state === "ended") expect([scene, recovery.by]).toEqual(["starting", "restart"]);
    if (outcome.state === "following") expect(recovery.by).toBe("none");
  });

  it("refuse a word that they do not know, with its place", () => {
    const { name: _name, ...script } = scripts[0]!;
    const wrong = { ...script, steps: [{ do: [{ eror: { code: 31 } }] }] };
    const { error } = FaultScript.safeParse(wrong);
    expect(error?.issues[0]?.path).toEqual(["steps", 0, "do", 0]);
  });

  it("are told in README.md as they are (`npx vitest run --project unit lab/faults -u` writes it)", async () => {
    await expect(faultPage(scripts)).toMatchFileSnapshot("./README.md");
  });
});
