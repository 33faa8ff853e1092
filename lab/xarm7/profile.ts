/** A trapezoidal motion along one dimension: full acceleration, cruise, full deceleration. */

export interface Profile {
  readonly durationS: number;
  /** When the braking begins [s]. */
  readonly brakingS: number;
  /** Share of the way, 0 to 1, after this time [s]. */
  shareAt(elapsedS: number): number;
}

/**
 * @param distance > 0, in any unit
 * @param speed > 0 and acceleration > 0 in the same unit per s and s²
 * A distance too short for the cruise gives a triangle. A distance of 0 gives a finished profile.
 */
export function trapezoid(distance: number, speed: number, acceleration: number): Profile {
  if (distance <= 0) return { durationS: 0, brakingS: 0, shareAt: () => 1 };
  const peak = Math.min(speed, Math.sqrt(distance * acceleration));
  const rampS = peak / acceleration;
  const brakingS = rampS + (distance - peak * rampS) / peak;
  const durationS = brakingS + rampS;
  return {
    durationS,
    brakingS,
    shareAt: (elapsedS) => {
      if (elapsedS <= 0) return 0;
      if (elapsedS >= durationS) return 1;
      if (elapsedS < rampS) return (acceleration * elapsedS ** 2) / 2 / distance;
      if (elapsedS < brakingS) return (peak * (elapsedS - rampS / 2)) / distance;
      return 1 - (acceleration * (durationS - elapsedS) ** 2) / 2 / distance;
    },
  };
}

/** Standing still for a while, as the controller's sleep instruction. */
export const pause = (durationS: number): Profile => ({ durationS, brakingS: durationS, shareAt: () => 1 });

/**
 * The next velocity of a joint that heads for a target and can still stop there.
 * @param distanceRad target minus present position
 * @param velocityRadPerS present velocity
 * @returns velocity for the coming step [rad/s]; |change| is at most accelerationMax x dt
 */
export function approachVelocity(
  distanceRad: number,
  velocityRadPerS: number,
  velocityMax: number,
  accelerationMax: number,
  dtS: number,
): number {
  // In discrete time the last step must not overshoot, hence the bound by distance over dt.
  const stopping = Math.sqrt(2 * accelerationMax * Math.abs(distanceRad)) * 0.95;
  const wish = Math.sign(distanceRad) * Math.min(velocityMax, stopping, Math.abs(distanceRad) / dtS);
  return slew(velocityRadPerS, wish, accelerationMax * dtS);
}

/** Moves a value towards another by at most `changeMax`. */
export const slew = (value: number, wish: number, changeMax: number): number =>
  value + Math.min(changeMax, Math.max(-changeMax, wish - value));
