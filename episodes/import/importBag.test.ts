import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BAG, type BagSpec, writeBags } from "../../test/support/episodes/bags.js";
import { type EpisodeMessage, EpisodeReader } from "../episodeReader.js";
import { resampleEpisode } from "../export/resample.js";
import { type ImportOptions, importBag } from "./importBag.js";

const hasRos = Boolean(process.env.AMENT_PREFIX_PATH);
const MESSAGES = 40;
const SPECS: readonly BagSpec[] = [
  { name: "mcap", storage: "mcap", messages: MESSAGES },
  { name: "mcap_chunks", storage: "mcap", compression: "storage", messages: MESSAGES },
  { name: "mcap_lz4", storage: "mcap", compression: "lz4", messages: MESSAGES },
  { name: "mcap_messages", storage: "mcap", compression: "message", messages: MESSAGES },
  { name: "mcap_file", storage: "mcap", compression: "file", messages: MESSAGES },
  { name: "sqlite", storage: "sqlite3", messages: MESSAGES },
  { name: "sqlite_messages", storage: "sqlite3", compression: "message", messages: MESSAGES },
  { name: "sqlite_file", storage: "sqlite3", compression: "file", version: 8, messages: MESSAGES },
];
const TOPICS = ["/joint_states", "/cam/color/image_raw", "/cam/color/camera_info", "/chatter"];

