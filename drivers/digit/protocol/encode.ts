/** The sender's side of a description: chunks from field lists, and messages of numbers. */
import { ChunkReader, encodeChunk } from "./chunk.js";
import { crc32c } from "./crc32c.js";
import { type Description, DescriptionBuilder } from "./description.js";
import { SCALAR_TYPES, SCALARS, type ScalarType } from "./scalar.js";

export interface FieldPlan {
  /** Empty for padding. */
  readonly name: string;
  /** Or the number of an enumeration. */
  readonly type: ScalarType | number;
  readonly rows?: number;
  readonly columns?: number;
}

export interface StreamPlan {
  readonly enumerations?: readonly {
    readonly type: number;
    readonly scalar: ScalarType;
    /** Of the values 0, 1 and so on. */
    readonly labels: readonly string[];
  }[];
  readonly fields: readonly FieldPlan[];
  /** Constants of a comment. */
  readonly constants?: readonly {
    readonly name: string;
    readonly type: ScalarType;
    readonly values: readonly number[];
  }[];
  /** Chunks that no client knows, before DEND; covered by its checksum where their last letter is small. */
  readonly others?: readonly { readonly letters: string; readonly data: Uint8Array }[];
  /** Letters as they are sent; those of the vendor's library when absent. */
  readonly letters?: { readonly enumeration?: string; readonly fields?: string; readonly comment?: string };
}

export interface EncodedStream {
  /** STRT to DEND, one datagram each, in the order in which they are to be sent. */
  readonly chunks: readonly Buffer[];
  readonly description: Description;
}

/** @throws Error where the plan describes nothing that a client could read */
export function encodeStream({
  enumerations = [],
  fields,
  constants = [],
  others = [],
  letters = {},
}: StreamPlan): EncodedStream {
  const parts = [
    ...enumerations.map((plan) => encodeChunk(letters.enumeration ?? "ENUM", enumerationData(plan))),
    encodeChunk(letters.fields ?? "DESC", Buffer.concat(fields.map(fieldData))),
    ...(constants.length === 0 ? [] : [encodeChunk(letters.comment ?? "CMNt", commentData(constants))]),
    ...others.map((other) => encodeChunk(other.letters, other.data)),
  ];
  const builder = new DescriptionBuilder();
  const chunk = new ChunkReader();
  let checksum = 0;
  builder.start();
  for (const part of parts) {
    chunk.read(part);
    builder.add(chunk);
    if (chunk.isDescribed) checksum = crc32c(part, 4, part.length - 4, checksum);
  }
  const end = encodeChunk("DEND", littleEndian("u32", checksum));
  chunk.read(end);
  const described = builder.finish(chunk);
  if (described.kind === "refused") throw new Error(`no stream can be described so: ${described.reason}`);
  return {
    chunks: [encodeChunk("STRT", new Uint8Array()), ...parts, end],
    description: described.description,
  };
}

function enumerationData({ type, scalar, labels }: NonNullable<StreamPlan["enumerations"]>[number]): Buffer {
  return Buffer.concat([
    littleEndian("u16", type),
    littleEndian("u16", SCALAR_TYPES.indexOf(scalar)),
    ...labels.flatMap((label, value) => [littleEndian(scalar, value), named(label)]),
  ]);
}

function fieldData({ name, type, rows = 1, columns = 1 }: FieldPlan): Buffer {
  const number = typeof type === "number" ? type : SCALAR_TYPES.indexOf(type);
  return Buffer.concat([...[number, rows, columns].map((value) => littleEndian("u16", value)), named(name)]);
}

function commentData(constants: NonNullable<StreamPlan["constants"]>): Buffer {
  const values = Buffer.concat(
    constants.flatMap(({ type, values }) => values.map((value) => littleEndian(type, value))),
  );
  return Buffer.concat([
    littleEndian("u32", values.length),
    values,
    ...constants.map(({ name, type, values }) => fieldData({ name, type, rows: values.length })),
  ]);
}

/** u16 length and the letters. */
const named = (text: string): Buffer => {
  const letters = Buffer.from(text, "latin1");
  return Buffer.concat([littleEndian("u16", letters.length), letters]);
};

function littleEndian(scalar: ScalarType, value: number): Buffer {
  const bytes = new Uint8Array(SCALARS[scalar].bytes);
  SCALARS[scalar].write(new DataView(bytes.buffer), 0, value);
  return Buffer.from(bytes.buffer);
}
