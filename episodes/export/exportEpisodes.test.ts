import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ImageMessage } from "../../core/rosWire.js";
import { SimClock } from "../../core/simClock.js";
import {
  imageTopicOf,
  TEST_START_NS,
  type TestEpisodeOptions,
  type TestMessage,
  writeTestEpisode,
} from "../../test/support/episodes/testEpisode.js";
import { EpisodeSet } from "../episodeSet.js";
import { select } from "../selectEpisodes.js";
import { type ExportForm, type ExportOptions, type ExportSet, exportEpisodes } from "./exportEpisodes.js";
import { FFMPEG_VARIABLE, findFfmpeg } from "./ffmpeg.js";
import { FlatForm } from "./flat/flatForm.js";
import { LerobotForm } from "./lerobot/lerobotForm.js";

const folder = mkdtempSync(join(tmpdir(), "export-"));
const recordings = join(folder, "recordings");
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const FAST = { storage: "raw", widthPx: 32, heightPx: 24, seconds: 1 } as const;
let outNumber = 0;

const write = (task: string, number: number, options: TestEpisodeOptions = {}) =>
  writeTestEpisode(join(recordings, task), { ...FAST, task, number, ...options });

async function setOf(task: string, instruction = task): Promise<ExportSet> {
  const set = await EpisodeSet.open(join(recordings, task));
  return { task, instruction, ...select(await set.episodes(), { outcome: "any", includeFlagged: true }) };
}

const options = (more: Partial<ExportOptions> = {}): ExportOptions => ({
  out: join(folder, `out-${++outNumber}`),
  rateHz: 30,
  action: "sent",
  includeFlagged: false,
  program: "test",
  clock: new SimClock(),
  ...more,
});
const nothingLeft = (out: string) =>
  expect(readdirSync(folder).filter((name) => join(folder, name).startsWith(out))).toEqual([]);

const lostHalf = (message: TestMessage) =>
  message.topic === imageTopicOf("wrist", "raw") && Number(message.publishNs - TEST_START_NS) > 0.3e9
    ? undefined
    : message;

beforeAll(async () => {
  await write("plain", 1);
  await write("plain", 2);
  await write("mixed", 1);
  await write("mixed", 2, { widthPx: 64 });
  await write("mixed", 3, { cameras: ["head"] });
  await write("mixed", 4, { disturb: lostHalf });
  await write("mixed", 5);
});

