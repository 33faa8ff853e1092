/**
 * Reads segment files back. Nothing in them is believed: a file that is none, or a newer version's, is left out with
 * its reason; damage inside of one costs only the damaged chunks; both are counted and told.
 */
import {
  CHUNK_TYPES,
  type Chunk,
  type ChunkTrouble,
  FORMAT_VERSION,
  type RowShape,
  readChunks,
  readFileHeader,
  rowBytes,
} from "./format.js";
import { parseSegmentName } from "./segmentName.js";
import { type LoggedEvent, LoggedNews, SessionInfo } from "./session.js";
import { TickTable } from "./ticks.js";

export interface SegmentFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Session {
  readonly info: SessionInfo;
  readonly ticks: TickTable;
  /** Oldest first. */
  readonly events: readonly LoggedEvent[];
  readonly commanderNames: ReadonlyMap<number, string>;
  /** The process ended in order and said so. */
  readonly ended: boolean;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Add to a monotonic time [ms] for epoch time [ms]. */
  readonly epochOffsetMs: number;
}

export interface BlackBoxRecord {
  /** Oldest first. */
  readonly sessions: readonly Session[];
  readonly filesRead: number;
  readonly filesSkipped: readonly { readonly name: string; readonly reason: string }[];
  readonly damagedChunks: number;
  readonly tornBytes: number;
}

interface Segment {
  readonly info: SessionInfo;
  readonly shape: RowShape;
  rows: Buffer[];
  events: LoggedEvent[];
  commanderNames: Map<number, string>;
  ended: boolean;
  times: { firstMs: number; lastMs: number };
  epochOffsetMs: number | undefined;
}

/** @returns the segment, or why the file is left out */
export function parseSegment(bytes: Buffer, trouble: ChunkTrouble): Segment | { readonly reason: string } {
  const header = readFileHeader(bytes);
  if ("trouble" in header) return { reason: header.trouble };
  let segment: Segment | undefined;
  for (const chunk of readChunks(bytes, trouble)) {
    if (!Number.isFinite(chunk.timeMs)) trouble.damaged++;
    else if (segment === undefined) {
      segment = startSegment(chunk, header);
      if (segment === undefined) trouble.damaged++;
    } else if (!takeChunk(segment, chunk)) trouble.damaged++;
  }
  return segment ?? { reason: `holds no session (format ${FORMAT_VERSION}, ${bytes.length} bytes)` };
}

function startSegment({ type, timeMs, payload }: Chunk, shape: RowShape): Segment | undefined {
  if (type !== CHUNK_TYPES.session) return undefined;
  const info = SessionInfo.safeParse(parseJson(payload)).data;
  if (info === undefined || info.jointNames.length !== shape.jointCount) return undefined;
  return {
    info,
    shape,
    rows: [],
    events: [],
    commanderNames: new Map(),
    ended: false,
    times: { firstMs: timeMs, lastMs: timeMs },
    epochOffsetMs: undefined,
  };
}

/** @returns false when the chunk makes no sense */
function takeChunk(segment: Segment, { type, timeMs, payload }: Chunk): boolean {
  switch (type) {
    case CHUNK_TYPES.session:
      break;
    case CHUNK_TYPES.clocks: {
      if (payload.length !== 16) return false;
      const offsetMs = payload.readDoubleLE(8) - payload.readDoubleLE(0);
      if (!Number.isFinite(offsetMs)) return false;
      segment.epochOffsetMs = offsetMs;
      break;
    }
    case CHUNK_TYPES.ticks:
      if (payload.length === 0 || payload.length % rowBytes(segment.shape) !== 0) return false;
      segment.rows.push(payload);
      break;
    case CHUNK_TYPES.event: {
      const news = LoggedNews.safeParse(parseJson(payload)).data;
      if (news === undefined) return false;
      segment.events.push({ ...news, atMs: timeMs });
      break;
    }
    case CHUNK_TYPES.commander:
      if (payload.length < 2) return false;
      segment.commanderNames.set(payload.readUInt16LE(0), payload.toString("utf8", 2));
      break;
    case CHUNK_TYPES.end:
      segment.ended = true;
      break;
    default:
      return false;
  }
  segment.times.lastMs = Math.max(segment.times.lastMs, timeMs);
  return true;
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    return undefined;
  }
}

/** Puts the segments of one folder together, whatever order they come in. */
export function readBlackBox(files: readonly SegmentFile[]): BlackBoxRecord {
  const trouble: ChunkTrouble = { damaged: 0, tornBytes: 0 };
  const skipped: { name: string; reason: string }[] = [];
  const bySession = new Map<string, Segment[]>();
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, bytes } of sorted) {
    const segment =
      parseSegmentName(name) === undefined
        ? { reason: "has no segment's name" }
        : parseSegment(bytes, trouble);
    if ("reason" in segment) skipped.push({ name, reason: segment.reason });
    else {
      const key = `${segment.info.id} ${segment.shape.jointCount} ${segment.shape.baseCount}`;
      bySession.set(key, [...(bySession.get(key) ?? []), segment]);
    }
  }
  return {
    sessions: [...bySession.values()].map(joinSegments),
    filesRead: sorted.length - skipped.length,
    filesSkipped: skipped,
    damagedChunks: trouble.damaged,
    tornBytes: trouble.tornBytes,
  };
}

function joinSegments(segments: readonly Segment[]): Session {
  const newest = segments.at(-1)!;
  return {
    info: newest.info,
    ticks: new TickTable(Buffer.concat(segments.flatMap(({ rows }) => rows)), newest.shape),
    events: segments.flatMap(({ events }) => events).sort((a, b) => a.atMs - b.atMs),
    commanderNames: new Map(segments.flatMap(({ commanderNames }) => [...commanderNames])),
    ended: newest.ended,
    firstMs: segments[0]!.times.firstMs,
    lastMs: newest.times.lastMs,
    // The newest pair of clocks is the best one: the wall clock may have been set meanwhile.
    epochOffsetMs: segments.findLast((segment) => segment.epochOffsetMs !== undefined)?.epochOffsetMs ?? 0,
  };
}
