/**
 * What quality needs of a message, read by offset without decoding it: its stamp, the form of a picture, where its
 * content lies, a tick's report. CDR little endian, alignment counted after the 4-byte encapsulation header (OMG
 * DDSI-RTPS). Bytes come from anywhere: whatever does not fit gives undefined, and nothing is read past the end.
 */
import { CLOCK_MAPPING, POLICY_STEP, SERVO_TICK } from "../messages.js";

export const IMAGE = "sensor_msgs/msg/Image";
export const COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage";

/** Types that begin with a std_msgs/Header, or with a Time of their own; a stamp is at the same place in both. */
const STAMPED =
  /^(cerebellum_msgs\/msg\/(ServoTick|PolicyStep|Event)|sensor_msgs\/msg\/(?!ChannelFloat32|JoyFeedback|JoyFeedbackArray|NavSatStatus|PointField|RegionOfInterest)\w+|\w+\/msg\/\w+Stamped|nav_msgs\/msg\/(Odometry|Path|OccupancyGrid|GridCells)|trajectory_msgs\/msg\/(MultiDOF)?JointTrajectory|diagnostic_msgs\/msg\/DiagnosticArray)$/;

export type HeadKind = "image" | "compressed" | "tick" | "step" | "clock" | "stamped" | "plain";

const KINDS: Readonly<Record<string, HeadKind>> = {
  [IMAGE]: "image",
  [COMPRESSED_IMAGE]: "compressed",
  [SERVO_TICK]: "tick",
  [POLICY_STEP]: "step",
  [CLOCK_MAPPING]: "clock",
};
export const headKind = (type: string): HeadKind => KINDS[type] ?? (STAMPED.test(type) ? "stamped" : "plain");

const STAMP_END = 12;
const NS_PER_S = 1_000_000_000n;

