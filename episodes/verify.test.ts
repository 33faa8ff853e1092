import { beforeAll, describe, expect, it } from "vitest";
import { SimClock } from "../core/simClock.js";
import { Random } from "../lab/world/random.js";
import { MemoryDisk, systemError } from "../test/support/episodes/memoryIo.js";
import { recordStamped } from "../test/support/episodes/recordStamped.js";
import { STREAMS } from "../test/support/episodes/stampedEpisode.js";
import { repairSet } from "./repair.js";
import { verifyEpisode } from "./verify.js";

const SET = "/recordings/stamped";
const FOLDER = `${SET}/episode-000001`;
const FILE = `${FOLDER}/episode-000001.mcap`;
const NO_BAG = "";
const YAML = `${FOLDER}/metadata.yaml`;

/** 2.4 s in chunks of 0.2 s. */
let sound: Buffer;
let yaml: Buffer;
beforeAll(async () => {
  const disk = new MemoryDisk("/recordings");
  await recordStamped(SET, 1, disk.io(), { steps: 24, stepMs: 100, bytes: 60 });
  sound = disk.read(FILE);
  yaml = disk.read(YAML);
});

function verify(file: Buffer, bag: Buffer | string | undefined = yaml) {
  const disk = new MemoryDisk(FOLDER);
  disk.put(FILE, file);
  if (bag !== NO_BAG) disk.put(YAML, Buffer.from(bag));
  return verifyEpisode(FOLDER, disk.io());
}

/** Without its bag, which takes longest to read. */
const troublesOf = async (file: Buffer): Promise<string[]> =>
  (await verify(file, NO_BAG)).troubles.filter((text) => !text.startsWith("There is no metadata.yaml"));

const changed = (change: (bytes: Buffer) => void): Buffer => {
  const copy = Buffer.from(sound);
  change(copy);
  return copy;
};

describe("verification", () => {
  it("finds nothing wrong with a sound episode, and counts what it has", async () => {
    const found = await verify(sound);
    expect(found).toMatchObject({
      whole: true,
      troubles: [],
      messages: 24 * STREAMS.length,
      bytes: sound.length,
    });
    expect(found.topics[STREAMS[0]!.topic]).toEqual({ count: 24, bytes: 24 * 60 });
    expect(found.start).toMatchObject({ task: "stamped" });
    expect(found.end).toMatchObject({ outcome: "success" });
  });

  it.each([
    ["an empty file", () => Buffer.alloc(0), "it is empty"],
    ["something else", () => Buffer.from("a text, and not a short one"), "does not begin as an MCAP file"],
    ["a file cut within a chunk", () => sound.subarray(0, 5000), "Only 4"],
    ["a file without its last byte", () => sound.subarray(0, sound.length - 1), "summary cannot be read"],
    ["bytes after its end", () => Buffer.concat([sound, Buffer.from("more")]), "summary cannot be read"],
    [
      "a newer version",
      () => changed((bytes) => bytes.write("episode@2", bytes.indexOf("episode@1"))),
      'is of form "cerebellum/episode@2"; this program reads cerebellum/episode@1',
    ],
  ])("says what is wrong with %s", async (_, bytes, text) => {
    const { whole, troubles } = await verify(bytes());
    expect(whole).toBe(false);
    expect(troubles.join("\n")).toContain(text);
  });

  it("says when a folder is missing, unfinished, or cannot be read", async () => {
    const disk = new MemoryDisk("/recordings");
    expect((await verifyEpisode(FOLDER, disk.io())).troubles[0]).toContain("There is no file");
    expect((await verifyEpisode(`${FOLDER}.active`, disk.io())).troubles[0]).toContain("waits for repair");
    disk.put(FILE, sound);
    const denied = disk.io({
      before: () => {
        throw systemError("EACCES", "no");
      },
    });
    expect((await verifyEpisode(FOLDER, denied)).troubles[0]).toContain("cannot be opened: EACCES");
    expect((await verifyEpisode(FOLDER, disk.io())).troubles).toEqual([
      "There is no metadata.yaml, so `ros2 bag` cannot open it",
    ]);
  });

  it.each([
    ["another count", "message_count: 24", "message_count: 25", "is 25, the file says 24"],
    ["another type", "test_msgs/msg/Stamped", "test_msgs/msg/Other", "type is test_msgs/msg/Other"],
    ["another profile", "reliability: reliable", "reliability: best_effort", "reliability is best_effort"],
    ["another file", "path: episode-000001.mcap", "path: other.mcap", "path is other.mcap"],
    ["no YAML", "version: 9", "version: [", "metadata.yaml cannot be read"],
    [
      "aliases that would grow without bound",
      "custom_data: {}",
      "custom_data: &a [*a, *a]",
      "metadata.yaml cannot be read",
    ],
  ])("compares metadata.yaml: %s", async (_, from, to, text) => {
    const { troubles } = await verify(sound, yaml.toString().replace(from, to));
    expect(troubles.join("\n")).toContain(text);
  });

  it("notices any flipped bit", async () => {
    const random = new Random(3);
    const places = Array.from({ length: 1000 }, () => random.below(sound.length));
    for (const at of places) {
      const flipped = changed((bytes) => (bytes[at]! ^= 1 << random.below(8)));
      expect(await troublesOf(flipped), `byte ${at} of ${sound.length}`).not.toEqual([]);
    }
  });

  it("survives whatever is done to a file, and so does repair", async () => {
    const random = new Random(4);
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 2500; round++) {
      const bytes = mutated(random);
      const troubles = await troublesOf(bytes);
      expect(troubles.length === 0, `round ${round}`).toBe(bytes.equals(sound));
      expect(troubles.length).toBeLessThanOrEqual(50);
      if (round % 10 !== 0) continue;
      const disk = new MemoryDisk(`${FOLDER}.active`);
      disk.put(FILE.replace(FOLDER, `${FOLDER}.active`), bytes);
      const [report] = await repairSet(SET, { clock: new SimClock(), io: disk.io() });
      expect(["repaired", "finished", "setAside", "failed"]).toContain(report!.result);
      if (report!.result === "failed") expect(report!.trouble).toContain("is of form");
      if (!disk.nodes.has(FOLDER)) continue;
      const after = await verifyEpisode(FOLDER, disk.io());
      const isFlagged = after.end!.flags.some(({ code }) => code === "damaged");
      if (!isFlagged) expect(after.troubles, `round ${round}`).toEqual([]);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
  });
});

/** Bits, stretches and lengths changed, bytes lost and added, in one to four places. */
function mutated(random: Random): Buffer {
  let bytes = Buffer.from(sound);
  for (let change = 1 + random.below(4); change > 0; change--) {
    const at = random.below(bytes.length);
    const end = Math.min(bytes.length, at + 1 + random.below(random.pick([4, 60, 3000])));
    switch (random.below(7)) {
      case 0:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 1:
        bytes.fill(random.pick([0, 0xff]), at, end);
        break;
      case 2:
        for (let byte = at; byte < end; byte++) bytes[byte] = random.below(256);
        break;
      case 3:
        bytes = bytes.subarray(0, Math.max(1, at));
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
        break;
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
        break;
      default:
        if (at + 8 <= bytes.length) bytes.writeBigUInt64LE(BigInt(random.pick([0, 1, 2 ** 31, 2 ** 52])), at);
    }
    if (bytes.length === 0) return Buffer.from(sound.subarray(0, 1));
  }
  return Buffer.from(bytes);
}
