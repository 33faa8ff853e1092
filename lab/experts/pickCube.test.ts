/** Does the plan pick the cube up in the moving world, wherever it lies and although a hand is not exact? */
import { describe, expect, it } from "vitest";
import { SimClock } from "../../core/simClock.js";
import { InverseKinematics, toolDownRotation } from "../../kinematics/inverse.js";
import { OPENING_MAX_M } from "../../kinematics/xarmGripper.js";
import { boxCentreM, boxYawRad } from "../world/layout.js";
import { WorldMemory } from "../world/memory.js";
import { Physics } from "../world/physics.js";
import { Random } from "../world/random.js";
import { FULL_LOOK } from "../world/scene.js";
import { SharedPlant } from "../world/sharedPlant.js";
import { TEST_ARM_LAYOUT, TEST_ARM_WORLD } from "../world/testing.js";
import { graspYawRad, planPick } from "./pickCube.js";

const STEPS_PER_S = 500;

/** Leads the tool from goal to goal along straight joint lines; hands are off by `offM` and `offRad`. */
async function pick(seed: number, offM: number, offRad: number, distractorsMax = 2): Promise<number> {
  const memory = new WorldMemory(TEST_ARM_LAYOUT);
  const physics = await Physics.load(TEST_ARM_WORLD, 2, memory);
  physics.applyScene({ seed, light: "training" }, { ...FULL_LOOK, distractorsMax });
  const clock = new SimClock();
  const publish = () => physics.publish(clock.nowNs(), clock.epochNs());
  const plant = new SharedPlant(memory);
  publish();
  plant.setEnabled(true);
  plant.setGripper(0.08, 0.036);
  for (let step = 0; step < 100; step++) physics.step();
  publish();
  const random = new Random(seed);
  const off = () => random.uniform(-offM, offM);
  const [dx, dy, dz, turn] = [off(), off(), off() / 2, random.uniform(-offRad, offRad)];
  const cubeM = boxCentreM(memory.layout, memory.qpos, 0);
  const othersM = Array.from({ length: distractorsMax }, (_, i) =>
    boxCentreM(memory.layout, memory.qpos, 1 + i),
  );
  let fromRad: Float64Array = Float64Array.from(plant.positionRad);
  for (const goal of planPick({ cubeM, cubeYawRad: boxYawRad(memory.layout, memory.qpos, 0), othersM })) {
    const [x, y, z] = goal.toolM;
    const { positionRad } = new InverseKinematics().solveTool(
      [x + dx, y + dy, z + dz],
      toolDownRotation(goal.yawRad + turn),
      { seedRad: fromRad },
    );
    plant.setGripper(goal.isGripperClosed ? 0 : 0.08, 0.036);
    const steps = 2 * STEPS_PER_S;
    for (let step = 1; step <= steps; step++) {
      const share = 0.5 - 0.5 * Math.cos((Math.PI * step) / steps);
      plant.setTarget(positionRad.map((angle, j) => fromRad[j]! + share * (angle - fromRad[j]!)));
      physics.step();
    }
    fromRad = positionRad;
  }
  publish();
  const liftedM = boxCentreM(memory.layout, memory.qpos, 0)[2] - cubeM[2];
  physics.dispose();
  return liftedM;
}

describe("PickCube plan", () => {
  it.each([1, 2, 3, 4, 5, 6])("lifts the cube of scene %i and holds it", async (seed) => {
    expect(await pick(seed, 0, 0)).toBeGreaterThan(0.12);
  });

  it.each([11, 12, 13, 14])(
    "does so with a hand that is off by millimetres and degrees, scene %i",
    async (seed) => {
      expect(await pick(seed, 0.004, 0.06)).toBeGreaterThan(0.12);
    },
  );

  it("opens wider than the cube's diagonal, whatever its turn", () => {
    expect(OPENING_MAX_M).toBeGreaterThan(Math.SQRT2 * 0.04);
  });
});

describe("turn of the grasp", () => {
  const cube = { cubeM: [0.4, 0, 0.02], othersM: [] } as const;
  it("is the least of the four that lie along the faces", () => {
    for (const [cubeYawRad, wanted] of [
      [0.3, 0.3],
      [1.4, 1.4 - Math.PI / 2],
      [-2, -2 + Math.PI / 2],
      [3.1, 3.1 - Math.PI],
    ] as const) {
      expect(graspYawRad({ ...cube, cubeYawRad })).toBeCloseTo(wanted, 9);
    }
  });

  it("changes to the next one when a box stands where a finger would go", () => {
    // Unturned, the fingers close along y.
    const beside = { ...cube, cubeYawRad: 0.1, othersM: [[0.4, 0.09, 0.02]] } as const;
    expect(graspYawRad(beside)).toBeCloseTo(0.1 - Math.PI / 2, 9);
    const ahead = { ...cube, cubeYawRad: 0.1, othersM: [[0.49, 0, 0.02]] } as const;
    expect(graspYawRad(ahead)).toBeCloseTo(0.1, 9);
  });
});
