import { randomUUID } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asEpochNs } from "../core/clock.js";
import { SimClock } from "../core/simClock.js";
import { TEST_START_NS, writeTestEpisode } from "../test/support/episodes/testEpisode.js";
import { appendEdit } from "./edits.js";
import { EpisodeFile } from "./episodeFile.js";
import { EpisodeSet, trimOf } from "./episodeSet.js";
import { EDITS_FILE, episodeName } from "./format.js";
import { findEpisode, findSets } from "./recordings.js";
import { repairSet } from "./repair.js";
import { selectEpisodes } from "./selectEpisodes.js";

const STAMP = { atNs: asEpochNs(9n), by: "test" };
const LENGTH = { seconds: 1, cameras: [], policyRateHz: 5 } as const;
let recordings: string;
let folder: string;
let set: EpisodeSet;
beforeAll(async () => {
  recordings = mkdtempSync(join(tmpdir(), "sets-"));
  folder = join(recordings, "test-task");
  set = await EpisodeSet.open(folder);
  const flag = {
    code: "gap",
    topic: "/arm/joint_states",
    text: "0.4 s without a message, expected 0.01 s",
  } as const;
  await writeTestEpisode(folder, { ...LENGTH, number: 1 });
  await writeTestEpisode(folder, { ...LENGTH, number: 2, outcome: "failure" });
  await writeTestEpisode(folder, { ...LENGTH, number: 3, flags: [flag] });
  await writeTestEpisode(folder, { ...LENGTH, number: 4, outcome: "unlabelled" });
});
afterAll(() => rmSync(recordings, { recursive: true, force: true }));

/** A set of its own with copies of some of these episodes. */
async function copied(name: string, numbers: readonly number[]): Promise<EpisodeSet> {
  for (const number of numbers)
    cpSync(join(folder, episodeName(number)), join(recordings, name, episodeName(number)), {
      recursive: true,
    });
  return EpisodeSet.open(join(recordings, name));
}

