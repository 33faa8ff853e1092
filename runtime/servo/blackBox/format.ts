/**
 * The black box's file format. A segment file is a header and then chunks; each chunk has a marker, a checksum and the
 * time of what is in it, so that a torn or damaged one is noticed and costs only itself. All numbers are little endian;
 * times are milliseconds of CLOCK_MONOTONIC as float64 (good to a microsecond for a hundred years of uptime).
 *
 * Writer and reader share the tables here. Any change of them raises `FORMAT_VERSION`.
 */
import { crc32 } from "node:zlib";

export const FORMAT_VERSION = 2;
const MAGIC = Buffer.from("CRBLKBX\n", "latin1");
/** Magic, u16 version, u16 joint count, u16 numbers of the base (version 2; 0 for a robot that has none), u16 zero. */
export const FILE_HEADER_BYTES = 16;
export const JOINTS_MAX = 64;

/** u32 marker, u8 type, u8 flags, u16 zero, u32 payload bytes, u32 CRC-32 of all but marker and checksum, f64 time. */
export const CHUNK_HEADER_BYTES = 24;
export const CHUNK_MARKER = 0x6b4e_4843;
const CRC_AT = 12;
const TIME_AT = 16;
export const PAYLOAD_BYTES_MAX = 1 << 20;

export const CHUNK_TYPES = {
  /** JSON, see `session.ts`; first in every segment. */
  session: 1,
  /** One pair of clocks: f64 monotonic [ms], f64 epoch [ms]. */
  clocks: 2,
  /** Rows, oldest first; the chunk's time is the newest row's. */
  ticks: 3,
  /** JSON of one event. */
  event: 4,
  /** u16 number, then the name that rows with this number mean. */
  commander: 5,
  /** The session ended in order. */
  end: 6,
} as const;

/** Kind of the event that tells why the process ended; no event of the servo's own has it. */
export const PROCESS_KIND = "process";

/** Flags of an event chunk. */
export const FLAG_INCIDENT = 1;

/**
 * One row: fixed fields, then five blocks of one float32 per joint, then a robot's base where it has one. Float32, because the arm's own wire has no more;
 * what the recorder keeps for training comes from the snapshots.
 */
export const ROW = {
  tick: 0,
  tickMs: 8,
  commandWireMs: 16,
  epoch: 24,
  reasons: 28,
  commandSeq: 32,
  /** Rows that found no room since the session's start. */
  lostRows: 36,
  deviceErrorCode: 40,
  commander: 42,
  state: 44,
  stateAgeMs: 48,
  commandAgeMs: 52,
  inputAgeMs: 56,
  supervisorAgeMs: 60,
  commanderAgeMs: 64,
  gripperOpeningM: 68,
  joints: 72,
} as const;
export const JOINT_BLOCKS = [
  "positionRad",
  "velocityRadPerS",
  "effortNm",
  "requestedRad",
  "sentRad",
] as const;
export type JointBlock = (typeof JOINT_BLOCKS)[number];

/**
 * Of a robot on legs, after the joints, one float32 each: orientation x y z w, position [m], velocity in the base [m/s], turn
 * rate [rad/s], specific force [m/s²], then the joints without motor [rad].
 */
export const BASE_NUMBERS = 4 + 3 + 3 + 3 + 3;

export interface RowShape {
  readonly jointCount: number;
  /** Numbers of the base in each row; 0 for a robot that has none. */
  readonly baseCount: number;
}

export const rowBytes = ({ jointCount, baseCount }: RowShape): number =>
  Math.ceil((ROW.joints + 4 * (JOINT_BLOCKS.length * jointCount + baseCount)) / 8) * 8;

export function fileHeader({ jointCount, baseCount }: RowShape): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt16LE(FORMAT_VERSION, 8);
  header.writeUInt16LE(jointCount, 10);
  header.writeUInt16LE(baseCount, 12);
  return header;
}

/** The joint count, or why this is no segment that can be read. */
export function readFileHeader(bytes: Buffer): RowShape | { trouble: string } {
  if (bytes.length < FILE_HEADER_BYTES) return { trouble: `has ${bytes.length} bytes, too few for a header` };
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return { trouble: "is no black box segment" };
  const version = bytes.readUInt16LE(8);
  if (version > FORMAT_VERSION)
    return {
      trouble: `was written by a newer version (format ${version}; this one reads ${FORMAT_VERSION})`,
    };
  const jointCount = bytes.readUInt16LE(10);
  const baseCount = version === 1 ? 0 : bytes.readUInt16LE(12);
  if (version === 0 || jointCount === 0 || jointCount > JOINTS_MAX || baseCount > BASE_NUMBERS + JOINTS_MAX)
    return { trouble: `has a damaged header (format ${version}, ${jointCount} joints)` };
  return { jointCount, baseCount };
}

