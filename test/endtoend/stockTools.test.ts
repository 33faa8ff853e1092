/**
 * Episodes in the hands of the tools that people have already: rosbags, mcap-ros2-support and the mcap library, all in
 * Python. Every message of every topic, byte for byte, and values that they decode, our own types among them.
 */
import { execFile } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EpisodeReader } from "../../episodes/episodeReader.js";
import { POLICY_STEP_TOPIC, servoTickTopic } from "../../episodes/messages.js";
import { JOINT_NAMES, writeTestEpisode } from "../support/episodes/testEpisode.js";

const hasRos = Boolean(process.env.AMENT_PREFIX_PATH);
const SECONDS = 2;

interface Topics {
  readonly [topic: string]: { count: number; sha256: string; samples: { first?: Values; eighth?: Values } };
}
type Values = Record<string, unknown>;
interface Found {
  readonly rosbagsReader: {
    topics: Topics;
    stated: Record<string, number>;
    messages: number;
    startNs: string;
  };
  readonly anyReaderOfFolder: { topics: Topics };
  readonly anyReaderOfFile: { topics: Topics };
  readonly mcapRos2: { topics: Topics; stated: Record<string, number> };
  readonly mcap: {
    profile: string;
    topics: Topics;
    summaryCounts: Record<string, number>;
    chunks: number;
    records: Record<string, number>;
    metadata: Record<string, Record<string, string>>;
    qos: Record<string, unknown>;
    schemas: Record<string, string>;
  };
  readonly metadataYaml: { rosbag2_bagfile_information: BagInformation };
}
interface BagInformation {
  readonly topics_with_message_count: {
    message_count: number;
    topic_metadata: Record<string, unknown>;
  }[];
  readonly [field: string]: unknown;
}

