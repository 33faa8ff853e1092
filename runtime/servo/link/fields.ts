/**
 * How single values lie in a frame of the servo link. All numbers are little-endian. A reader never throws: the first
 * problem is kept in `failure` and every later read answers a harmless value, so one check at the end suffices.
 */
import type { z } from "zod";
import { asMonotonicNs, type MonotonicNs } from "../../../core/clock.js";
import { invariant } from "../../../core/errors.js";

/** Most numbers that a vector may hold; far above any arm, far below what could hurt. */
export const VECTOR_LENGTH_MAX = 32;
const EMPTY_VECTOR = new Float64Array(0);

export class FrameWriter {
  atByte = 0;

  constructor(readonly bytes: Buffer) {}

  /** Reserves `byteCount` bytes and returns where they begin. */
  take(byteCount: number): number {
    const at = this.atByte;
    invariant(at + byteCount <= this.bytes.length, `servo frame fits in ${this.bytes.length} bytes`);
    this.atByte = at + byteCount;
    return at;
  }
}

export class PayloadReader {
  atByte = 0;
  failure: string | undefined;

  constructor(readonly bytes: Buffer) {}

  /** Where the next `byteCount` bytes begin, or -1 after a failure. */
  take(byteCount: number): number {
    if (this.failure !== undefined) return -1;
    const at = this.atByte;
    if (at + byteCount > this.bytes.length) {
      this.fail(`payload of ${this.bytes.length} bytes ends early`);
      return -1;
    }
    this.atByte = at + byteCount;
    return at;
  }

  fail(reason: string): void {
    this.failure ??= reason;
  }
}

export interface Field<T> {
  write(writer: FrameWriter, value: T): void;
  read(reader: PayloadReader): T;
}

export const u8: Field<number> = {
  write: (writer, value) => void writer.bytes.writeUInt8(value, writer.take(1)),
  read: (reader) => {
    const at = reader.take(1);
    return at < 0 ? 0 : reader.bytes.readUInt8(at);
  },
};

export const u16: Field<number> = {
  write: (writer, value) => void writer.bytes.writeUInt16LE(value, writer.take(2)),
  read: (reader) => {
    const at = reader.take(2);
    return at < 0 ? 0 : reader.bytes.readUInt16LE(at);
  },
};

export const u32: Field<number> = {
  write: (writer, value) => void writer.bytes.writeUInt32LE(value >>> 0, writer.take(4)),
  read: (reader) => {
    const at = reader.take(4);
    return at < 0 ? 0 : reader.bytes.readUInt32LE(at);
  },
};

/** May be NaN or infinite: whoever uses the value judges it. */
export const f64: Field<number> = {
  write: (writer, value) => void writer.bytes.writeDoubleLE(value, writer.take(8)),
  read: (reader) => {
    const at = reader.take(8);
    return at < 0 ? 0 : reader.bytes.readDoubleLE(at);
  },
};

/** A moment of CLOCK_MONOTONIC [ns]. */
export const monotonicNs: Field<MonotonicNs> = {
  write: (writer, value) => void writer.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), writer.take(8)),
  read: (reader) => {
    const at = reader.take(8);
    return asMonotonicNs(at < 0 ? 0n : reader.bytes.readBigUInt64LE(at));
  },
};

export const flag: Field<boolean> = {
  write: (writer, value) => u8.write(writer, value ? 1 : 0),
  read: (reader) => {
    const raw = u8.read(reader);
    if (raw > 1) reader.fail(`flag is ${raw}, not 0 or 1`);
    return raw === 1;
  },
};

/** One of a fixed list of words, as its index in one byte. */
export function choice<const T>(values: readonly T[]): Field<T> {
  return {
    write: (writer, value) => u8.write(writer, values.indexOf(value)),
    read: (reader) => {
      const index = u8.read(reader);
      if (index >= values.length) reader.fail(`choice ${index} of ${values.length}`);
      return values[Math.min(index, values.length - 1)]!;
    },
  };
}

