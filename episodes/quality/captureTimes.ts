/**
 * When each message of a topic was really captured, on the host's clock, from its stamps and the times of receipt of a
 * whole episode. The stamps' clock may be another one (a controller's, a camera's): its offset and drift are read off
 * the fastest messages (`envelope.ts`).
 *
 * What cannot be known from such pairs, by any method: a constant delay that every message shares (exposure, the fastest
 * packet's way). It must be measured once and declared (`RecordedTopic.latencyMs`); it is in no bound given here. A
 * stamps' clock that is not the host's but close to it, and drifts too little to show, passes for the host's own.
 */
import {
  clockChanges,
  DelayTrack,
  DRIFT_ABSURD,
  OVERTAKEN_SHARE_MAX,
  smallestDelayNs,
} from "./delayTrack.js";
import {
  type EnvelopeLine,
  feasibleSlopes,
  lowerHull,
  onLine,
  type Point,
  supportingLine,
} from "./envelope.js";
import { DEFAULT_LIMITS, isHostDelay } from "./limits.js";

/** One message: the stamp that it carries, in any clock, and when it was received, on the host's. */
export interface ReceivedStamp {
  readonly stampNs: bigint;
  readonly receivedNs: bigint;
}

export interface RecoveryOptions {
  /**
   * Taken from every time: the declared fixed delay from capture to stamp, and of a clock that is not the host's also
   * that of the fastest message, which such a clock hides.
   */
  readonly latencyMs?: number;
  /** `other`: the stamps are known not to be the host's. `auto`: found out. */
  readonly clock?: "auto" | "other";
}

/** A run of messages whose stamps come from one clock that was neither set nor started anew. */
export interface ClockSegment {
  /** Indices of its messages, both included. */
  readonly first: number;
  readonly last: number;
  /** `host`: stamps are the host's own, and are used as they are. */
  readonly clock: "host" | "other";
  /** How much faster the stamps run than the host's clock; 0 for `host`. */
  readonly driftPpm: number;
  /** Smallest receipt minus stamp; of a clock that is not the host's it means nothing. */
  readonly delayMsMin: number;
  /**
   * With 99 % confidence no time in it is further off, declared latency apart; infinite with fewer than 8 messages. It
   * supposes that delays just above the smallest are not rarer than larger ones.
   */
  readonly errorMs: number;
}

export interface RecoveredTimes {
  /** By message, host's clock; that of receipt minus latency where the stamp is unusable. */
  readonly captureNs: BigInt64Array;
  readonly segments: readonly ClockSegment[];
  /** Indices of messages whose stamp fits neither those before nor those after. */
  readonly unusable: readonly number[];
}

/** Out of order, or ahead of receipt, by more than any network does [ns]: another clock, or none. */
const JUMP_NS = 3e9;
/** Crystals with all that wears on them; the xArm's, cameras' and computers' are within 50. */
const DRIFT_MAX = DEFAULT_LIMITS.driftPpmMax / 1e6;
/** Smaller steps are not told from delays [ns]. */
const STEP_NS = 5e6;
const SAMPLES_MIN = 8;
/** Two free parameters: the deficit at the mean is Gamma(2) of the spacing of the fastest, whose 99 % point this is. */
const GAMMA2_99 = 6.64;

/** @param samples of one topic, in order of receipt */
export function recoverCaptureTimes(
  samples: readonly ReceivedStamp[],
  { latencyMs = 0, clock = "auto" }: RecoveryOptions = {},
): RecoveredTimes {
  const captureNs = new BigInt64Array(samples.length);
  for (const [index, { receivedNs }] of samples.entries())
    captureNs[index] = receivedNs - ns(latencyMs * 1e6);
  const unusable: number[] = [];
  let host: Fit | undefined;
  const fits = coarseRuns(samples, unusable)
    .flatMap((run) => splitAtSteps(samples, run, clock === "auto"))
    .map((run) => {
      // After a set clock at most one part can be the host's: the first that looks like it, as the mapping was measured
      // before anything was set.
      const fit = fitRun(samples, run, clock === "auto" && host === undefined);
      if (fit.isHost) host = fit;
      return fit;
    });
  // The fastest way takes as long after a clock was set as before.
  const fastestNs = host?.delayNsMin ?? 0;
  for (const { run, isHost, toHostNs } of fits)
    for (const index of run)
      captureNs[index] = toHostNs(index) - ns(latencyMs * 1e6 + (isHost ? 0 : fastestNs));
  return { captureNs, segments: fits.map(toSegment), unusable };
}

