/** Rotations as vectors (axis times angle [rad]) and unit quaternions x y z w, in place: allocates nothing. */

/** Multiplies `quat` by the rotation of share · `vector` from the left and normalises: a turn in the reference frame. */
export function turnBy(quat: Float64Array, vector: ArrayLike<number>, share: number): void {
  const vx = share * vector[0]!;
  const vy = share * vector[1]!;
  const vz = share * vector[2]!;
  const angle = Math.sqrt(vx * vx + vy * vy + vz * vz);
  if (angle === 0) return;
  const scale = angle < 1e-6 ? 0.5 : Math.sin(angle / 2) / angle;
  const ax = vx * scale;
  const ay = vy * scale;
  const az = vz * scale;
  const aw = Math.cos(angle / 2);
  const x = quat[0]!;
  const y = quat[1]!;
  const z = quat[2]!;
  const w = quat[3]!;
  quat[0] = aw * x + ax * w + ay * z - az * y;
  quat[1] = aw * y - ax * z + ay * w + az * x;
  quat[2] = aw * z + ax * y - ay * x + az * w;
  quat[3] = aw * w - ax * x - ay * y - az * z;
  normalise(quat);
}

/** out = the vector [rad], at most half a turn long, that turns `from` into `to`, in the reference frame. */
export function turnBetween(from: ArrayLike<number>, to: ArrayLike<number>, out: Float64Array): void {
  const fx = from[0]!;
  const fy = from[1]!;
  const fz = from[2]!;
  const fw = from[3]!;
  const tx = to[0]!;
  const ty = to[1]!;
  const tz = to[2]!;
  const tw = to[3]!;
  const x = -tw * fx + tx * fw - ty * fz + tz * fy;
  const y = -tw * fy + tx * fz + ty * fw - tz * fx;
  const z = -tw * fz - tx * fy + ty * fx + tz * fw;
  const w = tw * fw + tx * fx + ty * fy + tz * fz;
  const sine = Math.sqrt(x * x + y * y + z * z);
  // A quaternion and its negative are one rotation: the shorter way.
  const sign = w < 0 ? -1 : 1;
  const scale = sine < 1e-12 ? 2 * sign : (2 * sign * Math.atan2(sine, Math.abs(w))) / sine;
  out[0] = x * scale;
  out[1] = y * scale;
  out[2] = z * scale;
}

/** Scales to norm 1; what has no direction is left alone and gives false. */
export function normalise(quat: Float64Array): boolean {
  const norm = Math.sqrt(quat[0]! ** 2 + quat[1]! ** 2 + quat[2]! ** 2 + quat[3]! ** 2);
  if (!(norm > 1e-9 && norm < Number.POSITIVE_INFINITY)) return false;
  for (let i = 0; i < 4; i++) quat[i]! /= norm;
  return true;
}

/** out (9,) = the rotation matrix, row-major, of a unit quaternion in a buffer. */
export function matrixOf(quat: ArrayLike<number>, out: Float64Array): void {
  const x = quat[0]!;
  const y = quat[1]!;
  const z = quat[2]!;
  const w = quat[3]!;
  out[0] = 1 - 2 * (y * y + z * z);
  out[1] = 2 * (x * y - z * w);
  out[2] = 2 * (x * z + y * w);
  out[3] = 2 * (x * y + z * w);
  out[4] = 1 - 2 * (x * x + z * z);
  out[5] = 2 * (y * z - x * w);
  out[6] = 2 * (x * z - y * w);
  out[7] = 2 * (y * z + x * w);
  out[8] = 1 - 2 * (x * x + y * y);
}
