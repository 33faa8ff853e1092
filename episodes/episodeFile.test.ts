import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { asEpochNs } from "../core/clock.js";
import { SimClock } from "../core/simClock.js";
import { MemoryDisk, type MemoryHooks, systemError } from "../test/support/episodes/memoryIo.js";
import { settle } from "../test/support/episodes/recordStamped.js";
import {
  STAMPED_TOPICS,
  STREAMS,
  stampedEnd,
  stampedStart,
} from "../test/support/episodes/stampedEpisode.js";
import { EpisodeFile, type EpisodeFileOptions } from "./episodeFile.js";
import { repairSet } from "./repair.js";
import { verifyEpisode } from "./verify.js";
import { nodeIo } from "./write/io.js";
import { takeLock } from "./write/lock.js";

const SET = "/recordings/stamped";
const NAME = "episode-000001";
const FILE = `${SET}/${NAME}.active/${NAME}.mcap`;
const TOPIC = STREAMS[0]!.topic;
const BYTES = new Uint8Array(100);
const nothing = STREAMS.map(() => ({ count: 0, bytes: 0 }));

async function begin(hooks: MemoryHooks = {}, options: EpisodeFileOptions = {}) {
  const clock = new SimClock();
  const disk = new MemoryDisk("/recordings");
  const start = stampedStart(1, clock.epochNs(), clock.nowNs());
  const file = await EpisodeFile.create(SET, start, STAMPED_TOPICS, {
    clock,
    io: disk.io(hooks),
    ...options,
  });
  const write = (bytes: Uint8Array = BYTES) => file.write(TOPIC, clock.epochNs(), clock.epochNs(), bytes);
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) {
      await clock.advance(10);
      await settle(1);
    }
  };
  const finish = (count: number, bytes: number) =>
    file.finish(
      stampedEnd(
        start,
        clock.epochNs(),
        nothing.map((none, stream) => (stream === 0 ? { count, bytes } : none)),
      ),
    );
  return { clock, disk, start, file, write, pass, finish };
}

describe("an episode that is written", () => {
  it("has its start record on the disk before it takes a message", async () => {
    const { disk } = await begin();
    disk.powerCut(0);
    expect(disk.read(FILE).includes("cerebellum/episode@1")).toBe(true);
    expect(disk.read(FILE).includes("test_msgs/msg/Stamped")).toBe(true);
  });

  it("closes a chunk when its first message is 125 ms old, without another message", async () => {
    const { disk, file, write, pass } = await begin();
    const before = file.bytesWritten;
    await pass(50);
    expect(write()).toBe(true);
    expect(file.backlogBytes).toBeGreaterThan(BYTES.length);
    expect(file.bytesWritten).toBe(before);
    await pass(130);
    expect(file.backlogBytes).toBe(0);
    expect(file.bytesWritten).toBeGreaterThan(before + BYTES.length);
    expect(disk.read(FILE)).toHaveLength(file.bytesWritten);
  });

  it("closes a chunk at 1 MiB, at once", async () => {
    const { file, write } = await begin();
    const before = file.bytesWritten;
    for (let message = 0; message < 11; message++) write(new Uint8Array(100_000));
    await settle();
    expect(file.bytesWritten).toBeGreaterThan(before + 1024 * 1024);
  });

  it("syncs about once a second, and not when nothing was written", async () => {
    const { disk, write, pass } = await begin();
    let syncs = 0;
    const counted = await begin({
      before: (_, operation) => {
        if (operation === "datasync") syncs++;
      },
    });
    syncs = 0;
    await counted.pass(3000);
    expect(syncs).toBe(0);
    for (let step = 0; step < 30; step++) {
      counted.write();
      await counted.pass(100);
    }
    expect(syncs).toBeGreaterThanOrEqual(3);
    expect(syncs).toBeLessThanOrEqual(4);
    write();
    await pass(1200);
    disk.powerCut(0);
    expect(disk.read(FILE).includes(Buffer.from(BYTES))).toBe(true);
  });

  it("refuses what would exceed its backlog while the disk is stuck, and goes on when it is not", async () => {
    let isStuck = false;
    let free: () => void = () => {};
    const disk = new MemoryDisk("/recordings");
    const base = disk.io();
    const stuck = {
      ...base,
      open: async (path: string, mode: Parameters<typeof base.open>[1]) => {
        const handle = await base.open(path, mode);
        return {
          ...handle,
          write: async (bytes: Uint8Array, position: number) => {
            if (isStuck) await new Promise<void>((resolve) => (free = resolve));
            return handle.write(bytes, position);
          },
        };
      },
    };
    const { file, write, pass, finish } = await begin({}, { io: stuck, backlogBytesMax: 5000 });
    isStuck = true;
    let taken = 0;
    while (write()) taken++;
    await pass(500);
    expect(file.backlogBytes).toBeGreaterThan(4800);
    expect(file.backlogBytes).toBeLessThanOrEqual(5000 + 2000);
    expect(write()).toBe(false);
    expect(file.failure).toBeUndefined();
    isStuck = false;
    free();
    await settle(5);
    expect(file.backlogBytes).toBe(0);
    expect(write()).toBe(true);
    await finish(taken + 1, (taken + 1) * BYTES.length);
    // Sequence numbers count what was taken: what was refused leaves no gap.
    expect((await verifyEpisode(`${SET}/${NAME}`, disk.io())).troubles).toEqual([]);
  });

  it("refuses a message that nothing would believe, and keeps the rest", async () => {
    const { disk, write, finish } = await begin();
    expect(write(new Uint8Array(64 * 1024 * 1024 + 1))).toBe(false);
    expect(write()).toBe(true);
    await finish(1, BYTES.length);
    expect((await verifyEpisode(`${SET}/${NAME}`, disk.io())).messages).toBe(1);
  });

  it.each([
    ["ENOSPC", "the disk is full", "Free space"],
    ["EIO", "the disk answers with an error", "dmesg"],
    ["EROFS", "the file system is read-only", "for writing"],
  ])(
    "says what is wrong after %s, drops the rest, and leaves its part to repair",
    async (code, found, remedy) => {
      let isFull = false;
      const { clock, disk, file, write, pass, finish } = await begin({
        before: (_, operation) => {
          if (isFull && operation === "write") throw systemError(code, "write");
        },
      });
      for (let message = 0; message < 5; message++) write();
      await pass(300);
      isFull = true;
      write();
      await pass(300);
      expect(file.failure).toMatchObject({ code: "RECORDING_FAILED" });
      expect(file.failure!.happened).toContain(found);
      expect(file.failure!.remedy).toContain(remedy);
      expect(write()).toBe(false);
      expect(file.backlogBytes).toBe(0);
      await expect(finish(6, 600)).rejects.toBe(file.failure);
      isFull = false;
      const reports = await repairSet(SET, { clock, io: disk.io() });
      expect(reports).toMatchObject([{ result: "repaired", messages: 5 }]);
    },
  );

  it("leaves nothing behind when it is discarded, or could not be begun", async () => {
    const { disk, file, write } = await begin();
    write();
    await file.discard();
    expect([...disk.nodes.keys()].filter((path) => path.startsWith(`${SET}/`))).toEqual([]);
    let nodes: Map<string, unknown> = new Map();
    for (const failing of ["open create", "write", "datasync"]) {
      const other = new MemoryDisk("/recordings");
      nodes = other.nodes;
      const io = other.io({
        before: (_, operation) => {
          if (operation === failing) throw systemError("ENOSPC", failing);
        },
      });
      const clock = new SimClock();
      const start = stampedStart(1, clock.epochNs(), clock.nowNs());
      await expect(EpisodeFile.create(SET, start, STAMPED_TOPICS, { clock, io })).rejects.toThrow(
        "cannot be begun",
      );
      expect([...nodes.keys()].filter((path) => path.startsWith(`${SET}/`))).toEqual([]);
    }
  });
});

