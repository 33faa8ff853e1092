/** A cell with two cameras in simulated time: which picture a policy sees, and that its choice changes nothing else. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeTestBundle } from "../../test/support/onnx/testBundle.js";
import { cellFileOf } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { LAB_TASK_ROWS } from "./labTasks.js";
import { LockstepCell } from "./lockstep.js";
import { LockstepArm } from "./lockstepArm.js";
import { seenThrough } from "./seenThrough.js";
import { planTrials } from "./trial.js";

const CELL = loadCell(cellFileOf("xarm7-two-cameras-lab"));
const BESIDE = seenThrough("beside", CELL);
const [TRIAL] = planTrials(1, 4242, "training", LAB_TASK_ROWS["reach-block"]) as [Trial];
type Trial = ReturnType<typeof planTrials>[number];

let bundle: string;
beforeAll(async () => {
  bundle = await mkdtemp(join(tmpdir(), "beside-"));
  const { positionM, quatXyzw } = CELL.cameras.beside!.mount;
  const mount = { parentFrame: "base", positionM, quatXyzw, fovYDeg: 42 } as const;
  await makeTestBundle(bundle, { image: { role: "beside", mount } });
});
afterAll(() => rm(bundle, { recursive: true }));

/** Names of what is rendered, what the policy sees at the start, and what each camera does. */
async function firstSeen(cell: typeof CELL, rendered: "policy" | "all") {
  const arm = await LockstepArm.open(cell, "reach-block", rendered);
  try {
    arm.begin(
      { seed: 3, light: "training" },
      { positionRad: [0, -0.1702, 0, 1.7195, 0, 1.8882, 0], gripperOpeningM: 0.08 },
    );
    let pixels = Buffer.alloc(0);
    const pictures = new Map<string, Buffer>();
    await arm.run({
      endMs: 100,
      periodMs: 200,
      decide: async (seen) => {
        pixels = Buffer.from(seen.pixels);
        for (const picture of seen.pictures) pictures.set(picture.camera.name, Buffer.from(picture.pixels));
        return { targetRad: Float64Array.from(seen.positionRad) };
      },
      onSample: () => {},
    });
    return { pixels, pictures };
  } finally {
    arm.dispose();
  }
}

it("gives the policy the picture of the camera that it looks through, in the same world", async () => {
  const throughWrist = await firstSeen(CELL, "all");
  const throughBeside = await firstSeen(BESIDE, "all");
  expect([...throughWrist.pictures.keys()]).toEqual(["wrist", "beside"]);
  expect(throughWrist.pixels.equals(throughWrist.pictures.get("wrist")!)).toBe(true);
  expect(throughBeside.pixels.equals(throughBeside.pictures.get("beside")!)).toBe(true);
  expect(throughBeside.pixels.equals(throughWrist.pixels)).toBe(false);
  // The wrist camera's housing is there in both, so every camera sees the same.
  expect(throughBeside.pictures).toEqual(throughWrist.pictures);
  const alone = await firstSeen(BESIDE, "policy");
  expect([...alone.pictures.keys()]).toEqual(["beside"]);
  expect(alone.pixels.equals(throughBeside.pixels)).toBe(true);
});

it("tries a policy of the second camera through it, to the same result again, and through no other", async () => {
  await expect(LockstepCell.open(CELL, bundle)).rejects.toMatchObject({
    code: "BUNDLE_MISMATCH",
    happened: expect.stringContaining("camera beside: fixed to the flange, expected the base"),
  });
  await expect(LockstepCell.open(BESIDE, CELL.policy!.bundle)).rejects.toMatchObject({
    code: "BUNDLE_MISMATCH",
  });
  const cell = await LockstepCell.open(BESIDE, bundle);
  try {
    const once = await cell.run("reach-block", TRIAL);
    expect(once.steps).toBe(61);
    expect(await cell.run("reach-block", TRIAL)).toEqual(once);
  } finally {
    await cell.close();
  }
});
