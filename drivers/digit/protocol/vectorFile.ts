/**
 * Vector files of this wire: datagrams in the order of their streams with what they mean, messages of the JSON interface, and
 * the vendor's command struct, which is the command's message byte for byte. What they are held against is in
 * packetVectors.ts and otherVectors.ts.
 */
import { z } from "zod";

const Hex = z.string().regex(/^([0-9a-fA-F]{2})*$/);
const Value = z.union([z.number(), z.boolean(), z.string(), z.array(z.number())]);

/** Of a field list. */
export const FieldVector = z.looseObject({
  name: z.string(),
  /** "f64", or "enum:256". */
  type: z.string(),
  rows: z.int(),
  cols: z.int(),
  offset: z.int(),
  size: z.int(),
});
export type FieldVector = z.infer<typeof FieldVector>;

export const DecodedVector = z.looseObject({
  /** False for what a client must throw away. */
  ok: z.boolean(),
  /** Letters as they were sent. */
  chunk: z.string().optional(),
  data_length: z.int().optional(),
  crc32c: z.string().optional(),
  enum_type: z.int().optional(),
  underlying: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  message_size: z.int().optional(),
  /** A field list's fields, or a message's values by name. */
  fields: z.union([z.array(FieldVector), z.record(z.string(), Value)]).optional(),
  comment_data_length: z.int().optional(),
  comment: z.record(z.string(), Value).optional(),
  description_crc: z.string().optional(),
  description_complete: z.boolean().optional(),
  description_changed: z.boolean().optional(),
  payload_length: z.int().optional(),
  decompressed_length: z.int().optional(),
});
export type DecodedVector = z.infer<typeof DecodedVector>;

export const PacketVector = z.looseObject({
  /** Datagrams of one stream follow each other; "chunk" and "bad" are single ones. */
  stream: z.string(),
  name: z.string(),
  hex: Hex,
  length: z.int().optional(),
  decoded: DecodedVector,
});
export type PacketVector = z.infer<typeof PacketVector>;

export const PacketFile = z.looseObject({
  motors: z.array(z.string()).optional(),
  joints: z.array(z.string()).optional(),
  packets: z.array(PacketVector).min(1),
});
export type PacketFile = z.infer<typeof PacketFile>;

const MessageVector = z.union([
  z.tuple([z.string(), z.record(z.string(), z.unknown())]),
  z.tuple([z.string(), z.record(z.string(), z.unknown()), z.int()]),
]);

export const JsonFile = z.looseObject({
  messages: z
    .array(
      z.looseObject({
        name: z.string(),
        send: MessageVector.nullable(),
        receive: MessageVector.nullable(),
      }),
    )
    .min(1),
});
export type JsonFile = z.infer<typeof JsonFile>;

export const StructFile = z.looseObject({
  sizeof: z.record(z.string(), z.int()),
  offsets: z.array(z.looseObject({ field: z.string(), offset: z.int(), size: z.int() })).min(1),
});
export type StructFile = z.infer<typeof StructFile>;
