/** What a keyboard, pad, gamepad or SpaceMouse says at one moment, in one form. */

export interface DriveInput {
  /** The operator holds the clutch: wants motion now. */
  readonly isHeld: boolean;
  /** Share of the chosen speed along x (away from the base), y (left), z (up), each -1..1. */
  readonly linear: readonly [number, number, number];
  /** Share of the chosen turning speed about the same axes, each -1..1. */
  readonly angular: readonly [number, number, number];
}

export const AT_REST: DriveInput = { isHeld: false, linear: [0, 0, 0], angular: [0, 0, 0] };

export interface DriveSource {
  read(): DriveInput;
  /** Forgets whatever is held; motion needs a new press. */
  release(): void;
}

/** What is held while `mayMove` says no is forgotten: it needs a new press. */
export const onlyWhile = (mayMove: () => boolean, source: DriveSource): DriveSource => ({
  read: () => {
    if (mayMove()) return source.read();
    source.release();
    return AT_REST;
  },
  release: () => source.release(),
});

/** Within the deadzone 0; outside it rises from 0, so that nothing jumps at its edge. */
export function withoutDeadzone(value: number, deadzone: number): number {
  if (!Number.isFinite(value) || Math.abs(value) <= deadzone) return 0;
  return (Math.sign(value) * (Math.min(1, Math.abs(value)) - deadzone)) / (1 - deadzone);
}

/** Where the operator stands, looking at the robot: turns what the hand means into the base frame. */
export const STANDPOINTS = {
  behind: { words: "behind it", yawRad: 0 },
  facing: { words: "facing it", yawRad: Math.PI },
  left: { words: "at its left", yawRad: -Math.PI / 2 },
  right: { words: "at its right", yawRad: Math.PI / 2 },
} as const;
export type Standpoint = keyof typeof STANDPOINTS;

export function turnAboutZ(
  [x, y, z]: readonly [number, number, number],
  yawRad: number,
): [number, number, number] {
  const [sin, cos] = [Math.sin(yawRad), Math.cos(yawRad)];
  return [cos * x - sin * y, sin * x + cos * y, z];
}

export const SPEEDS = {
  fine: { words: "Fine", linearMPerS: 0.03, angularRadPerS: 0.2 },
  normal: { words: "Normal", linearMPerS: 0.1, angularRadPerS: 0.5 },
  fast: { words: "Fast", linearMPerS: 0.25, angularRadPerS: 1 },
} as const;
export type SpeedName = keyof typeof SPEEDS;
