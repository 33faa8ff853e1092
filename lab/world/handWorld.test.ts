/** A hand and an object on its palm: does it lie still, tip when pushed, stay outside of fingers, repeat itself? */
import { afterEach, describe, expect, it } from "vitest";
import { HandChain } from "../../kinematics/allegro/fingertips.js";
import { limitsOf } from "../../kinematics/allegro/limits.js";
import type { Pose } from "../../kinematics/pose.js";
import type { HandObject } from "./handObjects.js";
import { drawHandScene, type HandScene, reachM } from "./handScene.js";
import { layoutOf } from "./layout.js";
import { WorldMemory } from "./memory.js";
import { Physics } from "./physics.js";
import { FULL_LOOK } from "./scene.js";
import { standWorld, TEST_ARM_LAYOUT, TEST_ARM_WORLD } from "./testing.js";

const GRAVITY = 9.81;
/** Fingers flat, the thumb beside the palm. */
const OPEN_RAD = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.263, 0, 0, 0];
/** The index finger bent to a hook that draws things towards the wrist, the more so the larger its first bend. */
const hooked = (bendRad: number, spreadRad = 0): number[] => [
  spreadRad,
  bendRad,
  1.65,
  1.55,
  ...OPEN_RAD.slice(4),
];

let physics: Physics;
afterEach(() => physics.dispose());

async function open(side: "right" | "left" = "right") {
  const parts = standWorld(side);
  const memory = new WorldMemory(layoutOf(parts));
  physics = await Physics.load(parts, 1, memory);
  physics.teleportHand(OPEN_RAD);
  const hand = physics.world.hand!;
  const lay = (object: HandObject, placeM: [number, number] = [-0.01, -0.045], yawRad = 0) => {
    const scene: HandScene = {
      ...drawHandScene({ props: "palm", seed: 1, light: "training" }),
      object,
      placeM,
      yawRad,
    };
    physics.world.placeScene(scene);
  };
  /** Leads the fingers by PD at 333 Hz, as the driver does. */
  const run = (ms: number, targetRad: ArrayLike<number> = OPEN_RAD) => {
    for (let step = 0; step < ms; step++) {
      if (step % 3 === 0)
        hand.torqueNm.forEach((_, joint) => {
          const errorRad = targetRad[joint]! - hand.positionRad[joint]!;
          hand.torqueNm[joint] = 3 * errorRad - 0.1 * hand.velocityRadPerS[joint]!;
        });
      physics.step();
    }
    physics.world.kinematics();
    return hand.objectPose();
  };
  return { hand, lay, run, memory };
}

const block = (halfM: number, massKg: number): HandObject => ({
  name: "block",
  seen: false,
  massKg,
  pieces: [{ kind: "box", sizeM: [halfM, halfM, halfM], positionM: [0, 0, 0], colour: [1, 0, 0] }],
  topM: [0, 0, halfM],
});
const THINGS: readonly HandObject[] = [
  block(0.03, 0.02),
  block(0.02, 0.06),
  {
    name: "mushroom",
    seen: false,
    topM: [0, 0, 0.026],
    massKg: 0.035,
    pieces: [
      { kind: "box", sizeM: [0.02, 0.02, 0.004], positionM: [0, 0, -0.02], colour: [1, 0, 0] },
      { kind: "capsule", sizeM: [0.009, 0.012, 0], positionM: [0, 0, 0], colour: [0, 1, 0] },
      {
        kind: "capsule",
        sizeM: [0.01, 0.012, 0],
        positionM: [0, 0, 0.016],
        quatXyzw: [0, Math.SQRT1_2, 0, Math.SQRT1_2],
        colour: [0, 1, 0],
      },
    ],
  },
];

const distanceM = (a: Pose, b: Pose): number =>
  Math.hypot(...a.positionM.map((at, axis) => at - b.positionM[axis]!));
const turnRad = (a: Pose, b: Pose): number =>
  2 * Math.acos(Math.min(1, Math.abs(a.quatXyzw.reduce((sum, at, axis) => sum + at * b.quatXyzw[axis]!, 0))));

