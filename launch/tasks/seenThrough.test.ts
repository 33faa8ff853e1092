import { expect, it } from "vitest";
import { cellFileOf } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { cameraOf, seenThrough } from "./seenThrough.js";

const CELL = loadCell(cellFileOf("xarm7-two-cameras-lab"));

it("changes the camera of the policy and nothing else", () => {
  expect(seenThrough(undefined, CELL)).toBe(CELL);
  const other = seenThrough("beside", CELL);
  expect(other.policy?.camera).toBe("beside");
  expect({ ...other, policy: CELL.policy }).toEqual(CELL);
});

it("refuses a camera that there is not, naming those that there are", () => {
  expect(() => seenThrough("above", CELL)).toThrow(/no camera "above"; it has: wrist, beside\. Name one/);
  expect(() => seenThrough("constructor", CELL)).toThrow(/no camera "constructor"/);
});

it("finds a camera by its name, or the first, and says where there is none", () => {
  expect(cameraOf(CELL)).toEqual(["wrist", CELL.cameras.wrist]);
  expect(cameraOf(CELL, "beside")).toEqual(["beside", CELL.cameras.beside]);
  expect(() => cameraOf({ ...CELL, cameras: {} })).toThrow(/has no camera\. Add one/);
});
