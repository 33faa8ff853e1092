/**
 * One axis of motion with bounded velocity, acceleration and jerk, advanced tick by tick. In a tick of `T` seconds the
 * acceleration goes linearly from `a` to the value `y` chosen here, so
 *   x' = x + v T + (2 a + y) T² / 6,   v' = v + (a + y) T / 2,   a' = y,   jerk = (y - a) / T.
 * Integration is exact, so finite differences of the positions keep every bound that x, v and a keep.
 * Units follow the axis: rad, rad/s, rad/s², rad/s³. Nothing allocates. Arguments must be finite, limits positive.
 */

/**
 * Braking plans use a little less than the limits. The rest lets a tick of constant jerk follow a plan whose jerk
 * changes inside of the tick.
 */
export const PLANNED_JERK_SHARE = 0.9;
export const PLANNED_ACCELERATION_SHARE = 0.95;

const SEARCH_STEPS = 40;

/**
 * How far the axis still travels when it brakes to rest as hard as `accelerationMax` and `jerkMax` allow: jerk until
 * the deceleration is reached, constant deceleration, jerk back. Signed; increases with velocity and acceleration.
 */
export function restOffset(
  velocity: number,
  acceleration: number,
  accelerationMax: number,
  jerkMax: number,
): number {
  // Velocity that is left once the acceleration is led to zero: its sign is the direction to brake against.
  const reached = velocity + (acceleration * Math.abs(acceleration)) / (2 * jerkMax);
  const sign = reached < 0 ? -1 : 1;
  const v = velocity * sign;
  const a = acceleration * sign;
  const peak = Math.sqrt(Math.max(0, jerkMax * v + (a * a) / 2));
  const deceleration = Math.max(Math.min(peak, accelerationMax), -a);
  const rampS = (a + deceleration) / jerkMax;
  const releaseS = deceleration / jerkMax;
  const flatS =
    peak > deceleration
      ? (v + (a * a) / (2 * jerkMax) - (deceleration * deceleration) / jerkMax) / deceleration
      : 0;
  let x = v * rampS + (a * rampS * rampS) / 2 - (jerkMax * rampS * rampS * rampS) / 6;
  let w = v + a * rampS - (jerkMax * rampS * rampS) / 2;
  x += w * flatS - (deceleration * flatS * flatS) / 2;
  w -= deceleration * flatS;
  x += w * releaseS - (deceleration * releaseS * releaseS) / 2 + (jerkMax * releaseS ** 3) / 6;
  return sign * x;
}

/** Distance that braking from constant `speed` >= 0 takes: `restOffset(speed, 0, …)` in closed form. */
export function brakingDistance(speed: number, accelerationMax: number, jerkMax: number): number {
  if (speed * jerkMax <= accelerationMax * accelerationMax) return speed * Math.sqrt(speed / jerkMax);
  return (speed / 2) * (speed / accelerationMax + accelerationMax / jerkMax);
}

/** Speed from which braking takes `distance` >= 0: the inverse of `brakingDistance`. */
export function speedThatBrakesWithin(distance: number, accelerationMax: number, jerkMax: number): number {
  const speed = Math.cbrt(distance * distance * jerkMax);
  if (speed * jerkMax <= accelerationMax * accelerationMax) return speed;
  const b = (accelerationMax * accelerationMax) / (2 * jerkMax);
  return -b + Math.sqrt(b * b + 2 * accelerationMax * distance);
}

/** Speed u with u · travelS + brakingDistance(u) = distance: cruise for `travelS`, then brake onto the point. */
export function cruiseSpeed(
  distance: number,
  travelS: number,
  accelerationMax: number,
  jerkMax: number,
): number {
  let low = 0;
  let high = speedThatBrakesWithin(distance, accelerationMax, jerkMax);
  for (let step = 0; step < SEARCH_STEPS; step++) {
    const middle = (low + high) / 2;
    if (middle * travelS + brakingDistance(middle, accelerationMax, jerkMax) > distance) high = middle;
    else low = middle;
  }
  return low;
}

/**
 * Acceleration at the end of the tick that leads the velocity to `goal` soonest and without passing it. Two ticks
 * before the end the exact pair of steps is taken, so that velocity and acceleration arrive together.
 */
export function towardsVelocity(
  velocity: number,
  acceleration: number,
  goal: number,
  jerkMax: number,
  periodS: number,
): number {
  const last = (goal - velocity) / periodS - acceleration / 2;
  const step = jerkMax * periodS;
  if (Math.abs(last) <= step && Math.abs(last - acceleration) <= step) return last;
  // Solves v' + y |y| / (2 j) = goal for y.
  const missing = goal - velocity - (acceleration * periodS) / 2;
  const j = jerkMax * PLANNED_JERK_SHARE;
  const half = periodS / 2;
  return Math.sign(missing) * j * (Math.sqrt(half * half + (2 * Math.abs(missing)) / j) - half);
}

/**
 * Acceleration at the end of the tick, within [low, high], after which braking ends exactly `distance` ahead of the
 * present position; the nearer bound when none does. Three ticks before the end the exact steps are taken.
 */
export function towardsPosition(
  distance: number,
  velocity: number,
  acceleration: number,
  low: number,
  high: number,
  accelerationMax: number,
  jerkMax: number,
  periodS: number,
): number {
  const step = jerkMax * periodS;
  const sum = -velocity / periodS - acceleration / 2;
  const first = (distance - 3 * velocity * periodS) / (periodS * periodS) - (4 * acceleration) / 3 - sum;
  const second = sum - first;
  if (Math.abs(first - acceleration) <= step && Math.abs(second - first) <= step && Math.abs(second) <= step)
    return Math.min(high, Math.max(low, first));
  const a = accelerationMax * PLANNED_ACCELERATION_SHARE;
  const j = jerkMax * PLANNED_JERK_SHARE;
  if (restAfterTick(velocity, acceleration, high, a, j, periodS) <= distance) return high;
  if (restAfterTick(velocity, acceleration, low, a, j, periodS) >= distance) return low;
  let below = low;
  let above = high;
  for (let i = 0; i < SEARCH_STEPS; i++) {
    const middle = (below + above) / 2;
    if (restAfterTick(velocity, acceleration, middle, a, j, periodS) > distance) above = middle;
    else below = middle;
  }
  return below;
}

/** Where braking ends, seen from the present position, when this tick ends with acceleration `y`. */
function restAfterTick(
  velocity: number,
  acceleration: number,
  y: number,
  accelerationMax: number,
  jerkMax: number,
  periodS: number,
): number {
  const moved = velocity * periodS + ((2 * acceleration + y) * periodS * periodS) / 6;
  return moved + restOffset(velocity + ((acceleration + y) * periodS) / 2, y, accelerationMax, jerkMax);
}