describe("a set", () => {
  it("lists finished episodes from their records", async () => {
    const { entries, remarks } = await set.list();
    expect(remarks).toEqual([]);
    expect(entries.map(({ name, state }) => `${name} ${state}`)).toEqual(
      [1, 2, 3, 4].map((number) => `${episodeName(number)} finished`),
    );
    expect(entries[2]).toMatchObject({
      outcome: "success",
      durationS: 1,
      flags: [{ code: "gap" }],
      dropped: false,
    });
    expect(entries[0]!.bytes).toBeGreaterThan(10_000);
  });

  it("is empty, and starts at 1, where there is no folder yet", async () => {
    const nowhere = await EpisodeSet.open(join(recordings, "not-yet"));
    expect(await nowhere.episodes()).toEqual([]);
    expect(await nowhere.nextNumber()).toBe(1);
  });

  it("tells what cannot be used, and why", async () => {
    const broken = await copied("broken", [1, 2, 3, 4]);
    const path = (name: string, file = "") => join(broken.folder, name, file);
    const file = path(episodeName(1), `${episodeName(1)}.mcap`);
    truncateSync(file, 20_000);
    rmSync(path(episodeName(2), `${episodeName(2)}.mcap`));
    const newer = path(episodeName(3), `${episodeName(3)}.mcap`);
    const bytes = readFileSync(newer);
    for (let at = bytes.indexOf("episode@1"); at >= 0; at = bytes.indexOf("episode@1", at + 1))
      bytes.write("episode@7", at);
    writeFileSync(newer, bytes);
    renameSync(path(episodeName(4)), path(`${episodeName(4)}.active`));
    mkdirSync(path(`${episodeName(9)}.unrepairable`));
    cpSync(join(folder, episodeName(1)), path(episodeName(6)), { recursive: true });
    renameSync(
      path(episodeName(6), `${episodeName(1)}.mcap`),
      path(episodeName(6), `${episodeName(6)}.mcap`),
    );
    const entries = await broken.episodes();
    expect(entries.map((entry) => [entry.name, entry.state, "trouble" in entry && entry.trouble])).toEqual([
      ["episode-000001", "broken", expect.stringMatching(/^is cut short: it ends at 20000 bytes/)],
      ["episode-000002", "broken", expect.stringMatching(/cannot be opened: ENOENT/)],
      [
        "episode-000003",
        "broken",
        expect.stringMatching(
          /^is of form "cerebellum\/episode@7"; this program reads cerebellum\/episode@1$/,
        ),
      ],
      ["episode-000004", "active", "was left by a crash and waits for repair"],
      ["episode-000006", "broken", "holds episode-000001 of task test-task: a copy, or renamed"],
      ["episode-000009", "aside", 'was set aside as "unrepairable"'],
    ]);
    expect(await broken.nextNumber()).toBe(10);
    expect((await selectEpisodes(broken, { outcome: "any", includeFlagged: true })).episodes).toEqual([]);
  });

  it("numbers on above everything that was: broken, active and, by the edits log, deleted ones", async () => {
    const resumed = await copied("resumed", [1, 2]);
    expect(await resumed.nextNumber()).toBe(3);
    mkdirSync(join(resumed.folder, `${episodeName(11)}.active`));
    expect(await resumed.nextNumber()).toBe(12);
    writeFileSync(join(resumed.folder, "notes.txt"), "");
    mkdirSync(join(resumed.folder, "episode-12"));
    expect(await resumed.nextNumber()).toBe(12);
    const [first] = await resumed.episodes();
    if (first?.state !== "finished") throw new Error("is finished");
    await appendEdit(resumed.folder, {
      schema: "cerebellum/edit@1",
      atNs: "1",
      by: "test",
      episode: episodeName(40),
      uuid: first.start.uuid,
      kind: "drop",
      dropped: true,
      note: "",
    });
    expect(await resumed.nextNumber()).toBe(41);
    mkdirSync(join(resumed.folder, "episode-999999999"));
    await expect(resumed.nextNumber()).rejects.toMatchObject({ code: "RECORDING_FAILED" });
  });

  it("resumes after a crash with the next number, also once the part is an episode", async () => {
    const before = await copied("crashed", [1, 2]);
    const living = await EpisodeSet.open(join(recordings, "living"));
    const { start } = await before.episode(2);
    const name = episodeName(3);
    const writing = await EpisodeFile.create(living.folder, { ...start, name, uuid: randomUUID() }, []);
    expect(await living.episodes()).toMatchObject([{ state: "active", trouble: "is being written" }]);
    // What a crash leaves: the same files, and nobody who holds them.
    cpSync(join(living.folder, `${name}.active`), join(before.folder, `${name}.active`), { recursive: true });
    await writing.discard();

    const resumed = await EpisodeSet.open(before.folder);
    expect((await resumed.episodes()).at(-1)).toMatchObject({
      name,
      trouble: "was left by a crash and waits for repair",
    });
    expect(await resumed.nextNumber()).toBe(4);
    await repairSet(resumed.folder, { clock: new SimClock() });
    expect(await resumed.episode("last")).toMatchObject({ name, end: { endedBecause: "crashed" } });
    expect(await resumed.nextNumber()).toBe(4);
    expect(await living.episodes()).toEqual([]);
    expect(await living.nextNumber()).toBe(1);
  });

  it("a renamed copy of a recording does not count again", async () => {
    const doubled = await copied("doubled", [1]);
    cpSync(join(doubled.folder, episodeName(1)), join(doubled.folder, "episode-0000001"), {
      recursive: true,
    });
    renameSync(
      join(doubled.folder, "episode-0000001", "episode-000001.mcap"),
      join(doubled.folder, "episode-0000001", "episode-0000001.mcap"),
    );
    const { episodes, leftOut } = await selectEpisodes(doubled);
    expect(episodes.map(({ name }) => name)).toEqual(["episode-000001"]);
    expect(leftOut).toHaveLength(1);
  });
});