describe("an export", () => {
  it("takes what fits, and tells what does not and why", async () => {
    const result = await exportEpisodes([await setOf("mixed")], new FlatForm(), options());
    expect(result.episodes.map(({ name }) => name)).toEqual(["episode-000001", "episode-000005"]);
    expect(Object.fromEntries(result.leftOut.map(({ name, why }) => [name, why]))).toEqual({
      "episode-000002": expect.stringMatching(/wrist 64x24.*wrist 32x24/),
      "episode-000003": expect.stringMatching(/no images of camera "wrist"/),
      "episode-000004": expect.stringMatching(/flagged for export.*ends \d+\.\d ms before the episode/),
    });
    const readme = JSON.parse(readFileSync(join(result.folder, "README.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect(readme.leftOut).toEqual(result.leftOut);
  });

  it("takes flagged episodes when asked to, and marks them", async () => {
    const result = await exportEpisodes(
      [await setOf("mixed")],
      new FlatForm(),
      options({ includeFlagged: true }),
    );
    const flagged = result.episodes.find(({ name }) => name === "episode-000004")!;
    expect(flagged.flags).toEqual([expect.stringMatching(/^vanished of .*wrist/)]);
    expect(flagged.frameCount).toBeLessThan(15);
  });

  it("keeps depth in a flat folder as it is, and leaves it out of LeRobot with a notice", async () => {
    const topic = imageTopicOf("scene", "raw");
    const depthAt = (index: number) => 1000 + index;
    const disturb = (message: TestMessage) => {
      if (message.topic !== topic) return message;
      const image = new ImageMessage("scene", 32, 24, "16UC1", 64);
      image.stamp(message.publishNs);
      const index = Math.round((Number(message.publishNs - TEST_START_NS) * 30) / 1e9);
      image.pixels.set(new Uint8Array(new Uint16Array(32 * 24).fill(depthAt(index)).buffer));
      return { ...message, bytes: image.bytes };
    };
    await write("depth", 1, { cameras: ["wrist", "scene"], disturb });
    const flat = await exportEpisodes([await setOf("depth")], new FlatForm(), options());
    const file = join(flat.folder, "frames/depth/episode-000001/scene/000007.png");
    const { data, info } = await sharp(file)
      .toColourspace("grey16")
      .raw({ depth: "ushort" })
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 32, height: 24, channels: 1 });
    expect(new Set(new Uint16Array(data.buffer, data.byteOffset, 32 * 24))).toEqual(new Set([depthAt(7)]));
    const lerobot = new LerobotForm({ rateHz: 30, ffmpeg: undefined });
    const result = await exportEpisodes([await setOf("depth")], lerobot, options());
    expect(result.notices).toEqual(["lerobot takes no depth images: scene left out"]);
    expect(result.layout.cameras.map(({ camera }) => camera)).toEqual(["wrist"]);
    const asked = options({ cameras: ["scene"] });
    const again = new LerobotForm({ rateHz: 30, ffmpeg: undefined });
    await expect(exportEpisodes([await setOf("depth")], again, asked)).rejects.toThrow(
      /takes no depth images/,
    );
  });

  it("refuses when nothing is left, with the reasons", async () => {
    const request = options({ cameras: ["left"] });
    await expect(exportEpisodes([await setOf("plain")], new FlatForm(), request)).rejects.toMatchObject({
      code: "EXPORT_FAILED",
      message: expect.stringMatching(/plain\/episode-000001: .*no images of camera "left"/),
    });
    nothingLeft(request.out);
  });

  it("refuses a folder that exists, and one that is not its own to clear away", async () => {
    const taken = options();
    mkdirSync(taken.out);
    await expect(exportEpisodes([await setOf("plain")], new FlatForm(), taken)).rejects.toThrow(
      /exists already/,
    );
    const foreign = options();
    mkdirSync(`${foreign.out}.partial`);
    await expect(exportEpisodes([await setOf("plain")], new FlatForm(), foreign)).rejects.toThrow(
      /no leftover/,
    );
    expect(existsSync(`${foreign.out}.partial`)).toBe(true);
  });

  it("clears away what an interrupted export left, unless that still runs", async () => {
    const request = options();
    mkdirSync(`${request.out}.partial`);
    writeFileSync(join(`${request.out}.partial`, ".cerebellum-export"), String(process.pid));
    writeFileSync(join(`${request.out}.partial`, "half.parquet"), "");
    await expect(exportEpisodes([await setOf("plain")], new FlatForm(), request)).rejects.toThrow(
      /being written by process/,
    );
    // No process has this number: it is above the kernel's largest.
    writeFileSync(join(`${request.out}.partial`, ".cerebellum-export"), String(2 ** 30));
    await exportEpisodes([await setOf("plain")], new FlatForm(), request);
    expect(existsSync(`${request.out}.partial`)).toBe(false);
    expect(readdirSync(request.out).sort()).toEqual(["README.json", "frames", "plain.parquet"]);
  });

  it.each([
    ["videos fail", "add"],
    ["the last words fail", "finish"],
  ] as const)("leaves nothing when %s", async (_what, step) => {
    const form = new FlatForm();
    const broken: ExportForm<unknown> = Object.assign(Object.create(form) as ExportForm<unknown>, {
      [step]: () => Promise.reject(new Error("no space left")),
      open: form.open.bind(form),
      begin: form.begin.bind(form),
      abort: form.abort.bind(form),
      end: form.end.bind(form),
      ...(step === "add" ? {} : { add: form.add.bind(form) }),
    });
    const request = options();
    await expect(exportEpisodes([await setOf("plain")], broken, request)).rejects.toThrow("no space left");
    nothingLeft(request.out);
  });

  it("can be interrupted and repeated", async () => {
    const stop = new AbortController();
    const request = options({
      signal: stop.signal,
      onProgress: ({ episodeIndex, frame }) => episodeIndex === 1 && frame === 5 && stop.abort(),
    });
    await expect(exportEpisodes([await setOf("plain")], new FlatForm(), request)).rejects.toMatchObject({
      code: "EXPORT_FAILED",
      message: expect.stringContaining("interrupted after 1 episodes"),
    });
    nothingLeft(request.out);
    const again = { ...request, signal: undefined, onProgress: undefined };
    const result = await exportEpisodes([await setOf("plain")], new FlatForm(), again);
    expect(result.episodes.length).toBe(2);
  });

  it("reports progress to the last frame of each episode", async () => {
    const seen: string[] = [];
    const onProgress: ExportOptions["onProgress"] = ({ episode, frame, frameCount }) =>
      void (frame === frameCount && seen.push(episode));
    await exportEpisodes([await setOf("plain")], new FlatForm(), options({ onProgress }));
    expect(seen).toEqual(["plain/episode-000001", "plain/episode-000002"]);
  });
});

describe("the program that makes videos", () => {
  const program = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  it("is none without one in the PATH, and an error where the one that is named cannot", async () => {
    expect(await findFfmpeg({ PATH: folder })).toBeUndefined();
    await expect(findFfmpeg({ [FFMPEG_VARIABLE]: join(folder, "none") })).rejects.toMatchObject({
      code: "EXPORT_FAILED",
      message: expect.stringContaining("does not run"),
    });
    const poor = program("poor", "echo ' V..... mpeg4'");
    await expect(findFfmpeg({ [FFMPEG_VARIABLE]: poor })).rejects.toThrow(/no encoder libx264/);
    const good = program("good", "echo ' V..... libx264'");
    expect(await findFfmpeg({ [FFMPEG_VARIABLE]: good })).toBe(good);
  });

  it.each([
    ["dies at once", "echo 'no such filter' >&2; exit 1"],
    ["dies in the middle", "head -c 20000 >/dev/null; echo 'no such filter' >&2; exit 1"],
    ["fails at the end", "cat >/dev/null; echo 'no such filter' >&2; exit 1"],
  ])("%s: the error has its words, and nothing is left", async (name, text) => {
    const ffmpeg = program(name.replaceAll(" ", "-"), text);
    const request = options();
    const form = new LerobotForm({ rateHz: 30, ffmpeg });
    await expect(exportEpisodes([await setOf("plain")], form, request)).rejects.toMatchObject({
      code: "EXPORT_FAILED",
      message: expect.stringContaining("no such filter"),
    });
    nothingLeft(request.out);
  });

  it("refuses pictures that it cannot halve, and rates that LeRobot cannot have", async () => {
    await write("odd", 1, { widthPx: 33 });
    const form = new LerobotForm({ rateHz: 30, ffmpeg: "ffmpeg" });
    await expect(exportEpisodes([await setOf("odd")], form, options())).rejects.toThrow(/33x24.*--images/);
    expect(() => new LerobotForm({ rateHz: 12.5, ffmpeg: undefined })).toThrow(/whole number/);
  });
});
