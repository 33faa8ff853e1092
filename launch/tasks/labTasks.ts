/** The tasks of the arm in the lab: one row each. */
import type { CellConfig } from "../cell/schema.js";
import { CLOSE_FRIDGE } from "./closeFridge.js";
import type { LabTaskRow } from "./labTask.js";
import type { LabTask } from "./labTaskNames.js";
import { PICK_CUBE } from "./pickCube.js";
import { PICK_FRUIT } from "./pickFruit.js";
import { REACH_BLOCK } from "./reachBlock.js";

export const LAB_TASK_ROWS: Readonly<Record<LabTask, LabTaskRow>> = {
  "reach-block": REACH_BLOCK,
  "pick-cube": PICK_CUBE,
  "close-fridge": CLOSE_FRIDGE,
  "pick-fruit": PICK_FRUIT,
};

/** The cell with what the task needs on its lab's table; a cell without a lab stays as it is. */
export const inWorldOf = (task: LabTask, cell: CellConfig): CellConfig =>
  cell.lab === undefined ? cell : { ...cell, lab: { ...cell.lab, world: LAB_TASK_ROWS[task].world } };
