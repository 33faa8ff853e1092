/**
 * CDR bytes of the few ROS 2 messages on the fast path, read and written by offset. Layouts: OMG DDSI-RTPS CDR
 * (little endian, alignment counted after the 4-byte encapsulation header) of sensor_msgs Image and JointState.
 * Every reader checks its bounds: bytes come from other processes.
 */
import { type EpochNs, fromRosTime, toRosTime } from "./clock.js";

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
  f64(): number {
    this.#align(8);
    this.offset += 8;
    return this.#view.getFloat64(this.offset - 8, true);
  }
  float32s(): number[] {
    const count = this.#count(4);
    this.offset += 4 * count;
    return Array.from({ length: count }, (_, i) =>
      this.#view.getFloat32(this.offset - 4 * (count - i), true),
    );
  }
  int32s(): number[] {
    return Array.from({ length: this.#count(4) }, () => this.i32());
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

export interface PoseStampedView {
  readonly stampNs: EpochNs;
  readonly frameId: string;
  readonly positionM: readonly [number, number, number];
  readonly quatXyzw: readonly [number, number, number, number];
}

/** geometry_msgs/msg/PoseStamped. Numbers are as they came: also such as are not finite. */
export const readPoseStamped = (bytes: Uint8Array): Parsed<PoseStampedView> =>
  parse(bytes, "PoseStamped", (cursor) => {
    const stampNs = cursor.stamp();
    const frameId = cursor.string();
    const f64 = () => cursor.f64();
    return { stampNs, frameId, positionM: [f64(), f64(), f64()], quatXyzw: [f64(), f64(), f64(), f64()] };
  });

export interface JoyView {
  readonly stampNs: EpochNs;
  readonly axes: readonly number[];
  /** 1 = held. */
  readonly buttons: readonly number[];
}

/** sensor_msgs/msg/Joy. */
export const readJoy = (bytes: Uint8Array): Parsed<JoyView> =>
  parse(bytes, "Joy", (cursor) => {
    const stampNs = cursor.stamp();
    cursor.string();
    return { stampNs, axes: cursor.float32s(), buttons: cursor.int32s() };
  });

/** The size that a sensor_msgs/msg/CameraInfo declares. */
export const readCameraInfoSize = (
  bytes: Uint8Array,
): Parsed<{ readonly widthPx: number; readonly heightPx: number }> =>
  parse(bytes, "CameraInfo", (cursor) => {
    cursor.stamp();
    cursor.string();
    const heightPx = cursor.u32();
    return { heightPx, widthPx: cursor.u32() };
  });

/** The time that a message begins with, as those with a std_msgs/Header do; undefined when it is none. */
export function readLeadingStamp(bytes: Uint8Array): EpochNs | undefined {
  const parsed = parse(bytes, "stamp", (cursor) => ({ sec: cursor.i32(), nanosec: cursor.u32() }));
  if (!parsed.ok) return undefined;
  const { sec, nanosec } = parsed.value;
  return sec < 0 || nanosec > 999_999_999 || (sec === 0 && nanosec === 0)
    ? undefined
    : fromRosTime(sec, nanosec);
}

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
    const head = new CdrWriter().u32(0).u32(0).text(frameId).u32(heightPx).u32(widthPx).text(encoding).u8(0);
    const start = head
      .u32(stepBytes)
      .u32(stepBytes * heightPx)
      .finish();
    this.bytes = Buffer.alloc(start.length + stepBytes * heightPx);
    this.bytes.set(start);
    this.pixels = this.bytes.subarray(start.length);
  }

  stamp(stampNs: EpochNs): void {
    const { sec, nanosec } = toRosTime(stampNs);
    this.bytes.writeInt32LE(sec, 4);
    this.bytes.writeUInt32LE(nanosec, 8);
  }
}

/** sensor_msgs/msg/CompressedImage. */
export function writeCompressedImage(
  stampNs: EpochNs,
  frameId: string,
  format: string,
  data: Uint8Array,
): Buffer {
  return new CdrWriter().stamp(stampNs).text(frameId).text(format).u32(data.length).raw(data).finish();
}

/** std_msgs/msg/String. */
export const writeString = (text: string): Buffer => new CdrWriter().text(text).finish();

/** Appends fields in the order of a message definition; alignment counts after the encapsulation header. */
export class CdrWriter {
  #parts: Uint8Array[] = [Uint8Array.of(0, 1, 0, 0)];
  #length = 4;

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }
  #align(size: number): void {
    const over = (this.#length - 4) % size;
    if (over !== 0) this.raw(new Uint8Array(size - over));
  }
  u8(value: number): this {
    return this.raw(Uint8Array.of(value));
  }
  u32(value: number): this {
    this.#align(4);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return this.raw(bytes);
  }
  /** The numbers of a sequence, without its count. */
  float64s(values: Float64Array): this {
    if (values.length === 0) return this;
    this.#align(8);
    const bytes = Buffer.alloc(8 * values.length);
    for (let i = 0; i < values.length; i++) bytes.writeDoubleLE(values[i]!, 8 * i);
    return this.raw(bytes);
  }
  text(value: string): this {
    const encoded = Buffer.from(`${value}\0`, "utf8");
    return this.u32(encoded.length).raw(encoded);
  }
  stamp(stampNs: EpochNs): this {
    const { sec, nanosec } = toRosTime(stampNs);
    return this.u32(sec >>> 0).u32(nanosec);
  }
  finish(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }
}