describe("edits of a set", () => {
  it("change what is listed and selected, never the episodes", async () => {
    const edited = await copied("edited", [1, 2, 3, 4]);
    const file = join(edited.folder, episodeName(2), `${episodeName(2)}.mcap`);
    const before = readFileSync(file);
    expect(await edited.label(2, { outcome: "success", note: "second look" }, STAMP)).toMatchObject({
      outcome: "success",
    });
    await edited.drop("episode-000001", { dropped: true, note: "hit the table" }, STAMP);
    const episode = await edited.episode(2);
    const trim = trimOf(episode, { fromS: 0.25, toS: 0.75 });
    expect(trim).toEqual({ fromNs: TEST_START_NS + 250_000_000n, toNs: TEST_START_NS + 750_000_000n });
    await edited.trim(2, trim, STAMP);

    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(edited.folder).sort()).toEqual([EDITS_FILE, ...[1, 2, 3, 4].map(episodeName)]);
    expect(await edited.episode("last")).toMatchObject({ name: "episode-000004" });
    expect((await edited.list()).entries[1]).toMatchObject({ outcome: "success", note: "second look", trim });
    expect(await selectEpisodes(edited)).toMatchObject({
      episodes: [{ name: "episode-000002" }],
      leftOut: [
        { name: "episode-000001", why: "dropped" },
        { name: "episode-000003", why: "flagged: gap of /arm/joint_states" },
        { name: "episode-000004", why: "unlabelled, not success" },
      ],
    });
    const names = async (options: Parameters<typeof selectEpisodes>[1]) =>
      (await selectEpisodes(edited, options)).episodes.map(({ number }) => number);
    expect(await names({ includeFlagged: true })).toEqual([2, 3]);
    expect(await names({ includeDropped: true })).toEqual([1, 2]);
    expect(await names({ outcome: "any", includeFlagged: true, includeDropped: true })).toEqual([1, 2, 3, 4]);
    expect(await names({ outcome: "failure" })).toEqual([]);

    await edited.trim(2, { fromNs: null, toNs: null }, STAMP);
    expect((await edited.episode(2)).trim).toBeUndefined();
  });

  it("do not reach another recording that takes the name, and say so", async () => {
    const reused = await copied("reused", [1]);
    await reused.label(1, { outcome: "failure", note: "" }, STAMP);
    rmSync(join(reused.folder, episodeName(1)), { recursive: true });
    expect((await reused.list()).remarks).toEqual([
      "a label is of episode-000001, which is not here; ignored",
    ]);
    await writeTestEpisode(reused.folder, { ...LENGTH, number: 1 });
    const { entries, remarks } = await reused.list();
    expect(entries[0]).toMatchObject({ outcome: "success" });
    expect(remarks).toEqual([expect.stringMatching(/^a label of episode-000001 means another recording/)]);
  });

  it.each([
    [{ fromS: 0.5, toS: 0.5 }, /from 0.500 s to 0.500 s is not possible; it lasts 1.000 s/],
    [{ fromS: 0.8, toS: 0.2 }, /not possible/],
    [{ fromS: -0.1 }, /from -0.100 s to 1.000 s/],
    [{ toS: 1.2 }, /to 1.200 s/],
    [{ fromS: 3 }, /from 3.000 s to 1.000 s/],
  ])("a trim to %o is refused", async (cut, text) => {
    const episode = await set.episode(1);
    expect(() => trimOf(episode, cut)).toThrow(text);
  });
});

describe("what a person's words mean", () => {
  it.each(["test-task/3", "test-task/000003", "test-task/episode-000003"])("%s", async (words) => {
    expect((await findEpisode(words, recordings)).name).toBe("episode-000003");
  });

  it("the last one, a folder's path and a file's path", async () => {
    expect((await findEpisode("test-task/last", recordings)).number).toBe(4);
    expect((await findEpisode(`${folder}/last`, "/nowhere")).number).toBe(4);
    expect((await findEpisode(join(folder, episodeName(2)), "/nowhere")).number).toBe(2);
    expect(
      (await findEpisode(join(folder, episodeName(2), `${episodeName(2)}.mcap`), "/nowhere")).number,
    ).toBe(2);
  });

  it.each([
    ["test-task/77", /has no episode 77; it has 4: episode-000001 to episode-000004/],
    ["other-task/1", /means task other-task, which \S+ does not have; it has .*test-task/],
    ["Test Task/1", /"Test Task" is no task name/],
    ["../secrets/1", /"\.\.\/secrets" is no task name/],
    ["test-task", /is not there/],
    ["", /is a folder, but no episode/],
    ["/proc/nothing/episode-000001", /is no task name/],
  ])("%s is refused", async (words, text) => {
    await expect(findEpisode(words, recordings)).rejects.toMatchObject({
      code: "EPISODE_INVALID",
      message: expect.stringMatching(text),
    });
  });

  it("a folder of sets, a set, and neither", async () => {
    mkdirSync(join(recordings, "Not A Task"), { recursive: true });
    const { sets, others } = await findSets(recordings);
    expect(sets.map(({ task }) => task)).toContain("test-task");
    expect(others).toEqual(["Not A Task"]);
    expect((await findSets(folder)).sets.map((found) => found.folder)).toEqual([folder]);
    await expect(findSets(join(recordings, "none"))).rejects.toThrow(/There is no folder/);
  });
});
