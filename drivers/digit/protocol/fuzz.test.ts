/** Whatever arrives, nothing throws and nothing is believed that was not described; whatever is described is read back. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countedObservation, ObservationSource, vectorDatagrams } from "../testing.js";
import {
  ChunkReader,
  type Description,
  DigitObservation,
  encodeChunk,
  encodeStream,
  ObservationReader,
  StreamReader,
  sealChunk,
} from "./index.js";
import { parseJsonMessage } from "./jsonMessages.js";
import { SCALAR_TYPES, SCALARS, type ScalarType } from "./scalar.js";

const SEED = 42;
const runs = (numRuns: number) => ({ seed: SEED, numRuns });
const vector = vectorDatagrams();
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
/** The seven kinds, in any case, and any other letters. */
const letters = fc.oneof(
  fc.constantFrom("STRT", "ENUM", "DESC", "CMNt", "DEND", "UDAT", "CDAT", "desc", "strt", "udat"),
  fc.string({ unit: "grapheme-ascii", minLength: 4, maxLength: 4 }),
);

function receiver() {
  const observation = new DigitObservation();
  const seen = { descriptions: [] as Description[], messages: 0, observation };
  let reader: ObservationReader | undefined;
  const stream = new StreamReader(
    {
      onDescription: (description) => {
        seen.descriptions.push(description);
        reader = new ObservationReader(description);
      },
      onMessage: (view, start) => {
        seen.messages++;
        reader?.read(view, start, observation);
      },
      onLost: () => {
        reader = undefined;
      },
    },
    () => {
      throw new RangeError("is no frame");
    },
  );
  let nowMs = 0;
  const push = (datagram: Uint8Array) => stream.push(datagram, "10.10.1.1", 4000, nowMs++);
  return { push, stream, seen };
}

describe("datagrams", () => {
  it("of any bytes never throw and never count", () => {
    const { push, stream } = receiver();
    fc.assert(
      fc.property(bytes(200), (datagram) => push(datagram)),
      runs(2000),
    );
    expect(stream.state).toBe("silent");
    const { broken } = stream.counters;
    expect(broken.short + broken.cut + broken.checksum).toBe(2000);
  });

  it("with a right checksum and any content never throw, and describe nothing by chance", () => {
    const chunk = fc.tuple(letters, bytes(120)).map(([type, data]) => encodeChunk(type, data));
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 12 }), (chunks) => {
        const { push, stream, seen } = receiver();
        push(vector("obsA_strt"));
        for (const datagram of chunks) push(datagram);
        // An end that covers nothing is the end of an empty description.
        const isEmpty = chunks.some((each) => each.toString("latin1", 4, 8).toUpperCase() === "DEND");
        if (!isEmpty) expect(seen.descriptions).toEqual([]);
        expect(["silent", "describing", "live"]).toContain(stream.state);
      }),
      runs(250),
    );
  });

  it("of a description with any bytes exchanged, and every checksum mended, never throw", () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    const reader = new ChunkReader();
    fc.assert(
      fc.property(
        fc.constantFrom("cmd_enum", "cmd_desc", "obsA_desc", "obsA_cmnt"),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (name, changes) => {
          const part = Buffer.from(vector(name));
          // Mostly where lengths and types are: near the start.
          for (const [at, byte] of changes) part[8 + (at % Math.min(60, part.length - 12))] = byte;
          sealChunk(part);
          const { push, seen, stream } = receiver();
          push(vector("obsA_strt"));
          push(part);
          reader.read(part);
          const checksum = Buffer.alloc(4);
          checksum.writeUInt32LE(reader.continueChecksum(0));
          push(encodeChunk("DEND", checksum));
          expect(seen.descriptions.length + stream.counters.refused).toBe(1);
          const [description] = seen.descriptions;
          if (description !== undefined && description.messageBytes < 60_000)
            push(encodeChunk("UDAT", new Uint8Array(description.messageBytes)));
        },
      ),
      runs(500),
    );
  });

  it("lost, repeated and exchanged in any way never give a value that was not sent", () => {
    const source = new ObservationSource({ float: "f32" });
    const sent = [...source.stream.chunks, ...Array.from({ length: 4 }, () => source.message())];
    const expected = [...countedObservation().values];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sent.length - 1), fc.boolean(), fc.nat()), { maxLength: 40 }),
        (picks) => {
          const { push, seen } = receiver();
          for (const [index, isDamaged, at] of picks) {
            const datagram = Buffer.from(sent[index]!);
            if (isDamaged) datagram[at % datagram.length]! ^= 0x10;
            push(datagram);
          }
          if (seen.messages > 0) expect([...seen.observation.values]).toEqual(expected);
        },
      ),
      runs(300),
    );
  });
});

