/** Demonstrations of a cell with two cameras: what each step shows, and that one camera's episodes are none the wiser. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { POLICY_STEP_TOPIC, readPolicyStep } from "../../episodes/messages.js";
import { cellFileOf } from "../cell/default.js";
import { loadCell } from "../cell/load.js";
import { LockstepArm } from "../tasks/lockstepArm.js";
import { demonstrateSimulated, EXPERT_RATE_HZ } from "./simulated.js";
import type { SimulatedSet } from "./simulatedEpisode.js";

const CELL = loadCell(cellFileOf("xarm7-two-cameras-lab"));
const REQUEST = { seed: 5, expertSeed: 5, scene: { seed: 2_000_005, light: "training" } } as const;
const TOPICS = {
  wrist: "/camera/wrist/color/image_raw/compressed",
  beside: "/camera/beside/color/image_raw/compressed",
};
let folder: string;
let both: Awaited<ReturnType<typeof record>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "two-cameras-"));
  both = await record("both");
});
afterAll(() => rm(folder, { recursive: true }));

async function record(name: string, cell = CELL) {
  const arm = await LockstepArm.open(cell, "reach-block", "all");
  const set: SimulatedSet = {
    cell,
    arm,
    robot: "arm",
    camera: "wrist",
    folder: join(folder, name),
    rateHz: EXPERT_RATE_HZ,
    software: { cerebellum: "test" },
  };
  try {
    const { episode, steps } = await demonstrateSimulated(set, "reach-block", REQUEST);
    return { path: join(folder, name, "reach-block", episode), episode, steps };
  } finally {
    arm.dispose();
  }
}

async function imagesOf({ path }: { readonly path: string }) {
  const reader = await EpisodeReader.open(path);
  try {
    const images = { wrist: new Map<bigint, Uint8Array>(), beside: new Map<bigint, Uint8Array>() };
    const stepStamps: bigint[] = [];
    for await (const message of reader.messages({ topics: [...Object.values(TOPICS), POLICY_STEP_TOPIC] })) {
      if (message.topic === POLICY_STEP_TOPIC) {
        const step = readPolicyStep(reader.decode(message));
        expect(step.camera).toBe("wrist");
        stepStamps.push(step.imageStampNs);
      } else {
        const { data } = reader.decode(message) as { data: Uint8Array };
        images[message.topic === TOPICS.wrist ? "wrist" : "beside"].set(message.publishNs, data);
      }
    }
    return { ...images, stepStamps, start: reader.start };
  } finally {
    await reader.close();
  }
}

it("keeps a picture of each camera for each step, under the step's stamp, the same to the last byte again", async () => {
  const { wrist, beside, stepStamps, start } = await imagesOf(both);
  expect(stepStamps).toHaveLength(both.steps);
  expect([...wrist.keys()]).toEqual(stepStamps);
  expect([...beside.keys()]).toEqual(stepStamps);
  expect(Object.keys(start.cameras)).toEqual(["wrist", "beside"]);
  expect(start.cameras.beside!.mount).toMatchObject({
    parentFrame: "base",
    positionM: CELL.cameras.beside!.mount.positionM,
  });
  const [first, other] = [wrist.get(stepStamps[0]!)!, beside.get(stepStamps[0]!)!];
  for (const jpeg of [first, other])
    expect(await sharp(jpeg).metadata()).toMatchObject({ width: 640, height: 480 });
  expect(Buffer.compare(first, other)).not.toBe(0);

  const again = await record("again");
  const bytes = await Promise.all(
    [both, again].map(({ path, episode }) => readFile(join(path, `${episode}.mcap`))),
  );
  expect(bytes[0]!.equals(bytes[1]!)).toBe(true);
});

it("shows the wrist camera the same pictures whether another one looks on or not", async () => {
  const { beside: _, ...cameras } = CELL.cameras;
  const alone = await imagesOf(await record("alone", { ...CELL, cameras }));
  expect(alone.beside.size).toBe(0);
  expect(Object.keys(alone.start.cameras)).toEqual(["wrist"]);
  expect((await imagesOf(both)).wrist).toEqual(alone.wrist);
});
