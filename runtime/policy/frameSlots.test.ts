import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { asEpochNs, asMonotonicNs } from "../../core/clock.js";
import { createFrameSlots, type FrameFormat, FrameReader, FrameWriter } from "./frameSlots.js";

const FORMAT: FrameFormat = { widthPx: 5, heightPx: 3, encoding: "rgb8" };

function slots(format = FORMAT) {
  const buffer = createFrameSlots(format);
  return { buffer, writer: new FrameWriter(buffer, format), reader: new FrameReader(buffer, format) };
}

const write = (writer: FrameWriter, value: number, format = FORMAT) =>
  writer.write(
    new Uint8Array(format.widthPx * format.heightPx * 3).fill(value),
    format.widthPx * 3,
    asEpochNs(BigInt(value) + 1_700_000_000_000_000_000n),
    asMonotonicNs(BigInt(value)),
  );

describe("frame slots", () => {
  it("have nothing before the first frame", () => {
    expect(slots().reader.newest()).toBeUndefined();
  });

  it("hand over pixels, both times and a number", () => {
    const { writer, reader } = slots();
    expect(write(writer, 7)).toBe(1);
    const frame = reader.newest()!;
    expect(frame).toMatchObject({
      ...FORMAT,
      sequence: 1,
      stampNs: 1_700_000_000_000_000_007n,
      receivedNs: 7n,
    });
    expect([...new Set(frame.pixels)]).toEqual([7]);
    expect(frame.pixels).toHaveLength(45);
  });

  it("give the newest, count what was missed, and repeat it until a newer one comes", () => {
    const { writer, reader } = slots();
    for (let value = 1; value <= 5; value++) write(writer, value);
    expect(reader.newest()).toMatchObject({ sequence: 5, receivedNs: 5n });
    expect(reader.missedCount).toBe(0);
    expect(writer.overwrittenCount).toBe(4);
    expect(reader.newest()).toMatchObject({ sequence: 5 });
    write(writer, 6);
    write(writer, 7);
    write(writer, 8);
    expect(reader.newest()).toMatchObject({ sequence: 8 });
    expect(reader.missedCount).toBe(2);
  });

  it("do not touch a frame that is being read, however many are written", () => {
    const { writer, reader } = slots();
    write(writer, 1);
    const { pixels } = reader.newest()!;
    for (let value = 2; value < 20; value++) {
      write(writer, value);
      expect(pixels.every((pixel) => pixel === 1)).toBe(true);
    }
  });

  it("remove the padding of rows", () => {
    const { writer, reader } = slots();
    const padded = Uint8Array.from({ length: 3 * 20 }, (_, at) =>
      at % 20 < 15 ? Math.floor(at / 20) + 1 : 99,
    );
    expect(writer.write(padded, 20, asEpochNs(0n), asMonotonicNs(0n))).toBe(1);
    expect([...reader.newest()!.pixels]).toEqual([
      ...new Array(15).fill(1),
      ...new Array(15).fill(2),
      ...new Array(15).fill(3),
    ]);
  });

  it("refuse images that are too short for the format", () => {
    const { writer, reader } = slots();
    expect(writer.write(new Uint8Array(44), 15, asEpochNs(0n), asMonotonicNs(0n))).toBeUndefined();
    expect(writer.write(new Uint8Array(45), 14, asEpochNs(0n), asMonotonicNs(0n))).toBeUndefined();
    expect(reader.newest()).toBeUndefined();
  });

  it("serve a second reader after the first has gone", () => {
    const { buffer, writer, reader } = slots();
    write(writer, 1);
    reader.newest();
    const second = new FrameReader(buffer, FORMAT);
    write(writer, 2);
    const frame = second.newest()!;
    write(writer, 3);
    write(writer, 4);
    expect(frame.pixels.every((pixel) => pixel === 2)).toBe(true);
  });

  it("never show a torn frame while another thread writes as fast as it can", async () => {
    const format: FrameFormat = { widthPx: 32, heightPx: 32, encoding: "rgb8" };
    const { buffer, reader } = slots(format);
    const stop = new Int32Array(new SharedArrayBuffer(4));
    // The writer's side of the exchange, as a thread can have it without a build.
    const thread = new Worker(
      `const { workerData: { buffer, stop } } = require("node:worker_threads");
       const control = new Int32Array(buffer, 0, 3);
       const bytes = (buffer.byteLength - 64) / 3;
       for (let sequence = 1n; Atomics.load(stop, 0) === 0; sequence++) {
         const own = control[0];
         new Uint8Array(buffer, 64 + own * bytes + 64, 32 * 32 * 3).fill(Number(sequence % 251n));
         new BigInt64Array(buffer, 64 + own * bytes, 3).fill(sequence);
         control[0] = Atomics.exchange(control, 1, own | 4) & 3;
       }`,
      { eval: true, workerData: { buffer, stop } },
    );
    await once(thread, "online");
    let [seenCount, tornCount, last] = [0, 0, 0];
    while (seenCount < 1000) {
      const frame = reader.newest();
      if (frame === undefined || frame.sequence === last) continue;
      const expected = frame.sequence % 251;
      const whole = !frame.pixels.some((pixel) => pixel !== expected);
      if (!whole || frame.sequence < last || frame.receivedNs !== BigInt(frame.sequence)) tornCount++;
      last = frame.sequence;
      seenCount++;
    }
    Atomics.store(stop, 0, 1);
    await once(thread, "exit");
    expect(tornCount).toBe(0);
    expect(reader.missedCount).toBeLessThanOrEqual(last - seenCount);
  });
});
