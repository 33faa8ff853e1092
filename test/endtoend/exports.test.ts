/**
 * Exports in the hands of tools that know nothing of ours: pyarrow, ffmpeg and mcap-ros2-support compute every value of
 * every frame anew from the episodes (exports.py). Where LeRobot itself is installed, test/compat/lerobotLoad.py loads
 * the same with it.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { EpisodeSet } from "../../episodes/episodeSet.js";
import { type ExportForm, exportEpisodes } from "../../episodes/export/exportEpisodes.js";
import { findFfmpeg } from "../../episodes/export/ffmpeg.js";
import { FlatForm } from "../../episodes/export/flat/flatForm.js";
import { LerobotForm } from "../../episodes/export/lerobot/lerobotForm.js";
import { chooseSets } from "../../launch/commands/episodes/export.js";
import { systemClock } from "../../launch/systemClock.js";
import { TEST_START_NS, type TestEpisodeOptions, writeTestEpisode } from "../support/episodes/testEpisode.js";

const hasRos = Boolean(process.env.AMENT_PREFIX_PATH);
const PYTHON = fileURLToPath(new URL("../../.ros2/venv/bin/python", import.meta.url));
const CHECK = fileURLToPath(new URL("./exports.py", import.meta.url));
const run = promisify(execFile);

interface Checked {
  readonly frames: number;
  readonly episodes: number;
  readonly tasks: readonly string[];
  readonly dataFiles: readonly (readonly [number, number])[];
  readonly videoFiles: readonly string[];
}

describe.skipIf(!hasRos && !process.env.CI)("exports, checked without our code", () => {
  const folder = mkdtempSync(join(tmpdir(), "cerebellum-exports-"));
  const recordings = join(folder, "recordings");
  let ffmpeg: string;

  beforeAll(async () => {
    const { stdout } = await run(PYTHON, ["-c", "import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())"]);
    ffmpeg = (await findFfmpeg({ CEREBELLUM_FFMPEG: stdout.trim() }))!;
    const step: TestEpisodeOptions["step"] = (found) => ({ ...found, labelRad: found.outputRad });
    const two = { cameras: ["wrist", "scene"], widthPx: 96, heightPx: 64, step };
    const png = { ...two, storage: "png" as const, task: "reach" };
    const reach = join(recordings, "reach");
    for (const number of [1, 2, 4]) await writeTestEpisode(reach, { ...png, number, seconds: 1 });
    await writeTestEpisode(reach, { ...png, number: 3, outcome: "failure", seconds: 1 });
    const fromNs = TEST_START_NS + 300_000_000n;
    const by = { atNs: asEpochNs(TEST_START_NS), by: "test" };
    await (await EpisodeSet.open(reach)).trim("episode-000002", { fromNs, toNs: fromNs + 400_000_000n }, by);
    await writeTestEpisode(join(recordings, "push"), { ...two, storage: "raw", task: "push", seconds: 1 });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const exportTo = async <P>(
    name: string,
    rateHz: number,
    form: ExportForm<P>,
    action: "sent" | "requested",
    labels = false,
  ) => {
    const out = join(folder, name);
    const instruction = ["reach=reach the red block"];
    const choice = { outcome: "success" as const, includeFlagged: false, instruction };
    const sets = await chooseSets(["reach", "push"], recordings, choice);
    const options = {
      out,
      rateHz,
      action,
      labels,
      includeFlagged: false,
      program: "test",
      clock: systemClock,
    };
    return exportEpisodes(sets, form, options);
  };
  const check = async (form: string, out: string) =>
    JSON.parse((await run(PYTHON, [CHECK, form, out, recordings])).stdout) as Checked;

  it("LeRobot with videos: every value, every picture in its place, whatever files they are split into", async () => {
    // No file takes a second episode, and no folder a third file.
    const limits = { filesPerChunk: 2, dataFileMb: 0, videoFileMb: 0 };
    const result = await exportTo("videos", 30, new LerobotForm({ rateHz: 30, ffmpeg, limits }), "sent");
    expect(result.leftOut).toEqual([
      { task: "reach", name: "episode-000003", why: expect.stringContaining("failure") },
    ]);
    const found = await check("lerobot", result.folder);
    expect(found).toMatchObject({
      frames: result.frameCount,
      episodes: 4,
      tasks: ["reach the red block", "push"],
    });
    expect(found.dataFiles).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    expect(found.videoFiles.length).toBe(8);
  });

  it("LeRobot with videos of several episodes in one file, another action, and labels", async () => {
    const result = await exportTo("whole", 20, new LerobotForm({ rateHz: 20, ffmpeg }), "requested", true);
    const found = await check("lerobot", result.folder);
    expect(found.dataFiles).toEqual([[0, 0]]);
    expect(found.videoFiles.length).toBe(2);
  });

  it("LeRobot with pictures in its tables, where there is no ffmpeg", async () => {
    const result = await exportTo("images", 30, new LerobotForm({ rateHz: 30, ffmpeg: undefined }), "sent");
    expect(await check("lerobot", result.folder)).toMatchObject({
      frames: result.frameCount,
      videoFiles: [],
    });
  });

  it("flat: pictures as recorded, one table a set", async () => {
    const result = await exportTo("flat", 12.5, new FlatForm(), "sent");
    expect(await check("flat", result.folder)).toMatchObject({
      frames: result.frameCount,
      pictures: 2 * result.frameCount,
    });
  });

  it("the check itself notices frames that are one period off", async () => {
    const result = await exportTo("off", 30, new FlatForm(), "sent");
    const file = join(result.folder, "README.json");
    const about = JSON.parse(readFileSync(file, "utf8")) as { episodes: { firstFrameNs: string }[] };
    about.episodes[0]!.firstFrameNs = String(BigInt(about.episodes[0]!.firstFrameNs) + 33_333_333n);
    writeFileSync(file, JSON.stringify(about));
    await expect(check("flat", result.folder)).rejects.toThrow(/AssertionError/);
  });
});
