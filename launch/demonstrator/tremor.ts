/**
 * What a hand does besides what it is meant to: physiological tremor at 8 to 12 Hz of a few tenths of a millimetre, and a
 * slow drift of a millimetre or two. Source of the figures: Elble, Clinical Neurophysiology 107, 1996. Seeded.
 */
import type { Vector3 } from "../../kinematics/xarm7.js";
import type { Random } from "../../lab/world/random.js";

export interface Tremor {
  readonly offsetM: Vector3;
  /** Rotation vector. */
  readonly turnRad: Vector3;
}

interface Wave {
  readonly hz: number;
  readonly amplitude: number;
  readonly phaseRad: number;
}

const FAST = { count: 3, hz: [8, 12], share: 1 } as const;
const SLOW = { count: 2, hz: [0.15, 0.5], share: 3 } as const;
/** Amplitude of one fast wave: metres, and radians of a wrist. */
const FAST_M = 0.0002;
const FAST_RAD = 0.0007;

/** @returns tremor as a function of time [s] */
export function tremorOf(random: Random): (atS: number) => Tremor {
  const axes = Array.from({ length: 6 }, (_, axis) => waves(random, axis < 3 ? FAST_M : FAST_RAD));
  return (atS) => {
    const at = (axis: number) =>
      axes[axis]!.reduce(
        (sum, { hz, amplitude, phaseRad }) => sum + amplitude * Math.sin(2 * Math.PI * hz * atS + phaseRad),
        0,
      );
    return { offsetM: [at(0), at(1), at(2)], turnRad: [at(3), at(4), at(5)] };
  };
}

const waves = (random: Random, amplitude: number): Wave[] =>
  [FAST, SLOW].flatMap(({ count, hz: [low, high], share }) =>
    Array.from({ length: count }, () => ({
      hz: random.uniform(low, high),
      amplitude: share * amplitude * random.uniform(0.5, 1.5),
      phaseRad: random.uniform(0, 2 * Math.PI),
    })),
  );
