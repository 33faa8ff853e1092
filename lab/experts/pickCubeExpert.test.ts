/** The expert against a cube that follows fingers which hold it; the moving world tries it in launch/demonstrator. */
import { describe, expect, it } from "vitest";
import { ArmChain } from "../../kinematics/chain.js";
import { CLOSED_M, OPEN_M, PickCubeExpert, type PickStep } from "./pickCubeExpert.js";
import type { Point } from "./toolGoal.js";

const HELD_M = 0.038;
/** Way of the fingers in a step [m], and how near the tool has to be to a cube that they hold. */
const FINGERS_M = 0.0072;
const GRASP_M = 0.02;

interface Course {
  readonly steps: readonly PickStep[];
  readonly cubeM: Point;
  readonly openingM: number;
}

/** Joints do 80 % of each step; `noisy` executes what the expert executes, else what it wants. */
function follow(seed: number, at: readonly [number, number], yawRad: number, noisy: boolean): Course {
  const expert = new PickCubeExpert(seed);
  const chain = new ArmChain();
  const positionRad = noisy ? expert.spreadStartRad() : expert.startRad();
  let [cubeM, openingM, askedM]: [Point, number, number] = [[...at, 0.02], OPEN_M, OPEN_M];
  let heldAtM: number | undefined;
  const steps: PickStep[] = [];
  for (let i = 0; i < 90; i++) {
    const step = expert.step({ positionRad, openingM, askedM, cubeM, cubeYawRad: yawRad, othersM: [] });
    steps.push(step);
    const stepRad = noisy ? step.executedRad : step.cleanRad;
    for (let joint = 0; joint < 7; joint++) positionRad[joint]! += 0.8 * stepRad[joint]!;
    askedM = noisy ? step.executedOpeningM : step.cleanOpeningM;
    chain.update(positionRad);
    const [x, y, z] = chain.toolM as unknown as [number, number, number];
    const isAround = Math.hypot(x - cubeM[0], y - cubeM[1]) < GRASP_M && z - cubeM[2] < GRASP_M;
    const least = isAround || heldAtM !== undefined ? HELD_M : 0;
    openingM =
      askedM < openingM ? Math.max(least, openingM - FINGERS_M) : Math.min(askedM, openingM + FINGERS_M);
    if (openingM > HELD_M) heldAtM = undefined;
    else if (isAround) heldAtM ??= z - cubeM[2];
    if (heldAtM !== undefined) cubeM = [x, y, Math.max(0.02, z - heldAtM)];
  }
  return { steps, cubeM, openingM };
}

