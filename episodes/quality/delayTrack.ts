/**
 * How one clock stands to another over an episode, in bounded memory: the smallest delay (receive time minus stamp) of
 * each window of time, with the stamp interval that was furthest from regular. Delays only ever add, so the smallest
 * ones show the clocks; from them come steps and drift.
 */
import { type EnvelopeLine, lowerEnvelope } from "./envelope.js";

const WINDOW_MS = 250;
/** Then neighbours are joined and windows become twice as long. */
const WINDOWS_MAX = 1024;
/** A step of the clock must hold for so long on both sides; a mere change of the path's delay for longer. */
const STEP_HOLDS_MS = 2500;
const SHIFT_HOLDS_MS = 10_000;
/**
 * The smallest of k windows lies above the fastest by about 1.44 scatter / k, exponentially: a change of 18 scatter / k
 * is chance once in 300,000.
 */
const CHANCE = 18;

export interface DelayWindow {
  /** Of the smallest delay: receive time since the track's first message, and the delay [ns]. */
  readonly atNs: number;
  readonly delayNs: number;
  /** Stamp interval minus the usual one, the largest by amount [ns]. */
  readonly irregularNs: number;
}

export interface ClockChange {
  /** Receive time since the track's first message. */
  readonly atNs: number;
  /** Change of stamp minus receive time: positive when the stamps' clock was set forward [ns]. */
  readonly byNs: number;
  /** `step`: the stamps themselves jumped. `delay`: they go on regularly, but come later or sooner than before. */
  readonly kind: "step" | "delay";
}

export class DelayTrack {
  #windows: DelayWindow[] = [];
  #windowNs = WINDOW_MS * 1e6;
  #open: { index: number; atNs: number; delayNs: number; irregularNs: number } | undefined;

  /** Length of a window now. */
  get windowNs(): number {
    return this.#windowNs;
  }