interface Fit {
  readonly run: readonly number[];
  readonly isHost: boolean;
  readonly drift: number;
  readonly delayNsMin: number;
  readonly errorNs: number;
  readonly toHostNs: (index: number) => bigint;
}

const toSegment = ({ run, isHost, drift, delayNsMin, errorNs }: Fit): ClockSegment => ({
  first: run[0]!,
  last: run.at(-1)!,
  clock: isHost ? "host" : "other",
  driftPpm: isHost ? 0 : drift * 1e6,
  delayMsMin: delayNsMin / 1e6,
  errorMs: errorNs / 1e6,
});

/** Runs of indices between places where the stamps' clock began anew, wrapped or jumped far. */
function coarseRuns(samples: readonly ReceivedStamp[], unusable: number[]): number[][] {
  const isOdd = (from: ReceivedStamp, to: ReceivedStamp) => {
    const stampNs = Number(to.stampNs - from.stampNs);
    return stampNs < -JUMP_NS || stampNs - Number(to.receivedNs - from.receivedNs) > JUMP_NS;
  };
  const runs: number[][] = [];
  let newest: ReceivedStamp | undefined;
  for (const [index, sample] of samples.entries()) {
    if (newest === undefined || !isOdd(newest, sample)) {
      if (newest === undefined) runs.push([]);
      runs.at(-1)!.push(index);
      if (newest === undefined || sample.stampNs > newest.stampNs) newest = sample;
      continue;
    }
    const next = samples[index + 1];
    if (next === undefined || !isOdd(newest, next)) {
      unusable.push(index);
      continue;
    }
    runs.push([index]);
    newest = sample;
  }
  return runs;
}

/** Where the clock was set by less: seen in the delays, placed at the stamp interval that shows it. */
function splitAtSteps(
  samples: readonly ReceivedStamp[],
  run: readonly number[],
  mayBeHost: boolean,
): number[][] {
  const origin = samples[run[0]!]!;
  const stamp = (index: number) => Number(samples[index]!.stampNs - origin.stampNs);
  const received = (index: number) => Number(samples[index]!.receivedNs - origin.receivedNs);
  const irregular = irregularIntervals(Float64Array.from(run, stamp));
  const track = new DelayTrack();
  for (const [at, index] of run.entries())
    track.add(received(index), received(index) - stamp(index), irregular[at]!);
  const windows = track.windows();
  const originDelayNs = Number(origin.receivedNs - origin.stampNs);
  // A host's stamps that jump ahead, but never beyond its time: messages were lost and a queue was emptied.
  const isHost = mayBeHost && isHostDelay(originDelayNs + smallestDelayNs(windows), DEFAULT_LIMITS);
  const parts: number[][] = [];
  let from = 0;
  for (const { atNs, byNs, kind } of clockChanges(windows, STEP_NS)) {
    if (kind !== "step" || (byNs > 0 && isHost)) continue;
    let edge = from;
    let largest = 0;
    for (let at = from + 1; at < run.length; at++) {
      const jump = irregular[at]! * Math.sign(byNs);
      if (jump <= largest || Math.abs(received(run[at]!) - atNs) > 2 * track.windowNs) continue;
      largest = jump;
      edge = at;
    }
    if (edge > from) parts.push(run.slice(from, edge));
    from = edge;
  }
  return [...parts, run.slice(from)];
}

/**
 * Interval before each stamp, minus the usual one. Where many messages are overtaken the intervals are taken in order
 * of the stamps; a clock that is set back by little is then not seen.
 */
function irregularIntervals(stamps: Float64Array): Float64Array {
  const backwards = stamps.reduce((count, stamp, at) => count + Number(at > 0 && stamp < stamps[at - 1]!), 0);
  const order = Array.from(stamps.keys());
  if (backwards > OVERTAKEN_SHARE_MAX * stamps.length) order.sort((a, b) => stamps[a]! - stamps[b]!);
  const intervals = new Float64Array(stamps.length);
  for (let rank = 1; rank < order.length; rank++)
    intervals[order[rank]!] = stamps[order[rank]!]! - stamps[order[rank - 1]!]!;
  const usual = median(intervals.filter((interval) => interval > 0));
  return intervals.map((interval) => (interval === 0 ? 0 : interval - usual));
}