describe("an object on the palm", () => {
  it.each(THINGS)("lies where it was laid and does not drift: $name of $massKg kg", async (object) => {
    const cell = await open();
    cell.lay(object, [-0.02, -0.045], 0.3);
    const first = cell.run(300);
    const last = cell.run(4000);
    expect(distanceM(first, last), "creeps").toBeLessThan(5e-5);
    expect(turnRad(first, last)).toBeLessThan(1e-3);
    expect(Math.hypot(...physics.world.qvel.subarray(physics.world.layout.freeIndex))).toBeLessThan(1e-3);
    expect(Math.abs(last.positionM[1] + 0.02)).toBeLessThan(5e-4);
    expect(Math.abs(last.positionM[2] + 0.045)).toBeLessThan(5e-4);
  });

  it("lies still across palm and fingers too", async () => {
    const cell = await open();
    cell.lay(block(0.03, 0.04), [-0.01, 0], 0.1);
    const first = cell.run(500);
    expect(distanceM(first, cell.run(3000))).toBeLessThan(1e-4);
  });

  it("is as heavy as it says, wherever its pieces are", async () => {
    const cell = await open();
    for (const object of THINGS) {
      cell.lay(object);
      cell.run(600);
      const { qfrc_constraint: force } = physics.world.data;
      const weightN = force[physics.world.layout.freeIndex + 2]!;
      expect(weightN / (GRAVITY * object.massKg)).toBeCloseTo(1, 2);
    }
  });

  /** Pushed at its upper edge a cube tips from half its weight on, and slips from its friction's share on. */
  it.each([
    { shareOfWeight: 0.4, tips: false },
    { shareOfWeight: 0.7, tips: true },
  ])("tips under $shareOfWeight of its weight at the upper edge: $tips", async ({ shareOfWeight, tips }) => {
    const cell = await open();
    const halfM = 0.02;
    const cube = block(halfM, 0.04);
    cell.lay(cube);
    const before = cell.run(300);
    const body = physics.world.bodyId("object");
    const wrench: Float64Array = physics.world.data.xfrc_applied.subarray(6 * body, 6 * body + 6);
    const forceN = shareOfWeight * cube.massKg * GRAVITY;
    // Along the fingers, which is the world's x, at the height of the upper side.
    wrench.set([forceN, 0, 0, 0, forceN * halfM, 0]);
    cell.run(100);
    wrench.fill(0);
    const after = cell.run(600);
    expect(turnRad(before, after) > 1.2).toBe(tips);
    if (!tips) expect(distanceM(before, after)).toBeLessThan(1e-3);
  });

  it("is pushed by the index finger, which does not go through it", async () => {
    const cell = await open();
    const cube = block(0.02, 0.04);
    cell.lay(cube, [0.04, -0.05]);
    cell.run(300, hooked(1.0));
    const before = cell.hand.objectPose();
    let deepestM = 0;
    for (let turn = 0; turn < 100; turn++) {
      cell.run(15, hooked(1.6));
      const { contact, ncon } = physics.world.data;
      for (let k = 0; k < ncon; k++) deepestM = Math.min(deepestM, contact.get(k)!.dist);
    }
    expect(distanceM(before, cell.hand.objectPose())).toBeGreaterThan(0.005);
    expect(deepestM).toBeGreaterThan(-2e-3);
  });

  it("is squeezed between thumb and index without rattling", async () => {
    const cell = await open();
    cell.lay(block(0.025, 0.04), [0.02, -0.03]);
    const closed = [0.2, 1.3, 1.2, 0.8, 0, 0, 0, 0, 0, 0, 0, 0, 1.3, 0.6, 0.9, 0.9];
    cell.run(1500, closed);
    const first = cell.hand.objectPose();
    let fastest = 0;
    for (let ms = 0; ms < 500; ms++) {
      cell.run(1, closed);
      fastest = Math.max(fastest, Math.hypot(...physics.world.qvel.subarray(physics.world.layout.freeIndex)));
    }
    expect(distanceM(first, cell.hand.objectPose())).toBeLessThan(1e-3);
    expect(fastest).toBeLessThan(0.2);
  });
});

