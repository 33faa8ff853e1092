import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { EpisodeSet } from "../../../episodes/episodeSet.js";
import { writeTestEpisode } from "../../../test/support/episodes/testEpisode.js";
import { declareEpisodes } from "./commands.js";
import { formatBytes, formatSeconds, plain, table } from "./text.js";

let recordings: string;
let shared: string;
let printed: string;
beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), "episodes-shared-"));
  await writeTestEpisode(join(shared, "reach"), { number: 1, task: "reach", seconds: 2 });
  const flags = [
    { code: "loss", topic: "/camera/wrist/color/image_raw/compressed", text: "3 of 60 lost" },
  ] as const;
  await writeTestEpisode(join(shared, "reach"), {
    number: 2,
    task: "reach",
    seconds: 1,
    cameras: [],
    flags: [...flags],
  });
  await writeTestEpisode(join(shared, "lift"), {
    number: 12,
    task: "lift",
    seconds: 1,
    cameras: [],
    outcome: "failure",
  });
});
afterAll(() => rmSync(shared, { recursive: true, force: true }));
beforeEach(() => {
  recordings = mkdtempSync(join(tmpdir(), "episodes-commands-"));
  cpSync(shared, recordings, { recursive: true });
  printed = "";
  const take = (text: string | Uint8Array) => {
    printed += text;
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(take);
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(recordings, { recursive: true, force: true });
});

/** As the command line has it; what commander itself refuses is thrown, too. */
async function run(...words: string[]): Promise<string> {
  printed = "";
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  declareEpisodes(program);
  const quiet = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: () => {} });
    command.commands.forEach(quiet);
  };
  quiet(program);
  await program.parseAsync(["episodes", "--recordings", recordings, ...words], { from: "user" });
  return printed;
}
const runJson = async (...words: string[]) => JSON.parse(await run(...words, "--json", "-"));
const episodeFile = (task: string, name: string) => join(recordings, task, name, `${name}.mcap`);

