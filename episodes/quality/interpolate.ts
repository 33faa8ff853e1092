/** Measured joints at a moment between two measurements. */
import type { TimedState } from "./timedStates.js";

export interface InterpolatedState {
  /** Time that the interpolated values belong to, computed from the weights that were used. */
  readonly timeNs: bigint;
  /** From the measurement before to the moment, and on to the one after; both at least 0. */
  readonly beforeMs: number;
  readonly afterMs: number;
  /** Base to tool. */
  readonly positionRad: number[];
  /** Mean between the two measurements. */
  readonly velocityRadPerS: number[];
  /**
   * Half the gap between the two measurements times the fastest speed of a joint there: the larger of the two measured
   * and the mean one. No path of at most this speed through both is further from the straight line: at a share w of a
   * gap h in which the joint moves by d, it is at most min(w (v h - d), (1 - w) (v h + d)) <= v h / 2 off. A joint that
   * was faster in between, as in a shock, is not covered.
   */
  readonly positionErrorRad: number;
  /** The larger of the clock bounds of the two measurements. */
  readonly clockErrorMs: number;
}

/**
 * Linear between the neighbours of `atNs`. Undefined outside of the measurements or between ones of different length.
 * @param states in order of capture
 */
export function interpolateState(states: readonly TimedState[], atNs: bigint): InterpolatedState | undefined {
  const after = firstNotBefore(states, atNs);
  const b = states[after];
  const a = b?.capturedNs === atNs ? b : states[after - 1];
  if (a === undefined || b === undefined || a.positionRad.length !== b.positionRad.length) return undefined;
  const gapNs = Number(b.capturedNs - a.capturedNs);
  const share = gapNs === 0 ? 0 : Number(atNs - a.capturedNs) / gapNs;
  const positionRad = Array.from(
    a.positionRad,
    (from, joint) => from + share * (b.positionRad[joint]! - from),
  );
  const velocityRadPerS = Array.from(a.positionRad, (from, joint) =>
    gapNs === 0 ? (a.velocityRadPerS[joint] ?? 0) : ((b.positionRad[joint]! - from) * 1e9) / gapNs,
  );
  const fastest = Math.max(
    0,
    ...[...velocityRadPerS, ...a.velocityRadPerS, ...b.velocityRadPerS].map(Math.abs),
  );
  return {
    timeNs: a.capturedNs + BigInt(Math.round(share * gapNs)),
    beforeMs: Number(atNs - a.capturedNs) / 1e6,
    afterMs: Number(b.capturedNs - atNs) / 1e6,
    positionRad,
    velocityRadPerS,
    positionErrorRad: (fastest * gapNs) / 2e9,
    clockErrorMs: Math.max(a.errorMs, b.errorMs),
  };
}

/** Index of the first state captured at or after a time. */
function firstNotBefore(states: readonly TimedState[], atNs: bigint): number {
  let low = 0;
  let high = states.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (states[middle]!.capturedNs < atNs) low = middle + 1;
    else high = middle;
  }
  return low;
}
