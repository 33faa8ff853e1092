/** Types of single values by their number on the wire. Enumerations have numbers of their own and one of these beneath. */

export type ScalarType =
  | "u8"
  | "u16"
  | "u32"
  | "u64"
  | "i8"
  | "i16"
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "bool"
  | "char"
  | "bin";

interface Scalar {
  readonly bytes: number;
  read(view: DataView, at: number): number;
  write(view: DataView, at: number, value: number): void;
}

const U32 = 2 ** 32;

/** In the order of the wire's numbers, 0 to 12. Integers of 64 bits are good to 53: no field of this robot needs more. */
export const SCALARS: Readonly<Record<ScalarType, Scalar>> = {
  u8: { bytes: 1, read: (v, at) => v.getUint8(at), write: (v, at, value) => v.setUint8(at, value) },
  u16: {
    bytes: 2,
    read: (v, at) => v.getUint16(at, true),
    write: (v, at, value) => v.setUint16(at, value, true),
  },
  u32: {
    bytes: 4,
    read: (v, at) => v.getUint32(at, true),
    write: (v, at, value) => v.setUint32(at, value, true),
  },
  u64: {
    bytes: 8,
    read: (v, at) => v.getUint32(at, true) + U32 * v.getUint32(at + 4, true),
    write: write64,
  },
  i8: { bytes: 1, read: (v, at) => v.getInt8(at), write: (v, at, value) => v.setInt8(at, value) },
  i16: {
    bytes: 2,
    read: (v, at) => v.getInt16(at, true),
    write: (v, at, value) => v.setInt16(at, value, true),
  },
  i32: {
    bytes: 4,
    read: (v, at) => v.getInt32(at, true),
    write: (v, at, value) => v.setInt32(at, value, true),
  },
  i64: {
    bytes: 8,
    read: (v, at) => v.getUint32(at, true) + U32 * v.getInt32(at + 4, true),
    write: write64,
  },
  f32: {
    bytes: 4,
    read: (v, at) => v.getFloat32(at, true),
    write: (v, at, value) => v.setFloat32(at, value, true),
  },
  f64: {
    bytes: 8,
    read: (v, at) => v.getFloat64(at, true),
    write: (v, at, value) => v.setFloat64(at, value, true),
  },
  bool: {
    bytes: 1,
    read: (v, at) => (v.getUint8(at) === 0 ? 0 : 1),
    write: (v, at, value) => v.setUint8(at, value === 0 ? 0 : 1),
  },
  char: { bytes: 1, read: (v, at) => v.getUint8(at), write: (v, at, value) => v.setUint8(at, value) },
  bin: { bytes: 1, read: (v, at) => v.getUint8(at), write: (v, at, value) => v.setUint8(at, value) },
};

export const SCALAR_TYPES = Object.keys(SCALARS) as readonly ScalarType[];
/** Numbers of enumerations begin here and end before 32768. */
export const ENUM_TYPE_MIN = 256;
export const ENUM_TYPE_MAX = 32767;

export const INTEGER_TYPES: ReadonlySet<ScalarType> = new Set([
  "u8",
  "u16",
  "u32",
  "u64",
  "i8",
  "i16",
  "i32",
  "i64",
]);
export const FLOAT_TYPES: ReadonlySet<ScalarType> = new Set(["f32", "f64"]);

function write64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / U32), true);
}
