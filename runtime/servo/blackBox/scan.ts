/**
 * What older sessions left in the folder, told from chunk headers alone: a session that starts must not spend its time
 * and memory on reading it all. Checksums are the reader's business; here a damaged file only looks shorter.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { CHUNK_HEADER_BYTES, CHUNK_MARKER, CHUNK_TYPES, FILE_HEADER_BYTES, FLAG_INCIDENT } from "./format.js";
import type { SegmentSpan } from "./retention.js";
import { parseSegmentName } from "./segmentName.js";

const CHUNKS_MAX = 100_000;

/** Oldest first. A session without its end counts as an incident at its last chunk. */
export function scanFolder(folder: string, ownStem: string): SegmentSpan[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  const spans: SegmentSpan[] = [];
  const lastOf = new Map<string, { index: number; ended: boolean }>();
  for (const name of names) {
    const stem = parseSegmentName(name)?.stem;
    if (stem === undefined || stem === ownStem) continue;
    const scanned = scanSegment(join(folder, name));
    if (scanned === undefined) continue;
    lastOf.set(stem, { index: spans.push(scanned.span) - 1, ended: scanned.ended });
  }
  for (const { index, ended } of lastOf.values()) {
    const span = spans[index]!;
    if (!ended) spans[index] = { ...span, incidentsMs: [...span.incidentsMs, span.toMs] };
  }
  return spans;
}

function scanSegment(path: string): { span: SegmentSpan; ended: boolean } | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    return scanChunks(path, file);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

function scanChunks(path: string, file: number): { span: SegmentSpan; ended: boolean } {
  const { size, mtimeMs } = fstatSync(file);
  const head = Buffer.alloc(CHUNK_HEADER_BYTES + 16);
  const times: number[] = [];
  const incidents: number[] = [];
  let offsetMs: number | undefined;
  let ended = false;
  let at = FILE_HEADER_BYTES;
  for (let count = 0; count < CHUNKS_MAX && at + CHUNK_HEADER_BYTES <= size; count++) {
    const read = readSync(file, head, 0, head.length, at);
    if (read < CHUNK_HEADER_BYTES || head.readUInt32LE(0) !== CHUNK_MARKER) break;
    const type = head.readUInt8(4);
    const timeMs = head.readDoubleLE(16);
    if (Number.isFinite(timeMs)) times.push(timeMs);
    if (type === CHUNK_TYPES.event && (head.readUInt8(5) & FLAG_INCIDENT) !== 0) incidents.push(timeMs);
    if (type === CHUNK_TYPES.clocks && read === head.length)
      offsetMs = head.readDoubleLE(CHUNK_HEADER_BYTES + 8) - head.readDoubleLE(CHUNK_HEADER_BYTES);
    ended ||= type === CHUNK_TYPES.end;
    at += CHUNK_HEADER_BYTES + head.readUInt32LE(8);
  }
  if (offsetMs === undefined || times.length === 0)
    return { span: { path, fromMs: mtimeMs, toMs: mtimeMs, incidentsMs: [] }, ended };
  const shift = offsetMs;
  return {
    span: {
      path,
      fromMs: times.reduce((a, b) => Math.min(a, b)) + shift,
      toMs: times.reduce((a, b) => Math.max(a, b)) + shift,
      incidentsMs: incidents.map((atMs) => atMs + shift),
    },
    ended,
  };
}
