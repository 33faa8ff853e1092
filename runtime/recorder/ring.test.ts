import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { asMonotonicNs } from "../../core/clock.js";
import { Random } from "../../lab/world/random.js";
import { createRing, RingReader, RingWriter } from "./ring.js";

const at = (ns: number) => asMonotonicNs(BigInt(ns));
const CAPACITY = 4096;

function ring(topicCount = 3, bytes = CAPACITY) {
  const buffer = createRing(bytes, topicCount);
  const [writer, reader] = [new RingWriter(buffer), new RingReader(buffer)];
  const takeOne = () => {
    let taken: { topic: number; receivedNs: bigint; message: number[] } | undefined;
    reader.take((topic, receivedNs, message) => {
      taken = { topic, receivedNs, message: [...message] };
    });
    return taken;
  };
  return { buffer, writer, reader, takeOne };
}

describe("ring", () => {
  it("gives messages back in order with topic and time, then nothing", () => {
    const { writer, reader, takeOne } = ring();
    expect(writer.write(0, at(5), Uint8Array.of(1, 2, 3))).toBe(true);
    expect(writer.write(2, at(-7), new Uint8Array(0))).toBe(true);
    expect(takeOne()).toEqual({ topic: 0, receivedNs: 5n, message: [1, 2, 3] });
    expect(takeOne()).toEqual({ topic: 2, receivedNs: -7n, message: [] });
    expect(takeOne()).toBeUndefined();
    expect(reader.isEmpty).toBe(true);
  });

  it("drops and counts, for its topic alone, what does not fit, and takes messages again once there is room", () => {
    const { writer, reader, takeOne } = ring();
    const message = new Uint8Array(1000);
    const written = Array.from({ length: 6 }, () => writer.write(1, at(0), message));
    // 1016 bytes each: four fit into 4096.
    expect(written).toEqual([true, true, true, true, false, false]);
    expect([0, 1, 2].map((topic) => writer.droppedCount(topic))).toEqual([0, 2, 0]);
    expect(reader.droppedCount(1)).toBe(2);
    takeOne();
    // 32 bytes are left at the end and 1016 at the start, where it lands.
    expect(writer.write(2, at(1), message)).toBe(true);
    expect(writer.write(2, at(1), message)).toBe(false);
    expect(Array.from({ length: 5 }, takeOne).map((taken) => taken?.topic)).toEqual([1, 1, 1, 2, undefined]);
  });

  it("takes a message that fills it to the last byte, and never a larger one", () => {
    const { writer, takeOne } = ring();
    expect(writer.write(0, at(0), new Uint8Array(CAPACITY - 16).fill(7))).toBe(true);
    expect(writer.usedBytes).toBe(CAPACITY);
    expect(takeOne()?.message).toHaveLength(CAPACITY - 16);
    expect(writer.write(0, at(0), new Uint8Array(CAPACITY - 15))).toBe(false);
    expect(writer.write(0, at(0), new Uint8Array(10 * CAPACITY))).toBe(false);
    expect(writer.droppedCount(0)).toBe(2);
    expect(takeOne()).toBeUndefined();
  });

  it("skips the rest when a message does not fit before the end, at every possible place", () => {
    for (let first = 0; first < 2000; first += 8) {
      const { writer, takeOne } = ring();
      writer.write(0, at(1), new Uint8Array(first));
      takeOne();
      const message = Uint8Array.from({ length: 3000 }, (_, index) => index & 0xff);
      // Only when the skipped rest and the message both fit may it be taken.
      const fits = first + 16 + 3016 <= CAPACITY || first + 16 >= 3016;
      expect([first, writer.write(1, at(2), message)]).toEqual([first, fits]);
      if (fits) expect(takeOne()?.message).toEqual([...message]);
      expect(writer.usedBytes).toBe(0);
    }
  });

  it("keeps every byte through any mix of sizes, fills and wraps of its positions", () => {
    const random = new Random(7);
    const { buffer, writer, reader } = ring();
    // Shortly before the counts of bytes wrap at 2^32.
    new Int32Array(buffer, 0, 2).fill((2 ** 32 - 8 * CAPACITY) | 0);
    const waiting: { topic: number; receivedNs: bigint; message: Uint8Array }[] = [];
    const dropped = [0, 0, 0];
    let [kept, crossed] = [0, false];
    for (let round = 0; round < 20_000; round++) {
      if (random.uniform(0, 1) < 0.55) {
        const topic = Math.floor(random.uniform(0, 3));
        const length = Math.floor(random.uniform(0, 1) ** 3 * 5000);
        const message = Uint8Array.from({ length }, (_, index) => (index * 31 + round) & 0xff);
        if (writer.write(topic, at(round), message))
          waiting.push({ topic, receivedNs: BigInt(round), message });
        else dropped[topic]!++;
      } else {
        const expected = waiting.shift();
        const took = reader.take((topic, receivedNs, message) => {
          expect([topic, receivedNs]).toEqual([expected?.topic, expected?.receivedNs]);
          expect(Buffer.compare(message, expected!.message)).toBe(0);
          kept++;
        });
        expect(took).toBe(expected !== undefined);
      }
      crossed ||= new Int32Array(buffer, 0, 1)[0]! >= 0;
    }
    expect(crossed).toBe(true);
    expect(kept).toBeGreaterThan(5000);
    expect([0, 1, 2].map((topic) => writer.droppedCount(topic))).toEqual(dropped);
    expect(Math.min(...dropped)).toBeGreaterThan(10);
  });

  it("frees a message's place also when the taker throws", () => {
    const { writer, reader, takeOne } = ring();
    writer.write(0, at(0), Uint8Array.of(1));
    writer.write(0, at(1), Uint8Array.of(2));
    expect(() =>
      reader.take(() => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(takeOne()?.message).toEqual([2]);
  });

  it("rounds its size up to a power of two", () => {
    expect(new RingWriter(createRing(5000, 1)).write(0, at(0), new Uint8Array(8192 - 16))).toBe(true);
  });

  it("wakes a reader that waits, and lets one go on by itself when nothing comes", async () => {
    const { writer, reader } = ring();
    await reader.filled(5);
    expect(reader.isEmpty).toBe(true);
    let woken = false;
    const waiting = reader.filled(20_000).then(() => {
      woken = true;
    });
    writer.write(0, at(0), Uint8Array.of(1));
    await waiting;
    expect(woken).toBe(true);
    // Something is there: no wait at all.
    await reader.filled(20_000);
  });

  it("carries messages between two threads without a torn or missing one", async () => {
    const { buffer, reader } = ring(1, 64 * 1024);
    const count = 20_000;
    // The writer in plain JavaScript: a worker cannot load TypeScript here. Same layout, same order of stores.
    const worker = new Worker(
      `const { workerData } = require("node:worker_threads");
       const control = new Int32Array(workerData, 0, 4);
       const capacity = control[3], start = 64 + 8;
       const bytes = new Uint8Array(workerData, start, capacity);
       const words = new Uint32Array(workerData, start, capacity / 4);
       const moments = new BigInt64Array(workerData, start, capacity / 8);
       for (let index = 0; index < ${count}; ) {
         const length = (index * 7919) % 3000, needed = 16 + Math.ceil(length / 8) * 8;
         const head = Atomics.load(control, 0) >>> 0, place = head & (capacity - 1);
         const skip = needed > capacity - place ? capacity - place : 0;
         if (skip + needed > capacity - ((head - (Atomics.load(control, 1) >>> 0)) >>> 0)) continue;
         if (skip) words[place / 4] = 0xffffffff;
         const at = skip ? 0 : place;
         words[at / 4] = length; words[at / 4 + 1] = 0; moments[at / 8 + 1] = BigInt(index);
         bytes.fill(index & 0xff, at + 16, at + 16 + length);
         Atomics.store(control, 0, (head + skip + needed) | 0);
         Atomics.notify(control, 0, 1);
         index++;
       }`,
      { eval: true, workerData: buffer },
    );
    let next = 0;
    const wrong: number[] = [];
    while (next < count) {
      const took = reader.take((_topic, receivedNs, message) => {
        const isWhole =
          receivedNs === BigInt(next) &&
          message.length === (next * 7919) % 3000 &&
          message.every((byte) => byte === (next & 0xff));
        if (!isWhole) wrong.push(next);
        next++;
      });
      if (!took) await reader.filled(1000);
    }
    await worker.terminate();
    expect(wrong).toEqual([]);
  });
});
