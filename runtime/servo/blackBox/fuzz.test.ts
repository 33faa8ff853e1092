/** Segment files damaged at random: whatever is in them, the reader answers, and `why` explains what is left. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { explain } from "./explain.js";
import { Explanation } from "./explanation.js";
import { parseSegment, readBlackBox } from "./reader.js";
import { BlackBoxBench } from "./testing.js";
import { explanationText } from "./text.js";

const RUNS = 20_000;
const EXPLAINED_EVERY = 40;
const bench = new BlackBoxBench();
bench.snapshot.state = "following";
bench.snapshot.commander = "policy";
bench.run(300);
bench.tell({ kind: "stop", text: "somebody", trigger: "stopRequested" });
bench.snapshot.state = "stopped";
bench.run(200);
bench.drain();
const name = bench.files()[0]!;
const original = readFileSync(join(bench.folder, name));
afterAll(() => bench.remove());

const at = fc.nat({ max: original.length - 1 });
const damage = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at, bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant("cut" as const), at }),
  fc.record({
    kind: fc.constant("write" as const),
    at,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
  }),
  fc.record({ kind: fc.constant("remove" as const), at, length: fc.nat({ max: 300 }) }),
  fc.record({ kind: fc.constant("repeat" as const), at, length: fc.nat({ max: 3000 }) }),
  fc.record({ kind: fc.constant("fill" as const), at, byte: fc.nat({ max: 255 }) }),
);

function damaged(bytes: Buffer, how: typeof damage extends fc.Arbitrary<infer T> ? T : never): Buffer {
  const place = Math.min(how.at, Math.max(0, bytes.length - 1));
  switch (how.kind) {
    case "flip": {
      const copy = Buffer.from(bytes);
      if (copy.length > 0) copy[place]! ^= 1 << how.bit;
      return copy;
    }
    case "cut":
      return bytes.subarray(0, place);
    case "write": {
      const copy = Buffer.from(bytes);
      copy.set(how.bytes.subarray(0, copy.length - place), place);
      return copy;
    }
    case "remove":
      return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + how.length)]);
    case "repeat": {
      const end = place + how.length;
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(place, end), bytes.subarray(end)]);
    }
    case "fill":
      return Buffer.concat([bytes.subarray(0, place), Buffer.alloc(bytes.length - place, how.byte)]);
  }
}

describe("a damaged segment", () => {
  it(`is read or left out with a reason, in each of ${RUNS} cases`, () => {
    let cases = 0;
    let readable = 0;
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (hits) => {
        const bytes = hits.reduce(damaged, original);
        const trouble = { damaged: 0, tornBytes: 0 };
        const parsed = parseSegment(bytes, trouble);
        if ("reason" in parsed) {
          expect(parsed.reason.length).toBeGreaterThan(10);
          return;
        }
        readable++;
        // What is read back is what was written, unless pieces are missing.
        expect(parsed.info.robot).toBe("arm");
        if (++cases % EXPLAINED_EVERY !== 0) return;
        const explanation = Explanation.parse(
          explain(readBlackBox([{ name, bytes }]), {
            nowMs: bench.nowMs,
            epochMs: 1.8e12,
            bootId: "boot-1",
            folder: bench.folder,
            robot: "arm",
            isAlive: () => false,
          }),
        );
        expect(explanationText(explanation, "UTC").length).toBeGreaterThan(20);
      }),
      { numRuns: RUNS, seed: 84 },
    );
    // The fuzz must not test the header alone.
    expect(readable).toBeGreaterThan(RUNS / 5);
  });

  it("of random bytes behind a good header costs bounded time", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (tail) => {
        const parsed = parseSegment(Buffer.concat([original.subarray(0, 16), tail]), {
          damaged: 0,
          tornBytes: 0,
        });
        expect(parsed).toHaveProperty("reason");
      }),
      { numRuns: 2000, seed: 84 },
    );
    const markers = Buffer.alloc(4 << 20, Buffer.from([0x43, 0x48, 0x4e, 0x6b, 0, 0, 0, 0, 0, 0, 8, 0]));
    const trouble = { damaged: 0, tornBytes: 0 };
    expect(parseSegment(Buffer.concat([original, markers]), trouble)).toHaveProperty("info");
    expect(trouble.tornBytes).toBe(markers.length);
  });
});
