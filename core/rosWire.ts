/**
 * CDR bytes of the few ROS 2 messages on the fast path, read and written by offset. Layouts: OMG DDSI-RTPS CDR
 * (little endian, alignment counted after the 4-byte encapsulation header) of sensor_msgs Image and JointState.
 * Every reader checks its bounds: bytes come from other processes.
 */
import { asEpochNs, type EpochNs, fromRosTime, NS_PER_S } from "./clock.js";

export interface ImageView {
  readonly stampNs: EpochNs;
  readonly frameId: string;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly encoding: string;
  readonly stepBytes: number;
  /** Shares memory with the message. */
  readonly data: Uint8Array;
}

export interface JointStateView {
  readonly stampNs: EpochNs;
  readonly names: readonly string[];
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  readonly effortNm: Float64Array;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

const LENGTH_MAX = 64 * 1024 * 1024;

class Cursor {
  offset = 4;
  readonly #view: DataView;
  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  #align(size: number): void {
    this.offset = 4 + Math.ceil((this.offset - 4) / size) * size;
  }
  u8(): number {
    return this.#view.getUint8(this.offset++);
  }
  i32(): number {
    this.#align(4);
    this.offset += 4;
    return this.#view.getInt32(this.offset - 4, true);
  }
  u32(): number {
    this.#align(4);
    this.offset += 4;
    return this.#view.getUint32(this.offset - 4, true);
  }
  #count(elementBytes: number): number {
    const count = this.u32();
    if (count * elementBytes > LENGTH_MAX || this.offset + count * elementBytes > this.bytes.length) {
      throw new RangeError(`length ${count} exceeds the message`);
    }
    return count;
  }
  string(): string {
    const length = this.#count(1);
    const end = this.offset + length;
    const text = Buffer.from(this.bytes.buffer, this.bytes.byteOffset + this.offset, Math.max(0, length - 1));
    this.offset = end;
    return text.toString("utf8");
  }
  bytesSequence(): Uint8Array {
    const length = this.#count(1);
    this.offset += length;
    return this.bytes.subarray(this.offset - length, this.offset);
  }
  strings(): string[] {
    return Array.from({ length: this.#count(4) }, () => this.string());
  }
  float64s(): Float64Array {
    const count = this.#count(8);
    if (count > 0) this.#align(8);
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) values[i] = this.#view.getFloat64(this.offset + 8 * i, true);
    this.offset += 8 * count;
    return values;
  }
  stamp(): EpochNs {
    return fromRosTime(this.i32(), this.u32());
  }
}

function parse<T>(bytes: Uint8Array, what: string, read: (cursor: Cursor) => T): Parsed<T> {
  if (bytes.length < 4) return { ok: false, reason: `${what} of ${bytes.length} bytes` };
  if (bytes[1] !== 1)
    return { ok: false, reason: `${what} has encapsulation ${bytes[1]}, expected 1 (CDR little endian)` };
  try {
    return { ok: true, value: read(new Cursor(bytes)) };
  } catch (thrown) {
    if (thrown instanceof RangeError)
      return { ok: false, reason: `${what} is cut short or corrupt: ${thrown.message}` };
    throw thrown;
  }
}

/** sensor_msgs/msg/Image. */
export const readImage = (bytes: Uint8Array): Parsed<ImageView> =>
  parse(bytes, "Image", (cursor) => {
    const stampNs = cursor.stamp();
    const frameId = cursor.string();
    const heightPx = cursor.u32();
    const widthPx = cursor.u32();
    const encoding = cursor.string();
    cursor.u8();
    const stepBytes = cursor.u32();
    const data = cursor.bytesSequence();
    if (data.length !== stepBytes * heightPx) {
      throw new RangeError(`${data.length} bytes of pixels, expected ${stepBytes} x ${heightPx}`);
    }
    return { stampNs, frameId, widthPx, heightPx, encoding, stepBytes, data };
  });

/** sensor_msgs/msg/JointState. */
export const readJointState = (bytes: Uint8Array): Parsed<JointStateView> =>
  parse(bytes, "JointState", (cursor) => {
    const stampNs = cursor.stamp();
    cursor.string();
    const names = cursor.strings();
    return {
      stampNs,
      names,
      positionRad: cursor.float64s(),
      velocityRadPerS: cursor.float64s(),
      effortNm: cursor.float64s(),
    };
  });

/** A reusable sensor_msgs/msg/Image message of fixed size: write pixels into `pixels`, set the stamp, publish `bytes`. */
export class ImageMessage {
  readonly bytes: Buffer;
  readonly pixels: Uint8Array;

  constructor(frameId: string, widthPx: number, heightPx: number, encoding: string, stepBytes: number) {
    const parts: number[] = [0, 1, 0, 0];
    const pad = (size: number) => {
      while ((parts.length - 4) % size !== 0) parts.push(0);
    };
    const u32 = (value: number) => {
      pad(4);
      parts.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255);
    };
    const text = (value: string) => {
      const encoded = Buffer.from(`${value}\0`, "utf8");
      u32(encoded.length);
      parts.push(...encoded);
    };
    u32(0);
    u32(0);
    text(frameId);
    u32(heightPx);
    u32(widthPx);
    text(encoding);
    parts.push(0);
    u32(stepBytes);
    u32(stepBytes * heightPx);
    this.bytes = Buffer.alloc(parts.length + stepBytes * heightPx);
    this.bytes.set(parts);
    this.pixels = this.bytes.subarray(parts.length);
  }

  stamp(stampNs: EpochNs): void {
    this.bytes.writeInt32LE(Number(stampNs / NS_PER_S), 4);
    this.bytes.writeUInt32LE(Number(asEpochNs(stampNs % NS_PER_S)), 8);
  }
}
