/** The way of a tick from the servo through ring, writer and files back to a reader. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Fault } from "../../../drivers/contract.js";
import { ServoBench } from "../testing.js";
import { FORMAT_VERSION } from "./format.js";
import { KEPT_S, SEGMENT_S, SEGMENTS_MAX } from "./retention.js";
import { Ring, WORD } from "./ring.js";
import { BlackBoxBench, BOOT_EPOCH_MS, JOINTS, PERIOD_MS } from "./testing.js";

const benches: BlackBoxBench[] = [];
const open = (options?: ConstructorParameters<typeof BlackBoxBench>[0]): BlackBoxBench => {
  const bench = new BlackBoxBench(options);
  benches.push(bench);
  return bench;
};
afterEach(() => {
  for (const bench of benches.splice(0)) bench.remove();
});

describe("a row", () => {
  it("comes back with every value as it was", () => {
    const bench = open();
    const { snapshot, ages } = bench;
    Object.assign(snapshot, {
      epoch: 7,
      reasons: 5,
      commandSeq: 99,
      commander: "policy",
      deviceErrorCode: 31,
    });
    Object.assign(snapshot, { state: "following", gripperOpeningM: 0.25, commandWireMs: 999_990.5 });
    Object.assign(ages, { stateMs: 4.5, commandMs: 40, inputMs: 95, supervisorMs: 12, commanderMs: 8 });
    for (const [block, scale] of [
      ["positionRad", 1],
      ["velocityRadPerS", 2],
      ["effortNm", 3],
      ["requestedRad", 4],
      ["sentRad", 5],
    ] as const)
      for (let joint = 0; joint < JOINTS; joint++) snapshot[block][joint] = scale + joint / 8;
    bench.run(PERIOD_MS);
    bench.drain();
    const [session] = bench.read().sessions;
    expect(session!.ticks.at(session!.ticks.length - 1)).toEqual({
      tick: 1,
      atMs: 1_000_004,
      state: "following",
      epoch: 7,
      reasons: 5,
      commander: 1,
      commandSeq: 99,
      commandWireMs: 999_990.5,
      stateAgeMs: 4.5,
      commandAgeMs: 40,
      inputAgeMs: 95,
      supervisorAgeMs: 12,
      commanderAgeMs: 8,
      gripperOpeningM: 0.25,
      deviceErrorCode: 31,
      lostRows: 0,
      positionRad: Array.from({ length: JOINTS }, (_, joint) => 1 + joint / 8),
      velocityRadPerS: Array.from({ length: JOINTS }, (_, joint) => 2 + joint / 8),
      effortNm: Array.from({ length: JOINTS }, (_, joint) => 3 + joint / 8),
      requestedRad: Array.from({ length: JOINTS }, (_, joint) => 4 + joint / 8),
      sentRad: Array.from({ length: JOINTS }, (_, joint) => 5 + joint / 8),
    });
    expect(session!.commanderNames.get(1)).toBe("policy");
    expect(session!.epochOffsetMs).toBe(BOOT_EPOCH_MS);
  });

  it("keeps the commander's name in every segment, however long ago it was named", () => {
    const bench = open();
    bench.snapshot.commander = "policy";
    bench.run(1000 * (KEPT_S + 3 * SEGMENT_S));
    const [session] = bench.read().sessions;
    const last = session!.ticks.at(session!.ticks.length - 1)!;
    expect(session!.commanderNames.get(last.commander)).toBe("policy");
  });
});

describe("the ring", () => {
  it("goes on over the wrap of its counters", () => {
    const bench = open();
    for (const word of [WORD.rowsWritten, WORD.rowsDrained]) bench.ring.set(word, -3);
    for (const word of [WORD.noteBytesWritten, WORD.noteBytesDrained]) bench.ring.set(word, -64);
    for (let count = 0; count < 20; count++) {
      bench.tell({ kind: "state", text: `event ${count}` });
      bench.run(PERIOD_MS);
    }
    bench.drain();
    const [session] = bench.read().sessions;
    expect(session!.ticks.length).toBe(20);
    expect(session!.events.map(({ text }) => text)).toEqual(
      Array.from({ length: 20 }, (_, count) => `event ${count}`),
    );
    expect(bench.recorder.failure).toBeUndefined();
  });

  it("counts what finds no room, says so, and works again once it was drained", () => {
    const bench = open();
    bench.draining = false;
    const { rowCapacity } = bench.ring;
    expect(rowCapacity * PERIOD_MS).toBeGreaterThanOrEqual(4000);
    bench.run(rowCapacity * PERIOD_MS);
    expect(bench.recorder.failure).toBeUndefined();
    bench.run(10 * PERIOD_MS);
    expect(bench.recorder.failure).toMatch(/has not written .* expected a write every 0\.1 s/);
    bench.draining = true;
    bench.run(200);
    expect(bench.recorder.failure).toBeUndefined();
    const { ticks } = bench.read().sessions[0]!;
    const all = ticks.between(0, bench.nowMs);
    expect(all.at(-1)!.lostRows).toBeGreaterThanOrEqual(10);
    // A gap of tick numbers is explained to the last one by the rows that were lost.
    expect(all.at(-1)!.tick - all[0]!.tick + 1 - all.length).toBe(all.at(-1)!.lostRows);
  });

  it("is the same memory from both sides", () => {
    const size = { jointCount: JOINTS, rateHz: 250 };
    const one = new Ring(size);
    const other = new Ring(size, one.memory);
    one.set(WORD.rowsWritten, 5);
    expect(other.rowsPending).toBe(5);
    one.rows[17] = 3;
    expect(other.rows[17]).toBe(3);
  });
});

describe("events", () => {
  it("come back with trigger, fault and time", () => {
    const bench = open();
    const fault: Fault = {
      kind: "device",
      code: "F1",
      deviceCode: 31,
      severity: "stop",
      cause: "hit",
      remedy: "look",
    };
    bench.tell({ kind: "fault", text: "F1: hit", trigger: "deviceFault", fault });
    bench.drain();
    expect(bench.read().sessions[0]!.events).toEqual([
      { atMs: 1_000_000, kind: "fault", text: "F1: hit", trigger: "deviceFault", fault },
    ]);
  });

  it("of one kind in a flood are cut, and push nothing else out", () => {
    const bench = open();
    for (let count = 0; count < 100_000; count++) {
      bench.tell({ kind: "refused", text: `noise ${count}` });
      bench.tell({ kind: "stop", text: "again", trigger: "stopRequested" });
    }
    bench.tell({ kind: "fault", text: "the one that counts", trigger: "deviceFault" });
    bench.drain();
    const { events } = bench.read().sessions[0]!;
    expect(events.at(-1)!.text).toBe("the one that counts");
    expect(events.length).toBeLessThan(100);
    expect(bench.recorder.eventsLost).toBe(200_001 - events.length);
    bench.run(1000);
    bench.tell({ kind: "refused", text: "a second later" });
    bench.drain();
    expect(bench.read().sessions[0]!.events.at(-1)!.text).toBe("a second later");
  });
});

describe("segments", () => {
  it("together always hold the last minute, and no more than they must", () => {
    const bench = open();
    for (let second = 0; second < 200; second++) {
      bench.run(1000);
      if (second < KEPT_S) continue;
      const { ticks } = bench.read().sessions[0]!;
      expect(ticks.atMs(0)).toBeLessThanOrEqual(bench.nowMs - 1000 * KEPT_S + PERIOD_MS);
      expect(bench.files().length).toBeLessThanOrEqual(KEPT_S / SEGMENT_S + 2);
    }
  });

  it("around an incident stay, while others go", () => {
    const bench = open();
    bench.run(100_000);
    const stopMs = bench.nowMs;
    bench.tell({ kind: "stop", text: "stop", trigger: "stopRequested" });
    bench.snapshot.state = "stopped";
    bench.run(600_000);
    const { ticks, events } = bench.read().sessions[0]!;
    expect(events.map(({ text }) => text)).toEqual(["stop"]);
    expect(ticks.between(stopMs - 10_000, stopMs + 10_000).length).toBe(5001);
    expect(ticks.between(stopMs + 60_000, stopMs + 61_000)).toEqual([]);
  });

  it("stay bounded under endless incidents", () => {
    const bench = open();
    for (let count = 0; count < 200; count++) {
      bench.snapshot.state = "holding";
      bench.run(4000);
      bench.tell({ kind: "stop", text: `stop ${count}`, trigger: "stopRequested" });
      bench.snapshot.state = "stopped";
      bench.run(4000);
      expect(bench.files().length).toBeLessThanOrEqual(SEGMENTS_MAX + 1);
    }
    expect(bench.read().sessions[0]!.events.at(-1)!.text).toBe("stop 199");
  });

  it("of a session that was killed are kept by the next, which deletes them when their time has come", () => {
    const first = open();
    first.run(100_000);
    const killedMs = first.nowMs;
    const second = open({ folder: first.folder, startMs: killedMs + 1000, info: { processId: 4343 } });
    second.run(300_000);
    const [killed, running] = second.read().sessions;
    expect(killed!.ended).toBe(false);
    expect(killed!.lastMs).toBeGreaterThan(killedMs - 200);
    expect(killed!.ticks.between(killedMs - 10_000, killedMs - 200).length).toBeGreaterThan(2400);
    expect(killed!.firstMs).toBeGreaterThan(killedMs - 40_000);
    expect(running!.info.processId).toBe(4343);
  });

  it("end in order when the writer is closed", () => {
    const bench = open();
    bench.run(50);
    bench.writer.close();
    expect(bench.read().sessions[0]).toMatchObject({ ended: true });
    expect(bench.ring.get(WORD.closed)).toBe(1);
  });
});

describe("a disk that fails", () => {
  it("is told with what was found and expected, and loses nothing when it is mended in time", () => {
    const bench = open();
    bench.run(1000);
    // Nobody writes into a folder that is a file: true for every user, root as well.
    renameSync(bench.folder, `${bench.folder}-aside`);
    writeFileSync(bench.folder, "");
    bench.run(1200);
    expect(bench.recorder.failure).toMatch(/cannot be written \(.*\); expected room .* Make room/);
    rmSync(bench.folder);
    renameSync(`${bench.folder}-aside`, bench.folder);
    bench.run(1200);
    expect(bench.recorder.failure).toBeUndefined();
    const { ticks } = bench.read().sessions[0]!;
    const kept = ticks.between(0, bench.nowMs);
    expect(kept.at(-1)!.lostRows).toBe(0);
    expect(kept.at(-1)!.tick - kept[0]!.tick + 1).toBe(kept.length);
  });

  it("notices a folder that was cleaned away, and begins a new one", () => {
    const bench = open();
    bench.run(1000);
    rmSync(bench.folder, { recursive: true });
    bench.run(2000);
    expect(bench.recorder.failure).toBeUndefined();
    expect(bench.read().sessions[0]!.ticks.length).toBeGreaterThan(200);
  });

  it("leaves no litter of files that could not be begun", () => {
    const bench = open();
    bench.run(1000);
    const before = readdirSync(bench.folder).length;
    const names = new Set(bench.files());
    rmSync(bench.folder, { recursive: true });
    mkdirSync(bench.folder);
    bench.run(3000);
    expect(bench.files().length).toBe(before);
    expect(bench.files().some((name) => names.has(name))).toBe(false);
  });
});

describe("reading", () => {
  const written = () => {
    const bench = open();
    bench.tell({ kind: "state", text: "first" });
    bench.run(1000);
    bench.tell({ kind: "state", text: "last" });
    bench.run(1000);
    bench.drain();
    const name = bench.files()[0]!;
    return { bench, name, path: join(bench.folder, name), bytes: readFileSync(join(bench.folder, name)) };
  };

  it("survives a torn tail at every length, and loses only what was torn", () => {
    const { bench, path, bytes } = written();
    const whole = bench.read().sessions[0]!.ticks.length;
    for (let length = 0; length < bytes.length; length += 997) {
      writeFileSync(path, bytes.subarray(0, length));
      const { sessions, filesSkipped } = bench.read();
      if (sessions.length === 0) expect(filesSkipped).toHaveLength(1);
      else expect(sessions[0]!.ticks.length).toBeLessThanOrEqual(whole);
    }
    writeFileSync(path, bytes.subarray(0, bytes.length - 1));
    const torn = bench.read();
    expect(torn.tornBytes).toBeGreaterThan(0);
    // At most three tenths of a second.
    expect(whole - torn.sessions[0]!.ticks.length).toBeLessThanOrEqual(300 / PERIOD_MS);
  });

  it("passes over a damaged chunk, and counts it", () => {
    const { bench, path, bytes } = written();
    const whole = bench.read().sessions[0]!.ticks.length;
    bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
    writeFileSync(path, bytes);
    const { sessions, damagedChunks } = bench.read();
    expect(damagedChunks).toBe(1);
    expect(sessions[0]!.ticks.length).toBeGreaterThan(whole - 300 / PERIOD_MS);
    expect(sessions[0]!.ticks.length).toBeLessThan(whole);
  });

  it("leaves out a newer version's file, and says both versions", () => {
    const { bench, name, path, bytes } = written();
    bytes.writeUInt16LE(FORMAT_VERSION + 1, 8);
    writeFileSync(path, bytes);
    const { sessions, filesSkipped } = bench.read();
    expect(sessions).toEqual([]);
    expect(filesSkipped).toEqual([
      { name, reason: expect.stringMatching(/newer version \(format 3; .* 2\)/) },
    ]);
  });

  it("leaves out what is no segment", () => {
    const { bench } = written();
    writeFileSync(join(bench.folder, "notes.txt"), "hello");
    writeFileSync(join(bench.folder, "001795001000000-7.00000000.blackbox"), "hello");
    expect(bench.read().filesSkipped.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("too few"),
      expect.stringContaining("no segment's name"),
    ]);
  });
});

describe("the servo", () => {
  it("writes down every tick and event, and holds its black box to working", async () => {
    const box = open();
    const servo = new ServoBench({}, { blackBox: box.recorder });
    await servo.toHolding();
    box.drain();
    const { ticks, events } = box.read().sessions[0]!;
    expect(ticks.length).toBe(servo.snapshots.length);
    expect(events.map(({ text }) => text)).toEqual(servo.events.map(({ text }) => text));
    const last = ticks.at(ticks.length - 1)!;
    expect(last).toMatchObject({ tick: servo.last.tick, state: "holding" });
    expect(last.sentRad).toEqual([...servo.last.sentRad].map(Math.fround));
    box.recorder.broken("a test wants it");
    await servo.run(1000);
    expect(servo.servo.state).toBe("stopped");
    expect(servo.events.some(({ trigger }) => trigger === "blackBoxFailed")).toBe(true);
  });
});
