import { afterEach, expect, it } from "vitest";
import { loadCell } from "../cell/load.js";
import { LockstepCell } from "./lockstep.js";
import { planTrials } from "./trial.js";

const CELL = loadCell("launch/cells/xarm7-lab.yaml");
const [first, second] = planTrials(2, 4242, "training") as [Trial, Trial];
type Trial = ReturnType<typeof planTrials>[number];

let opened: LockstepCell | undefined;
const open = async (cell = CELL) => {
  opened = await LockstepCell.open(cell, CELL.policy!.bundle);
  return opened;
};
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

it("the shipped policy comes to the block and stays, as it does in the paced cell", async () => {
  const result = await (await open()).run("reach-block", first);
  expect(result.verdict).toMatchObject({ success: true, endedBecause: "stayed at the block" });
  expect(result).toMatchObject({ steps: 61, heldSteps: 0, blockM: first.blockM });
});

it("gives the same trial to the last bit, whatever was tried before", async () => {
  const cell = await open();
  const once = await cell.run("reach-block", first);
  await cell.run("reach-block", second);
  expect(await cell.run("reach-block", first)).toEqual(once);
});

it("judges another task by its own rule: nobody lifts a cube with an open gripper", async () => {
  // The cube lies where the policy reaches, and nobody closes the gripper.
  const result = await (await open()).run("pick-cube", first);
  expect(result.verdict.success).toBe(false);
  expect(result.cameClose).toBe(false);
});

it("refuses a cell that simulates nothing, naming one that does", async () => {
  await expect(open({ ...CELL, lab: undefined })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    remedy: expect.stringContaining("xarm7-lab.yaml"),
  });
});