/** UTF-8 with a 16-bit length; longer text is cut when written and corrupt when read. */
export function text(bytesMax: number): Field<string> {
  return {
    write: (writer, value) => {
      const lengthAt = writer.take(2);
      const usedBytes = writer.bytes.write(value, writer.atByte, bytesMax, "utf8");
      writer.take(usedBytes);
      writer.bytes.writeUInt16LE(usedBytes, lengthAt);
    },
    read: (reader) => {
      const byteCount = u16.read(reader);
      if (byteCount > bytesMax) reader.fail(`text of ${byteCount} bytes (limit ${bytesMax})`);
      const at = reader.take(byteCount);
      return at < 0 ? "" : reader.bytes.toString("utf8", at, at + byteCount);
    },
  };
}

/** Numbers after their count. Values may be anything; the count is bounded. */
const counted = (count: Field<number>, lengthMax: number): Field<Float64Array> => ({
  write: (writer, values) => {
    invariant(values.length <= lengthMax, `vector has at most ${lengthMax} numbers`);
    count.write(writer, values.length);
    for (let i = 0; i < values.length; i++) f64.write(writer, values[i]!);
  },
  read: (reader) => {
    const length = count.read(reader);
    if (length > lengthMax) reader.fail(`vector of ${length} numbers (limit ${lengthMax})`);
    const at = reader.take(8 * length);
    if (at < 0) return EMPTY_VECTOR;
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) values[i] = reader.bytes.readDoubleLE(at + 8 * i);
    return values;
  },
});

/** One number per joint, with their count in one byte. */
export const vector = counted(u8, VECTOR_LENGTH_MAX);

/** One number per joint for each of up to `rowsMax` ticks, tick by tick, with the count of all in two bytes. */
export const vectors = (rowsMax: number): Field<Float64Array> => counted(u16, rowsMax * VECTOR_LENGTH_MAX);

/** Exactly `length` numbers, without their count. */
export const numbers = (length: number): Field<Float64Array> => ({
  write: (writer, values) => {
    invariant(values.length === length, `these are ${length} numbers`);
    for (let i = 0; i < length; i++) f64.write(writer, values[i]!);
  },
  read: (reader) => {
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) values[i] = f64.read(reader);
    return values;
  },
});

type Values<F> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** Several fields as one, in the order written. */
export function record<F extends Readonly<Record<string, Field<unknown>>>>(fields: F): Field<Values<F>> {
  const entries = Object.entries(fields);
  return {
    write: (writer, value) => {
      for (const [key, field] of entries) field.write(writer, value[key]);
    },
    read: (reader) =>
      Object.fromEntries(entries.map(([key, field]) => [key, field.read(reader)])) as Values<F>,
  };
}

/** Absent, or there: one byte says which. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    write: (writer, value) => {
      flag.write(writer, value !== undefined);
      if (value !== undefined) field.write(writer, value);
    },
    read: (reader) => (flag.read(reader) ? field.read(reader) : undefined),
  };
}

/** Nested, rarely sent things as JSON, parsed by their schema when read; `fallback` stands in after a failure. */
export function json<T>(schema: z.ZodType<T>, fallback: T, bytesMax = 32_768): Field<T> {
  const raw = text(bytesMax);
  return {
    write: (writer, value) => {
      const encoded = JSON.stringify(value);
      invariant(Buffer.byteLength(encoded) <= bytesMax, `JSON of the servo link is below ${bytesMax} bytes`);
      raw.write(writer, encoded);
    },
    read: (reader) => {
      const encoded = raw.read(reader);
      if (reader.failure !== undefined) return fallback;
      try {
        const parsed = schema.safeParse(JSON.parse(encoded));
        if (parsed.success) return parsed.data;
        reader.fail(`JSON does not fit its schema: ${parsed.error.issues[0]?.message ?? "unknown"}`);
      } catch {
        reader.fail("text is not JSON");
      }
      return fallback;
    },
  };
}
