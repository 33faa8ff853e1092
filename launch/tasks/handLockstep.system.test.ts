/** The shipped bundles of a hand in simulated time: they open, move the hand, and do the same thing twice. */
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { repositoryRootUrl } from "../../core/entry.js";
import { cellOfTask } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { HAND_TASK_NAMES } from "./handJudge.js";
import { LockstepHandCell } from "./handLockstep.js";
import { planHandTrials } from "./handTrials.js";

const BUNDLES = new URL("policies/bundles/", repositoryRootUrl());

describe("a hand's trials in simulated time", () => {
  const opened: LockstepHandCell[] = [];
  afterAll(async () => {
    for (const cell of opened) await cell.close();
  });

  it.each(HAND_TASK_NAMES)("repeat themselves to the last digit: %s", async (task) => {
    const bundle = fileURLToPath(new URL(`${task}/`, BUNDLES));
    const cell = await LockstepHandCell.open(loadCell(cellOfTask(task)), bundle);
    opened.push(cell);
    const options = { count: 2, seed: 1, light: "training", objects: "seen", side: "right" } as const;
    const [first, second] = planHandTrials(task, options);
    const once = await cell.run(task, first!);
    await cell.run(task, second!);
    expect(await cell.run(task, first!)).toEqual(once);
    expect(once.steps).toBeGreaterThan(30);
  });
});
