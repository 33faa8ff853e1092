/** Demonstrations in simulated time: what they show, and that a seed gives the very same one. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { POLICY_STEP_TOPIC, type PolicyStep, readPolicyStep } from "../../episodes/messages.js";
import { openPolicy } from "../../policies/verify.js";
import { loadCell } from "../cell/load.js";
import { LockstepArm } from "../tasks/lockstepArm.js";
import { demonstrateSimulated, EXPERT_RATE_HZ } from "./simulated.js";
import type { SimulatedSet } from "./simulatedEpisode.js";

const CELL = loadCell("launch/cells/xarm7-lab.yaml");
const SCENE = { seed: 2_000_001, light: "training" } as const;
let folder: string;
let arm: LockstepArm;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "simulated-"));
  arm = await LockstepArm.open(CELL, "reach-block");
});
afterAll(async () => {
  arm.dispose();
  await rm(folder, { recursive: true });
});

const setIn = (name: string): SimulatedSet => ({
  cell: CELL,
  arm,
  robot: "arm",
  camera: "wrist",
  folder: join(folder, name),
  rateHz: EXPERT_RATE_HZ,
  software: { cerebellum: "test" },
});
const fileOf = (set: string, episode: string) => join(folder, set, "pick-cube", episode, `${episode}.mcap`);

it("picks the cube up, says what it wanted of arm and gripper, and is the same to the last byte again", async () => {
  const request = { seed: 5, expertSeed: 5, scene: SCENE };
  const once = await demonstrateSimulated(setIn("one"), "pick-cube", request);
  await demonstrateSimulated(setIn("one"), "reach-block", { ...request, expertSeed: 6 });
  const again = await demonstrateSimulated(setIn("two"), "pick-cube", request);
  expect(again).toEqual(once);
  const bytes = await readFile(fileOf("one", once.episode));
  expect(bytes.equals(await readFile(fileOf("two", again.episode)))).toBe(true);

  const reader = await EpisodeReader.open(join(folder, "one/pick-cube", once.episode));
  try {
    expect(reader.start.context).toMatchObject({ seed: 5, through: "lockstep" });
    expect(reader.end).toMatchObject({ outcome: "success", flags: [] });
    const steps: PolicyStep[] = [];
    for await (const message of reader.messages({ topics: [POLICY_STEP_TOPIC] }))
      steps.push(readPolicyStep(reader.decode(message)));
    expect(steps).toHaveLength(once.steps);
    const phases = steps.map(({ phase }) => phase);
    expect(phases[0]).toBe("above");
    expect(phases.indexOf("close")).toBeLessThan(phases.indexOf("lift"));
    expect(phases.slice(-8)).toEqual(Array(8).fill("hold"));
    // Open until the cube is between the fingers, closed from then on.
    for (const { phase, gripperLabelM } of steps)
      expect(gripperLabelM).toBe(["close", "lift", "hold"].includes(phase) ? 0 : 0.08);
    expect(steps.at(-1)!.gripperOpeningM).toBeGreaterThan(0.03);
    expect(steps.at(-1)!.gripperOpeningM).toBeLessThan(0.042);
  } finally {
    await reader.close();
  }
});

it("keeps nothing of a demonstration that fails", async () => {
  // Nobody can pick up a cube that lies out of reach.
  const scene = { ...SCENE, blockM: [0.95, 0.5] as const };
  const request = { seed: 5, expertSeed: 5, scene };
  await expect(demonstrateSimulated(setIn("three"), "pick-cube", request)).rejects.toMatchObject({
    code: "CHECK_FAILED",
  });
  const next = await demonstrateSimulated(setIn("three"), "reach-block", { ...request, scene: SCENE });
  expect(next.episode).toBe("episode-000001");
});

it("lets a policy lead a part of the way, with the expert's labels in every step and an end by the expert", async () => {
  const { pipeline } = await openPolicy(CELL.policy!.bundle);
  try {
    const leader = { pipeline, share: 0.6 };
    const request = { seed: 7, expertSeed: 7, scene: SCENE, leader };
    const once = await demonstrateSimulated(setIn("led"), "reach-block", request);
    const reader = await EpisodeReader.open(join(folder, "led/reach-block", once.episode));
    try {
      expect(reader.start.context).toMatchObject({
        ledBy: "reach-block",
        ledShare: 0.6,
        through: "lockstep",
      });
      const led: PolicyStep[] = [];
      const others: PolicyStep[] = [];
      for await (const message of reader.messages({ topics: [POLICY_STEP_TOPIC] })) {
        const step = readPolicyStep(reader.decode(message));
        (step.policy === "reach-block" ? led : others).push(step);
      }
      expect(led.length).toBeGreaterThan(10);
      expect(others.length).toBeGreaterThan(10);
      for (const { labelRad } of [...led, ...others]) expect(labelRad).toHaveLength(7);
      // It does what it wants itself, which is near to what the expert wants of it.
      for (const { labelRad, outputRad } of led) {
        expect(outputRad).not.toEqual(labelRad);
        expect(Math.max(...labelRad.map((rad, joint) => Math.abs(rad - outputRad[joint]!)))).toBeLessThan(
          0.2,
        );
      }
    } finally {
      await reader.close();
    }
  } finally {
    await pipeline.release();
  }
});
