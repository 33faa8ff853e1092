import { McapConstants, McapIndexedReader } from "@mcap/core";
import { beforeAll, describe, expect, it } from "vitest";
import { SimClock } from "../core/simClock.js";
import { MemoryDisk } from "../test/support/episodes/memoryIo.js";
import { recordStamped } from "../test/support/episodes/recordStamped.js";
import { readStamped, STREAMS } from "../test/support/episodes/stampedEpisode.js";
import { type RepairReport, repairAll, repairSet } from "./repair.js";
import { verifyEpisode } from "./verify.js";
import { takeLock } from "./write/lock.js";

const { Opcode } = McapConstants;
const SET = "/recordings/stamped";
const NAME = "episode-000001";
const FILE = `${NAME}.mcap`;
const ALL = STREAMS.length * 200;

/** 4 s in chunks of 0.2 s, ten steps a chunk: a crash after everything was written, and an episode that was stopped. */
let crashed: Buffer;
let stopped: Buffer;
beforeAll(async () => {
  const record = async (isStopped: (step: number) => boolean) => {
    const disk = new MemoryDisk("/recordings");
    await recordStamped(SET, 1, disk.io(), { steps: 200, isStopped });
    const [path] = [...disk.nodes.keys()].filter((name) => name.endsWith(FILE));
    return disk.read(path!);
  };
  crashed = await record((step) => step === 199);
  stopped = await record(() => false);
});

/** A disk with these bytes as a part that nobody writes. */
async function partOf(bytes: Buffer): Promise<MemoryDisk> {
  const disk = new MemoryDisk("/recordings");
  await disk.io().makeFolders(`${SET}/${NAME}.active`);
  disk.put(`${SET}/${NAME}.active/${FILE}`, bytes);
  return disk;
}

async function repair(disk: MemoryDisk): Promise<RepairReport> {
  const reports = await repairSet(SET, { clock: new SimClock(), io: disk.io() });
  expect(reports).toHaveLength(1);
  return reports[0]!;
}

interface Chunk {
  readonly offset: number;
  /** Head and body, without the indexes that follow. */
  readonly bytes: number;
  readonly next: number;
}

function chunksOf(bytes: Buffer): Chunk[] {
  const found: Chunk[] = [];
  for (let at = McapConstants.MCAP_MAGIC.length; at < bytes.length; ) {
    const opcode = bytes[at];
    const length = 9 + Number(bytes.readBigUInt64LE(at + 1));
    if (opcode === Opcode.CHUNK) found.push({ offset: at, bytes: length, next: at + length });
    else if (opcode === Opcode.MESSAGE_INDEX) {
      const last = found.pop()!;
      found.push({ ...last, next: at + length });
    } else if (opcode === Opcode.DATA_END) break;
    at += length;
  }
  return found;
}

/** Sequence numbers of each topic, as a stock reader yields them by the index, every hash checked. */
async function sequencesOf(bytes: Buffer): Promise<Record<string, number[]>> {
  const reader = await McapIndexedReader.Initialize({
    readable: {
      size: async () => BigInt(bytes.length),
      read: async (offset, size) => bytes.subarray(Number(offset), Number(offset + size)),
    },
  });
  const found: Record<string, number[]> = {};
  for await (const { channelId, sequence, data } of reader.readMessages({ validateCrcs: true })) {
    expect(readStamped(data)?.sequence).toBe(sequence);
    const { topic } = reader.channelsById.get(channelId)!;
    found[topic] ??= [];
    found[topic].push(sequence);
  }
  return found;
}

const upTo = (count: number) => Array.from({ length: count }, (_, sequence) => sequence);
const changed = (bytes: Buffer, change: (bytes: Buffer) => void): Buffer => {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
};

