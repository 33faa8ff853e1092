/** The expert against a door that gives way to the fingers; the moving world tries it in launch/demonstrator. */
import { describe, expect, it } from "vitest";
import { ArmChain } from "../../kinematics/chain.js";
import { doorPlace, FRIDGE_M } from "../world/fridge.js";
import { CloseFridgeExpert, type ClosePhase, closeGoal, type FridgeSeen, planClose } from "./closeFridge.js";
import type { Point } from "./toolGoal.js";

/** Half the fingers' thickness [m]. */
const FINGERS_M = 0.012;
const HEIGHT_M = FRIDGE_M.height;

/** How far a tool point is out of the door's outer side [m], and from the hinge along it. */
function atDoor([x, y]: Point, fridge: FridgeSeen) {
  const { hingeM, along, outward } = doorPlace(fridge, fridge.doorRad);
  const [u, v] = [x - hingeM[0], y - hingeM[1]];
  return {
    awayM: u * outward[0] + v * outward[1] - FRIDGE_M.door,
    radiusM: u * along[0] + v * along[1],
  };
}

/** Joints do 80 % of each step; fingers that are low and touch the door's outer side turn it. */
function follow(seed: number, fridge: FridgeSeen, noisy: boolean) {
  const expert = new CloseFridgeExpert(seed);
  const chain = new ArmChain();
  const positionRad = noisy ? expert.spreadStartRad() : expert.startRad();
  let seen = fridge;
  const phases: ClosePhase[] = [];
  for (let i = 0; i < 80; i++) {
    const step = expert.step(positionRad, seen);
    phases.push(step.phase);
    const stepRad = noisy ? step.executedRad : step.cleanRad;
    for (let joint = 0; joint < 7; joint++) positionRad[joint]! += 0.8 * stepRad[joint]!;
    chain.update(positionRad);
    const toolM = [...chain.toolM] as unknown as Point;
    for (let doorRad = seen.doorRad; doorRad > 0; doorRad -= 0.005) {
      const { awayM, radiusM } = atDoor(toolM, { ...seen, doorRad });
      const touches =
        toolM[2] < HEIGHT_M && Math.abs(awayM) < FINGERS_M && radiusM > 0 && radiusM < FRIDGE_M.width;
      if (!touches) break;
      seen = { ...seen, doorRad: Math.max(0, doorRad - 0.005) };
    }
  }
  return { phases, doorRad: seen.doorRad };
}

describe("CloseFridge expert", () => {
  it.each([
    [0.51, -0.06, 2.85, 0.6],
    [0.51, 0.09, 3.44, 1.65],
    [0.58, -0.06, 3.44, 1.65],
    [0.58, 0.09, 2.85, 1.2],
    [0.545, 0.015, Math.PI, 1],
  ])(
    "shuts the door of a fridge at (%f, %f) turned to %f rad and open by %f rad",
    (x, y, yawRad, doorRad) => {
      const { phases, doorRad: leftRad } = follow(1, { placeM: [x, y], yawRad, doorRad }, false);
      expect(leftRad).toBeLessThan(0.03);
      const order = phases.filter((phase, at) => phase !== phases[at - 1]);
      expect(order).toEqual(["above", "descend", "push", "hold"]);
    },
  );

  it("comes to shut it when disturbed, from other starts", () => {
    for (let seed = 0; seed < 12; seed++) {
      const fridge = { placeM: [0.55, 0.02], yawRad: 3.2, doorRad: 1.3 } as const;
      expect(follow(seed, fridge, true).doorRad, `seed ${seed}`).toBeLessThan(0.03);
    }
  });

  it("wants nothing but to stay once the door is shut", () => {
    const goal = closeGoal([0.4, 0.1, 0.105], { placeM: [0.55, 0], yawRad: Math.PI, doorRad: 0.01 });
    expect(goal).toEqual({ phase: "hold", toolM: [0.4, 0.1, 0.105] });
  });

  it("leads a low tool on the wrong side of the door straight up first", () => {
    const fridge = { placeM: [0.55, 0], yawRad: Math.PI, doorRad: 1.2 } as const;
    const { hingeM, along, outward } = doorPlace(fridge, fridge.doorRad);
    const inside: Point = [
      hingeM[0] + 0.1 * along[0] - 0.04 * outward[0],
      hingeM[1] + 0.1 * along[1] - 0.04 * outward[1],
      0.1,
    ];
    const { phase, toolM } = closeGoal(inside, fridge);
    expect(phase).toBe("above");
    expect(toolM.slice(0, 2)).toEqual(inside.slice(0, 2));
    expect(toolM[2]).toBeGreaterThan(HEIGHT_M);
  });

  it("gives a person a plan that begins outside of the door and ends where it is shut", () => {
    const fridge = { placeM: [0.55, 0], yawRad: 3, doorRad: 1.2 } as const;
    const goals = planClose(fridge);
    expect(goals.map(({ phase }) => phase)).toEqual([
      "above",
      "descend",
      "push",
      "push",
      "push",
      "push",
      "hold",
    ]);
    expect(atDoor(goals[1]!.toolM, fridge).awayM).toBeGreaterThan(0.04);
    const end = atDoor(goals.at(-1)!.toolM, { ...fridge, doorRad: 0 });
    expect(end.awayM).toBeLessThan(FINGERS_M + 0.003);
    expect(goals.every(({ isGripperClosed }) => isGripperClosed)).toBe(true);
  });

  it("gives the same course for the same seed", () => {
    const fridge = { placeM: [0.55, 0], yawRad: 3, doorRad: 1.2 } as const;
    expect(follow(7, fridge, true)).toEqual(follow(7, fridge, true));
  });
});
