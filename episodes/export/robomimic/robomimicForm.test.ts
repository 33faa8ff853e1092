import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SimClock } from "../../../core/simClock.js";
import { JOINT_NAMES, readTestIndex, writeTestEpisode } from "../../../test/support/episodes/testEpisode.js";
import { EpisodeReader } from "../../episodeReader.js";
import { EpisodeSet } from "../../episodeSet.js";
import { decodePicture } from "../../pixels.js";
import { selectEpisodes } from "../../selectEpisodes.js";
import { type ExportResult, exportEpisodes } from "../exportEpisodes.js";
import { resampleEpisode } from "../resample.js";
import { DATASET_FILE, masks, RobomimicForm } from "./robomimicForm.js";

const hasRos = Boolean(process.env.AMENT_PREFIX_PATH);
const RATE_HZ = 10;
const [WIDTH, HEIGHT] = [32, 24];

interface Dataset {
  readonly shape: number[];
  readonly dtype: string;
  readonly chunks: number[] | null;
  readonly compression: string | null;
  /** Base64 for pictures. */
  readonly values: number[] | string;
}
interface Found {
  readonly data: { total: number; env_args: string };
  readonly demos: Record<string, { attributes: Record<string, unknown>; datasets: Record<string, Dataset> }>;
  readonly mask: Record<string, string[]>;
}