/** Reads forward through a message; every read says undefined instead of leaving it. */
class Walk {
  readonly #view: DataView;
  constructor(
    bytes: Uint8Array,
    public at: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  #take(bytes: number, align: number): number | undefined {
    const from = 4 + Math.ceil((this.at - 4) / align) * align;
    if (from + bytes > this.#view.byteLength) return undefined;
    this.at = from + bytes;
    return from;
  }
  u8(): number | undefined {
    const from = this.#take(1, 1);
    return from === undefined ? undefined : this.#view.getUint8(from);
  }
  u32(): number | undefined {
    const from = this.#take(4, 4);
    return from === undefined ? undefined : this.#view.getUint32(from, true);
  }
  u64(): bigint | undefined {
    const from = this.#take(8, 8);
    return from === undefined ? undefined : this.#view.getBigUint64(from, true);
  }
  stampNs(): bigint | undefined {
    const from = this.#take(8, 4);
    if (from === undefined) return undefined;
    return BigInt(this.#view.getInt32(from, true)) * NS_PER_S + BigInt(this.#view.getUint32(from + 4, true));
  }
  /** Start and length of a counted run of bytes, stepped over. */
  run(): { from: number; length: number } | undefined {
    const length = this.u32();
    if (length === undefined || this.at + length > this.#view.byteLength) return undefined;
    this.at += length;
    return { from: this.at - length, length };
  }
}

/** Whether it can begin with a stamp at all. */
export const isCdr = (bytes: Uint8Array) => bytes.length >= STAMP_END && bytes[1] === 1;
const textOf = (bytes: Uint8Array, run: { from: number; length: number }) =>
  Buffer.from(bytes.buffer, bytes.byteOffset + run.from, Math.max(0, Math.min(64, run.length - 1))).toString(
    "latin1",
  );

/** Epoch nanoseconds of a message that begins with a stamp; undefined where it has none or it is 0. */
export function readStampNs(bytes: Uint8Array): bigint | undefined {
  const stampNs = isCdr(bytes) ? new Walk(bytes, 4).stampNs() : undefined;
  return stampNs === 0n ? undefined : stampNs;
}

export interface PictureHead {
  /** e.g. "640x480 rgb8" or "640x480 jpeg"; what may not change within an episode. */
  readonly form: string;
  /** Where pixels or compressed bytes begin; they go on to `dataEnd`. */
  readonly dataFrom: number;
  readonly dataEnd: number;
}

/** Of a sensor_msgs Image. */
export function readImageHead(bytes: Uint8Array): PictureHead | undefined {
  if (!isCdr(bytes)) return undefined;
  const walk = new Walk(bytes, STAMP_END);
  if (walk.run() === undefined) return undefined;
  const heightPx = walk.u32();
  const widthPx = walk.u32();
  const encoding = walk.run();
  if (walk.u8() === undefined || walk.u32() === undefined || encoding === undefined) return undefined;
  const data = walk.run();
  if (data === undefined) return undefined;
  const form = `${widthPx}x${heightPx} ${textOf(bytes, encoding)}`;
  return { form, dataFrom: data.from, dataEnd: data.from + data.length };
}

/** Of a sensor_msgs CompressedImage; the size is looked up in JPEG and PNG bytes. */
export function readCompressedHead(bytes: Uint8Array): PictureHead | undefined {
  if (!isCdr(bytes)) return undefined;
  const walk = new Walk(bytes, STAMP_END);
  if (walk.run() === undefined) return undefined;
  const format = walk.run();
  const data = format === undefined ? undefined : walk.run();
  if (format === undefined || data === undefined) return undefined;
  const dataEnd = data.from + data.length;
  const size = pictureSize(bytes.subarray(data.from, dataEnd));
  return { form: `${size ?? "?"} ${textOf(bytes, format)}`, dataFrom: data.from, dataEnd };
}

/** PNG: IHDR comes first (W3C PNG, 11.2.1). JPEG: segments up to the frame header, SOFn (ITU-T T.81, B.2.2). */
function pictureSize(data: Uint8Array): string | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length >= 24 && view.getUint32(0) === 0x89504e47)
    return `${view.getUint32(16)}x${view.getUint32(20)}`;
  if (data.length < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2, segments = 0; at + 9 <= data.length && segments < 64; segments++) {
    const marker = view.getUint16(at);
    const isFrame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (isFrame) return `${view.getUint16(at + 7)}x${view.getUint16(at + 5)}`;
    if (marker >> 8 !== 0xff) return undefined;
    at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

export interface TickHead {
  readonly tick: number;
  /** When the device report that it shows was received. */
  readonly stateStampNs: bigint;
  readonly stateSequence: number;
  /** 0 when the device has no clock. */
  readonly deviceTimeUs: number;
}

/** Of a ServoTick, up to the device's time. */
export function readTickHead(bytes: Uint8Array): TickHead | undefined {
  if (!isCdr(bytes)) return undefined;
  const walk = new Walk(bytes, STAMP_END);
  const tick = walk.u64();
  if (walk.run() === undefined || walk.u32() === undefined || walk.run() === undefined) return undefined;
  if (walk.u32() === undefined || walk.u32() === undefined) return undefined;
  const stateStampNs = walk.stampNs();
  const stateSequence = walk.u64();
  const deviceTimeUs = walk.u64();
  if (tick === undefined || stateStampNs === undefined) return undefined;
  if (stateSequence === undefined || deviceTimeUs === undefined) return undefined;
  return {
    tick: Number(tick),
    stateStampNs,
    stateSequence: Number(stateSequence),
    deviceTimeUs: Number(deviceTimeUs),
  };
}

export interface StepHead {
  /** Whether it gave no command. */
  readonly isRefused: boolean;
  /** 0 where it had no image. */
  readonly imageStampNs: bigint;
}

/** Of a PolicyStep, up to its image. */
export function readStepHead(bytes: Uint8Array): StepHead | undefined {
  if (!isCdr(bytes)) return undefined;
  const walk = new Walk(bytes, STAMP_END);
  if (walk.run() === undefined || walk.u32() === undefined || walk.u32() === undefined) return undefined;
  const refusal = walk.run();
  if (refusal === undefined || walk.run() === undefined) return undefined;
  const imageStampNs = walk.stampNs();
  // An empty text is its terminating zero alone.
  return imageStampNs === undefined ? undefined : { isRefused: refusal.length > 1, imageStampNs };
}

/** Of a ClockMapping: epoch minus monotonic [ns]. */
export function readClockOffsetNs(bytes: Uint8Array): bigint | undefined {
  if (bytes.length < 4 || bytes[1] !== 1) return undefined;
  const walk = new Walk(bytes, 4);
  const monotonicNs = walk.u64();
  const epochNs = walk.u64();
  return monotonicNs === undefined || epochNs === undefined ? undefined : epochNs - monotonicNs;
}

/** Words of four bytes that are looked at in one content, at most. */
const WORDS_MAX = 32_768;

/**
 * Hash of a content, sampled evenly when it is large: of a raw 640 x 480 x 3 picture every eighth word, so that a change
 * of 11 pixels side by side is always seen. FNV-1a's steps over words.
 */
export function sampledHash(bytes: Uint8Array, from: number, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = (end - from) >> 2;
  const stride = 4 * Math.max(1, Math.ceil(words / WORDS_MAX));
  let hash = 0x811c9dc5 ^ (end - from);
  const last = from + 4 * words;
  for (let at = from; at < last; at += stride)
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x01000193) ^ (hash >>> 15);
  for (let at = last; at < end; at++) hash = Math.imul(hash ^ view.getUint8(at), 0x01000193);
  return hash | 0;
}
