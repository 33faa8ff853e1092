/**
 * Numbers of a message by their fields' names. Where they lie is worked out once from the stream's description; reading or
 * writing them then is one loop that allocates nothing.
 */
import type { Description, Field } from "./description.js";
import { FLOAT_TYPES, INTEGER_TYPES, SCALARS, type ScalarType } from "./scalar.js";

/** What kind of number a field must be to be taken for what its name says. */
export type NumberKind = "float" | "f64" | "integer" | "bool" | "enum";

export interface WantedField {
  readonly name: string;
  readonly kind: NumberKind;
  readonly rows: number;
  /** Index of its first number in the flat array that is read into or written from. */
  readonly at: number;
}

export interface NumberMap {
  /** Of each number in the message [bytes]. */
  readonly offsets: Int32Array;
  readonly scalars: readonly ScalarType[];
  /** Of each number in the flat array. */
  readonly targets: Int32Array;
  /** Fields that the description lacks, or has with another type or shape, each with what was found. */
  readonly missing: readonly string[];
}

const FITS: Readonly<Record<NumberKind, (field: Field) => boolean>> = {
  float: ({ scalar, enumType }) => enumType === undefined && FLOAT_TYPES.has(scalar),
  f64: ({ scalar, enumType }) => enumType === undefined && scalar === "f64",
  integer: ({ scalar, enumType }) => enumType === undefined && INTEGER_TYPES.has(scalar),
  bool: ({ scalar, enumType }) => enumType === undefined && scalar === "bool",
  enum: ({ scalar, enumType }) => enumType !== undefined || INTEGER_TYPES.has(scalar),
};

export function mapNumbers(description: Description, wanted: readonly WantedField[]): NumberMap {
  const byName = new Map<string, Field[]>();
  for (const field of description.fields) {
    const same = byName.get(field.name);
    if (same === undefined) byName.set(field.name, [field]);
    else same.push(field);
  }
  const offsets: number[] = [];
  const scalars: ScalarType[] = [];
  const targets: number[] = [];
  const missing: string[] = [];
  for (const { name, kind, rows, at } of wanted) {
    const found = byName.get(name) ?? [];
    const [field] = found;
    if (field === undefined || found.length > 1) {
      missing.push(field === undefined ? name : `${name} (${found.length} times)`);
      continue;
    }
    if (!FITS[kind](field) || field.rows !== rows || field.columns !== 1) {
      missing.push(`${name} (${field.rows}x${field.columns} ${field.scalar}, not ${rows}x1 ${kind})`);
      continue;
    }
    const { bytes } = SCALARS[field.scalar];
    for (let row = 0; row < rows; row++) {
      offsets.push(field.offset + row * bytes);
      scalars.push(field.scalar);
      targets.push(at + row);
    }
  }
  return { offsets: Int32Array.from(offsets), scalars, targets: Int32Array.from(targets), missing };
}

/** Numbers whose fields are missing keep their old value. @param start of the message in `view` [bytes] */
export function readNumbers(map: NumberMap, view: DataView, start: number, into: Float64Array): void {
  const { offsets, scalars, targets } = map;
  for (let i = 0; i < offsets.length; i++) {
    const at = start + offsets[i]!;
    const scalar = scalars[i]!;
    const target = targets[i]!;
    // Nearly all numbers are of two types. Each is stored where it is read: a number that comes from one of several
    // places, or through a call, would become an object on the heap.
    if (scalar === "f64") into[target] = view.getFloat64(at, true);
    else if (scalar === "f32") into[target] = view.getFloat32(at, true);
    else into[target] = SCALARS[scalar].read(view, at);
  }
}

export function writeNumbers(map: NumberMap, from: ArrayLike<number>, view: DataView, start: number): void {
  const { offsets, scalars, targets } = map;
  for (let i = 0; i < offsets.length; i++) {
    const at = start + offsets[i]!;
    const scalar = scalars[i]!;
    const value = from[targets[i]!]!;
    if (scalar === "f64") view.setFloat64(at, value, true);
    else if (scalar === "f32") view.setFloat32(at, value, true);
    else SCALARS[scalar].write(view, at, value);
  }
}
