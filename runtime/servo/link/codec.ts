/** Frames of the servo link to bytes and back, from the tables in `schema.ts`; pure, bounded, never throws on input. */
import type { Field } from "./fields.js";
import { FrameWriter, PayloadReader } from "./fields.js";
import {
  type BodyOf,
  type ClientMessage,
  FRAME_BYTES_MAX,
  HEADER_BYTES,
  MESSAGES,
  type MessageName,
  PROTOCOL_VERSION,
  type ServoMessage,
} from "./schema.js";

interface Layout {
  readonly name: MessageName;
  readonly number: number;
  readonly from: "client" | "servo";
  readonly keys: readonly string[];
  readonly fields: readonly Field<unknown>[];
}

const LAYOUTS = Object.entries(MESSAGES).map(
  ([name, spec]): Layout => ({
    name: name as MessageName,
    number: spec.number,
    from: spec.from,
    keys: Object.keys(spec.fields),
    fields: Object.values(spec.fields) as Field<unknown>[],
  }),
);
const BY_NAME = new Map(LAYOUTS.map((layout) => [layout.name, layout]));
const BY_NUMBER = new Map(LAYOUTS.map((layout) => [layout.number, layout]));

/**
 * Writes one frame at the start of `bytes` and returns its length. Allocates nothing but the writer, so the servo tick
 * may call it with a buffer that it reuses.
 */
export function encodeInto<N extends MessageName>(bytes: Buffer, name: N, body: BodyOf<N>): number {
  const layout = BY_NAME.get(name)!;
  const writer = new FrameWriter(bytes);
  writer.take(HEADER_BYTES);
  const values = body as Readonly<Record<string, unknown>>;
  for (let i = 0; i < layout.keys.length; i++) layout.fields[i]!.write(writer, values[layout.keys[i]!]);
  bytes.writeUInt32LE(writer.atByte - 4, 0);
  bytes[4] = PROTOCOL_VERSION;
  bytes[5] = layout.number;
  return writer.atByte;
}

const scratch = Buffer.alloc(4 + FRAME_BYTES_MAX);

/** One frame in a buffer of its own. */
export function encode<N extends MessageName>(name: N, body: BodyOf<N>): Buffer {
  return Buffer.from(scratch.subarray(0, encodeInto(scratch, name, body)));
}

export type DecodedFrame<M> =
  | { readonly kind: "incomplete" }
  | { readonly kind: "corrupt"; readonly reason: string }
  | { readonly kind: "frame"; readonly usedBytes: number; readonly message: M };

const corrupt = (reason: string) => ({ kind: "corrupt", reason }) as const;

/** Decodes the frame at the start of `bytes`, accepting only messages that `from` may send. */
function decodeFrom<M>(bytes: Buffer, from: "client" | "servo"): DecodedFrame<M> {
  if (bytes.length < 4) return { kind: "incomplete" };
  const length = bytes.readUInt32LE(0);
  if (length < HEADER_BYTES - 4 || length > FRAME_BYTES_MAX) return corrupt(`frame length ${length}`);
  // The header is judged before the payload has come, so that nonsense is not waited for.
  if (bytes.length < HEADER_BYTES) return { kind: "incomplete" };
  if (bytes[4] !== PROTOCOL_VERSION)
    return corrupt(`protocol version ${bytes[4]}, this side speaks ${PROTOCOL_VERSION}`);
  const layout = BY_NUMBER.get(bytes[5]!);
  if (layout === undefined || layout.from !== from)
    return corrupt(`message type ${bytes[5]} from the ${from}`);
  if (bytes.length < 4 + length) return { kind: "incomplete" };
  const reader = new PayloadReader(bytes.subarray(HEADER_BYTES, 4 + length));
  const message: Record<string, unknown> = { type: layout.name };
  for (let i = 0; i < layout.keys.length; i++) message[layout.keys[i]!] = layout.fields[i]!.read(reader);
  if (reader.failure !== undefined) return corrupt(`${layout.name}: ${reader.failure}`);
  if (reader.atByte !== length - 2)
    return corrupt(`${layout.name}: ${length - 2 - reader.atByte} bytes too many`);
  return { kind: "frame", usedBytes: 4 + length, message: message as M };
}

export const decodeFromClient = (bytes: Buffer): DecodedFrame<ClientMessage> => decodeFrom(bytes, "client");
export const decodeFromServo = (bytes: Buffer): DecodedFrame<ServoMessage> => decodeFrom(bytes, "servo");

/**
 * Cuts a byte stream into messages. Keeps at most one unfinished frame; after the first corrupt byte it takes nothing
 * more, because a stream has no place to start again from: the connection must be closed.
 */
export class FrameReader<M> {
  #pending: Buffer = Buffer.alloc(0);
  #failure: string | undefined;
  readonly #decode: (bytes: Buffer) => DecodedFrame<M>;

  constructor(decode: (bytes: Buffer) => DecodedFrame<M>) {
    this.#decode = decode;
  }

  get pendingBytes(): number {
    return this.#pending.length;
  }

  /** Why the stream cannot be read any further, once it cannot. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Hands every message that `chunk` completes to `onMessage`, in order. */
  push(chunk: Buffer, onMessage: (message: M) => void): void {
    if (this.#failure !== undefined) return;
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const decoded = this.#decode(bytes);
      if (decoded.kind === "frame") {
        bytes = bytes.subarray(decoded.usedBytes);
        onMessage(decoded.message);
        continue;
      }
      if (decoded.kind === "corrupt") {
        this.#failure = decoded.reason;
        bytes = Buffer.alloc(0);
      }
      // A copy, so that a large chunk is not kept alive by the few bytes that are left of it.
      this.#pending = Buffer.from(bytes);
      return;
    }
  }
}
