import { describe, expect, it } from "vitest";
import { cellFileOf } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import type { CellConfig } from "../cell/schema.js";
import { recorderInputs } from "./recorderSide.js";

function rates(change: (cell: CellConfig) => void = () => {}) {
  const cell = loadCell(cellFileOf("xarm7-allegro-lab"));
  change(cell);
  if (cell.recorder === "off") throw new Error("the lab's cells record");
  return new Map(recorderInputs(cell, cell.recorder).map(({ topic, rateHz }) => [topic, rateHz]));
}

describe("what the recorder expects of a cell's robots", () => {
  it("is as many states as ROS gets of both", () => {
    const found = rates();
    for (const robot of ["arm", "hand"]) {
      expect(found.get(`/${robot}/joint_states`)).toBe(100);
      expect(found.get(`/${robot}/joint_command`)).toBe(100);
    }
  });

  it("is no more states of a hand than it sends", () => {
    const found = rates(({ robots }) => {
      if (robots.hand?.device === "allegro") robots.hand.allegro.periodMs = 20;
    });
    expect(found.get("/hand/joint_states")).toBe(50);
    expect(found.get("/hand/joint_command")).toBe(100);
    expect(found.get("/arm/joint_states")).toBe(100);
  });
});