describe("repair of a part", () => {
  it("keeps all whole chunks of a torn file and says that it crashed", async () => {
    const chunks = chunksOf(crashed);
    const torn = chunks.at(-1)!;
    const disk = await partOf(crashed.subarray(0, torn.offset + 400));
    const report = await repair(disk);
    const kept = STREAMS.length * 10 * (chunks.length - 1) - STREAMS.length;
    expect(report).toMatchObject({
      result: "repaired",
      messages: kept,
      cutBytes: 400,
      leftOutBytes: 0,
      trouble: "",
    });
    expect(report.cutS).toBeCloseTo(0.2, 5);
    expect(report.folder).toBe(`${SET}/${NAME}`);
    const found = await verifyEpisode(`${SET}/${NAME}`, disk.io());
    expect(found.troubles).toEqual([]);
    expect(found.end).toMatchObject({ endedBecause: "crashed", outcome: "unlabelled", flags: [] });
    expect(found.end!.topics[STREAMS[0]!.topic]).toMatchObject({
      received: kept / 4,
      written: kept / 4,
      droppedDisk: 0,
    });
    expect(disk.nodes.has(`${SET}/${NAME}.active`)).toBe(false);
    const sequences = await sequencesOf(disk.read(`${SET}/${NAME}/${FILE}`));
    for (const { topic } of STREAMS) expect(sequences[topic]).toEqual(upTo(kept / 4));
  });

  it("keeps a chunk whose indexes are missing or torn, and writes them anew", async () => {
    const last = chunksOf(crashed).at(-1)!;
    for (const length of [last.offset + last.bytes, last.offset + last.bytes + 1, last.next - 1]) {
      const disk = await partOf(crashed.subarray(0, length));
      expect(await repair(disk)).toMatchObject({ result: "repaired" });
      const { troubles, messages } = await verifyEpisode(`${SET}/${NAME}`, disk.io());
      expect(troubles).toEqual([]);
      expect(messages).toBe(
        (await sequencesOf(disk.read(`${SET}/${NAME}/${FILE}`)))[STREAMS[0]!.topic]!.length * 4,
      );
    }
  });

  it("gives a whole episode, never fewer messages than a shorter file, for any length", async () => {
    let before = 0;
    for (let length = 0; length < crashed.length; length += length < 6000 ? 131 : 4999) {
      const disk = await partOf(crashed.subarray(0, length));
      const { result, messages, trouble } = await repair(disk);
      if (result === "setAside") {
        expect(before).toBe(0);
        expect(disk.read(`${SET}/${NAME}.broken/${FILE}`)).toHaveLength(length);
        continue;
      }
      expect(result, trouble).toBe("repaired");
      expect(messages).toBeGreaterThanOrEqual(before);
      before = messages;
      expect((await verifyEpisode(`${SET}/${NAME}`, disk.io())).troubles).toEqual([]);
    }
    expect(before).toBeGreaterThan(0.9 * ALL);
  });

  it("finishes an episode that was stopped, with its label, wherever the end of its file was cut", async () => {
    for (const length of [stopped.length, stopped.length - 1, stopped.length - 300, stopped.length - 3000]) {
      const disk = await partOf(stopped.subarray(0, length));
      expect(await repair(disk)).toMatchObject({ result: "finished", messages: ALL });
      const { troubles, end } = await verifyEpisode(`${SET}/${NAME}`, disk.io());
      expect(troubles).toEqual([]);
      expect(end).toMatchObject({ endedBecause: "stopped", outcome: "success" });
      expect(disk.read(`${SET}/${NAME}/${FILE}`)).toEqual(stopped);
    }
  });

  it("changes nothing when it is repeated", async () => {
    const disk = await partOf(crashed.subarray(0, crashed.length - 700));
    await repair(disk);
    const first = Buffer.from(disk.read(`${SET}/${NAME}/${FILE}`));
    await disk.io().rename(`${SET}/${NAME}`, `${SET}/${NAME}.active`);
    expect(await repair(disk)).toMatchObject({ result: "repaired", cutBytes: 0 });
    expect(disk.read(`${SET}/${NAME}/${FILE}`)).toEqual(first);
  });

  it("keeps what comes before and after damage in the middle, and flags it", async () => {
    const [, , damaged] = chunksOf(crashed);
    const bytes = changed(crashed, (copy) => {
      copy[damaged!.offset + 300]! ^= 0x10;
    });
    const disk = await partOf(bytes);
    const report = await repair(disk);
    expect(report).toMatchObject({
      result: "repaired",
      leftOutBytes: damaged!.next - damaged!.offset,
      lostMessages: 40,
      cutBytes: 0,
    });
    const { troubles, end } = await verifyEpisode(`${SET}/${NAME}`, disk.io());
    expect(troubles).toHaveLength(1 + STREAMS.length);
    expect(troubles[0]).toContain("left out by an earlier repair");
    expect(end!.flags.map(({ code, topic }) => [code, topic])).toEqual([
      ["damaged", ""],
      ...STREAMS.map(({ topic }) => ["damaged", topic]),
    ]);
    expect(end!.topics[STREAMS[1]!.topic]).toMatchObject({ droppedDisk: 10 });
    const { received, written } = end!.topics[STREAMS[1]!.topic]!;
    expect(received).toBe(written + 10);
    const sequences = await sequencesOf(disk.read(`${SET}/${NAME}/${FILE}`));
    expect(sequences[STREAMS[0]!.topic]!.filter((sequence) => sequence < 32)).toEqual([
      ...upTo(19),
      ...upTo(32).slice(29),
    ]);
  });

  it("finds its way again when a length is damaged, and mends indexes without losing anything", async () => {
    const chunks = chunksOf(crashed);
    const length = changed(crashed, (copy) => copy.fill(0xff, chunks[4]!.offset + 1, chunks[4]!.offset + 9));
    const lost = await partOf(length);
    expect(await repair(lost)).toMatchObject({ result: "repaired", lostMessages: 40 });
    const index = changed(crashed, (copy) =>
      copy.fill(0xff, chunks[4]!.offset + chunks[4]!.bytes, chunks[4]!.next - 20),
    );
    const mended = await partOf(index);
    expect(await repair(mended)).toMatchObject({ result: "repaired", lostMessages: 0, leftOutBytes: 0 });
    expect((await verifyEpisode(`${SET}/${NAME}`, mended.io())).troubles).toEqual([]);
  });

  it("cuts rather than keeps a hole where a power cut leaves one: in the last moments", async () => {
    const chunks = chunksOf(crashed);
    const damaged = chunks.at(-3)!;
    const disk = await partOf(
      changed(crashed, (copy) => copy.fill(0, damaged.offset, damaged.offset + 4096)),
    );
    const report = await repair(disk);
    expect(report).toMatchObject({ result: "repaired", leftOutBytes: 0, lostMessages: 0 });
    expect(report.cutBytes).toBe(crashed.length - damaged.offset);
    expect((await verifyEpisode(`${SET}/${NAME}`, disk.io())).troubles).toEqual([]);
  });

  it("keeps the label of a stopped episode that is damaged, with counters that fit", async () => {
    const [, , damaged] = chunksOf(stopped);
    const disk = await partOf(
      changed(stopped, (copy) => {
        copy[damaged!.offset + 300]! ^= 1;
      }),
    );
    expect(await repair(disk)).toMatchObject({ result: "finished", lostMessages: 40 });
    const { end } = await verifyEpisode(`${SET}/${NAME}`, disk.io());
    expect(end).toMatchObject({ endedBecause: "stopped", outcome: "success" });
    expect(end!.topics[STREAMS[0]!.topic]).toMatchObject({ received: 200, written: 190, droppedDisk: 10 });
  });

  it("sets aside what it cannot read, beside what was set aside before", async () => {
    for (const [bytes, why] of [
      [Buffer.alloc(0), "it is empty"],
      [Buffer.from("not at all an MCAP file"), "does not begin as an MCAP file"],
      [crashed.subarray(0, 60), "ends"],
    ] as const) {
      const disk = await partOf(bytes);
      await disk.io().makeFolder(`${SET}/${NAME}.broken`);
      const report = await repair(disk);
      expect(report).toMatchObject({ result: "setAside", folder: `${SET}/${NAME}.broken-2` });
      expect(report.trouble).toContain(why);
      expect(disk.read(`${SET}/${NAME}.broken-2/${FILE}`)).toEqual(bytes);
    }
  });

  it("leaves the part of a newer version alone", async () => {
    const newer = changed(crashed, (copy) =>
      copy.write("cerebellum/episode@2", copy.indexOf("cerebellum/episode@1")),
    );
    const disk = await partOf(newer.subarray(0, newer.length - 10));
    const { result, trouble } = await repair(disk);
    expect(result).toBe("failed");
    expect(trouble).toContain('is of form "cerebellum/episode@2"; this program reads cerebellum/episode@1');
    expect(disk.read(`${SET}/${NAME}.active/${FILE}`)).toEqual(newer.subarray(0, newer.length - 10));
  });

  it("leaves alone what is being written, and never replaces an episode", async () => {
    const disk = await partOf(crashed);
    const lock = await takeLock(await disk.io().identity(`${SET}/${NAME}.active`));
    expect(await repair(disk)).toMatchObject({ result: "beingWritten" });
    await lock!.release();
    disk.put(`${SET}/${NAME}/${FILE}`, stopped);
    await disk.io().makeFolder(`${SET}/${NAME}`);
    const { result, trouble } = await repair(disk);
    expect(result).toBe("failed");
    expect(trouble).toContain("is there already");
    expect(disk.read(`${SET}/${NAME}/${FILE}`)).toEqual(stopped);
  });

  it("looks into every set, and takes an empty folder away", async () => {
    const disk = await partOf(crashed);
    await disk.io().makeFolders("/recordings/other/episode-000007.active");
    await disk.io().makeFolders("/recordings/Not a set/episode-000001.active");
    const reports = await repairAll("/recordings", { clock: new SimClock(), io: disk.io() });
    expect(reports.map(({ episode, result }) => [episode, result])).toEqual([
      ["episode-000007", "emptyRemoved"],
      [NAME, "repaired"],
    ]);
    expect(disk.nodes.has("/recordings/other/episode-000007.active")).toBe(false);
    expect(await repairAll("/nowhere", { clock: new SimClock(), io: disk.io() })).toEqual([]);
  });
});
