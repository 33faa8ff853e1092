/**
 * Two kinds of time that must never be mixed, and the clock that all code receives instead of reading one itself.
 * Monotonic nanoseconds (CLOCK_MONOTONIC, equal in all processes of one host) order and age things;
 * epoch nanoseconds name moments to the outside (ROS stamps, recordings).
 */

declare const monotonicBrand: unique symbol;
declare const epochBrand: unique symbol;

/** Nanoseconds of CLOCK_MONOTONIC. */
export type MonotonicNs = bigint & { readonly [monotonicBrand]: true };
/** Nanoseconds since 1970-01-01 UTC. */
export type EpochNs = bigint & { readonly [epochBrand]: true };

export const NS_PER_S = 1_000_000_000n;
export const NS_PER_MS = 1_000_000n;

export const asMonotonicNs = (ns: bigint): MonotonicNs => ns as MonotonicNs;
export const asEpochNs = (ns: bigint): EpochNs => ns as EpochNs;

/** The only source of time, waits and delays outside `launch/systemClock.ts`. */
export interface Clock {
  nowNs(): MonotonicNs;
  /** The same time [ms], for code that must not allocate; good to a microsecond. */
  nowMs(): number;
  epochNs(): EpochNs;
  /** Resolves at or after `dueNs`, or at once when `signal` aborts; never rejects. */
  sleepUntil(dueNs: MonotonicNs, signal?: AbortSignal): Promise<void>;
}

export const msToNs = (ms: number): bigint => BigInt(Math.round(ms * 1e6));
export const msToMonotonicNs = (ms: number): MonotonicNs => asMonotonicNs(msToNs(ms));
export const nsToMs = (ns: bigint): number => Number(ns) / 1e6;

export const addNs = <T extends MonotonicNs | EpochNs>(timeNs: T, deltaNs: bigint): T =>
  (timeNs + deltaNs) as unknown as T;

/** Waits `ms` from now on the given clock. */
export const sleepMs = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  clock.sleepUntil(addNs(clock.nowNs(), msToNs(ms)), signal);

/** One measured pair of both clocks: how epoch stamps become ages. */
export interface ClockMapping {
  readonly monotonicNs: MonotonicNs;
  readonly epochNs: EpochNs;
}

/** Readings of both clocks that lie closer together than this are as good as simultaneous. */
const SIMULTANEOUS_NS = 20_000n;
const READINGS_MAX = 4;

/**
 * Reads both clocks as nearly at once as can be had, good to 10 µs or to the best of four tries: a thread that loses the
 * processor between two readings would move every stamp by that pause, and the next one back.
 */
export function measureMapping(clock: Clock): ClockMapping {
  let best = readBoth(clock);
  for (let readings = 1; readings < READINGS_MAX && best.apartNs > SIMULTANEOUS_NS; readings++) {
    const next = readBoth(clock);
    if (next.apartNs < best.apartNs) best = next;
  }
  return best.mapping;
}

function readBoth(clock: Clock): { readonly mapping: ClockMapping; readonly apartNs: bigint } {
  const beforeNs = clock.nowNs();
  const epochNs = clock.epochNs();
  const apartNs = clock.nowNs() - beforeNs;
  return { mapping: { monotonicNs: addNs(beforeNs, apartNs / 2n), epochNs }, apartNs };
}

export const toMonotonicNs = (mapping: ClockMapping, epochNs: EpochNs): MonotonicNs =>
  asMonotonicNs(mapping.monotonicNs + (epochNs - mapping.epochNs));

export const toEpochNs = (mapping: ClockMapping, monotonicNs: MonotonicNs): EpochNs =>
  asEpochNs(mapping.epochNs + (monotonicNs - mapping.monotonicNs));

/** ROS builtin_interfaces/Time of an epoch time. */
export const toRosTime = (epochNs: EpochNs): { sec: number; nanosec: number } => ({
  sec: Number(epochNs / NS_PER_S),
  nanosec: Number(epochNs % NS_PER_S),
});

export const fromRosTime = (sec: number, nanosec: number): EpochNs =>
  asEpochNs(BigInt(sec) * NS_PER_S + BigInt(nanosec));
