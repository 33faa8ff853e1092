import { describe, expect, it } from "vitest";
import { cellFileOf } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { labConfigOf } from "./labProcess.js";

const configOf = (name: string, changes: object = {}) =>
  labConfigOf({ ...loadCell(cellFileOf(name)), ...changes }, "/run/lab.sock", "info");

describe("what the lab's process is told of a cell", () => {
  it("is a Digit at the ports of the cell, alone and without topics", () => {
    const { digit, cameras, arm, hand, lab } = configOf("digit-lab");
    expect(digit).toEqual({ host: "127.0.0.1", ports: { command: 25500, observation: 25501, json: 8081 } });
    expect([cameras, arm, hand, lab.world]).toEqual([[], undefined, undefined, "ground"]);
  });

  it("is refused where a Digit is not alone on its ground", () => {
    const { robots } = loadCell(cellFileOf("xarm7-lab"));
    const digit = loadCell(cellFileOf("digit-lab"));
    expect(() => configOf("digit-lab", { robots: { ...digit.robots, ...robots } })).toThrow(
      /a Digit alone; digit_lab has 1 arms, 0 hands, 1 Digits/,
    );
  });

  it("is an arm with its cameras as before", () => {
    const { digit, arm, cameras } = configOf("xarm7-lab");
    expect([digit, arm?.ports.command, cameras.length]).toEqual([undefined, 18502, 1]);
  });

  it("is told of each camera what carries it, in the world and in the tree of frames", () => {
    const { cameras } = configOf("xarm7-two-cameras-lab");
    expect(cameras.map(({ name, parentFrame, tfParent }) => [name, parentFrame, tfParent])).toEqual([
      ["wrist", "flange", "link7"],
      ["beside", "base", "link_base"],
    ]);
  });
});