describe("what is described", () => {
  const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 20 });
  const fields = fc.uniqueArray(
    fc.record({
      name,
      type: fc.constantFrom<ScalarType>(...SCALAR_TYPES),
      rows: fc.integer({ min: 0, max: 4 }),
      columns: fc.integer({ min: 0, max: 3 }),
    }),
    { maxLength: 20, selector: (field) => field.name },
  );

  it("is read back field by field, with its constants", () => {
    const constants = fc.uniqueArray(
      fc.record({
        name,
        type: fc.constantFrom<ScalarType>("f64", "i32"),
        values: fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 4 }),
      }),
      { maxLength: 6, selector: (constant) => constant.name },
    );
    fc.assert(
      fc.property(fields, constants, (plan, values) => {
        const { chunks, description } = encodeStream({ fields: plan, constants: values });
        const { push, seen } = receiver();
        for (const datagram of chunks) push(datagram);
        expect(seen.descriptions).toEqual([description]);
        expect(
          description.fields.map(({ name, scalar, rows, columns }) => ({
            name,
            type: scalar,
            rows,
            columns,
          })),
        ).toEqual(plan);
        for (const { name, values: numbers } of values)
          expect(description.constants.get(name)?.values).toEqual(numbers);
        let offset = 0;
        for (const { offset: found, scalar, rows, columns } of description.fields) {
          expect(found).toBe(offset);
          offset += rows * columns * SCALARS[scalar].bytes;
        }
        expect(description.messageBytes).toBe(offset);
      }),
      runs(100),
    );
  });

  it("holds every number of its type", () => {
    const view = new DataView(new ArrayBuffer(8));
    const integer = (bits: number, isSigned: boolean) =>
      fc.integer({ min: isSigned ? -(2 ** (bits - 1)) : 0, max: 2 ** (isSigned ? bits - 1 : bits) - 1 });
    const whole = fc.maxSafeInteger();
    const ofType: Readonly<Record<ScalarType, fc.Arbitrary<number>>> = {
      u8: integer(8, false),
      u16: integer(16, false),
      u32: integer(32, false),
      u64: whole.map(Math.abs),
      i8: integer(8, true),
      i16: integer(16, true),
      i32: integer(32, true),
      i64: whole,
      f32: fc.float(),
      f64: fc.double(),
      bool: fc.constantFrom(0, 1),
      char: integer(8, false),
      bin: integer(8, false),
    };
    for (const type of SCALAR_TYPES)
      fc.assert(
        fc.property(ofType[type], (value) => {
          SCALARS[type].write(view, 0, value);
          expect(SCALARS[type].read(view, 0)).toBe(value);
        }),
        runs(100),
      );
  });
});

describe("texts of the JSON interface", () => {
  it("of any content never throw, and are messages only as type, fields and a whole reference", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const message = parseJsonMessage(text);
        if (message === undefined) return;
        expect(JSON.parse(text)).toEqual([
          message.type,
          message.fields,
          ...(message.reference === undefined ? [] : [message.reference]),
        ]);
      }),
      runs(500),
    );
    for (const text of [
      '["a"]',
      '["a",[]]',
      '["a",{},1.5]',
      '["a",{},1,2]',
      "[1,{}]",
      "null",
      '["a",{},"1"]',
    ])
      expect(parseJsonMessage(text), text).toBeUndefined();
    expect(parseJsonMessage('["a",{"b":1},7]')).toEqual({ type: "a", fields: { b: 1 }, reference: 7 });
    expect(parseJsonMessage('["a",{},null]')).toEqual({ type: "a", fields: {}, reference: undefined });
  });
});
