/**
 * One axis of motion with bounded velocity, acceleration and jerk, advanced tick by tick. In a tick of `T` seconds the
 * acceleration goes linearly from `a` to the value `y` chosen here, so
 *   x' = x + v T + (2 a + y) T² / 6,   v' = v + (a + y) T / 2,   a' = y,   jerk = (y - a) / T.
 * Integration is exact, so finite differences of the positions keep every bound that x, v and a keep.
 * Units follow the axis: rad, rad/s, rad/s², rad/s³. Arguments must be finite, limits positive.
 *
 * What runs in every tick is in `Axis`, which is given its numbers in fields and answers in fields: a number that a
 * function takes or returns becomes an object on the heap unless the compiler inlines the call, a field does not.
 */

/**
 * Braking plans use a little less than the limits. The rest lets a tick of constant jerk follow a plan whose jerk
 * changes inside of the tick.
 */
export const PLANNED_JERK_SHARE = 0.9;
export const PLANNED_ACCELERATION_SHARE = 0.95;

/** Two last steps may ask for so much more than the jerk's step; what is missing at their end is mended afterwards. */
const EDGE_SHARE = 1e-5;
const SEARCH_STEPS = 40;
/** Slower and weaker than this is rest [rad/s, rad/s²]. */
const REST_VELOCITY = 1e-9;
const REST_ACCELERATION = 1e-6;

export const isRest = (velocity: number, acceleration: number): boolean =>
  Math.abs(velocity) <= REST_VELOCITY && Math.abs(acceleration) <= REST_ACCELERATION;

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
  const axis = forCalls;
  axis.fromVelocity = velocity;
  axis.fromAcceleration = acceleration;
  axis.brakeAcceleration = accelerationMax;
  axis.brakeJerk = jerkMax;
  axis.brake();
  return axis.restOffset;
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

/** One axis in one tick. NaN until set: a field that has held a fraction keeps its place for one. */
export class Axis {
  /** The present motion, the way to the goal, and the limits that hold for this tick. */
  velocity = Number.NaN;
  acceleration = Number.NaN;
  distance = Number.NaN;
  accelerationMax = Number.NaN;
  jerkMax = Number.NaN;
  periodS = Number.NaN;
  /** For `seekVelocity`. */
  velocityGoal = Number.NaN;
  /** For `seekPosition`: the accelerations to choose from. */
  low = Number.NaN;
  high = Number.NaN;
  /** Answer of both: acceleration at the end of the tick. */
  next = Number.NaN;

  /** For `brake`: from which motion, how hard; and its answer. */
  fromVelocity = Number.NaN;
  fromAcceleration = Number.NaN;
  brakeAcceleration = Number.NaN;
  brakeJerk = Number.NaN;
  restOffset = Number.NaN;

  /** See `restOffset`. */
  brake(): void {
    const jerkMax = this.brakeJerk;
    // Velocity that is left once the acceleration is led to zero: its sign is the direction to brake against.
    const reached =
      this.fromVelocity + (this.fromAcceleration * Math.abs(this.fromAcceleration)) / (2 * jerkMax);
    const sign = reached < 0 ? -1 : 1;
    const v = this.fromVelocity * sign;
    const a = this.fromAcceleration * sign;
    const peak = Math.sqrt(Math.max(0, jerkMax * v + (a * a) / 2));
    const deceleration = Math.max(Math.min(peak, this.brakeAcceleration), -a);
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
    x +=
      w * releaseS -
      (deceleration * releaseS * releaseS) / 2 +
      (jerkMax * releaseS * releaseS * releaseS) / 6;
    this.restOffset = sign * x;
  }

  /**
   * Acceleration that leads the velocity to `velocityGoal` soonest and without passing it, within the limits and what
   * the jerk can reach. Two ticks before the end the exact pair of steps is taken, so that velocity and acceleration
   * arrive together.
   */
  seekVelocity(): void {
    const { velocity, acceleration, velocityGoal, jerkMax, periodS } = this;
    const last = (velocityGoal - velocity) / periodS - acceleration / 2;
    const step = jerkMax * periodS;
    let y = last;
    // Motion at full jerk comes to exactly this edge, where rounding must not decide: a replay of it would go another way.
    const edge = step * (1 + EDGE_SHARE);
    if (Math.abs(last) > edge || Math.abs(last - acceleration) > edge) {
      // Solves v' + y |y| / (2 j) = goal for y.
      const missing = velocityGoal - velocity - (acceleration * periodS) / 2;
      const j = jerkMax * PLANNED_JERK_SHARE;
      const half = periodS / 2;
      y = Math.sign(missing) * j * (Math.sqrt(half * half + (2 * Math.abs(missing)) / j) - half);
    }
    const most = this.accelerationMax;
    // Where both cannot hold (the limit has just shrunk), jerk comes first.
    this.next = Math.min(
      acceleration + step,
      Math.max(acceleration - step, Math.min(most, Math.max(-most, y))),
    );
  }

  /**
   * Acceleration within [low, high] after which braking ends exactly `distance` ahead of the present position; the
   * nearer bound when none does. Three ticks before the end the exact steps are taken.
   */
  seekPosition(): void {
    const { distance, velocity, acceleration, low, high, periodS } = this;
    const step = this.jerkMax * periodS;
    const sum = -velocity / periodS - acceleration / 2;
    const first = (distance - 3 * velocity * periodS) / (periodS * periodS) - (4 * acceleration) / 3 - sum;
    const second = sum - first;
    if (
      Math.abs(first - acceleration) <= step &&
      Math.abs(second - first) <= step &&
      Math.abs(second) <= step
    ) {
      this.next = Math.min(high, Math.max(low, first));
      return;
    }
    this.brakeAcceleration = this.accelerationMax * PLANNED_ACCELERATION_SHARE;
    this.brakeJerk = this.jerkMax * PLANNED_JERK_SHARE;
    this.next = high;
    this.#restAfterTick();
    if (this.restOffset <= distance) return;
    this.next = low;
    this.#restAfterTick();
    if (this.restOffset >= distance) return;
    let below = low;
    let above = high;
    for (let i = 0; i < SEARCH_STEPS; i++) {
      this.next = (below + above) / 2;
      this.#restAfterTick();
      if (this.restOffset > distance) above = this.next;
      else below = this.next;
    }
    this.next = below;
  }

  /** Where braking ends, seen from the present position, when this tick ends with the acceleration `next`. */
  #restAfterTick(): void {
    const { velocity, acceleration, next, periodS } = this;
    this.fromVelocity = velocity + ((acceleration + next) * periodS) / 2;
    this.fromAcceleration = next;
    this.brake();
    this.restOffset += velocity * periodS + ((2 * acceleration + next) * periodS * periodS) / 6;
  }
}

const forCalls = new Axis();