  /** In order of `atNs`. @param irregularNs stamp interval minus the usual one */
  add(atNs: number, delayNs: number, irregularNs: number): void {
    const index = Math.floor(atNs / this.#windowNs);
    const open = this.#open;
    if (open !== undefined && open.index === index) {
      if (delayNs < open.delayNs) {
        open.delayNs = delayNs;
        open.atNs = atNs;
      }
      if (Math.abs(irregularNs) > Math.abs(open.irregularNs)) open.irregularNs = irregularNs;
      return;
    }
    if (open !== undefined) this.#close(open);
    this.#open = { index: Math.floor(atNs / this.#windowNs), atNs, delayNs, irregularNs };
  }

  windows(): readonly DelayWindow[] {
    if (this.#open === undefined) return this.#windows;
    const { atNs, delayNs, irregularNs } = this.#open;
    return [...this.#windows, { atNs, delayNs, irregularNs }];
  }

  #close({ atNs, delayNs, irregularNs }: DelayWindow): void {
    this.#windows.push({ atNs, delayNs, irregularNs });
    if (this.#windows.length < WINDOWS_MAX) return;
    this.#windowNs *= 2;
    const joined: DelayWindow[] = [];
    for (const window of this.#windows) {
      const last = joined.at(-1);
      if (last !== undefined && this.#indexOf(last) === this.#indexOf(window))
        joined[joined.length - 1] = join(last, window);
      else joined.push(window);
    }
    this.#windows = joined;
  }

  #indexOf(window: DelayWindow): number {
    return Math.floor(window.atNs / this.#windowNs);
  }
}

const join = (a: DelayWindow, b: DelayWindow): DelayWindow => ({
  ...(a.delayNs <= b.delayNs ? a : b),
  irregularNs: Math.abs(a.irregularNs) >= Math.abs(b.irregularNs) ? a.irregularNs : b.irregularNs,
});

/** Of all windows [ns]; infinite without any. */
export const smallestDelayNs = (windows: readonly DelayWindow[]): number =>
  windows.reduce((least, { delayNs }) => Math.min(least, delayNs), Number.POSITIVE_INFINITY);

/** With more messages out of order than this, an interval between two in order of receipt says nothing. */
export const OVERTAKEN_SHARE_MAX = 0.01;

/**
 * Places where stamp minus receive time changed for good by more than `boundNs`. A network that stalls for a while is
 * none: its delays come back. The windows' own scatter must be exceeded, too.
 * @param isOrdered whether intervals between stamps can be trusted; not so where many messages are overtaken on the way
 */
export function clockChanges(
  windows: readonly DelayWindow[],
  boundNs: number,
  { isOrdered = true } = {},
): ClockChange[] {
  const differences = windows.slice(1).map((window, at) => Math.abs(window.delayNs - windows[at]!.delayNs));
  const scatterNs = differences.sort((a, b) => a - b)[differences.length >> 1] ?? 0;
  const levelAt = (at: number, holdsMs: number, atLeastMs: number) => {
    const { byNs, count, unsteadyNs } = levelChange(windows, at, holdsMs * 1e6, atLeastMs * 1e6);
    // A queue that fills or drains changes its level all the time.
    if (unsteadyNs > 0.5 * Math.abs(byNs)) return 0;
    return Math.abs(byNs) > Math.max(boundNs, (CHANCE * scatterNs) / count) ? byNs : 0;
  };
  const levels = windows.map((_, at) => levelAt(at, STEP_HOLDS_MS, 0));
  const changes: ClockChange[] = [];
  for (let from = 0, to = 0; from < levels.length; from = Math.max(to, from + 1)) {
    const sign = Math.sign(levels[from]!);
    for (to = from; to < levels.length && levels[to]! * sign > 0; to++);
    if (to === from) continue;
    const at = edgeOf(levels, from, to, sign);
    const near = isOrdered ? windows.slice(at - 1, at + 2) : [];
    const isJump = near.some(({ irregularNs }) => irregularNs * sign >= 0.5 * Math.abs(levels[at]!));
    const byNs = isJump ? levels[at]! : levelAt(at, SHIFT_HOLDS_MS, 0.8 * STEP_HOLDS_MS);
    if (byNs !== 0) changes.push({ atNs: windows[at]!.atNs, byNs, kind: isJump ? "step" : "delay" });
  }
  return changes;
}

/**
 * Where in a run of exceeded thresholds the change is. The smallest delay of both sides is compared, so a delay that
 * fell shows from before it on, and one that rose until long after it.
 */
function edgeOf(levels: readonly number[], from: number, to: number, sign: number): number {
  const run = levels.slice(from, to).map((level) => level * sign);
  const strong = 0.7 * Math.max(...run);
  const inRun =
    sign > 0 ? run.findLastIndex((level) => level >= strong) : run.findIndex((level) => level >= strong);
  return from + inRun;
}

interface LevelChange {
  readonly byNs: number;
  /** Windows of the shorter side. */
  readonly count: number;
  /** Median of a side's windows above its smallest, the larger of both. */
  readonly unsteadyNs: number;
}

/**
 * Smallest delay in `holdsNs` before window `at` minus the smallest in as much time from it on; 0 where a side has fewer
 * than two windows or is shorter than `atLeastNs`.
 */
function levelChange(
  windows: readonly DelayWindow[],
  at: number,
  holdsNs: number,
  atLeastNs: number,
): LevelChange {
  const edgeNs = windows[at]!.atNs;
  let first = at;
  let last = at;
  while (first > 0 && edgeNs - windows[first - 1]!.atNs <= holdsNs) first--;
  while (last < windows.length && windows[last]!.atNs - edgeNs <= holdsNs) last++;
  const count = Math.min(at - first, last - at);
  const isEnough =
    count >= 2 && edgeNs - windows[first]!.atNs >= atLeastNs && windows[last - 1]!.atNs - edgeNs >= atLeastNs;
  if (!isEnough) return { byNs: 0, count, unsteadyNs: 0 };
  const [before, after] = [windows.slice(first, at), windows.slice(at, last)].map((side) =>
    side.map(({ delayNs }) => delayNs).sort((a, b) => a - b),
  );
  const unsteady = (sorted: readonly number[]) => sorted[sorted.length >> 1]! - sorted[0]!;
  return {
    byNs: before![0]! - after![0]!,
    count,
    unsteadyNs: Math.max(unsteady(before!), unsteady(after!)),
  };
}

/** Drift of the stamps' clock against the host's between two changes, the longest such part. Undefined when too short. */
export function longestLine(
  windows: readonly DelayWindow[],
  changes: readonly ClockChange[],
): (EnvelopeLine & { spanNs: number }) | undefined {
  const edges = [Number.NEGATIVE_INFINITY, ...changes.map(({ atNs }) => atNs), Number.POSITIVE_INFINITY];
  let longest: DelayWindow[] = [];
  for (let i = 1; i < edges.length; i++) {
    const part = windows.filter(({ atNs }) => atNs >= edges[i - 1]! && atNs < edges[i]!);
    if (spanOf(part) > spanOf(longest)) longest = part;
  }
  if (longest.length < 3 || spanOf(longest) < DRIFT_SPAN_MIN_NS) return undefined;
  const line = lowerEnvelope(
    longest.map(({ atNs, delayNs }) => ({ x: atNs - delayNs, y: delayNs })),
    Number.POSITIVE_INFINITY,
  );
  return Math.abs(line.slope) > DRIFT_ABSURD ? undefined : { ...line, spanNs: spanOf(longest) };
}

/** In less time a drift is not told from chance; and what drifts by more than this is no clock. */
const DRIFT_SPAN_MIN_NS = 1e9;
export const DRIFT_ABSURD = 0.01;
const spanOf = (windows: readonly DelayWindow[]): number =>
  windows.length === 0 ? 0 : windows.at(-1)!.atNs - windows[0]!.atNs;
