/**
 * The accelerations that belong to a row of setpoints, one a tick: those of the cubic spline through them, which is the
 * motion that the interpolator makes, its acceleration being linear within a tick (`jerkLimited.ts`). They cannot be
 * found tick by tick: solved forwards, a rounding error of a position grows by 3.7 in every tick. Solved over the whole
 * row, whose velocity at both ends is known, it dies out instead.
 */

/**
 * Solves (a[k-1] + 4 a[k] + a[k+1]) T²/6 = x[k+1] - 2 x[k] + x[k-1] for each joint.
 *
 * @param positionRad setpoints tick by tick, base to tool
 * @param startRadPerS, endRadPerS velocities at both ends, none = at rest
 * @returns accelerations [rad/s²] in the same order; for recorded setpoints within about 1e-9 of those of the recording
 */
export function splineAccelerations(
  positionRad: ArrayLike<number>,
  jointCount: number,
  periodS: number,
  startRadPerS?: ArrayLike<number>,
  endRadPerS?: ArrayLike<number>,
): Float64Array {
  const ticks = positionRad.length / jointCount;
  const out = new Float64Array(positionRad.length);
  if (ticks < 2) return out;
  const perTick2 = 6 / (periodS * periodS);
  /** Of the eliminated system: what is above the diagonal. The same for all joints. */
  const above = new Float64Array(ticks);
  for (let joint = 0; joint < jointCount; joint++) {
    const x = (tick: number) => positionRad[tick * jointCount + joint]!;
    above[0] = 0.5;
    const startStep = (startRadPerS?.[joint] ?? 0) * periodS;
    const endStep = (endRadPerS?.[joint] ?? 0) * periodS;
    out[joint] = ((x(1) - x(0) - startStep) * perTick2) / 2;
    for (let tick = 1; tick < ticks; tick++) {
      const isEnd = tick === ticks - 1;
      const wanted = isEnd
        ? x(tick - 1) - x(tick) + endStep
        : x(tick + 1) - x(tick) - (x(tick) - x(tick - 1));
      const pivot = (isEnd ? 2 : 4) - above[tick - 1]!;
      above[tick] = 1 / pivot;
      out[tick * jointCount + joint] = (wanted * perTick2 - out[(tick - 1) * jointCount + joint]!) / pivot;
    }
    for (let tick = ticks - 2; tick >= 0; tick--)
      out[tick * jointCount + joint]! -= above[tick]! * out[(tick + 1) * jointCount + joint]!;
  }
  return out;
}
