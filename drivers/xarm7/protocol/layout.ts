/**
 * Parameter layouts of the command port, written like Python's `struct`:
 * `B` u8 · `H` u16 big-endian · `f` float32 little-endian · `i` int32 little-endian · `I` int32 big-endian,
 * each with an optional count before it; `|` starts a part that may be absent; `*` is all remaining bytes.
 * The mix of byte orders is the vendor's (floats and ints little-endian, addresses and counts big-endian).
 */
import { invariant } from "../../../core/errors.js";

type Code = "B" | "H" | "f" | "i" | "I";
const CODE_BYTES: Readonly<Record<Code, number>> = { B: 1, H: 2, f: 4, i: 4, I: 4 };
const INTEGER_RANGES: Readonly<Record<Exclude<Code, "f">, readonly [number, number]>> = {
  B: [0, 0xff],
  H: [0, 0xffff],
  i: [-0x80000000, 0x7fffffff],
  I: [-0x80000000, 0x7fffffff],
};

export interface Layout {
  readonly text: string;
  readonly codes: readonly Code[];
  /** How many values a message may carry, rising: one entry per `|`, and one. */
  readonly valueCounts: readonly number[];
  /** Bytes of a message with that many values. */
  readonly byteCounts: readonly number[];
  /** Any number of further bytes may follow. */
  readonly open: boolean;
}

const compiled = new Map<string, Layout>();

export function layout(text: string): Layout {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const codes: Code[] = [];
  const valueCounts: number[] = [];
  const byteCounts: number[] = [];
  let open = false;
  let bytes = 0;
  const closePart = () => {
    valueCounts.push(codes.length);
    byteCounts.push(bytes);
  };
  for (const [, count, code] of text.matchAll(/(\d*)([BHfiI|*])/g)) {
    if (code === "|") closePart();
    else if (code === "*") open = true;
    else {
      const repeat = count === "" ? 1 : Number(count);
      for (let i = 0; i < repeat; i++) codes.push(code as Code);
      bytes += repeat * CODE_BYTES[code as Code];
    }
  }
  closePart();
  const result = { text, codes, valueCounts, byteCounts, open };
  compiled.set(text, result);
  return result;
}

/** Bytes that these values take. Broken invariant when their number fits no form of the layout. */
export function bytesOfValues(form: Layout, valueCount: number): number {
  const last = form.codes.length;
  if (form.open && valueCount >= last) return (form.byteCounts.at(-1) ?? 0) + valueCount - last;
  const part = form.valueCounts.indexOf(valueCount);
  invariant(
    part >= 0,
    `layout "${form.text}" takes ${form.valueCounts.join(" or ")} values, not ${valueCount}`,
  );
  return form.byteCounts[part] ?? 0;
}

/** Writes the values one after the other; the caller has reserved `bytesOfValues`. */
export function writeValues(form: Layout, values: ArrayLike<number>, view: DataView, offset: number): void {
  let at = offset;
  for (let i = 0; i < values.length; i++) {
    const code = form.codes[i] ?? "B";
    const value = values[i] ?? 0;
    if (code !== "f") {
      const [low, high] = INTEGER_RANGES[code];
      invariant(
        Number.isInteger(value) && value >= low && value <= high,
        `${value} is no ${code} of "${form.text}"`,
      );
    }
    if (code === "f") view.setFloat32(at, value, true);
    else if (code === "B") view.setUint8(at, value);
    else if (code === "H") view.setUint16(at, value);
    else view.setInt32(at, value, code === "i");
    at += CODE_BYTES[code];
  }
}

/**
 * Reads as many whole parts as the bytes hold. Undefined when they hold less than the smallest form, or, unless
 * `surplusAllowed`, when bytes remain: newer firmware appends to replies, but a request must fit exactly.
 */
export function readValues(
  form: Layout,
  view: DataView,
  offset: number,
  byteCount: number,
  surplusAllowed: boolean,
): number[] | undefined {
  let part = -1;
  for (const [i, bytes] of form.byteCounts.entries()) if (bytes <= byteCount) part = i;
  if (part < 0) return undefined;
  const isLast = part === form.byteCounts.length - 1;
  const usedBytes = form.byteCounts[part] ?? 0;
  if (usedBytes !== byteCount && !surplusAllowed && !(form.open && isLast)) return undefined;
  const values: number[] = [];
  let at = offset;
  for (let i = 0; i < (form.valueCounts[part] ?? 0); i++) {
    const code = form.codes[i] ?? "B";
    if (code === "f") values.push(view.getFloat32(at, true));
    else if (code === "B") values.push(view.getUint8(at));
    else if (code === "H") values.push(view.getUint16(at));
    else values.push(view.getInt32(at, code === "i"));
    at += CODE_BYTES[code];
  }
  if (form.open && isLast) for (; at < offset + byteCount; at++) values.push(view.getUint8(at));
  return values;
}
