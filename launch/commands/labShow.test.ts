import { describe, expect, it } from "vitest";
import type { TableName } from "../../lab/world/scene.js";
import { cellFileOf } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { showOf } from "./labShow.js";

const start = { positionRad: Array<number>(16).fill(0.3) };
const shown = (cell: string, task: string, world?: TableName) => {
  const loaded = loadCell(cellFileOf(cell));
  const lab = loaded.lab && { ...loaded.lab, ...(world === undefined ? {} : { world }) };
  return showOf({ ...loaded, lab }, { task, start } as never, new AbortController().signal);
};

describe("what a lab's cell shows by itself", () => {
  it("is the task of its policy, on the hand that it has", () => {
    expect(shown("allegro-lab", "cube-flip").words).toMatch(/the hand now does cube-flip/);
    expect(shown("allegro-lab", "unheard-of").words).toMatch(/the hand now does finger-reach/);
    expect(shown("xarm7-lab", "reach-block").words).toMatch(/the arm now goes to one red block/);
    expect(shown("xarm7-lab", "close-fridge", "fridge").words).toMatch(/the arm now goes to one fridge/);
  });

  it("is a task of what is on the table, whatever the policy was made for", () => {
    expect(shown("xarm7-lab", "close-fridge").words).toMatch(/one red block/);
    expect(shown("xarm7-lab", "reach-block", "fruit").words).toMatch(/one fruit/);
  });
});
