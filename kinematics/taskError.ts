/** How far a tool pose is from a wanted one, for every solver alike. */
import type { ArmChain } from "./chain.js";

/** Target minus present: position [m], then the rotation vector [rad] that turns the flange into the target; base frame. */
export function taskError(
  chain: ArmChain,
  targetM: ArrayLike<number>,
  targetRotation: ArrayLike<number>,
  out: Float64Array,
): void {
  const r = chain.flangeRotation;
  let trace = 0;
  for (let axis = 0; axis < 3; axis++) out[axis] = targetM[axis]! - chain.toolM[axis]!;
  out[3] = out[4] = out[5] = 0;
  for (let column = 0; column < 3; column++) {
    const ax = r[column]!;
    const ay = r[3 + column]!;
    const az = r[6 + column]!;
    const bx = targetRotation[column]!;
    const by = targetRotation[3 + column]!;
    const bz = targetRotation[6 + column]!;
    out[3] += (ay * bz - az * by) / 2;
    out[4] += (az * bx - ax * bz) / 2;
    out[5] += (ax * by - ay * bx) / 2;
    trace += ax * bx + ay * by + az * bz;
  }
  // The sum above is the axis times sin(angle); beyond a quarter turn the sine falls again, so restore the angle.
  const sine = Math.hypot(out[3], out[4], out[5]);
  if (sine < 1e-9 && trace < 0) halfTurn(r, targetRotation, out);
  else {
    const scale = sine < 1e-9 ? 1 : Math.atan2(sine, (trace - 1) / 2) / sine;
    for (let axis = 3; axis < 6; axis++) out[axis]! *= scale;
  }
}

/** At exactly half a turn the sine vanishes; target x present' = 2 a a' - I still holds the axis a. */
function halfTurn(present: Float64Array, target: ArrayLike<number>, out: Float64Array): void {
  const entry = (row: number, column: number): number => {
    let sum = row === column ? 1 : 0;
    for (let k = 0; k < 3; k++) sum += target[3 * row + k]! * present[3 * column + k]!;
    return sum;
  };
  let largest = 0;
  for (let i = 1; i < 3; i++) if (entry(i, i) > entry(largest, largest)) largest = i;
  const scale = Math.PI / Math.sqrt(2 * entry(largest, largest));
  for (let axis = 0; axis < 3; axis++) out[3 + axis] = entry(axis, largest) * scale;
}
