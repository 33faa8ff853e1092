/** Distance between line segments, for capsules: a capsule is all that is within a radius of its segment. */

/** Shorter segments are points [m²]. */
const POINT_M2 = 1e-18;

const clamp01 = (value: number): number => Math.min(1, Math.max(0, value));

/**
 * Distance [m] between two segments whose ends lie in one buffer, six numbers each: x y z of the one end, then of the
 * other. Exact for crossing, parallel and degenerate segments. Allocates nothing: the answer is left in `outM[at]`,
 * because a number that a function returns may become an object on the heap.
 * Source: Ericson, Real-Time Collision Detection (2005), section 5.1.9.
 * @param one, other where the two segments begin in `endsM`
 */
export function measureSegments(
  endsM: Float64Array,
  one: number,
  other: number,
  outM: Float64Array,
  at: number,
): void {
  const px = endsM[one]!;
  const py = endsM[one + 1]!;
  const pz = endsM[one + 2]!;
  const qx = endsM[other]!;
  const qy = endsM[other + 1]!;
  const qz = endsM[other + 2]!;
  const ux = endsM[one + 3]! - px;
  const uy = endsM[one + 4]! - py;
  const uz = endsM[one + 5]! - pz;
  const vx = endsM[other + 3]! - qx;
  const vy = endsM[other + 4]! - qy;
  const vz = endsM[other + 5]! - qz;
  const rx = px - qx;
  const ry = py - qy;
  const rz = pz - qz;
  const a = ux * ux + uy * uy + uz * uz;
  const e = vx * vx + vy * vy + vz * vz;
  const f = vx * rx + vy * ry + vz * rz;
  // Shares of the way along each segment at which they are closest.
  let s = 0;
  let t = 0;
  if (a <= POINT_M2) {
    t = e <= POINT_M2 ? 0 : clamp01(f / e);
  } else {
    const c = ux * rx + uy * ry + uz * rz;
    if (e <= POINT_M2) {
      s = clamp01(-c / a);
    } else {
      const b = ux * vx + uy * vy + uz * vz;
      const denominator = a * e - b * b;
      // Parallel segments: any s will do, and the clamping of t below finds the nearest pair.
      s = denominator > 1e-12 * a * e ? clamp01((b * f - c * e) / denominator) : 0;
      t = (b * s + f) / e;
      if (t < 0) {
        t = 0;
        s = clamp01(-c / a);
      } else if (t > 1) {
        t = 1;
        s = clamp01((b - c) / a);
      }
    }
  }
  const dx = rx + s * ux - t * vx;
  const dy = ry + s * uy - t * vy;
  const dz = rz + s * uz - t * vz;
  outM[at] = Math.sqrt(dx * dx + dy * dy + dz * dz);
}
