/** Bags that are damaged, incomplete, of other forms, or meant to do harm. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sqlite from "node-sqlite3-wasm";
import { afterAll, describe, expect, it } from "vitest";
import { writeString } from "../../core/rosWire.js";
import {
  BAG,
  STAMPED_DEFINITION,
  STRING,
  stamped,
  strings,
  writeMcap,
} from "../../test/support/episodes/bags.js";
import { EpisodeReader } from "../episodeReader.js";
import { type ImportOptions, importBag } from "./importBag.js";

const folder = mkdtempSync(join(tmpdir(), "cerebellum-odd-bags-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const newFolder = (): string => {
  const path = join(folder, `bag${++made}`);
  mkdirSync(path);
  return path;
};

const run = (bag: string, changes: Partial<ImportOptions> = {}) =>
  importBag({
    bag,
    recordings: join(folder, "recordings"),
    task: "odd",
    robot: "arm",
    outcome: "unlabelled",
    note: "",
    renames: new Map(),
    prefixes: [],
    software: {},
    ...changes,
  });

async function texts(episode: string, topic = "/chatter"): Promise<string[]> {
  const reader = await EpisodeReader.open(episode);
  const found: string[] = [];
  for await (const message of reader.messages({ topics: [topic] }))
    found.push(reader.decode(message).data as string);
  await reader.close();
  return found;
}
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `number ${from + index}`);

describe("damaged bags", () => {
  it("a file that was cut anywhere gives the messages before the cut, and says so", async () => {
    const bag = newFolder();
    const whole = join(bag, "whole.mcap");
    await writeMcap(whole, [{ topic: "/chatter", messages: strings(400) }]);
    const bytes = readFileSync(whole);
    const counts: number[] = [];
    for (const share of [0.3, 0.5, 0.61, 0.75]) {
      const cut = join(bag, `cut${share}.mcap`);
      writeFileSync(cut, bytes.subarray(0, Math.floor(bytes.length * share)));
      const report = await run(cut);
      const found = await texts(report.folder);
      expect(found).toEqual(numbers(0, found.length));
      expect(report.topics[0]).toMatchObject({ found: found.length, imported: found.length });
      expect(report.damage).toEqual([
        expect.stringMatching(/is cut short: nothing after byte \d+ can be read/),
      ]);
      expect(report.flags.map(({ code }) => code)).toContain("damaged");
      counts.push(found.length);
    }
    expect(counts[0]).toBeGreaterThan(50);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
  });

  it("a damaged chunk costs its own messages, which are counted", async () => {
    const file = join(newFolder(), "flipped.mcap");
    await writeMcap(file, [{ topic: "/chatter", messages: strings(400) }]);
    const bytes = readFileSync(file);
    const at = bytes.indexOf("number 200");
    bytes[at + 3]! ^= 0x40;
    writeFileSync(file, bytes);
    const report = await run(file);
    const found = await texts(report.folder);
    const [topic] = report.topics;
    expect(found).not.toContain("number 200");
    expect(found[0]).toBe("number 0");
    expect(found.at(-1)).toBe("number 399");
    expect(topic!.imported).toBe(found.length);
    expect(topic!.imported + topic!.lost).toBe(400);
    expect(topic!.lost).toBeLessThan(100);
    expect(report.damage[0]).toContain(`${topic!.lost} messages in it are lost`);
    expect(report.flags.map(({ code }) => code)).toEqual(expect.arrayContaining(["damaged", "loss"]));
  });

  it("a chunk that claims an absurd size is passed over", async () => {
    const file = join(newFolder(), "bomb.mcap");
    await writeMcap(file, [{ topic: "/chatter", messages: strings(400) }]);
    const bytes = readFileSync(file);
    const header = 8 + 9 + Number(bytes.readBigUInt64LE(9));
    expect(bytes[header]).toBe(0x06);
    bytes.writeBigUInt64LE(2n ** 62n, header + 9 + 16);
    writeFileSync(file, bytes);
    const report = await run(file);
    expect(report.topics[0]!.lost + report.topics[0]!.imported).toBeLessThanOrEqual(400);
    expect(report.damage[0]).toContain("it claims to have");
  });

  it("a clock that went back is flagged", async () => {
    const file = join(newFolder(), "back.mcap");
    const messages = strings(100).map((message, index) => ({
      ...message,
      logNs: message.logNs - (index >= 50 ? 2_000_000_000n : 0n),
    }));
    await writeMcap(file, [{ topic: "/chatter", messages }]);
    const report = await run(file);
    expect(report.flags).toContainEqual({
      code: "clock",
      topic: "/chatter",
      text: "Times of receipt go back 1 times",
    });
    expect((await texts(report.folder)).sort()).toEqual(numbers(0, 100).sort());
  });

  it("a database that its recorder did not close is read with its journal, and left as it is", async () => {
    const bag = newFolder();
    const file = join(bag, "open.db3");
    writeDatabase(file, strings(30));
    const database = new sqlite.Database(file);
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA wal_autocheckpoint = 0");
    for (const [index, { logNs, data }] of strings(60).slice(30).entries())
      database.run("INSERT INTO messages VALUES (?, 1, ?, ?)", [1000 + index, logNs, data]);
    const [main, log] = [readFileSync(file), readFileSync(`${file}-wal`)];
    database.close();
    const crashed = newFolder();
    writeFileSync(join(crashed, "open.db3"), main);
    writeFileSync(join(crashed, "open.db3-wal"), log);
    const report = await run(join(crashed, "open.db3"));
    expect(report.remarks).toEqual([expect.stringContaining("its journal was played back on a copy")]);
    expect(await texts(report.folder)).toEqual(numbers(0, 60));
    expect(readdirSync(crashed).sort()).toEqual(["open.db3", "open.db3-wal"]);
    expect(readFileSync(join(crashed, "open.db3-wal"))).toEqual(log);
  });

  it("a damaged database gives what can be read of it", async () => {
    const file = join(newFolder(), "torn.db3");
    writeDatabase(file, strings(3000));
    const bytes = readFileSync(file);
    bytes.fill(0xee, Math.floor(bytes.length * 0.6), Math.floor(bytes.length * 0.6) + 8192);
    writeFileSync(file, bytes);
    const report = await run(file);
    const found = await texts(report.folder);
    expect(found).toEqual(numbers(0, found.length));
    expect(found.length).toBeGreaterThan(500);
    expect(found.length).toBeLessThan(3000);
    expect(report.damage[0]).toContain(`nothing after message ${found.length} can be read`);
  });
});

describe("bags of other forms", () => {
  it("each topic is imported, or skipped with the reason", async () => {
    const file = join(newFolder(), "mixed.mcap");
    const messages = strings(5);
    const at = messages.map(({ logNs }) => ({ logNs, data: stamped(logNs - 4_000_000n, "x") }));
    await writeMcap(
      file,
      [
        { topic: "/chatter", messages },
        { topic: "/stamped", type: "my_msgs/msg/Stamped", definition: STAMPED_DEFINITION, messages: at },
        { topic: "/ros1", encoding: "ros1", schemaEncoding: "ros1msg", messages },
        { topic: "/json", encoding: "json", schemaEncoding: "jsonschema", messages },
        { topic: "/idl", type: "my_msgs/msg/Idl", schemaEncoding: "ros2idl", messages },
        { topic: "/chatter", type: "std_msgs/msg/Other", messages },
        { topic: "no name", messages },
        { topic: "/typeless", type: "", messages },
        { topic: "/missing", type: "my_msgs/msg/Missing", definition: "", messages },
        { topic: "/odd_type", type: "../../etc/passwd", messages },
        { topic: "/broken", type: "my_msgs/msg/Broken", definition: "float64[ x", messages },
        { topic: "/silent" },
      ],
      { attachment: "notes.txt" },
    );
    const report = await run(file);
    const rows = Object.fromEntries(report.topics.map((topic) => [`${topic.topic} ${topic.type}`, topic]));
    const skipped = Object.entries(rows).filter(([, { as }]) => as === undefined);
    expect(Object.fromEntries(skipped.map(([name, { remark }]) => [name, remark]))).toEqual({
      "/ros1 std_msgs/msg/String": expect.stringContaining("of ROS 1"),
      "/json std_msgs/msg/String": expect.stringContaining('encoded as "json"'),
      "/idl my_msgs/msg/Idl": expect.stringContaining('"ros2idl"'),
      "/chatter std_msgs/msg/Other": expect.stringContaining("two types"),
      "no name std_msgs/msg/String": expect.stringContaining("--map"),
      "/typeless ": "it has no type",
      "/missing my_msgs/msg/Missing": expect.stringContaining("neither in the bag nor installed"),
      "/odd_type ../../etc/passwd": expect.stringContaining("no ROS 2 message type"),
    });
    expect(skipped.every(([, { found, imported }]) => found === 5 && imported === 0)).toBe(true);
    expect(rows["/broken my_msgs/msg/Broken"]).toMatchObject({
      imported: 5,
      remark: expect.stringContaining("cannot be understood"),
    });
    expect(rows["/silent std_msgs/msg/String"]).toMatchObject({ found: 0, imported: 0, as: "/silent" });
    expect(report.remarks).toEqual([expect.stringContaining('attachment "notes.txt" of 5 bytes')]);

    const reader = await EpisodeReader.open(report.folder);
    expect(reader.topics.map(({ topic, count }) => [topic, count])).toEqual([
      ["/chatter", 5],
      ["/stamped", 5],
      ["/broken", 5],
      ["/silent", 0],
    ]);
    for await (const { topic, logNs, publishNs } of reader.messages())
      expect(logNs - publishNs).toBe(topic === "/stamped" ? 4_000_000n : 1_000_000n);
    expect(reader.start.context.import).toMatchObject({ recorder: "test recorder 1", clock: "unknown" });
    await reader.close();
  });

  it("several files are read in order, with and without metadata.yaml", async () => {
    const bag = newFolder();
    for (const [index, name] of ["bag_0.mcap", "bag_1.mcap", "bag_10.mcap"].entries())
      await writeMcap(join(bag, name), [
        { topic: "/chatter", messages: strings(60).slice(20 * index, 20 * index + 20) },
      ]);
    const bare = await run(bag);
    expect(await texts(bare.folder)).toEqual(numbers(0, 60));
    expect(bare.remarks).toEqual([expect.stringContaining("has no metadata.yaml")]);
    writeFileSync(join(bag, "metadata.yaml"), metadata(["bag/bag_0.mcap", "bag_1.mcap", "bag_2.mcap"]));
    const named = await run(bag);
    expect(await texts(named.folder)).toEqual(numbers(0, 40));
    expect(named.damage).toEqual(["bag_2.mcap is named in metadata.yaml and missing"]);
  });

  it("definitions that a database lacks come from the installed packages", async () => {
    const file = join(newFolder(), "old.db3");
    writeDatabase(file, strings(5));
    const prefix = newFolder();
    mkdirSync(join(prefix, "share/std_msgs/msg"), { recursive: true });
    writeFileSync(join(prefix, "share/std_msgs/msg/String.msg"), "string data\n");
    const report = await run(file, { prefixes: [prefix] });
    expect(await texts(report.folder)).toEqual(numbers(0, 5));
    expect(report.topics[0]!.remark).toContain("taken from the installed ROS packages");
    await expect(run(file)).rejects.toThrow("neither in the bag nor installed");
  });
});

describe("refusals", () => {
  const refusals: [name: string, bag: () => Promise<string> | string, text: RegExp][] = [
    ["no bag", () => join(folder, "nowhere"), /^.*nowhere cannot be opened/],
    ["an empty folder", () => newFolder(), /neither metadata.yaml nor a .mcap or .db3 file/],
    ["an empty file", () => written("empty.mcap", ""), /empty.mcap is empty/],
    ["an empty database", () => written("empty.db3", ""), /empty.db3 is empty/],
    ["another file", () => written("text.mcap", "hello, this is text"), /does not begin like an MCAP file/],
    ["another database", () => written("text.db3", "hello, this is text"), /is no SQLite database/],
    ["another kind of file", () => written("bag.bag", "#ROSBAG V2.0"), /files of the kinds .bag/],
    ["a newer MCAP", () => written("new.mcap", "\x89MCAP1\r\n"), /MCAP of version "1"/],
    ["a newer bag", () => withMetadata("version: 9", "version: 10"), /version 10; this program reads 1 to 9/],
    [
      "another compression",
      () => withMetadata('format: ""', "format: fancy", 'mode: ""', "mode: FILE"),
      /"fancy"/,
    ],
    [
      "a path out of the bag",
      () => withMetadata("- bag.mcap", "- ../../secret.mcap"),
      /outside of its folder/,
    ],
    ["an absolute path", () => withMetadata("- bag.mcap", "- /etc/passwd"), /outside of its folder/],
    [
      "metadata of another kind",
      () => withMetadata("version: 9", "version: new"),
      /not as rosbag2 writes it/,
    ],
    ["a bag without messages", () => mcap([{ topic: "/chatter" }]), /nothing that could be imported/],
    [
      "a bag of ROS 1 only",
      () => mcap([{ topic: "/chatter", encoding: "ros1", messages: strings(3) }]),
      /\/chatter \(3 messages\): its messages are of ROS 1/,
    ],
    [
      "an episode of our own",
      () => mcap([{ topic: "/chatter", messages: strings(3) }], { metadata: "episode" }),
      /is an episode already/,
    ],
    ["a database of a newer form", () => newerDatabase(), /schema version 5/],
  ];
  it.each(refusals)("%s", async (_name, make, text) => {
    const bag = await make();
    await expect(run(bag, { task: "refused" })).rejects.toThrow(text);
    expect(readdirSync(folder)).not.toContain("refused");
  });

  it("a task or a name of a topic that is none", async () => {
    const bag = await mcap([{ topic: "/chatter", messages: strings(3) }]);
    for (const task of ["../x", "a/b", "", "UPPER", "a".repeat(65)])
      await expect(run(bag, { task })).rejects.toThrow("must be 1 to 64 lower case letters");
    for (const [from, to, text] of [
      ["/chatter", "no slash", '"no slash" is no topic name'],
      ["/chatter", "/a/../b", "is no topic name"],
      ["/other", "/chatter2", 'the bag has no topic "/other"; it has /chatter'],
    ] as const)
      await expect(run(bag, { renames: new Map([[from, to]]) })).rejects.toThrow(text);
  });

  it("an interrupted import leaves nothing", async () => {
    const bag = await mcap([{ topic: "/chatter", messages: strings(300) }]);
    // Given before the first message, and between the two ways through the bag.
    await expect(run(bag, { task: "stopped", signal: AbortSignal.abort() })).rejects.toThrow("interrupted");
    let looks = 0;
    const late = {
      get aborted() {
        return ++looks > 450;
      },
    } as AbortSignal;
    await expect(run(bag, { task: "stopped", signal: late })).rejects.toThrow("interrupted");
    expect(looks).toBe(451);
    const left = readdirSync(join(folder, "recordings")).includes("stopped")
      ? readdirSync(join(folder, "recordings/stopped"))
      : [];
    expect(left).toEqual([]);
  });

  it("a folder that cannot be written into", async () => {
    const bag = await mcap([{ topic: "/chatter", messages: strings(3) }]);
    const recordings = join(newFolder(), "file");
    writeFileSync(recordings, "");
    await expect(run(bag, { recordings })).rejects.toThrow();
  });
});

function written(name: string, text: string): string {
  const file = join(newFolder(), name);
  writeFileSync(file, Buffer.from(text, "latin1"));
  return file;
}

async function mcap(
  ...parameters: Parameters<typeof writeMcap> extends [string, ...infer Rest] ? Rest : never
) {
  const file = join(newFolder(), "bag.mcap");
  await writeMcap(file, ...parameters);
  return file;
}

async function withMetadata(...replacements: string[]): Promise<string> {
  const bag = newFolder();
  await writeMcap(join(bag, "bag.mcap"), [{ topic: "/chatter", messages: strings(3) }]);
  let text = metadata(["bag.mcap"]);
  for (let index = 0; index < replacements.length; index += 2)
    text = text.replace(replacements[index]!, replacements[index + 1]!);
  writeFileSync(join(bag, "metadata.yaml"), text);
  return bag;
}

const metadata = (files: readonly string[]) => `rosbag2_bagfile_information:
  version: 9
  storage_identifier: mcap
  compression_format: ""
  compression_mode: ""
  relative_file_paths:
${files.map((file) => `    - ${file}`).join("\n")}
`;

/** As rosbag2 wrote them before it kept definitions. */
function writeDatabase(file: string, messages: readonly { logNs: bigint; data: Uint8Array }[]): void {
  const database = new sqlite.Database(file);
  database.exec(
    "CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT, offered_qos_profiles TEXT);" +
      "CREATE TABLE messages (id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB);",
  );
  database.run("INSERT INTO topics VALUES (1, '/chatter', ?, 'cdr', '')", [STRING]);
  // A database without definitions is only as good as what is installed; most of these tests bring one along.
  if (messages.length !== 5) {
    database.exec(
      "CREATE TABLE message_definitions (id INTEGER PRIMARY KEY, topic_type TEXT, encoding TEXT, encoded_message_definition TEXT)",
    );
    database.run("INSERT INTO message_definitions VALUES (1, ?, 'ros2msg', 'string data')", [STRING]);
  }
  database.exec("BEGIN");
  for (const [index, { logNs, data }] of messages.entries())
    database.run("INSERT INTO messages VALUES (?, 1, ?, ?)", [index + 1, logNs, data]);
  database.exec("COMMIT");
  database.close();
}

function newerDatabase(): string {
  const file = join(newFolder(), "new.db3");
  writeDatabase(file, [{ logNs: BAG.receivedNs, data: writeString("x") }]);
  const database = new sqlite.Database(file);
  database.exec(
    "CREATE TABLE schema (schema_version INTEGER, ros_distro TEXT); INSERT INTO schema VALUES (5, 'x')",
  );
  database.close();
  return file;
}
