/**
 * The line below all points that comes closest to them: how the clock of a device that only sends its time is read off
 * its messages. A message is late by its delay, never early, so the fastest ones lie on the line of the clocks.
 *
 * Source: S. B. Moon, P. Skelly, D. Towsley, "Estimation and removal of clock skew from network delay measurements",
 * IEEE INFOCOM 1999: the linear programme `minimise the sum of y - (a + b x), all of them >= 0`. Its optimum is the edge
 * of the lower convex hull above the mean of x: the sum is n (mean(y) - a - b mean(x)), so it is the supporting line that
 * is highest at mean(x).
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** y = atMean + slope * (x - meanX) */
export interface EnvelopeLine {
  readonly meanX: number;
  readonly atMean: number;
  readonly slope: number;
}

export const onLine = ({ meanX, atMean, slope }: EnvelopeLine, x: number): number =>
  atMean + slope * (x - meanX);

/** Lower convex hull, from left to right; points of one x give the lowest. Monotone chain (A. M. Andrew, 1979). */
export function lowerHull(points: readonly Point[]): Point[] {
  const sorted = isSorted(points) ? points : [...points].sort((a, b) => a.x - b.x || a.y - b.y);
  const hull: Point[] = [];
  for (const point of sorted) {
    if (hull.at(-1)?.x === point.x) {
      if (hull.at(-1)!.y <= point.y) continue;
      hull.pop();
    }
    while (hull.length >= 2 && turn(hull.at(-2)!, hull.at(-1)!, point) <= 0) hull.pop();
    hull.push(point);
  }
  return hull;
}

/**
 * @param points at least one, any order
 * @param slopeMax the slope is kept within plus and minus this: what is known about clocks. With few points of scattered
 *   delay the unbounded optimum tilts far more than any clock drifts
 * @returns the line that no point lies below (but for rounding), closest to them in sum
 */
export function lowerEnvelope(points: readonly Point[], slopeMax: number): EnvelopeLine {
  const meanX = points.reduce((sum, { x }, index) => sum + (x - sum) / (index + 1), 0);
  return supportingLine(lowerHull(points), meanX, slopeMax);
}

/** The same for a hull and the mean of the points that it is of. */
export function supportingLine(hull: readonly Point[], meanX: number, slopeMax: number): EnvelopeLine {
  const right = Math.max(
    1,
    hull.findIndex(({ x }) => x >= meanX),
  );
  const slope = hull.length < 2 ? 0 : slopeOf(hull[right - 1]!, hull[right]!);
  const bounded = Math.min(slopeMax, Math.max(-slopeMax, slope));
  const atMean = hull.reduce(
    (lowest, { x, y }) => Math.min(lowest, y - bounded * (x - meanX)),
    Number.POSITIVE_INFINITY,
  );
  return { meanX, atMean, slope: bounded };
}

/** Slopes of the lines through (meanX, height), a height on or below the envelope, that no point of the hull is below. */
export function feasibleSlopes(
  hull: readonly Point[],
  meanX: number,
  height: number,
  slopeMax: number,
): { least: number; most: number } {
  let least = -slopeMax;
  let most = slopeMax;
  for (const { x, y } of hull) {
    if (x > meanX) most = Math.min(most, (y - height) / (x - meanX));
    else if (x < meanX) least = Math.max(least, (y - height) / (x - meanX));
  }
  return { least: Math.min(least, slopeMax), most: Math.max(most, -slopeMax) };
}

const slopeOf = (a: Point, b: Point): number => (b.y - a.y) / (b.x - a.x);
/** Positive when a, b, c turn left. */
const turn = (a: Point, b: Point, c: Point): number => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
const isSorted = (points: readonly Point[]): boolean =>
  points.every((point, index) => index === 0 || points[index - 1]!.x <= point.x);
