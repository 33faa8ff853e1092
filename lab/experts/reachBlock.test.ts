import { describe, expect, it } from "vitest";
import { toolPoint } from "../../kinematics/chain.js";
import { ReachBlockExpert, START_TOOL_M } from "./reachBlock.js";

/** Follows the expert with joints that do 80 % of each step, as a lagging arm does. */
function follow(expert: ReachBlockExpert, blockM: [number, number, number], steps: number, noisy: boolean) {
  const positionRad = noisy ? expert.spreadStartRad() : expert.startRad();
  const distances: number[] = [];
  for (let i = 0; i < steps; i++) {
    const { cleanRad, executedRad, distanceM } = expert.step(positionRad, blockM);
    distances.push(distanceM);
    const stepRad = noisy ? executedRad : cleanRad;
    for (let joint = 0; joint < 7; joint++) positionRad[joint]! += 0.8 * stepRad[joint]!;
  }
  return { distances, positionRad };
}

describe("ReachBlock expert", () => {
  it("starts with the tool where the camera sees the whole patch", () => {
    const tool = new Float64Array(3);
    toolPoint(new ReachBlockExpert(1).startRad(), tool);
    for (let axis = 0; axis < 3; axis++) expect(tool[axis]).toBeCloseTo(START_TOOL_M[axis]!, 4);
  });

  it.each([
    [0.28, -0.2],
    [0.28, 0.2],
    [0.46, 0],
    [0.64, -0.2],
    [0.64, 0.2],
  ])("comes to 2 cm above a block at (%f, %f) and stays there", (x, y) => {
    const { distances } = follow(new ReachBlockExpert(1), [x, y, 0.02], 60, false);
    expect(distances.slice(-15).every((distance) => distance < 0.025)).toBe(true);
  });

  it("comes there also when disturbed, from other starts", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { distances } = follow(new ReachBlockExpert(seed), [0.6, 0.15, 0.02], 60, true);
      expect(distances.slice(-10).every((distance) => distance < 0.04)).toBe(true);
    }
  });

  it("spreads its starts around the start pose, never with the elbow turned over", () => {
    const startRad = new ReachBlockExpert(0).startRad();
    const tool = new Float64Array(3);
    for (let seed = 0; seed < 200; seed++) {
      const spreadRad = new ReachBlockExpert(seed).spreadStartRad();
      expect(Math.max(...spreadRad.map((angle, joint) => Math.abs(angle - startRad[joint]!)))).toBeLessThan(
        0.8,
      );
      toolPoint(spreadRad, tool);
      for (let axis = 0; axis < 3; axis++)
        expect(Math.abs(tool[axis]! - START_TOOL_M[axis]!)).toBeLessThan(0.12);
    }
  });

  it("has starts for hands with the elbow bent, as many different ones", () => {
    const starts = Array.from({ length: 100 }, (_, seed) => new ReachBlockExpert(seed).bentStartRad());
    expect(Math.max(...starts.map((positionRad) => positionRad[3]!))).toBeLessThanOrEqual(2.45);
    expect(new Set(starts.map((positionRad) => positionRad[0]!)).size).toBe(100);
    // Wide enough in every joint to show the way back to a posture, the elbow's own turn (joint 3) above all.
    for (let joint = 0; joint < 7; joint++) {
      const angles = starts.map((positionRad) => positionRad[joint]!).sort((a, b) => a - b);
      expect(angles[90]! - angles[10]!).toBeGreaterThan(0.1);
    }
  });

  it("gives the same demonstration for the same seed, and another for another", () => {
    const run = (seed: number) => follow(new ReachBlockExpert(seed), [0.4, 0.1, 0.02], 20, true).positionRad;
    expect(run(5)).toEqual(run(5));
    expect(run(5)).not.toEqual(run(6));
  });

  it("never asks for more than 0.15 rad of a joint in one step", () => {
    const expert = new ReachBlockExpert(3);
    const { cleanRad } = expert.step([0, 0.8, 0, 0.5, 0, -1, 0], [0.64, -0.2, 0.02]);
    expect(Math.max(...cleanRad.map(Math.abs))).toBeLessThanOrEqual(0.15 + 1e-12);
  });
});
