/**
 * What a stream says of itself before its data: STRT, then enumerations, field lists and comments in any order, then DEND
 * with a checksum over all of them. Nothing is parsed before that checksum has matched.
 */
import type { ChunkKind, ChunkReader } from "./chunk.js";
import { DATAGRAM_BYTES_MAX } from "./chunk.js";
import { ENUM_TYPE_MAX, ENUM_TYPE_MIN, SCALAR_TYPES, SCALARS, type ScalarType } from "./scalar.js";

export interface Field {
  /** Empty for padding. */
  readonly name: string;
  /** Of an enumeration, the type beneath. */
  readonly scalar: ScalarType;
  readonly enumType: number | undefined;
  /** Elements lie column by column. */
  readonly rows: number;
  readonly columns: number;
  /** From the start of the message [bytes]. */
  readonly offset: number;
}

export interface Enumeration {
  /** 256 to 32767. */
  readonly type: number;
  readonly scalar: ScalarType;
  readonly labels: ReadonlyMap<number, string>;
}

/** A constant of a comment, such as a motor's torque limit. */
export interface Constant {
  readonly scalar: ScalarType;
  readonly values: readonly number[];
}

export interface Description {
  readonly fields: readonly Field[];
  readonly enumerations: readonly Enumeration[];
  readonly constants: ReadonlyMap<string, Constant>;
  readonly messageBytes: number;
  /** As DEND has it. */
  readonly checksum: number;
}

export type Described =
  | { readonly kind: "described"; readonly description: Description }
  | { readonly kind: "refused"; readonly reason: string };

/** Far above any robot's; whoever sends more is none. */
const PARTS_MAX = 64;

/** Collects the chunks of one description. */
export class DescriptionBuilder {
  #parts: { readonly kind: ChunkKind; readonly data: DataView }[] = [];
  #checksum = 0;
  /** Between STRT and DEND. */
  isBuilding = false;

  start(): void {
    this.#parts = [];
    this.#checksum = 0;
    this.isBuilding = true;
  }

  /** Letters of the chunks so far, for people who wonder why a description never ends. */
  get kinds(): readonly ChunkKind[] {
    return this.#parts.map(({ kind }) => kind);
  }

  /** Takes a chunk that belongs to a description; others are not looked at. */
  add(chunk: ChunkReader): void {
    if (!this.isBuilding || !chunk.isDescribed) return;
    if (this.#parts.length >= PARTS_MAX) {
      this.isBuilding = false;
      return;
    }
    this.#checksum = chunk.continueChecksum(this.#checksum);
    this.#parts.push({ kind: chunk.kind, data: viewOf(chunk.data.slice()) });
  }