function fitRun(samples: readonly ReceivedStamp[], run: readonly number[], mayBeHost: boolean): Fit {
  const origin = samples[run[0]!]!;
  const x = (index: number) => Number(samples[index]!.stampNs - origin.stampNs);
  const points: Point[] = [];
  for (const index of run) {
    const point = { x: x(index), y: Number(samples[index]!.receivedNs - origin.receivedNs) - x(index) };
    // One report may be told of several times: it is one message.
    if (points.at(-1)?.x !== point.x) points.push(point);
  }
  const { line, slopes, deficitNs } = clockLine(points);
  const firstX = points.reduce((least, point) => Math.min(least, point.x), 0);
  const lastX = points.reduce((most, point) => Math.max(most, point.x), 0);
  const originDelayNs = Number(origin.receivedNs - origin.stampNs);
  const delayNsMin =
    originDelayNs + points.reduce((least, { y }) => Math.min(least, y), Number.POSITIVE_INFINITY);
  const isHost =
    mayBeHost && isHostDelay(delayNsMin, DEFAULT_LIMITS) && slopes.least <= 0 && slopes.most >= 0;
  return {
    run,
    isHost,
    drift: -line.slope / (1 + line.slope),
    delayNsMin,
    errorNs:
      points.length < SAMPLES_MIN
        ? Number.POSITIVE_INFINITY
        : isHost
          ? Math.max(Math.abs(slopes.least), Math.abs(slopes.most)) * (lastX - firstX)
          : endsErrorNs(line, slopes, deficitNs, [firstX, lastX]),
    toHostNs: (index) =>
      isHost ? samples[index]!.stampNs : origin.receivedNs + ns(x(index) + onLine(line, x(index))),
  };
}

interface ClockLine {
  readonly line: EnvelopeLine;
  /** How far below the line the clocks' own may lie at the mean, and how much it may then tilt. */
  readonly deficitNs: number;
  readonly slopes: { readonly least: number; readonly most: number };
}

/** The drift is held to what crystals do, unless the points say clearly that it is more. */
function clockLine(points: readonly Point[]): ClockLine {
  const hull = lowerHull(points);
  const meanX = points.reduce((sum, { x }, index) => sum + (x - sum) / (index + 1), 0);
  const within = (slopeMax: number): ClockLine => {
    const line = supportingLine(hull, meanX, slopeMax);
    const deficitNs = deficitOf(points, line);
    return { line, deficitNs, slopes: feasibleSlopes(hull, meanX, line.atMean - deficitNs, slopeMax) };
  };
  const free = within(DRIFT_ABSURD);
  return free.slopes.least > DRIFT_MAX || free.slopes.most < -DRIFT_MAX ? free : within(DRIFT_MAX);
}

/**
 * How much later than the clocks' own line the found one may be at the mean: the spacing of the fastest messages, times
 * the 99 % point of the deficit, made larger for what a spacing from few is worth. Of each stretch of time only the
 * fastest counts: those of one moment share their delay.
 */
function deficitOf(points: readonly Point[], line: EnvelopeLine): number {
  const blocks = Math.min(128, Math.max(4, Math.floor(points.length / 4)));
  const fastest = new Float64Array(Math.min(blocks, points.length)).fill(Number.POSITIVE_INFINITY);
  for (const [at, { x, y }] of points.entries()) {
    const block = Math.floor((at * fastest.length) / points.length);
    fastest[block] = Math.min(fastest[block]!, y - onLine(line, x));
  }
  fastest.sort();
  const count = Math.min(20, Math.max(3, Math.floor(fastest.length / 4)), fastest.length - 1);
  if (count < 1) return 0;
  return ((GAMMA2_99 / Math.max(0.35, 1 - 1.6 / Math.sqrt(count))) * fastest[count]!) / count;
}

/** Largest distance between the found line and any that is possible: at one of the ends. */
const endsErrorNs = (
  line: EnvelopeLine,
  { least, most }: ClockLine["slopes"],
  deficitNs: number,
  ends: readonly number[],
): number =>
  Math.max(
    ...ends.flatMap((x) =>
      [least, most].map((slope) => Math.abs(deficitNs + (line.slope - slope) * (x - line.meanX))),
    ),
  );

const ns = (value: number): bigint => BigInt(Math.round(value));
const median = (values: Float64Array): number => values.toSorted()[values.length >> 1] ?? 0;
