/**
 * Datagrams of a vector file through the codec: decoded, compared with what the vector says they mean, made again from that.
 * Answers every mismatch, never throws.
 */
import { Comparison, type VectorCheck } from "../../../core/vectorCheck.js";
import { CHUNK_BYTES_MIN, CHUNK_HEADER_BYTES, type ChunkFault, ChunkReader, encodeChunk } from "./chunk.js";
import { CommandReader, CommandWriter, createCommand } from "./command.js";
import { checksumOf, type Description, DescriptionBuilder, type Field } from "./description.js";
import { encodeStream, type FieldPlan } from "./encode.js";
import { MOTORS, PASSIVE_JOINTS } from "./joints.js";
import { DigitObservation, OBSERVATION_FIELDS, ObservationReader } from "./observation.js";
import { ObservationWriter } from "./observationWriter.js";
import { SCALARS } from "./scalar.js";
import type { Inflate } from "./streamReader.js";
import type { DecodedVector, PacketFile, PacketVector } from "./vectorFile.js";

/** A 32-bit number of a vector may have been printed with seven digits. */
const SINGLE_ERROR_MAX = 1e-6;
/** Explanations, in words of their own. */
const WORDS = new Set(["note", "reason"]);

type Found = { -readonly [Key in keyof DecodedVector]?: DecodedVector[Key] };

export function checkPackets(file: PacketFile, inflate: Inflate): VectorCheck[] {
  const streams = new Map<string, Stream>();
  const names = new Comparison("names");
  if (file.motors !== undefined) names.equal("motors", file.motors.join(" "), MOTORS.join(" "));
  if (file.joints !== undefined) names.equal("joints", file.joints.join(" "), PASSIVE_JOINTS.join(" "));
  const checks = file.packets.map((vector) => {
    const comparison = new Comparison(vector.name);
    let stream = streams.get(vector.stream);
    if (stream === undefined) streams.set(vector.stream, (stream = new Stream(inflate)));
    comparison.guard("datagram", () => stream.check(comparison, vector));
    return comparison;
  });
  return names.compared === 0 ? checks : [names, ...checks];
}

const REASONS: Readonly<Record<ChunkFault, string>> = {
  short: "shorter than the smallest chunk",
  cut: "shorter than it declares",
  checksum: "its checksum is wrong",
};

/** The datagrams of one sender, in order. */
class Stream {
  readonly #inflate: Inflate;
  readonly #chunk = new ChunkReader();
  /** Without STRT nothing counts. */
  #isStarted = false;
  /** Described chunks since then. */
  #parts: Buffer[] = [];
  #description: Description | undefined;

  constructor(inflate: Inflate) {
    this.#inflate = inflate;
  }

  check(comparison: Comparison, { hex, length, decoded }: PacketVector): void {
    const datagram = Buffer.from(hex, "hex");
    if (length !== undefined) comparison.equal("length", String(length), String(datagram.length));
    const fault = this.#chunk.read(datagram);
    const found: Found = fault === undefined ? this.#decode(comparison, datagram) : { ok: false };
    if (fault !== undefined && decoded.ok) comparison.equal("datagram", "a chunk", REASONS[fault]);
    for (const [key, expected] of Object.entries(decoded))
      if (!WORDS.has(key)) this.#compare(comparison, key, expected, found[key as keyof DecodedVector]);
  }

