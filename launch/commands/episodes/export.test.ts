import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeTestEpisode } from "../../../test/support/episodes/testEpisode.js";
import { chooseSets, exportLerobot } from "./export.js";
import { declareExports } from "./exportCommands.js";

const folder = mkdtempSync(join(tmpdir(), "export-command-"));
const recordings = join(folder, "recordings");
const FAST = { storage: "raw", widthPx: 32, heightPx: 24, seconds: 1 } as const;
const choice = { outcome: "success" as const, includeFlagged: false, instruction: [] };

beforeAll(async () => {
  for (const task of ["push", "reach"]) await writeTestEpisode(join(recordings, task), { ...FAST, task });
  await writeTestEpisode(join(recordings, "reach"), {
    ...FAST,
    task: "reach",
    number: 2,
    outcome: "failure",
  });
  await writeTestEpisode(join(folder, "other", "reach"), { ...FAST, task: "reach" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("sets of an export", () => {
  it("are named by task, by path, or by a folder of sets, each once", async () => {
    const byTask = await chooseSets(["reach"], recordings, choice);
    expect(byTask.map(({ task, episodes }) => [task, episodes.length])).toEqual([["reach", 1]]);
    expect(byTask[0]!.leftOut).toEqual([{ name: "episode-000002", why: "failure, not success" }]);
    const all = await chooseSets([recordings, join(recordings, "push")], "nowhere", choice);
    expect(all.map(({ task }) => task)).toEqual(["push", "reach"]);
    const any = await chooseSets(["reach"], recordings, { ...choice, outcome: "any" });
    expect(any[0]!.episodes.length).toBe(2);
  });

  it("have words of their own for their task when given", async () => {
    const instruction = ["reach=reach the block = the red one"];
    const sets = await chooseSets(["push", "reach"], recordings, { ...choice, instruction });
    expect(sets.map((set) => set.instruction)).toEqual(["push", "reach the block = the red one"]);
    for (const wrong of ["reach", "pull=pull it", "reach="])
      await expect(
        chooseSets(["reach"], recordings, { ...choice, instruction: [wrong] }),
      ).rejects.toMatchObject({
        code: "CONFIG_INVALID",
      });
  });

  it("must not share a task's name, and must be there", async () => {
    const both = ["reach", join(folder, "other", "reach")];
    await expect(chooseSets(both, recordings, choice)).rejects.toThrow(/are both named reach/);
    await expect(chooseSets(["pull"], recordings, choice)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });
});

describe("the command", () => {
  const parse = (words: readonly string[]) => {
    const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
    declareExports(program, () => recordings);
    for (const command of program.commands)
      for (const form of [command, ...command.commands]) form.exitOverride();
    return program.parseAsync(["export", ...words], { from: "user" });
  };

  it.each([
    [["flat", "reach", "--rate", "30"], /--out/],
    [["flat", "reach", "--out", "x"], /--rate/],
    [["flat", "reach", "--out", "x", "--rate", "0"], /above 0/],
    [
      ["flat", "reach", "--out", "x", "--rate", "5", "--action", "wished"],
      /sent, requested, limited, measured/,
    ],
    [["lerobot", "reach", "--out", "x", "--rate", "5", "--videos", "--images"], /cannot be used with/],
  ])("%j is refused", async (words, why) => {
    const thrown = await parse(words).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(CommanderError);
    expect((thrown as CommanderError).message).toMatch(why);
  });

  it("fails where videos are demanded and nothing can make them", async () => {
    const before = { PATH: process.env.PATH, CEREBELLUM_FFMPEG: process.env.CEREBELLUM_FFMPEG };
    mkdirSync(join(folder, "empty"));
    process.env.PATH = join(folder, "empty");
    delete process.env.CEREBELLUM_FFMPEG;
    try {
      const options = {
        ...choice,
        out: join(folder, "out"),
        rate: 30,
        action: "sent" as const,
        labels: false,
      };
      await expect(exportLerobot(["reach"], recordings, { ...options, videos: true })).rejects.toMatchObject({
        code: "EXPORT_FAILED",
        remedy: expect.stringContaining("--images"),
      });
    } finally {
      process.env.PATH = before.PATH;
      if (before.CEREBELLUM_FFMPEG !== undefined) process.env.CEREBELLUM_FFMPEG = before.CEREBELLUM_FFMPEG;
    }
  });
});