describe("episodes list", () => {
  it("shows every set, and what is decided, flagged or broken", async () => {
    await run("label", "reach/1", "failure", "--note", "too slow");
    await run("trim", "reach/1", "--from", "0.5");
    await run("drop", "lift/last");
    mkdirSync(join(recordings, "lift", "episode-000013.active"));
    truncateSync(episodeFile("reach", "episode-000002"), 3000);
    mkdirSync(join(recordings, "My Notes"));
    const text = await run("list");
    expect(text).toMatch(
      /episode-000001 +reach +\S+ \S+ +2\.0 s +failure .*kept 0\.500 s to the end; "too slow"/,
    );
    expect(text).toMatch(/episode-000002 +reach +broken +3\.00 kB +is cut short: it ends at 3000 bytes/);
    expect(text).toMatch(/episode-000012 +lift .* failure .*dropped/);
    expect(text).toMatch(/episode-000013\.active +lift +active .*left by a crash/);
    expect(text).toMatch(/Not sets, by their names: My Notes/);
    expect(text).toMatch(
      /2 finished, 0 success, 2 failure, 0 unlabelled, 1 dropped, 0 flagged, 1 active, 1 broken/,
    );

    const result = await runJson("list", join(recordings, "reach"));
    expect(result.sets).toHaveLength(1);
    expect(result.sets[0].episodes[0]).toMatchObject({
      name: "episode-000001",
      state: "finished",
      outcome: "failure",
      note: "too slow",
      trim: { fromS: 0.5, toS: null },
      durationS: 2,
    });
  });

  it("tells of an edits log with a torn line", async () => {
    await run("label", "reach/1", "success");
    writeFileSync(join(recordings, "reach", "edits.jsonl"), '{"schema":"cerebellum/edit@1","kind":"la', {
      flag: "a",
    });
    expect(await run("list")).toMatch(/reach: line 2 of the edits log is torn/);
  });

  it("says so when nothing was recorded yet, but refuses a folder that a person named", async () => {
    rmSync(recordings, { recursive: true });
    expect(await run("list")).toBe(`No episodes in ${recordings}\n`);
    await expect(run("list", recordings)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });
});

describe("episodes show", () => {
  it("tells everything and writes pictures beside the episode, which stays as it was", async () => {
    const folder = join(recordings, "reach", "episode-000001");
    const before = readdirSync(folder).map((name) => [
      name,
      readFileSync(join(folder, name)).toString("base64"),
    ]);
    const text = await run("show", "reach/1", "--frames", "6");
    for (const line of [
      /^episode +reach\/episode-000001 {2}demonstration {2}[0-9a-f-]{36}$/m,
      /^robot +arm: xArm7 TEST00000000, firmware v1\.0\.0, 7 joints at 250 Hz$/m,
      /^camera +wrist: 128 x 96 at 30 Hz, kept as jpeg/m,
      /image_raw\/compressed +CompressedImage +60 +30\.0 Hz +30 Hz +33 ms +12\.0\/12\.0 ms +0$/m,
      /^quality +no flags$/m,
      /^limiter +arm: nothing was changed$/m,
      /^steps +10; image age p50 17\.0/m,
      /^event +0\.001 s {2}servo: arm: lease: lease to test$/m,
    ])
      expect(text).toMatch(line);
    const pictures = join(recordings, "reach", "pictures", "episode-000001");
    expect(readdirSync(pictures).sort()).toEqual(["contact-sheet.png", "joints-arm.png", "timing.png"]);
    expect(statSync(join(pictures, "contact-sheet.png")).size).toBeGreaterThan(10_000);
    expect(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]),
    ).toEqual(before);
    expect(await run("list", join(recordings, "reach"))).toMatch(/2 finished/);
  });

  it("leaves pictures out, and gives all of it as JSON", async () => {
    const result = await runJson("show", "reach/2", "--no-pictures");
    expect(result).toMatchObject({
      name: "episode-000002",
      task: "reach",
      robots: { arm: { serial: "TEST00000000" } },
      flags: [{ code: "loss" }],
      quality: { topics: { "/arm/servo_tick": { count: 250 } } },
      limiterTicks: { arm: { ticks: 250, byReason: {} } },
      policy: { steps: 5, refused: {} },
      pictures: [],
    });
    expect(existsSync(join(recordings, "reach", "pictures"))).toBe(false);
  });

  it("writes pictures where it is told, and says where it cannot", async () => {
    const out = join(recordings, "elsewhere");
    const result = await runJson("show", "reach/2", "--out", out);
    expect(result.pictures).toEqual([join(out, "joints-arm.png"), join(out, "timing.png")]);
    writeFileSync(join(recordings, "file"), "");
    await expect(run("show", "reach/2", "--out", join(recordings, "file"))).rejects.toThrow(
      /cannot be written.*--out/,
    );
  });
});