describe("on the real disk", () => {
  const root = mkdtempSync(join(tmpdir(), "episodeFile-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const start = stampedStart(1, asEpochNs(1_800_000_000_000_000_000n), 5n);
  const create = (set: string) => EpisodeFile.create(set, start, STAMPED_TOPICS);

  it("never touches what is there already, whatever it is", async () => {
    for (const [index, make] of [
      (path: string) => mkdirSync(path),
      (path: string) => mkdirSync(`${path}.active`),
      (path: string) => writeFileSync(path, "kept"),
      (path: string) => symlinkSync("/nowhere", path),
    ].entries()) {
      const set = join(root, `taken-${index}`);
      mkdirSync(set);
      make(join(set, NAME));
      await expect(create(set)).rejects.toMatchObject({
        code: "RECORDING_FAILED",
        happened: expect.stringContaining("is there already"),
      });
    }
    writeFileSync(join(root, "file"), "");
    await expect(create(join(root, "file"))).rejects.toMatchObject({ code: "RECORDING_FAILED" });
    await expect(create(join(root, "file/below"))).rejects.toMatchObject({
      happened: expect.stringContaining("no folder"),
    });
  });

  it("does not replace an episode that appeared under its name meanwhile", async () => {
    const set = join(root, "meanwhile");
    const file = await create(set);
    mkdirSync(join(set, NAME));
    await expect(
      file.finish(stampedEnd(start, asEpochNs(BigInt(start.startedNs)), nothing)),
    ).rejects.toMatchObject({
      code: "RECORDING_FAILED",
      happened: expect.stringContaining("is there already"),
    });
    expect(existsSync(join(set, `${NAME}.active`, `${NAME}.mcap`))).toBe(true);
  });

  it("holds its lock until it ends, also against this process", async () => {
    const set = join(root, "locked");
    const file = await create(set);
    const identity = await nodeIo.identity(join(set, `${NAME}.active`));
    expect(await takeLock(identity)).toBeUndefined();
    expect(await repairSet(set, { clock: new SimClock() })).toMatchObject([{ result: "beingWritten" }]);
    await file.finish(stampedEnd(start, asEpochNs(BigInt(start.startedNs)), nothing));
    const lock = await takeLock(identity);
    expect(lock).toBeDefined();
    await lock!.release();
    expect((await verifyEpisode(join(set, NAME))).troubles).toEqual([]);
  });
});
