/** The moving world: does it hold, stop, open, grasp, repeat itself, and keep time? */
import { describe, expect, it } from "vitest";
import { addNs, type Clock, msToNs } from "../../core/clock.js";
import { SimClock } from "../../core/simClock.js";
import { InverseKinematics } from "../../kinematics/inverse.js";
import { OPENING_MAX_M } from "../../kinematics/xarmGripper.js";
import { emptySnapshot, WorldMemory } from "./memory.js";
import { Physics } from "./physics.js";
import { pace } from "./physicsLoop.js";
import { FULL_LOOK } from "./scene.js";
import { SharedPlant } from "./sharedPlant.js";
import { TEST_ARM_LAYOUT, TEST_ARM_WORLD } from "./testing.js";

async function open(blockM: [number, number] = [0.45, 0], distractorsMax = 0) {
  const memory = new WorldMemory(TEST_ARM_LAYOUT);
  const physics = await Physics.load(TEST_ARM_WORLD, 2, memory);
  physics.applyScene({ seed: 3, light: "training", blockM }, { ...FULL_LOOK, distractorsMax });
  const clock = new SimClock();
  const publish = () => physics.publish(clock.nowNs(), clock.epochNs());
  publish();
  const plant = new SharedPlant(memory);
  const run = (steps: number) => {
    for (let step = 0; step < steps; step++) physics.step();
    publish();
  };
  return { memory, physics, plant, run, publish };
}

/** Leads the setpoint to a tool-down pose along a straight joint line. */
function moveTo(cell: Awaited<ReturnType<typeof open>>, toolM: number[], steps: number): Float64Array {
  const from = Float64Array.from(cell.plant.positionRad);
  const { positionRad } = new InverseKinematics().solveTool(toolM, undefined, { seedRad: from });
  for (let step = 1; step <= steps; step++) {
    const share = 0.5 - 0.5 * Math.cos((Math.PI * step) / steps);
    cell.plant.setTarget(positionRad.map((angle, joint) => from[joint]! + share * (angle - from[joint]!)));
    cell.physics.step();
  }
  cell.publish();
  return positionRad;
}