describe("the hand in its world", () => {
  it("has its tips where forward kinematics says, both hands", async () => {
    for (const side of ["right", "left"] as const) {
      const cell = await open(side);
      const chain = new HandChain("v4", side);
      const { positionMinRad, positionMaxRad } = limitsOf("v4", side);
      const tipsM = new Float64Array(12);
      for (let k = 0; k < 20; k++) {
        const positionRad = positionMinRad.map(
          (min, joint) => min + (positionMaxRad[joint]! - min) * ((0.37 + 0.618 * k * (joint + 1)) % 1),
        );
        physics.teleportHand(positionRad);
        physics.world.kinematics();
        cell.hand.tipsM(tipsM);
        chain.update(positionRad);
        tipsM.forEach((at, axis) => {
          expect(Math.abs(at - chain.tipsM[axis]!)).toBeLessThan(1e-9);
        });
      }
      if (side === "right") physics.dispose();
    }
  });

  it("does with a mirrored hand what it does with its own, mirrored", async () => {
    const ends: Pose[] = [];
    for (const [side, sign] of [
      ["right", 1],
      ["left", -1],
    ] as const) {
      const cell = await open(side);
      cell.lay(block(0.02, 0.04), [sign * 0.035, -0.05], sign * 0.1);
      cell.run(300, hooked(1.0));
      // Spread joints turn the same way on both hands: mirrored means the other sign.
      ends.push(cell.run(700, hooked(1.6, sign * 0.1)));
      if (side === "right") physics.dispose();
    }
    const [right, left] = ends as [Pose, Pose];
    const [x, y, z] = left.positionM;
    expect(distanceM(right, { ...left, positionM: [x, -y, z] })).toBeLessThan(5e-4);
    expect(Math.abs(right.positionM[2] + 0.05), "it was pushed").toBeGreaterThan(2e-3);
  });

  it("repeats itself bit for bit, whatever was laid on it before", async () => {
    const cell = await open();
    const run = (): Float64Array => {
      physics.reset();
      physics.teleportHand(OPEN_RAD);
      physics.applyScene({ props: "palm", seed: 4, light: "training", placeM: [0.04, -0.05] }, FULL_LOOK);
      cell.run(300, hooked(1.0));
      cell.run(500, hooked(1.6));
      return physics.world.qpos.slice();
    };
    const once = run();
    cell.lay(THINGS[2]!);
    cell.run(200);
    expect(run()).toEqual(once);
  });

  it("makes its memory as large as its parts ask for", async () => {
    await open();
    expect(layoutOf(standWorld())).toMatchObject({
      armJoints: 0,
      gripperJoints: 0,
      handIndex: 0,
      freeIndex: 16,
      positionCount: 23,
      velocityCount: 22,
      handMotor: 0,
    });
    expect(TEST_ARM_LAYOUT).toMatchObject({
      armJoints: 7,
      driveIndex: 7,
      freeIndex: 13,
      positionCount: 55,
      gripperMotor: 7,
    });
    const { hand } = standWorld();
    const carried = { ...TEST_ARM_WORLD, arm: { gripper: false }, hand: { ...hand!, on: "flange" as const } };
    expect(layoutOf({ ...carried, props: "palm" })).toMatchObject({
      handIndex: 7,
      freeIndex: 23,
      positionCount: 30,
      velocityCount: 29,
      handMotor: 7,
    });
  });

  it("publishes palm, tips and object for other threads", async () => {
    const cell = await open();
    cell.lay(block(0.02, 0.04));
    cell.run(50);
    physics.publish(0n as never, 0n as never);
    expect([...cell.memory.palm.subarray(0, 3)]).toEqual([0, 0, 0.15]);
    expect(cell.memory.tipsM[2]).toBeCloseTo(0.1334, 3);
    expect([...cell.memory.qpos]).toEqual([...physics.world.qpos]);
  });
});

it("knows how far a piece reaches", () => {
  const [box] = block(0.02, 0.04).pieces;
  expect(reachM(box!, [0, 0, 1])).toBeCloseTo(0.02, 12);
  const turned = { ...box!, quatXyzw: [0, 0, Math.sin(Math.PI / 8), Math.cos(Math.PI / 8)] as const };
  expect(reachM(turned, [1, 0, 0])).toBeCloseTo(0.02 * Math.SQRT2, 12);
  const rod = {
    kind: "capsule" as const,
    sizeM: [0.01, 0.03, 0] as const,
    positionM: [0, 0, 0] as const,
    colour: [1, 1, 1] as const,
  };
  expect(reachM(rod, [0, 0, 1])).toBeCloseTo(0.04, 12);
  expect(reachM(rod, [1, 0, 0])).toBeCloseTo(0.01, 12);
  physics = { dispose: () => {} } as Physics;
});