describe.skipIf(!hasRos && !process.env.CI)("stock tools read an episode", () => {
  const set = mkdtempSync(join(tmpdir(), "cerebellum-stock-tools-"));
  const own = new Map<string, { count: number; digest: Hash; messages: Values[] }>();
  let found: Found;
  let reader: EpisodeReader;
  const totals = () => Object.fromEntries([...own].map(([topic, { count }]) => [topic, count]));

  beforeAll(async () => {
    const folder = await writeTestEpisode(set, { seconds: SECONDS, cameras: ["wrist", "front"] });
    reader = await EpisodeReader.open(folder);
    for await (const message of reader.messages()) {
      let topic = own.get(message.topic);
      if (topic === undefined) {
        topic = { count: 0, digest: createHash("sha256"), messages: [] };
        own.set(message.topic, topic);
      }
      topic.count++;
      const log = Buffer.alloc(8);
      log.writeBigUInt64LE(message.logNs);
      topic.digest.update(log).update(message.data);
      if (topic.messages.length < 8) topic.messages.push(asPython(reader.decode(message)) as Values);
    }
    const script = fileURLToPath(new URL("stockTools.py", import.meta.url));
    const { stdout } = await promisify(execFile)("python3", [script, folder], {
      maxBuffer: 256 * 1024 * 1024,
    });
    found = JSON.parse(stdout) as Found;
    for (const { digest } of own.values()) digests.push(digest.digest("hex"));
  });
  afterAll(async () => {
    rmSync(set, { recursive: true, force: true });
    await reader.close();
  });
  const digests: string[] = [];

  it("the episode itself has what was written", () => {
    expect(totals()).toMatchObject({
      [servoTickTopic("arm")]: 250 * SECONDS,
      "/arm/joint_states": 100 * SECONDS,
      "/camera/front/color/image_raw/compressed": 30 * SECONDS,
      [POLICY_STEP_TOPIC]: 5 * SECONDS,
    });
  });

  it.each(["rosbagsReader", "anyReaderOfFolder", "anyReaderOfFile", "mcapRos2", "mcap"] as const)(
    "%s yields every message of every topic, times and bytes",
    (tool) => {
      const { topics } = found[tool];
      expect(Object.keys(topics).sort()).toEqual([...own.keys()].sort());
      for (const [index, [topic, { count }]] of [...own].entries())
        expect([topic, topics[topic]!.count, topics[topic]!.sha256]).toEqual([topic, count, digests[index]]);
    },
  );

  it.each(["anyReaderOfFolder", "anyReaderOfFile", "mcapRos2"] as const)(
    "%s decodes the same values as we do, in our own types too",
    (tool) => {
      for (const [topic, { messages }] of own) {
        const { samples } = found[tool].topics[topic]!;
        expect([topic, samples.first]).toEqual([topic, messages[0]]);
        if (messages.length >= 8) expect([topic, samples.eighth]).toEqual([topic, messages[7]]);
      }
      const { eighth } = found[tool].topics["/arm/joint_states"]!.samples;
      expect(eighth!.name).toEqual(JOINT_NAMES);
    },
  );

  it("rosbags finds the start and the numbers of messages in metadata.yaml, as read_ros2_messages counts them", () => {
    expect(found.rosbagsReader.stated).toEqual(totals());
    expect(found.mcapRos2.stated).toEqual(totals());
    expect(found.rosbagsReader.messages).toBe([...own.values()].reduce((sum, { count }) => sum + count, 0));
    expect(BigInt(found.rosbagsReader.startNs)).toBe(BigInt(reader.start.startedNs));
  });

  it("the mcap library finds a whole, indexed file of the ROS 2 profile with our records", () => {
    const { profile, summaryCounts, chunks, records, metadata, schemas } = found.mcap;
    expect(profile).toBe("ros2");
    expect(summaryCounts).toEqual(totals());
    expect(chunks).toBeGreaterThan(0);
    expect(records).toMatchObject({ Header: 1, Footer: 1, DataEnd: 1, Statistics: 1, ChunkIndex: chunks });
    expect(Object.keys(metadata)).toEqual(expect.arrayContaining(["episode", "episode_end"]));
    expect(metadata.episode).toMatchObject({ task: "test-task", uuid: reader.start.uuid });
    expect(new Set(Object.values(schemas))).toEqual(new Set(["ros2msg"]));
  });

  it("metadata.yaml has every field that rosbag2 reads, with the profiles of the channels", () => {
    const bag = found.metadataYaml.rosbag2_bagfile_information;
    // Names, order and kinds as in rosbag2_storage's yaml.hpp and qos.cpp, form 9; each is read without a default.
    const start = { nanoseconds_since_epoch: expect.any(Number) };
    const duration = { nanoseconds: expect.any(Number) };
    const message_count = found.rosbagsReader.messages;
    const file = "episode-000001.mcap";
    expect(Object.entries(bag)).toEqual(
      Object.entries({
        version: 9,
        storage_identifier: "mcap",
        duration,
        starting_time: start,
        message_count,
        topics_with_message_count: expect.any(Array),
        compression_format: "",
        compression_mode: "",
        relative_file_paths: [file],
        files: [{ path: file, starting_time: start, duration, message_count }],
        custom_data: {},
        ros_distro: expect.any(String),
      }),
    );
    const forever = { sec: 9223372036, nsec: 854775807 };
    for (const { topic_metadata, message_count } of bag.topics_with_message_count) {
      const topic = topic_metadata.name as string;
      expect(message_count).toBe(own.get(topic)!.count);
      expect(topic_metadata).toEqual({
        name: topic,
        type: reader.topics.find((one) => one.topic === topic)!.type,
        serialization_format: "cdr",
        offered_qos_profiles: [
          {
            history: "keep_last",
            depth: expect.any(Number),
            reliability: "reliable",
            durability: "volatile",
            deadline: forever,
            lifespan: forever,
            liveliness: "automatic",
            liveliness_lease_duration: forever,
            avoid_ros_namespace_conventions: false,
          },
        ],
        type_description_hash: "",
      });
      expect(topic_metadata.offered_qos_profiles).toEqual(found.mcap.qos[topic]);
    }
  });
});

/** As the script writes decoded messages: lists for arrays, texts for numbers that JSON cannot hold. */
function asPython(value: unknown): unknown {
  if (typeof value === "bigint") return value < 2n ** 53n ? Number(value) : String(value);
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : value;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, asPython);
  if (Array.isArray(value)) return value.map(asPython);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asPython(inner)]));
  return value;
}
