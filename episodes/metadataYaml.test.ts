import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { repositoryRootUrl } from "../core/entry.js";
import { writeTestEpisode } from "../test/support/episodes/testEpisode.js";
import { channelMetadata, QOS_KEY } from "./metadataYaml.js";

const set = mkdtempSync(join(tmpdir(), "episodes-"));
afterAll(() => rmSync(set, { recursive: true, force: true }));

const PYTHON =
  process.env.CEREBELLUM_PYTHON ?? fileURLToPath(new URL(".ros2/venv/bin/python", repositoryRootUrl()));
/** Counts of messages by topic, as rosbags yields them from the folder and the mcap library from the file. */
const COUNT = `
import collections, json, sys
from pathlib import Path
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader
folder = Path(sys.argv[1])
bag, file = collections.Counter(), collections.Counter()
with Reader(folder) as reader:
    stated = reader.message_count
    for connection, _, _ in reader.messages():
        bag[connection.topic] += 1
with open(folder / (folder.name + ".mcap"), "rb") as stream:
    for _, channel, _ in make_reader(stream, validate_crcs=True).iter_messages():
        file[channel.topic] += 1
print(json.dumps({"stated": stated, "bag": bag, "file": file}))
`;

describe("the bag metadata of an episode", () => {
  it("lets rosbags yield every message, as many as the file has", async () => {
    const folder = await writeTestEpisode(set, { seconds: 2 });
    const found = JSON.parse(execFileSync(PYTHON, ["-c", COUNT, folder], { encoding: "utf8" })) as {
      stated: number;
      bag: Record<string, number>;
      file: Record<string, number>;
    };
    expect(found.stated).toBe(773);
    expect(found.bag).toMatchObject({ "/arm/servo_tick": 500, "/arm/joint_states": 200 });
    expect(found.bag).toEqual(found.file);
    expect(Object.values(found.bag).reduce((sum, count) => sum + count)).toBe(found.stated);
  });

  it("names one profile in both places", async () => {
    const folder = await writeTestEpisode(set, { number: 2, seconds: 1 });
    const { rosbag2_bagfile_information: bag } = parse(
      readFileSync(join(folder, "metadata.yaml"), "utf8"),
    ) as {
      rosbag2_bagfile_information: {
        topics_with_message_count: { topic_metadata: { name: string; offered_qos_profiles: unknown } }[];
      };
    };
    for (const { topic_metadata } of bag.topics_with_message_count) {
      const inChannel: unknown = parse(channelMetadata(topic_metadata.name).get(QOS_KEY)!);
      expect(topic_metadata.offered_qos_profiles).toEqual(inChannel);
    }
  });

  it("offers latched topics to whoever comes later", () => {
    const durability = (topic: string) =>
      (parse(channelMetadata(topic).get(QOS_KEY)!) as { durability: string }[])[0]!.durability;
    expect(["/tf_static", "/arm/robot_description"].map(durability)).toEqual(
      Array(2).fill("transient_local"),
    );
    expect(["/tf", "/arm/joint_states"].map(durability)).toEqual(Array(2).fill("volatile"));
  });
});