describe("Physics", () => {
  it("holds a commanded pose within a milliradian against gravity", async () => {
    const cell = await open();
    cell.plant.setEnabled(true);
    const target = moveTo(cell, [0.5, 0.15, 0.2], 700);
    cell.run(800);
    target.forEach((angle, joint) => {
      expect(Math.abs(cell.plant.positionRad[joint]! - angle)).toBeLessThan(1e-3);
      expect(Math.abs(cell.plant.velocityRadPerS[joint]!)).toBeLessThan(1e-3);
    });
    // The upper arm's motor bears the weight beyond it, which the report must show.
    expect(Math.abs(cell.plant.effortNm[1]!)).toBeGreaterThan(3);
    cell.physics.dispose();
  });

  it("lets a hand move it in free drive, holds where the hand has left it, and resists while it follows", async () => {
    const cell = await open();
    cell.plant.setEnabled(true);
    moveTo(cell, [0.5, 0, 0.3], 500);
    cell.run(400);
    const startM = [...cell.memory.toolM];
    const pushedM = () => cell.memory.toolM[1]! - startM[1]!;
    cell.memory.push("tool", [0, 20, 0], cell.physics.timeS + 0.5);
    cell.run(250);
    expect(Math.abs(pushedM())).toBeLessThan(0.02);
    cell.run(400);
    cell.plant.setFreeDrive(true);
    cell.run(500);
    // Free and untouched it stays.
    expect(Math.abs(pushedM())).toBeLessThan(2e-3);
    cell.memory.push("tool", [0, 20, 0], cell.physics.timeS + 0.5);
    cell.run(250);
    expect(pushedM()).toBeGreaterThan(0.05);
    cell.run(500);
    const leftM = pushedM();
    cell.run(500);
    expect(pushedM()).toBeCloseTo(leftM, 2);
    cell.physics.dispose();
  });

  it("stands still with its brakes on, whatever the setpoint", async () => {
    const cell = await open();
    const before = Float64Array.from(cell.plant.positionRad);
    cell.plant.setTarget([1, 0, 1, 1, 1, 1, 1]);
    cell.run(500);
    before.forEach((angle, joint) => {
      expect(Math.abs(cell.plant.positionRad[joint]! - angle)).toBeLessThan(1e-4);
    });
    cell.physics.dispose();
  });

  it("in free drive, floats where it is and gives way to a hand", async () => {
    const cell = await open();
    cell.plant.setEnabled(true);
    cell.plant.setFreeDrive(true);
    cell.plant.setTarget([1, 0, 1, 1, 1, 1, 1]);
    const before = Float64Array.from(cell.plant.positionRad);
    cell.run(200);
    before.forEach((angle, joint) => {
      expect(Math.abs(cell.plant.positionRad[joint]! - angle)).toBeLessThan(5e-3);
    });
    const applied: Float64Array = cell.physics.world.data.qfrc_applied;
    applied[0] = 5;
    cell.run(200);
    expect(cell.plant.positionRad[0]! - before[0]!).toBeGreaterThan(0.02);
    cell.physics.dispose();
  });

  it("opens and closes the gripper at the commanded speed", async () => {
    const cell = await open([0.3, 0.2]);
    cell.plant.setGripper(0.02, 0.1);
    cell.run(100);
    expect(cell.plant.gripperOpeningM()).toBeGreaterThan(OPENING_MAX_M - 0.03);
    cell.run(500);
    expect(cell.plant.gripperOpeningM()).toBeCloseTo(0.02, 2);
    cell.plant.setGripper(OPENING_MAX_M, 0.1);
    cell.run(700);
    expect(cell.plant.gripperOpeningM()).toBeGreaterThan(OPENING_MAX_M - 0.004);
    cell.physics.dispose();
  });

  it("lifts the block between its fingers", async () => {
    const cell = await open();
    // Fingers close along y; the block must lie along it.
    cell.physics.world.qpos.set([1, 0, 0, 0], TEST_ARM_LAYOUT.freeIndex + 3);
    cell.plant.setEnabled(true);
    moveTo(cell, [0.45, 0, 0.15], 500);
    moveTo(cell, [0.45, 0, 0.015], 500);
    cell.run(300);
    cell.plant.setGripper(0, 0.1);
    cell.run(700);
    moveTo(cell, [0.45, 0, 0.2], 700);
    cell.run(300);
    expect(cell.memory.qpos[TEST_ARM_LAYOUT.freeIndex + 2]).toBeGreaterThan(0.12);
    cell.physics.dispose();
  });

  it("repeats itself bit for bit", async () => {
    const runs: Float64Array[] = [];
    for (let run = 0; run < 2; run++) {
      const cell = await open([0.45, 0.02], 2);
      cell.plant.setEnabled(true);
      moveTo(cell, [0.45, 0.16, 0.012], 400);
      moveTo(cell, [0.45, -0.05, 0.012], 500);
      cell.run(100);
      runs.push(Float64Array.from(cell.memory.qpos));
      cell.physics.dispose();
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(
      Math.abs(runs[0]![TEST_ARM_LAYOUT.freeIndex + 1]! - 0.02),
      "the arm pushed the block",
    ).toBeGreaterThan(1e-3);
  });

  it("takes a teleport as both position and setpoint", async () => {
    const cell = await open();
    cell.physics.teleport([0.3, -0.2, 0, 1.2, 0, 1.4, 0]);
    cell.plant.setEnabled(true);
    cell.run(50);
    expect(cell.plant.positionRad[0]).toBeCloseTo(0.3, 4);
    cell.physics.dispose();
  });
});

describe("pace", () => {
  it("keeps the grid, makes up for a short pause and counts what it leaves out", async () => {
    const clock = new SimClock();
    const memory = new WorldMemory(TEST_ARM_LAYOUT);
    const stepped: bigint[] = [];
    const published: bigint[] = [];
    const stop = new AbortController();
    const recording = {
      step: () => void stepped.push(clock.nowNs()),
      publish: (atNs: bigint) => void published.push(atNs),
    };
    const startNs = clock.nowNs();
    const late = lateOnce(clock, 5, 137);
    const running = pace(recording, memory, msToNs(2), late, stop.signal);
    await clock.advance(400);
    stop.abort();
    await running;
    // 200 periods in 400 ms; the pause of 137 ms holds 68 whole ones, of which 20 are made up for.
    expect(memory.skippedSteps).toBe(68 - 20);
    expect(stepped.length + memory.skippedSteps).toBe(200);
    expect(published.every((atNs) => (atNs - startNs) % msToNs(2) === 0n)).toBe(true);
  });
});

/** A clock whose `nth` sleep ends `ms` later than asked. */
function lateOnce(clock: SimClock, nth: number, ms: number): Clock {
  let sleeps = 0;
  return {
    nowNs: () => clock.nowNs(),
    nowMs: () => clock.nowMs(),
    epochNs: () => clock.epochNs(),
    sleepUntil: (dueNs, signal) =>
      clock.sleepUntil(++sleeps === nth ? addNs(dueNs, msToNs(ms) - msToNs(2)) : dueNs, signal),
  };
}

describe("WorldMemory", () => {
  it("hands out one whole step or says that it could not", () => {
    const memory = new WorldMemory(TEST_ARM_LAYOUT);
    const clock = new SimClock();
    const out = emptySnapshot(TEST_ARM_LAYOUT);
    memory.publish(0.5, clock.nowNs(), clock.epochNs(), 7, () => memory.qpos.fill(3));
    expect(memory.snapshot(out)).toBe(true);
    expect(out).toMatchObject({ timeS: 0.5, sceneSeed: 7, atNs: clock.nowNs(), epochNs: clock.epochNs() });
    expect(out.qpos.every((value) => value === 3)).toBe(true);
    memory.publish(0.6, clock.nowNs(), clock.epochNs(), 7, () => {
      expect(memory.snapshot(out), "in the middle of a write").toBe(false);
    });
  });
});