  #decode(comparison: Comparison, datagram: Buffer): Found {
    const chunk = this.#chunk;
    const bytes = datagram.subarray(0, CHUNK_BYTES_MIN + chunk.dataBytes);
    comparison.equal("chunk made again", hexOf(bytes), hexOf(encodeChunk(chunk.letters, chunk.data)));
    const found: Found = {
      ok: true,
      chunk: chunk.letters,
      data_length: chunk.dataBytes,
      crc32c: word(chunk.continueChecksum(0)),
    };
    switch (chunk.kind) {
      case "STRT":
        this.#isStarted = true;
        this.#parts = [];
        this.#description = undefined;
        return found;
      case "DEND":
        return { ...found, ...this.#end() };
      case "UDAT":
        return { ...found, ...this.#message(comparison, chunk.data, true) };
      case "CDAT":
        return {
          ...found,
          ...this.#message(comparison, this.#inflated(), false),
          payload_length: chunk.dataBytes,
        };
    }
    if (!chunk.isDescribed) return found;
    this.#parts.push(Buffer.from(bytes));
    return { ...found, ...this.#part(comparison, bytes) };
  }

  /** One part of a description: what it adds to those before it, and that it can be made again from that. */
  #part(comparison: Comparison, bytes: Buffer): Found {
    const before = describe(this.#parts.slice(0, -1));
    const description = describe(this.#parts);
    if (before === undefined || description === undefined) return { ok: false };
    const letters = bytes.toString("latin1", 4, CHUNK_HEADER_BYTES);
    const again = (plan: Parameters<typeof encodeStream>[0], which: number) =>
      comparison.equal("made again", hexOf(bytes), hexOf(encodeStream(plan).chunks[which] ?? bytes));
    const enumerations = description.enumerations.map(({ type, scalar, labels }) => ({
      type,
      scalar,
      labels: [...labels.values()],
    }));
    switch (this.#chunk.kind) {
      case "ENUM": {
        const { type, scalar, labels } = description.enumerations.at(-1)!;
        if ([...labels.keys()].every((value, index) => value === index))
          again({ enumerations: enumerations.slice(-1), fields: [], letters: { enumeration: letters } }, 1);
        return { enum_type: type, underlying: scalar, labels: Object.fromEntries(labels) };
      }
      case "DESC": {
        const fields = description.fields.slice(before.fields.length);
        again(
          { enumerations, fields: fields.map(planOf), letters: { fields: letters } },
          1 + enumerations.length,
        );
        return { message_size: description.messageBytes, fields: fields.map(vectorOfField) };
      }
      case "CMNT": {
        const constants = [...description.constants].slice(before.constants.size);
        const plans = constants.map(([name, { scalar, values }]) => ({ name, type: scalar, values }));
        again({ fields: [], constants: plans, letters: { comment: letters } }, 2);
        return {
          comment_data_length: this.#chunk.view.getUint32(this.#chunk.dataStart, true),
          comment: Object.fromEntries(constants.map(([name, { values }]) => [name, oneOrAll(values)])),
        };
      }
      default:
        return {};
    }
  }

  #end(): Found {
    const description_crc = word(checksumOf(this.#chunk) ?? 0);
    if (this.#description !== undefined) {
      const description_changed = checksumOf(this.#chunk) !== this.#description.checksum;
      return { description_crc, description_changed, description_complete: !description_changed };
    }
    const described = builderOf(this.#parts).finish(this.#chunk);
    if (described.kind === "refused" || !this.#isStarted)
      return { ok: false, description_crc, description_complete: false };
    this.#description = described.description;
    const { messageBytes } = described.description;
    return { description_crc, description_complete: true, message_size: messageBytes };
  }

  #inflated(): Uint8Array {
    return this.#inflate(this.#chunk.data.slice(), this.#description?.messageBytes ?? 0);
  }

  #message(comparison: Comparison, message: Uint8Array, isPlain: boolean): Found {
    const description = this.#description;
    if (message.length !== description?.messageBytes) return { ok: false, payload_length: message.length };
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    if (isPlain) checkAgain(comparison, description, view, hexOf(message));
    return {
      payload_length: message.length,
      decompressed_length: message.length,
      fields: Object.fromEntries(
        description.fields
          .filter(({ name }) => name !== "")
          .map((field) => [field.name, readField(field, view)]),
      ),
    };
  }

  #compare(comparison: Comparison, what: string, expected: unknown, found: unknown): void {
    if (what === "labels" || !isValues(expected) || !isValues(found)) {
      comparison.equal(what, JSON.stringify(expected), JSON.stringify(found) ?? "nothing");
      return;
    }
    comparison.equal(`${what}: names`, namesOf(expected), namesOf(found));
    const singles = new Set(
      (this.#description?.fields ?? []).filter(({ scalar }) => scalar === "f32").map(({ name }) => name),
    );
    for (const [name, value] of Object.entries(expected)) {
      const [want, have] = [numbersOf(value), numbersOf(found[name])];
      comparison.near(name, want, have, singles.has(name) ? SINGLE_ERROR_MAX : 0);
    }
  }
}

/** Our own reader and writer of commands or observations must come to the same bytes. */
function checkAgain(comparison: Comparison, description: Description, view: DataView, message: string): void {
  const names = new Set(description.fields.map(({ name }) => name));
  const body = (datagram: Buffer) => hexOf(datagram.subarray(CHUNK_HEADER_BYTES, -4));
  if (names.has("apply_command")) {
    const command = createCommand();
    const reader = new CommandReader(description);
    comparison.equal("command", "understood", reader.read(view, 0, command) ? "understood" : "refused");
    comparison.equal("command fields", "", reader.missing.join(", "));
    comparison.equal("command made again", message, body(new CommandWriter().write(command)));
    return;
  }
  const observation = new DigitObservation();
  const reader = new ObservationReader(description);
  reader.read(view, 0, observation);
  // Padding and fields that we do not know are written as zeros.
  const known = new Set(OBSERVATION_FIELDS.map(({ name }) => name));
  if ([...names].every((name) => known.has(name)))
    comparison.equal(
      "observation made again",
      message,
      body(new ObservationWriter(description).write(observation)),
    );
}

function builderOf(parts: readonly Buffer[]): DescriptionBuilder {
  const builder = new DescriptionBuilder();
  const chunk = new ChunkReader();
  builder.start();
  for (const part of parts) {
    chunk.read(part);
    builder.add(chunk);
  }
  return builder;
}

/** What these parts say, as though nothing more came. */
function describe(parts: readonly Buffer[]): Description | undefined {
  const chunk = new ChunkReader();
  let checksum = 0;
  for (const part of parts) {
    chunk.read(part);
    checksum = chunk.continueChecksum(checksum);
  }
  const data = Buffer.alloc(4);
  data.writeUInt32LE(checksum);
  chunk.read(encodeChunk("DEND", data));
  const described = builderOf(parts).finish(chunk);
  return described.kind === "described" ? described.description : undefined;
}

const planOf = ({ name, scalar, enumType, rows, columns }: Field): FieldPlan => ({
  name,
  type: enumType ?? scalar,
  rows,
  columns,
});

const vectorOfField = ({ name, scalar, enumType, rows, columns, offset }: Field) => ({
  name,
  type: enumType === undefined ? scalar : `enum:${enumType}`,
  rows,
  cols: columns,
  offset,
  size: rows * columns * SCALARS[scalar].bytes,
});

function readField({ scalar, rows, columns, offset }: Field, view: DataView): number | boolean | number[] {
  const { bytes, read } = SCALARS[scalar];
  const values = Array.from({ length: rows * columns }, (_, index) => read(view, offset + index * bytes));
  return scalar === "bool" && values.length === 1 ? values[0] === 1 : oneOrAll(values);
}

const oneOrAll = (values: readonly number[]): number | number[] =>
  values.length === 1 ? values[0]! : [...values];

const isValues = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const namesOf = (values: object): string => Object.keys(values).sort().join(" ");

const numbersOf = (value: unknown): number[] =>
  (Array.isArray(value) ? value : [value]).map((each) => (each === undefined ? Number.NaN : Number(each)));

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const word = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;
