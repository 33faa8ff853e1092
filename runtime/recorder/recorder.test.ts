import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { McapStreamReader } from "@mcap/core";
import { describe, expect, it } from "vitest";
import { asEpochNs } from "../../core/clock.js";
import { writeString } from "../../core/rosWire.js";
import { rosDefinition } from "../../episodes/definitions.js";
import { EpisodeWriter } from "./episodeWriter.js";

const folder = mkdtempSync(join(tmpdir(), "episode-"));
const topic = { topic: "/note", type: "std_msgs/msg/String", definition: "string data\n" };

function records(file: string) {
  const reader = new McapStreamReader();
  reader.append(readFileSync(file));
  const found = [];
  for (let record = reader.nextRecord(); record; record = reader.nextRecord()) found.push(record);
  return found;
}

describe("episode file", () => {
  it("holds the messages in order, with schema and metadata, under its final name only when whole", async () => {
    const file = join(folder, "one.mcap");
    const episode = await EpisodeWriter.create(file, [topic]);
    episode.writeLater("/note", asEpochNs(5n), asEpochNs(6n), Promise.resolve(writeString("late")));
    episode.write("/note", asEpochNs(7n), asEpochNs(8n), writeString("second"));
    expect(existsSync(file)).toBe(false);
    await episode.finish({ task: "reach-block" });
    expect(existsSync(`${file}.active`)).toBe(false);
    const all = records(file);
    const messages = all.filter((record) => record.type === "Message");
    expect(messages.map((message) => [message.publishTime, message.sequence])).toEqual([
      [5n, 0],
      [7n, 1],
    ]);
    expect(all.find((record) => record.type === "Schema")).toMatchObject({ encoding: "ros2msg" });
    expect(all.find((record) => record.type === "Metadata")?.metadata.get("task")).toBe("reach-block");
  });

  it("never overwrites an episode that is being written", async () => {
    const file = join(folder, "two.mcap");
    const episode = await EpisodeWriter.create(file, [topic]);
    await expect(EpisodeWriter.create(file, [topic])).rejects.toMatchObject({ code: "RECORDING_FAILED" });
    await episode.discard();
    expect(existsSync(`${file}.active`)).toBe(false);
  });

  it("reports at the end that one message could not be made, and keeps the part file", async () => {
    const file = join(folder, "three.mcap");
    const episode = await EpisodeWriter.create(file, [topic]);
    episode.writeLater("/note", asEpochNs(1n), asEpochNs(1n), Promise.reject(new Error("no picture")));
    await expect(episode.finish({})).rejects.toThrow(/no picture/);
    expect(existsSync(`${file}.active`)).toBe(true);
    expect(existsSync(file)).toBe(false);
  });
});

describe("message definitions", () => {
  const prefix = mkdtempSync(join(tmpdir(), "prefix-"));
  const add = (pack: string, name: string, text: string) => {
    mkdirSync(join(prefix, "share", pack, "msg"), { recursive: true });
    writeFileSync(join(prefix, "share", pack, "msg", `${name}.msg`), text);
  };
  add(
    "a_msgs",
    "Outer",
    "# comment with a word/like this\nint32 LIMIT=3\nb_msgs/Inner[] inner\nNear near\nstring<=5 text\n",
  );
  add("a_msgs", "Near", "float64[3] values\n");
  add("b_msgs", "Inner", "uint8 x\n");

  it("appends each needed type once, from its own or another package", () => {
    const text = rosDefinition("a_msgs/msg/Outer", [prefix]);
    expect(text.split("=".repeat(80)).map((part) => part.trim().split("\n")[0])).toEqual([
      "# comment with a word/like this",
      "MSG: b_msgs/Inner",
      "MSG: a_msgs/Near",
    ]);
  });

  it("names what is missing and where it looked", () => {
    expect(() => rosDefinition("c_msgs/msg/Gone", [prefix])).toThrow(
      /c_msgs\/msg\/Gone.*cerebellum prepare/s,
    );
  });
});
