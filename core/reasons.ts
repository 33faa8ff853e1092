/** Why a servo tick sent something else than was asked for. Recorded with every tick. */

/** Bits of `ServoSnapshot.reasons` and of a recorded tick's `reasons`. */
export const REASON_BITS = {
  velocity: 1 << 0,
  acceleration: 1 << 1,
  jerk: 1 << 2,
  positionLimit: 1 << 3,
  toolSpeed: 1 << 4,
  workspace: 1 << 5,
  tablePlane: 1 << 6,
  commandExpired: 1 << 7,
  stateStale: 1 << 8,
  leaseLost: 1 << 9,
  deviceNotReady: 1 << 10,
  selfCollision: 1 << 11,
  commandMalformed: 1 << 12,
  /** Stiffness or damping was cut to what the cell allows. */
  gains: 1 << 13,
} as const;
export type ReasonName = keyof typeof REASON_BITS;
