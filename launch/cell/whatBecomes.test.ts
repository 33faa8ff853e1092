import { expect, it } from "vitest";
import { cellFileOf } from "./default.js";
import { loadCell } from "./load.js";
import { whatBecomes } from "./whatBecomes.js";

it.each([
  ["xarm7-lab", "the arm is left holding"],
  ["xarm7-allegro-lab", "the arm is left holding, the hand goes limp"],
  ["digit-lab", "the Digit sinks in damping"],
] as const)("whoever ends %s is told that %s", (name, words) => {
  expect(whatBecomes(loadCell(cellFileOf(name)).robots)).toBe(words);
});