describe("edits", () => {
  it("label, trim, clear, drop and keep", async () => {
    expect(await run("label", "lift/12", "success", "--note", "seen again")).toMatch(
      /lift\/episode-000012 is now: success \("seen again"\), kept whole/,
    );
    expect(await run("trim", "lift/12", "--from", "0.1", "--to", "0.9")).toMatch(/kept 0\.100 s to 0\.900 s/);
    expect(await run("trim", "lift/12", "--clear")).toMatch(/kept whole/);
    expect(await run("drop", "lift/12", "--note", "hit the table")).toMatch(/dropped: left out/);
    expect(await runJson("keep", "lift/12")).toMatchObject({ dropped: false, outcome: "success" });
    const set = await EpisodeSet.open(join(recordings, "lift"));
    expect(await set.episode("last")).toMatchObject({ outcome: "success", dropped: false, trim: undefined });
    const log = readFileSync(join(recordings, "lift", "edits.jsonl"), "utf8")
      .trim()
      .split("\n");
    expect(log.map((line) => JSON.parse(line).kind)).toEqual(["label", "trim", "trim", "drop", "drop"]);
    expect(JSON.parse(log[0]!).by).toMatch(/^command line, \S/);
  });

  it.each([
    [["label", "reach/1", "maybe"], /Allowed choices are success, failure, unlabelled/],
    [["trim", "reach/1"], /give --from, --to or --clear/],
    [["trim", "reach/1", "--clear", "--to", "1"], /cannot be used with option/],
    [["trim", "reach/1", "--from", "-1"], /must be seconds from the episode's start/],
    [["trim", "reach/1", "--from", ""], /must be seconds/],
    [["trim", "reach/1", "--to", "2.5"], /to 2\.500 s is not possible; it lasts 2\.000 s/],
    [["trim", "reach/1", "--from", "1", "--to", "1"], /not possible/],
    [["drop", "reach/7"], /has no episode 7; it has 2: episode-000001 to episode-000002/],
    [["label", "fold/1", "success"], /means task fold, which \S+ does not have; it has lift, reach/],
    [["label", "reach/../../etc/1", "success"], /is not there|no task name/],
    [["show", "../1"], /no task name|has no episode 1/],
    [["show", "reach"], /is not there/],
    [["show", "reach/1", "--frames", "0"], /whole number from 1 to 120/],
  ])("%j is refused, and nothing is written", async (words, text) => {
    await expect(run(...words)).rejects.toThrow(text);
    expect(existsSync(join(recordings, "reach", "edits.jsonl"))).toBe(false);
  });

  it("are refused for what is no whole episode, with the reason", async () => {
    truncateSync(episodeFile("reach", "episode-000001"), 5000);
    await expect(run("label", "reach/1", "success")).rejects.toThrow(
      /episode-000001 is cut short: it ends at 5000 bytes.*verify/,
    );
    renameSync(
      join(recordings, "reach", "episode-000002"),
      join(recordings, "reach", "episode-000002.active"),
    );
    await expect(run("drop", "reach/2")).rejects.toThrow(/left by a crash.*repair/);
    const newer = episodeFile("lift", "episode-000012");
    const bytes = readFileSync(newer);
    for (let at = bytes.indexOf("episode@1"); at >= 0; at = bytes.indexOf("episode@1", at + 1))
      bytes.write("episode@2", at);
    writeFileSync(newer, bytes);
    await expect(run("show", "lift/12")).rejects.toThrow(
      /form "cerebellum\/episode@2"; this program reads.*Open it with the version that wrote it/,
    );
  });

  it("in a folder that cannot be written fail and say so", async () => {
    const set = join(recordings, "reach");
    writeFileSync(join(set, "edits.jsonl"), "");
    chmodSync(join(set, "edits.jsonl"), 0o400);
    if (process.getuid?.() === 0) {
      rmSync(join(set, "edits.jsonl"));
      mkdirSync(join(set, "edits.jsonl"));
    }
    await expect(run("label", "reach/1", "success")).rejects.toMatchObject({
      code: expect.stringMatching(/RECORDING_FAILED|FILE_UNREADABLE/),
    });
  });
});

describe("episodes verify", () => {
  it("passes what holds, flagged or not, and tells of what is unfinished", async () => {
    mkdirSync(join(recordings, "lift", "episode-000013.active"));
    const result = await runJson("verify");
    expect(result.passed).toBe(true);
    expect(
      result.episodes.map(
        ({ episode, verdict }: { episode: string; verdict: string }) => `${episode} ${verdict}`,
      ),
    ).toEqual([
      "episode-000012 holds",
      "episode-000013 unfinished",
      "episode-000001 holds",
      "episode-000002 flagged",
    ]);
    expect(await run("verify", "reach/2", join(recordings, "lift"))).toMatch(
      /3 looked at: 2 hold \(1 flagged\), 0 do not, 1 unfinished/,
    );
  });

  it("fails on a flipped bit, a cut file, and one that is worse than it says", async () => {
    const flipped = episodeFile("reach", "episode-000001");
    const bytes = readFileSync(flipped);
    bytes[Math.floor(bytes.length / 2)]! ^= 4;
    writeFileSync(flipped, bytes);
    truncateSync(episodeFile("lift", "episode-000012"), 8000);
    await writeTestEpisode(join(recordings, "lift"), {
      number: 14,
      task: "lift",
      seconds: 2,
      cameras: [],
      disturb: (message) =>
        message.topic === "/arm/joint_states" && Number(message.logNs % 1_000_000_000n) > 5e8
          ? undefined
          : message,
    });
    const json = join(recordings, "result.json");
    await expect(run("verify", "--json", json)).rejects.toMatchObject({
      code: "CHECK_FAILED",
      message: expect.stringMatching(/^3 of 4 episodes do not hold/),
    });
    expect(JSON.parse(readFileSync(json, "utf8")).passed).toBe(false);
    expect(printed).toMatch(/broken +\S+reach\/episode-000001/);
    expect(printed).toMatch(
      /broken +\S+lift\/episode-000014.*\n +not stated in the file: \w+ of \/arm\/joint_states/,
    );
    await expect(run("verify", "lift/14", "--no-quality")).resolves.toMatch(/1 hold/);
  });
});

describe("episodes repair", () => {
  it("makes an episode of what a crash left, and reports it", async () => {
    const active = join(recordings, "reach", "episode-000001.active");
    renameSync(join(recordings, "reach", "episode-000001"), active);
    const file = join(active, "episode-000001.mcap");
    truncateSync(file, Math.floor(statSync(file).size * 0.6));
    rmSync(join(active, "metadata.yaml"), { force: true });
    const text = await run("repair");
    expect(text).toMatch(
      /repaired: what was written until the crash is an episode now\n {2}\d+ messages over \d\.\d s kept/,
    );
    expect(await run("list")).toMatch(/episode-000001 +reach .*ended: crashed/);
    expect(await run("repair", join(recordings, "reach"))).toBe(
      `Nothing to repair in ${join(recordings, "reach")}\n`,
    );
  });

  it("fails for what cannot be an episode, and deletes nothing", async () => {
    const active = join(recordings, "lift", "episode-000013.active");
    mkdirSync(active);
    writeFileSync(join(active, "episode-000013.mcap"), "no recording at all");
    await expect(run("repair")).rejects.toMatchObject({ code: "CHECK_FAILED" });
    const left = readdirSync(join(recordings, "lift")).filter((name) => name.startsWith("episode-000013"));
    expect(left).toHaveLength(1);
    expect(readFileSync(join(recordings, "lift", left[0]!, "episode-000013.mcap"), "utf8")).toBe(
      "no recording at all",
    );
    expect(await (await EpisodeSet.open(join(recordings, "lift"))).nextNumber()).toBe(14);
  });
});

describe("text", () => {
  it.each([
    [999, "999 B"],
    [1000, "1.00 kB"],
    [12_345, "12.3 kB"],
    [999_600, "1.00 MB"],
    [3.2e12, "3.20 TB"],
  ])("%d bytes are %s", (bytes, words) => expect(formatBytes(bytes)).toBe(words));

  it.each([
    [4.24, "4.2 s"],
    [59.97, "1 min 00 s"],
    [185.4, "3 min 05 s"],
    [7620, "2 h 07 min"],
  ])("%d seconds are %s", (seconds, words) => expect(formatSeconds(seconds)).toBe(words));

  it("nothing from a file moves the cursor", () => {
    expect(plain("note \u001b[2J\r\nall\u009b is well ä")).toBe("note  [2J all  is well ä");
  });

  it("tables align", () => {
    expect(
      table(
        ["a", "size"],
        [
          ["one", "5"],
          ["x", "12345"],
        ],
        [1],
      ),
    ).toEqual(["a     size", "one      5", "x    12345"]);
  });
});
