/** The hand on the arm's flange: where it is, who bears its weight, and what lies on its palm. */
import { afterEach, expect, it } from "vitest";
import { ArmChain } from "../../kinematics/chain.js";
import { drawHandScene } from "./handScene.js";
import { layoutOf } from "./layout.js";
import { WorldMemory } from "./memory.js";
import type { WorldParts } from "./parts.js";
import { Physics } from "./physics.js";
import { FULL_LOOK } from "./scene.js";
import { TEST_CAMERA } from "./testing.js";

const MOUNT_M = [0, 0, 0.13] as const;
/** The flange's z along the ground, its x upwards: the palm looks up. */
const PALM_UP_RAD = [0, -0.3, 0, 1.2, 0, -0.0708, 0];

const carried = (props: WorldParts["props"]): WorldParts => ({
  arm: { gripper: false },
  hand: { model: "v4", side: "right", on: "flange", positionM: [...MOUNT_M], quatXyzw: [0, 0, 0, 1] },
  props,
  camera: TEST_CAMERA,
});

let physics: Physics;
afterEach(() => physics.dispose());

async function open(props: WorldParts["props"]) {
  const parts = carried(props);
  const memory = new WorldMemory(layoutOf(parts));
  physics = await Physics.load(parts, 1, memory);
  memory.enabled = true;
  const hand = physics.world.hand!;
  const atRad = hand.positionRad.slice();
  const run = (ms: number) => {
    for (let step = 0; step < ms; step++) {
      if (step % 3 === 0)
        hand.torqueNm.forEach((_, joint) => {
          const errorRad = atRad[joint]! - hand.positionRad[joint]!;
          hand.torqueNm[joint] = 3 * errorRad - 0.1 * hand.velocityRadPerS[joint]!;
        });
      physics.step();
    }
    physics.world.kinematics();
  };
  return { hand, memory, run };
}

it("is where the arm's chain and its mount say", async () => {
  const cell = await open("reach-block");
  physics.applyScene({ seed: 2, light: "training" }, FULL_LOOK);
  physics.teleport([0.3, -0.5, 0.2, 1.1, 0.4, 1.3, -0.6]);
  physics.world.kinematics();
  const chain = new ArmChain(undefined, MOUNT_M);
  chain.update([0.3, -0.5, 0.2, 1.1, 0.4, 1.3, -0.6]);
  cell.hand.palmPose().positionM.forEach((at, axis) => {
    expect(Math.abs(at - chain.toolM[axis]!)).toBeLessThan(1e-9);
  });
});

it("does not pull the arm down: its controller was told of the load", async () => {
  const cell = await open("reach-block");
  physics.applyScene({ seed: 2, light: "training" }, FULL_LOOK);
  const before = physics.world.qpos.slice(0, 7);
  cell.run(1500);
  before.forEach((angle, joint) => {
    expect(Math.abs(physics.world.qpos[joint]! - angle)).toBeLessThan(2e-3);
  });
  // Fingers are not weightless: motors that exert nothing let them fall.
  physics.teleport(PALM_UP_RAD);
  const heldRad = cell.hand.positionRad.slice();
  cell.hand.torqueNm.fill(0);
  for (let ms = 0; ms < 400; ms++) physics.step();
  const fallenRad = heldRad.map((angle, joint) => Math.abs(cell.hand.positionRad[joint]! - angle));
  expect(Math.max(...fallenRad)).toBeGreaterThan(0.05);
});

it("has the object laid on its palm, wherever the arm holds it", async () => {
  const cell = await open("palm");
  physics.teleport(PALM_UP_RAD);
  const request = {
    props: "palm",
    seed: 3,
    light: "training",
    placeM: [-0.02, -0.045],
    yawRad: 0.4,
  } as const;
  physics.applyScene(request, FULL_LOOK);
  physics.world.kinematics();
  const { positionM } = cell.hand.objectPose();
  expect(positionM[1]).toBeCloseTo(-0.02, 9);
  expect(positionM[2]).toBeCloseTo(-0.045, 9);
  expect(drawHandScene(request).object.seen).toBe(true);
});