describe("PickCube expert", () => {
  it.each([
    [0.29, -0.19, 0],
    [0.29, 0.19, 0.6],
    [0.46, 0, 1.2],
    [0.63, -0.19, 1.5],
    [0.63, 0.19, 0.78],
  ])("picks up a cube at (%f, %f) turned by %f rad, and holds it", (x, y, yawRad) => {
    const { steps, cubeM } = follow(1, [x, y], yawRad, false);
    expect(steps.slice(-10).map(({ phase }) => phase)).toEqual(Array(10).fill("hold"));
    expect(cubeM[2]).toBeGreaterThan(0.12);
    const order = steps.map(({ phase }) => phase).filter((phase, at, all) => phase !== all[at - 1]);
    expect(order.slice(-4)).toEqual(["descend", "close", "lift", "hold"]);
  });

  it("asks for open fingers until the cube is between them, and for closed ones from then on", () => {
    const { steps } = follow(2, [0.5, 0.1], 0.3, false);
    for (const { phase, cleanOpeningM } of steps)
      expect(cleanOpeningM).toBe(["close", "lift", "hold"].includes(phase) ? CLOSED_M : OPEN_M);
  });

  it("comes to hold it when disturbed, from other starts, and opens fingers that have closed on the way", () => {
    let slips = 0;
    for (let seed = 0; seed < 12; seed++) {
      const { steps, cubeM } = follow(seed, [0.45, 0.12], 0.4, true);
      if (steps.some(({ cleanOpeningM, executedOpeningM }) => cleanOpeningM !== executedOpeningM)) slips++;
      expect(cubeM[2], `seed ${seed}`).toBeGreaterThan(0.1);
    }
    expect(slips).toBeGreaterThan(1);
  });

  it("lifts fingers that hold nothing, open, and tries again", () => {
    const expert = new PickCubeExpert(3);
    const { steps } = follow(3, [0.45, 0], 0, false);
    const positionRad = expert.startRad();
    const closing = steps.findIndex(({ phase }) => phase === "close");
    for (const { cleanRad } of steps.slice(0, closing))
      for (let joint = 0; joint < 7; joint++) positionRad[joint]! += 0.8 * cleanRad[joint]!;
    const seen = {
      positionRad,
      askedM: CLOSED_M,
      cubeM: [0.5, 0.1, 0.02],
      cubeYawRad: 0,
      othersM: [],
    } as const;
    const step = expert.step({ ...seen, openingM: 0.001 });
    expect(step).toMatchObject({ phase: "above", cleanOpeningM: OPEN_M });
  });

  it("keeps hold of a cube whatever was asked for before", () => {
    const expert = new PickCubeExpert(4);
    const positionRad = expert.startRad();
    const chain = new ArmChain();
    chain.update(positionRad);
    const [x, y, z] = chain.toolM as unknown as Point;
    const seen = { positionRad, cubeYawRad: 0, othersM: [], openingM: HELD_M } as const;
    for (const askedM of [OPEN_M, CLOSED_M]) {
      const step = expert.step({ ...seen, askedM, cubeM: [x, y, z - 0.01] });
      expect(step).toMatchObject({ phase: "hold", cleanOpeningM: CLOSED_M });
    }
    const elsewhere = expert.step({ ...seen, askedM: OPEN_M, cubeM: [x, y, 0.02] });
    expect(elsewhere).toMatchObject({ phase: "above", cleanOpeningM: OPEN_M });
  });

  it("goes to the side by all that is missing, and down by what is left of a step", () => {
    const chain = new ArmChain();
    const moved = (offM: number) => {
      const expert = new PickCubeExpert(5);
      const positionRad = expert.startRad();
      chain.update(positionRad);
      const [x, y, z] = [...chain.toolM] as unknown as Point;
      const cubeM: Point = [x, y + offM, 0.02];
      const { cleanRad } = expert.step({
        positionRad,
        cubeM,
        cubeYawRad: 0,
        othersM: [],
        openingM: OPEN_M,
        askedM: OPEN_M,
      });
      chain.update(positionRad.map((angle, joint) => angle + cleanRad[joint]!));
      return [chain.toolM[1]! - y, z - chain.toolM[2]!] as const;
    };
    const [[, straightDown], [near, lessDown], [far, noDown]] = [moved(0), moved(0.015), moved(0.1)];
    expect(near).toBeGreaterThan(0.01);
    expect(near).toBeLessThan(0.02);
    expect(far).toBeGreaterThan(0.025);
    expect(straightDown).toBeGreaterThan(0.015);
    expect(lessDown).toBeGreaterThan(0.01);
    expect(Math.abs(noDown)).toBeLessThan(0.008);
  });

  it("turns the tool along a cube, or leaves that to the fingers", () => {
    const chain = new ArmChain();
    const yawAfter = (turns: boolean) => {
      const expert = new PickCubeExpert(6, turns);
      const positionRad = expert.startRad();
      for (let i = 0; i < 20; i++) {
        const seen = { positionRad, openingM: OPEN_M, askedM: OPEN_M, cubeYawRad: 0.5, othersM: [] };
        const { cleanRad } = expert.step({ ...seen, cubeM: [0.5, 0.1, 0.02] });
        for (let joint = 0; joint < 7; joint++) positionRad[joint]! += 0.8 * cleanRad[joint]!;
      }
      chain.update(positionRad);
      return Math.atan2(chain.flangeRotation[3]!, chain.flangeRotation[0]!);
    };
    expect(yawAfter(true)).toBeCloseTo(0.5, 1);
    expect(yawAfter(false)).toBeCloseTo(0, 1);
  });

  it("gives the same course for the same seed", () => {
    expect(follow(7, [0.4, -0.1], 0.2, true)).toEqual(follow(7, [0.4, -0.1], 0.2, true));
  });
});