describe.skipIf(!hasRos && !process.env.CI)("bags of another recorder", () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "cerebellum-import-test-"));
    await writeBags(folder, SPECS);
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const options = (bag: string, changes: Partial<ImportOptions> = {}): ImportOptions => ({
    bag: join(folder, bag),
    recordings: join(folder, "recordings"),
    task: "imported",
    robot: "arm",
    outcome: "success",
    note: "a note",
    renames: new Map(),
    prefixes: (process.env.AMENT_PREFIX_PATH ?? "").split(":"),
    software: { cerebellum: "test" },
    ...changes,
  });

  async function contents(episode: string): Promise<{ reader: EpisodeReader; messages: EpisodeMessage[] }> {
    const reader = await EpisodeReader.open(episode);
    const messages: EpisodeMessage[] = [];
    for await (const message of reader.messages()) messages.push({ ...message, data: message.data.slice() });
    return { reader, messages };
  }

  it.each(SPECS)("$name: every message, its bytes and its times", async ({ name, compression }) => {
    const before = readdirSync(join(folder, name));
    const report = await importBag(options(compression === "lz4" ? `${name}/${name}.mcap` : name));
    expect(
      report.topics.map(({ topic, found, imported, lost, as }) => [topic, found, imported, lost, as]),
    ).toEqual(TOPICS.map((topic) => [topic, MESSAGES, MESSAGES, 0, topic]));
    expect(report).toMatchObject({ damage: [], remarks: [], flags: [] });
    const { reader, messages } = await contents(report.folder);
    for (const topic of TOPICS) {
      const own = messages.filter((message) => message.topic === topic);
      expect(own.map(({ logNs }) => logNs)).toEqual(
        Array.from({ length: MESSAGES }, (_, index) => BAG.receivedNs + BigInt(index) * BAG.periodNs),
      );
      const delayNs = topic === "/chatter" ? 0n : BAG.delayNs;
      expect(own.every(({ logNs, publishNs }) => publishNs === logNs - delayNs)).toBe(true);
    }
    const of = (topic: string, index: number) =>
      reader.decode(messages.filter((message) => message.topic === topic)[index]!);
    expect(of("/joint_states", 7)).toMatchObject({ name: BAG.joints, position: Float64Array.of(7, -7, 3.5) });
    expect(of("/chatter", 39)).toEqual({ data: "number 39" });
    expect(Buffer.from(of("/cam/color/image_raw", 11).data as Uint8Array)).toEqual(
      Buffer.alloc(BAG.widthPx * BAG.heightPx * 3, 11),
    );
    expect(digest(messages)).toBe(await firstDigest());
    await reader.close();
    expect(readdirSync(join(folder, name))).toEqual(before);
  });

  /** Of the first storage: all others have held the same bytes. */
  let first: string | undefined;
  async function firstDigest(): Promise<string> {
    if (first === undefined) {
      const { reader, messages } = await contents((await importBag(options("mcap"))).folder);
      await reader.close();
      first = digest(messages);
    }
    return first;
  }
  function digest(messages: readonly EpisodeMessage[]): string {
    const hash = createHash("sha256");
    for (const { topic, data } of [...messages].sort((a, b) =>
      a.topic < b.topic ? -1 : Number(a.topic > b.topic),
    ))
      hash.update(topic).update(data);
    return hash.digest("hex");
  }

  it("says who and what was recorded as far as the bag knows, and where it came from", async () => {
    const { folder: episode } = await importBag(options("sqlite", { robot: "left" }));
    const { reader } = await contents(episode);
    const { start, end } = reader;
    expect(start).toMatchObject({ kind: "import", task: "imported", note: "a note", bundle: null, cell: {} });
    expect(start.startedNs).toBe(String(BAG.receivedNs));
    expect(end).toMatchObject({
      endedBecause: "imported",
      outcome: "success",
      endedNs: String(BAG.receivedNs + BigInt(MESSAGES - 1) * BAG.periodNs),
    });
    expect(start.robots).toEqual({
      left: {
        model: "unknown",
        serial: "",
        firmware: "",
        jointNames: BAG.joints,
        rateHz: 100,
        positionMinRad: [],
        positionMaxRad: [],
        velocityMaxRadPerS: [],
      },
    });
    expect(start.cameras.cam).toMatchObject({
      imageTopic: "/cam/color/image_raw",
      storage: "raw",
      widthPx: BAG.widthPx,
      heightPx: BAG.heightPx,
      rateHz: 100,
    });
    expect(start.cameras.cam!.fovYDeg).toBeCloseTo((2 * Math.atan(12 / 40) * 180) / Math.PI, 9);
    const file = readFileSync(join(folder, "sqlite", "sqlite.db3"));
    expect(start.context.import).toMatchObject({
      source: "sqlite",
      storage: "sqlite3",
      rosDistro: "rosbags",
      files: [
        { name: "sqlite.db3", bytes: file.length, sha256: createHash("sha256").update(file).digest("hex") },
      ],
    });
    expect(JSON.stringify(start.context.import)).toContain('"qos":"best_effort volatile"');
    await reader.close();
  });

  it("becomes frames at a fixed rate, though its joint states have a name of their own", async () => {
    const { folder: episode } = await importBag(options("mcap"));
    const { reader } = await contents(episode);
    const resampled = await resampleEpisode(reader, { rateHz: 20, action: "measured" });
    const states: number[] = [];
    for await (const { state } of resampled.frames()) states.push(state[0]!);
    // Message i says i and was captured every 10 ms: 5 of them to a frame.
    expect(states.length).toBeGreaterThan(5);
    expect(states.map((value, index) => value - states[0]! - 5 * index)).toEqual(states.map(() => 0));
    await reader.close();
  });

  it("goes on with a set's numbers, and takes new names of topics", async () => {
    const task = "numbered";
    const first = await importBag(options("mcap", { task }));
    const second = await importBag(
      options("mcap", { task, renames: new Map([["/joint_states", "/right_arm/joint_states"]]) }),
    );
    expect([first.name, second.name]).toEqual(["episode-000001", "episode-000002"]);
    const { reader, messages } = await contents(second.folder);
    expect(Object.keys(reader.start.robots)).toEqual(["right_arm"]);
    expect(messages.filter(({ topic }) => topic === "/right_arm/joint_states")).toHaveLength(MESSAGES);
    await reader.close();
  });

  it.runIf(process.getuid?.() !== 0)("reads a folder that it may not write into", async () => {
    chmodSync(join(folder, "sqlite"), 0o500);
    try {
      expect((await importBag(options("sqlite"))).topics).toHaveLength(TOPICS.length);
    } finally {
      chmodSync(join(folder, "sqlite"), 0o700);
    }
  });
});
