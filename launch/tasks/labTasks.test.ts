/** Rows of the arm's tasks: trials on their patches, things in turn, and the world that each needs. */
import { describe, expect, it } from "vitest";
import { FRUITS } from "../../lab/world/fruits.js";
import { cellFileOf } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { LAB_TASKS } from "./labTaskNames.js";
import { inWorldOf, LAB_TASK_ROWS } from "./labTasks.js";
import { planTrials } from "./trial.js";

const COUNT = 24;

describe.each(LAB_TASKS)("%s", (task) => {
  const row = LAB_TASK_ROWS[task];

  it("has the same trials for the same seed, all on its patch", () => {
    const trials = planTrials(COUNT, 4242, "training", row);
    expect(planTrials(COUNT, 4242, "training", row)).toEqual(trials);
    expect(planTrials(COUNT, 4243, "training", row)).not.toEqual(trials);
    for (const { blockM } of trials) {
      expect(blockM[0]).toBeGreaterThanOrEqual(row.patchM.x[0]);
      expect(blockM[0]).toBeLessThan(row.patchM.x[1]);
      expect(blockM[1]).toBeGreaterThanOrEqual(row.patchM.y[0]);
      expect(blockM[1]).toBeLessThan(row.patchM.y[1]);
    }
  });

  it("puts its world into a cell's lab, and leaves a cell without one alone", () => {
    const cell = loadCell(cellFileOf("xarm7-lab"));
    expect(inWorldOf(task, cell)).toEqual({ ...cell, lab: { ...cell.lab, world: row.world } });
    const real = { ...cell, lab: undefined };
    expect(inWorldOf(task, real)).toBe(real);
  });

  it("gives an expert that starts where its seed says", () => {
    expect(row.demonstrator(3).startRad).toEqual(row.demonstrator(3).startRad);
    expect(row.demonstrator(3).startRad).not.toEqual(row.demonstrator(4).startRad);
  });
});

it("tries every fruit that demonstrations are made with in turn, or every other", () => {
  for (const [choice, seen] of [
    ["seen", true],
    ["unseen", false],
  ] as const) {
    const names = FRUITS.filter((fruit) => fruit.seen === seen).map(({ name }) => name);
    const trials = planTrials(COUNT, 1, "training", LAB_TASK_ROWS["pick-fruit"], choice);
    expect(trials.slice(0, names.length).map(({ object }) => object)).toEqual(names);
    expect(new Set(trials.map(({ object }) => object))).toEqual(new Set(names));
  }
  // A task about one thing names none.
  expect(planTrials(1, 1, "training", LAB_TASK_ROWS["reach-block"])[0]).not.toHaveProperty("object");
});
