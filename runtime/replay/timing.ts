/**
 * A row of setpoints played at another speed: the same path, by the spline through it, with a speed that is constant
 * except where it begins or ends in motion, which is ramped.
 */
import { splineAccelerations } from "../servo/splineAccelerations.js";

export interface Timing {
  /** Of the recording, and of the robot that replays it [s]. */
  readonly recordedPeriodS: number;
  readonly periodS: number;
  /** 0 < speed <= 1. */
  readonly speed: number;
  /** Time over which the speed rises or falls where the row is in motion at its start or end; 0 = none [s]. */
  readonly startRampS: number;
  readonly endRampS: number;
}

export interface TimedRow {
  readonly positionRad: Float64Array;
  /** When each setpoint is due, in setpoints of the row that it was made from. */
  readonly at: Float64Array;
}

/**
 * Setpoints that stand still before and after. The spline through the new setpoints bends a little around the places
 * where the old one's jerk changes, by a quarter of it in each tick away from there: at the ends nothing is left of that.
 */
const REST_TICKS = 16;

/** @param positionRad at least two setpoints */
export function retime(positionRad: Float64Array, jointCount: number, timing: Timing): TimedRow {
  const ticks = positionRad.length / jointCount;
  const at = duePlaces(ticks, timing);
  const T = timing.recordedPeriodS;
  const isMoving = (rampS: number) => rampS > 0;
  const accelerations = splineAccelerations(
    positionRad,
    jointCount,
    T,
    isMoving(timing.startRampS) ? velocityAtStart(positionRad, jointCount, T) : undefined,
    isMoving(timing.endRampS) ? velocityAtEnd(positionRad, jointCount, T) : undefined,
  );
  const out = new Float64Array(at.length * jointCount);
  for (const [index, place] of at.entries()) {
    const from = Math.min(ticks - 2, Math.floor(place));
    const s = (place - from) * T;
    for (let joint = 0; joint < jointCount; joint++) {
      const i = from * jointCount + joint;
      const [x0, x1] = [positionRad[i]!, positionRad[i + jointCount]!];
      const [a0, a1] = [accelerations[i]!, accelerations[i + jointCount]!];
      const velocity = (x1 - x0) / T - ((2 * a0 + a1) * T) / 6;
      out[index * jointCount + joint] =
        place === from
          ? x0
          : place === from + 1
            ? x1
            : x0 + s * (velocity + s * (a0 / 2 + (s * (a1 - a0)) / (6 * T)));
    }
  }
  return { positionRad: out, at };
}

function duePlaces(ticks: number, timing: Timing): Float64Array {
  const lengthS = (ticks - 1) * timing.recordedPeriodS;
  const { speed, periodS } = timing;
  // Both ramps together may take all of the way, not more.
  const ramps = timing.startRampS + timing.endRampS;
  const shrink = Math.min(1, (2 * lengthS) / speed / Math.max(ramps, 1e-9));
  const [startS, endS] = [timing.startRampS * shrink, timing.endRampS * shrink];
  const totalS = lengthS / speed + (startS + endS) / 2;
  const placeAt = (atS: number): number => {
    const leftS = totalS - atS;
    if (atS < startS) return speed * startS * rampWay(atS / startS);
    if (leftS < endS) return lengthS - speed * endS * rampWay(leftS / endS);
    return speed * (atS - startS / 2);
  };
  const steps = Math.ceil(totalS / periodS - 1e-9);
  const places: number[] = Array(REST_TICKS).fill(0);
  for (let step = 1; step < steps; step++)
    places.push(Math.min(ticks - 1, Math.max(0, placeAt(step * periodS) / timing.recordedPeriodS)));
  for (let tick = 0; tick <= REST_TICKS; tick++) places.push(ticks - 1);
  return Float64Array.from(places);
}

/** Way of a speed that rises from 0 to 1 as a quintic step over one unit of time: half a unit in all. */
const rampWay = (share: number): number => share ** 4 * (2.5 - 3 * share + share * share);

/** By the parabola through the first three setpoints. */
function velocityAtStart(row: Float64Array, jointCount: number, periodS: number): Float64Array {
  return Float64Array.from({ length: jointCount }, (_, joint) => {
    const x = (tick: number) => row[tick * jointCount + joint]!;
    if (row.length < 3 * jointCount) return (x(1) - x(0)) / periodS;
    return (-3 * x(0) + 4 * x(1) - x(2)) / (2 * periodS);
  });
}

function velocityAtEnd(row: Float64Array, jointCount: number, periodS: number): Float64Array {
  const last = row.length / jointCount - 1;
  return Float64Array.from({ length: jointCount }, (_, joint) => {
    const x = (tick: number) => row[tick * jointCount + joint]!;
    if (last < 2) return (x(last) - x(last - 1)) / periodS;
    return (3 * x(last) - 4 * x(last - 1) + x(last - 2)) / (2 * periodS);
  });
}