/** Puts the header before a payload that already lies at `at + CHUNK_HEADER_BYTES`. @returns the chunk's bytes */
export function sealChunk(
  buffer: Buffer,
  at: number,
  type: number,
  flags: number,
  timeMs: number,
  payloadBytes: number,
): number {
  buffer.writeUInt32LE(CHUNK_MARKER, at);
  buffer.writeUInt8(type, at + 4);
  buffer.writeUInt8(flags, at + 5);
  buffer.writeUInt16LE(0, at + 6);
  buffer.writeUInt32LE(payloadBytes, at + 8);
  buffer.writeDoubleLE(timeMs, at + TIME_AT);
  buffer.writeUInt32LE(checksum(buffer, at, payloadBytes), at + CRC_AT);
  return CHUNK_HEADER_BYTES + payloadBytes;
}

export function chunk(type: number, flags: number, timeMs: number, payload: Uint8Array): Buffer {
  const buffer = Buffer.alloc(CHUNK_HEADER_BYTES + payload.length);
  buffer.set(payload, CHUNK_HEADER_BYTES);
  sealChunk(buffer, 0, type, flags, timeMs, payload.length);
  return buffer;
}

function checksum(buffer: Buffer, at: number, payloadBytes: number): number {
  const head = crc32(buffer.subarray(at + 4, at + CRC_AT));
  return crc32(buffer.subarray(at + TIME_AT, at + CHUNK_HEADER_BYTES + payloadBytes), head);
}

export interface Chunk {
  readonly type: number;
  readonly flags: number;
  readonly timeMs: number;
  readonly payload: Buffer;
}

/** What was passed over while chunks were read. */
export interface ChunkTrouble {
  /** Stretches of bytes without a valid chunk. */
  damaged: number;
  /** Bytes after the last whole chunk: the file's writer was interrupted. */
  tornBytes: number;
}

/** Valid chunks in order. Damage is skipped up to the next marker whose checksum is right, and counted. */
export function* readChunks(bytes: Buffer, trouble: ChunkTrouble): Generator<Chunk> {
  let at = FILE_HEADER_BYTES;
  while (at < bytes.length) {
    const size = validChunkBytes(bytes, at);
    if (size === undefined) {
      const next = nextValid(bytes, at + 1);
      if (next === undefined) {
        trouble.tornBytes += bytes.length - at;
        return;
      }
      trouble.damaged++;
      at = next;
      continue;
    }
    yield {
      type: bytes.readUInt8(at + 4),
      flags: bytes.readUInt8(at + 5),
      timeMs: bytes.readDoubleLE(at + TIME_AT),
      payload: bytes.subarray(at + CHUNK_HEADER_BYTES, at + size),
    };
    at += size;
  }
}

function validChunkBytes(bytes: Buffer, at: number): number | undefined {
  if (at + CHUNK_HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== CHUNK_MARKER) return undefined;
  const payloadBytes = bytes.readUInt32LE(at + 8);
  if (payloadBytes > PAYLOAD_BYTES_MAX || at + CHUNK_HEADER_BYTES + payloadBytes > bytes.length)
    return undefined;
  if (bytes.readUInt32LE(at + CRC_AT) !== checksum(bytes, at, payloadBytes)) return undefined;
  return CHUNK_HEADER_BYTES + payloadBytes;
}

const MARKER_BYTES = Buffer.alloc(4);
MARKER_BYTES.writeUInt32LE(CHUNK_MARKER);
/** A damaged file full of markers must not cost a checksum of a megabyte for each. */
const TRIES_MAX = 500;

function nextValid(bytes: Buffer, from: number): number | undefined {
  let at = bytes.indexOf(MARKER_BYTES, from);
  for (let tries = 0; at >= 0 && tries < TRIES_MAX; tries++) {
    if (validChunkBytes(bytes, at) !== undefined) return at;
    at = bytes.indexOf(MARKER_BYTES, at + 1);
  }
  return undefined;
}