describe.skipIf(!hasRos && !process.env.CI)("a robomimic export", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-robomimic-"));
  const set = join(folder, "reach");
  const out = join(folder, "out");
  let result: ExportResult;
  let found: Found;

  const run = async (to: string) => {
    const opened = await EpisodeSet.open(set);
    const { episodes, leftOut } = await selectEpisodes(opened, { outcome: "any", includeFlagged: false });
    return exportEpisodes(
      [{ task: "reach", instruction: "reach the block", episodes, leftOut }],
      new RobomimicForm(),
      {
        out: to,
        rateHz: RATE_HZ,
        action: "sent",
        includeFlagged: false,
        program: "cerebellum test",
        clock: new SimClock(),
      },
    );
  };

  beforeAll(async () => {
    for (const number of [1, 2, 3])
      await writeTestEpisode(set, {
        number,
        seconds: 0.4 + 0.2 * number,
        cameras: ["wrist", "front"],
        storage: "png",
        widthPx: WIDTH,
        heightPx: HEIGHT,
        outcome: number === 2 ? "failure" : "success",
      });
    result = await run(out);
    const script = fileURLToPath(new URL("../../../test/support/episodes/readHdf5.py", import.meta.url));
    const { stdout } = await promisify(execFile)("python3", [script, join(out, DATASET_FILE)], {
      maxBuffer: 256 * 1024 * 1024,
    });
    found = JSON.parse(stdout) as Found;
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("has the layout, types and attributes that robomimic expects", () => {
    expect(readdirSync(out).sort()).toEqual([DATASET_FILE, "provenance.json"]);
    expect(Object.keys(found.demos)).toEqual(["demo_0", "demo_1", "demo_2"]);
    expect(found.data.total).toBe(result.frameCount);
    expect(JSON.parse(found.data.env_args)).toMatchObject({
      type: 2,
      env_kwargs: {},
      cerebellum: { rateHz: RATE_HZ, action: "sent", provenance: "provenance.json" },
    });
    for (const [index, { frameCount, uuid }] of result.episodes.entries()) {
      const { attributes, datasets } = found.demos[`demo_${index}`]!;
      expect(attributes).toMatchObject({
        num_samples: frameCount,
        task: "reach",
        instruction: "reach the block",
        uuid,
      });
      const shapes = Object.entries(datasets).map(([name, { shape, dtype }]) => [name, dtype, ...shape]);
      expect(Object.fromEntries(shapes.map(([name, ...rest]) => [name, rest]))).toEqual({
        actions: ["float64", frameCount, JOINT_NAMES.length + 1],
        actions_abs: ["float64", frameCount, JOINT_NAMES.length + 1],
        rewards: ["float64", frameCount],
        dones: ["int32", frameCount],
        "obs/joint_positions": ["float64", frameCount, JOINT_NAMES.length],
        "obs/gripper_opening": ["float64", frameCount, 1],
        "obs/wrist_image": ["uint8", frameCount, HEIGHT, WIDTH, 3],
        "obs/front_image": ["uint8", frameCount, HEIGHT, WIDTH, 3],
      });
      expect(datasets["obs/wrist_image"]).toMatchObject({
        chunks: [1, HEIGHT, WIDTH, 3],
        compression: "gzip",
      });
    }
    expect(found.mask.task_reach).toEqual(["demo_0", "demo_1", "demo_2"]);
    expect([...found.mask.train!, ...found.mask.valid!].sort()).toEqual(["demo_0", "demo_1", "demo_2"]);
  });

  it("has the values of the frames, and the pictures that were recorded", async () => {
    for (const [index, name] of ["episode-000001", "episode-000002", "episode-000003"].entries()) {
      const { datasets } = found.demos[`demo_${index}`]!;
      const reader = await EpisodeReader.open(join(set, name));
      const resampled = await resampleEpisode(reader, { rateHz: RATE_HZ });
      const [state, action, joints]: [number[], number[], number] = [[], [], JOINT_NAMES.length];
      const pictures = Buffer.from(datasets["obs/wrist_image"]!.values as string, "base64");
      const pictureBytes = WIDTH * HEIGHT * 3;
      for await (const frame of resampled.frames()) {
        state.push(...frame.state);
        action.push(...frame.action);
        const own = await decodePicture(reader, frame.images.wrist!.message);
        const kept = pictures.subarray(frame.index * pictureBytes, (frame.index + 1) * pictureBytes);
        expect(kept.equals(own.pixels as Uint8Array)).toBe(true);
        expect(readTestIndex(kept, WIDTH)).toBeCloseTo(frame.index * 3, -1);
      }
      await reader.close();
      expect(datasets.actions_abs!.values).toEqual(action);
      const rows = Array.from({ length: resampled.frameCount }, (_, row) =>
        state.slice(row * (joints + 1), (row + 1) * (joints + 1)),
      );
      expect(datasets["obs/joint_positions"]!.values).toEqual(rows.flatMap((row) => row.slice(0, joints)));
      expect(datasets["obs/gripper_opening"]!.values).toEqual(rows.map((row) => row[joints]));
      const last = (value: number) => rows.map((_, row) => (row === rows.length - 1 ? value : 0));
      expect(datasets.dones!.values).toEqual(last(1));
      expect(datasets.rewards!.values).toEqual(last(index === 1 ? 0 : 1));
    }
  });

  it("scales actions to what robomimic's policies put out, and says how", () => {
    const { min, max } = (
      JSON.parse(found.data.env_args) as { cerebellum: { actionScale: { min: number[]; max: number[] } } }
    ).cerebellum.actionScale;
    let [least, most] = [0, 0];
    for (const { datasets } of Object.values(found.demos)) {
      const [scaled, absolute] = [
        datasets.actions!.values as number[],
        datasets.actions_abs!.values as number[],
      ];
      for (const [at, value] of scaled.entries()) {
        const column = at % min.length;
        expect(min[column]! + ((value + 1) / 2) * (max[column]! - min[column]!)).toBeCloseTo(
          absolute[at]!,
          12,
        );
        [least, most] = [Math.min(least, value), Math.max(most, value)];
      }
    }
    expect([least, most]).toEqual([-1, 1]);
  });

  it("says in provenance.json where everything came from", () => {
    const { form, episodes } = JSON.parse(readFileSync(join(out, "provenance.json"), "utf8")) as {
      form: string;
      episodes: { name: string }[];
    };
    expect(form).toBe("robomimic");
    expect(episodes.map(({ name }) => name)).toEqual(["episode-000001", "episode-000002", "episode-000003"]);
  });

  it("leaves nothing of an export that fails, and never replaces another", async () => {
    await expect(run(out)).rejects.toMatchObject({ code: "EXPORT_FAILED" });
    expect(existsSync(join(out, DATASET_FILE))).toBe(true);
    const blocked = join(folder, "blocked");
    writeFileSync(blocked, "");
    await expect(run(join(blocked, "inside"))).rejects.toThrow();
    expect(readdirSync(folder).sort()).toEqual(["blocked", "out", "reach"]);
  });
});

describe("filter keys", () => {
  const demos = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      name: `demo_${index}`,
      uuid: `uuid ${index}`,
      task: "reach",
    }));

  it("about a tenth is for validation, and a demo stays where it is when others join", () => {
    const valid = (count: number) => new Set(masks(demos(count)).get("valid"));
    expect(valid(1000).size).toBeGreaterThan(60);
    expect(valid(1000).size).toBeLessThan(140);
    const grown = valid(1000);
    for (const name of valid(400)) expect(grown).toContain(name);
  });

  it("each demo is in one part, and two demos are one in each", () => {
    for (const count of [1, 2, 3, 10]) {
      const found = masks(demos(count));
      const parts = [...found.get("train")!, ...(found.get("valid") ?? [])];
      expect(parts.sort()).toEqual(
        demos(count)
          .map(({ name }) => name)
          .sort(),
      );
      expect(found.get("train")!.length).toBeGreaterThan(0);
      expect(found.has("valid")).toBe(count >= 2);
    }
  });
});
