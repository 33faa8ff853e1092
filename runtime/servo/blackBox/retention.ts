/**
 * Which segment files are kept: all that reach into the last minute, and those around the newest few incidents, because
 * people ask why an hour later. What is left over is deleted, so the folder's size is bounded.
 */

/** A segment is closed and the next begun after this long. */
export const SEGMENT_S = 15;
export const KEPT_S = 60;
const INCIDENTS_KEPT = 4;
/** Around an incident. */
const CONTEXT_S = 10;
/** Whatever happens: about a megabyte each at 250 Hz. */
export const SEGMENTS_MAX = 24;

/** Times are epoch [ms], because several sessions share the folder. */
export interface SegmentSpan {
  readonly path: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly incidentsMs: readonly number[];
}

/** @param segments oldest first @returns those to delete */
export function expiredSegments(segments: readonly SegmentSpan[], nowMs: number): SegmentSpan[] {
  const kept = newestIncidents(segments);
  const isKept = ({ fromMs, toMs }: SegmentSpan) =>
    toMs >= nowMs - 1000 * KEPT_S ||
    kept.some((atMs) => fromMs <= atMs + 1000 * CONTEXT_S && toMs >= atMs - 1000 * CONTEXT_S);
  const expired = segments.filter((segment) => !isKept(segment));
  const rest = segments.filter(isKept);
  return [...expired, ...rest.slice(0, Math.max(0, rest.length - SEGMENTS_MAX))];
}

/** Incidents within one context are one. */
function newestIncidents(segments: readonly SegmentSpan[]): number[] {
  const newestFirst = segments.flatMap(({ incidentsMs }) => incidentsMs).sort((a, b) => b - a);
  const kept: number[] = [];
  for (const atMs of newestFirst) {
    const last = kept.at(-1);
    if (last !== undefined && last - atMs < 1000 * CONTEXT_S) continue;
    if (kept.push(atMs) === INCIDENTS_KEPT) break;
  }
  return kept;
}