  /** Ends with the chunk DEND. Whatever comes of it, the next description begins with STRT. */
  finish(chunk: ChunkReader): Described {
    const wasBuilding = this.isBuilding;
    this.isBuilding = false;
    if (!wasBuilding) return refused("DEND without STRT");
    const expected = checksumOf(chunk);
    if (expected !== this.#checksum)
      return refused(`description checksum ${hex(this.#checksum)}, DEND says ${hex(expected ?? 0)}`);
    try {
      return { kind: "described", description: this.#parse() };
    } catch (thrown) {
      if (!(thrown instanceof Malformed)) throw thrown;
      return refused(thrown.message);
    }
  }

  #parse(): Description {
    const ofKind = (kind: ChunkKind) =>
      this.#parts.filter((part) => part.kind === kind).map((part) => part.data);
    const enumerations = ofKind("ENUM").map(parseEnumeration);
    const types = new Map(enumerations.map((enumeration) => [enumeration.type, enumeration.scalar]));
    const fields: Field[] = [];
    let messageBytes = 0;
    for (const data of ofKind("DESC"))
      messageBytes = parseFields(new Cursor(data), types, messageBytes, fields);
    if (messageBytes > DATAGRAM_BYTES_MAX) throw new Malformed(`messages of ${messageBytes} bytes`);
    const constants = new Map(ofKind("CMNT").flatMap((data) => parseComment(data, types)));
    return { fields, enumerations, constants, messageBytes, checksum: this.#checksum };
  }
}

/** What DEND says; undefined where it says nothing. */
export const checksumOf = (dend: ChunkReader): number | undefined =>
  dend.dataBytes >= 4 ? dend.view.getUint32(dend.dataStart, true) : undefined;

const refused = (reason: string): Described => ({ kind: "refused", reason });
const hex = (word: number): string => `0x${word.toString(16).padStart(8, "0")}`;
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A chunk whose checksum is right and whose content is not. */
class Malformed extends Error {}

/** Reads forward, and never past the end. */
class Cursor {
  at = 0;
  constructor(readonly view: DataView) {}

  get isAtEnd(): boolean {
    return this.at >= this.view.byteLength;
  }

  read(scalar: ScalarType): number {
    const at = this.#take(SCALARS[scalar].bytes);
    return SCALARS[scalar].read(this.view, at);
  }

  text(bytes: number): string {
    const at = this.#take(bytes);
    return Buffer.from(this.view.buffer, this.view.byteOffset + at, bytes).toString("latin1");
  }

  #take(bytes: number): number {
    const at = this.at;
    if (at + bytes > this.view.byteLength) throw new Malformed(`a list ends in the middle, at byte ${at}`);
    this.at += bytes;
    return at;
  }
}

/** u16 type, u16 type beneath, then value, u16 length and letters of each label. */
function parseEnumeration(data: DataView): Enumeration {
  const cursor = new Cursor(data);
  const type = cursor.read("u16");
  const underlying = cursor.read("u16");
  const scalar = SCALAR_TYPES[underlying];
  if (type < ENUM_TYPE_MIN || type > ENUM_TYPE_MAX || scalar === undefined)
    throw new Malformed(`enumeration ${type} over type ${underlying}`);
  const labels = new Map<number, string>();
  while (!cursor.isAtEnd) {
    const value = cursor.read(scalar);
    labels.set(value, cursor.text(cursor.read("u16")));
  }
  return { type, scalar, labels };
}

/** u16 type, rows, columns, length of the name, the name; appends to `fields`. @returns bytes up to the end of the last */
function parseFields(
  cursor: Cursor,
  enumTypes: ReadonlyMap<number, ScalarType>,
  start: number,
  fields: Field[],
): number {
  let offset = start;
  while (!cursor.isAtEnd) {
    const [type, rows, columns] = [cursor.read("u16"), cursor.read("u16"), cursor.read("u16")];
    const name = cursor.text(cursor.read("u16"));
    const scalar = SCALAR_TYPES[type] ?? enumTypes.get(type);
    if (scalar === undefined) throw new Malformed(`field "${name}" has the unknown type ${type}`);
    const enumType = type >= ENUM_TYPE_MIN ? type : undefined;
    fields.push({ name, scalar, enumType, rows, columns, offset });
    offset += rows * columns * SCALARS[scalar].bytes;
  }
  return offset;
}

/** u32 length of the values, the values, then the fields that describe them. */
function parseComment(data: DataView, enumTypes: ReadonlyMap<number, ScalarType>): [string, Constant][] {
  const cursor = new Cursor(data);
  const valueBytes = cursor.read("u32");
  const start = cursor.at;
  cursor.text(valueBytes);
  const fields: Field[] = [];
  const described = parseFields(cursor, enumTypes, 0, fields);
  if (described > valueBytes)
    throw new Malformed(`a comment has ${valueBytes} bytes and describes ${described}`);
  return fields
    .filter(({ name }) => name !== "")
    .map(({ name, scalar, rows, columns, offset }) => {
      const { bytes, read } = SCALARS[scalar];
      const values = Array.from({ length: rows * columns }, (_, index) =>
        read(data, start + offset + index * bytes),
      );
      return [name, { scalar, values }];
    });
}
