/**
 * Angles on the wire: int16 counts without offset and without sign of our own, the same on right and left; zeroing and
 * direction live in the hand's firmware. Curling is positive on both hands; a positive spread turns about the finger's own
 * z axis, the same way on both hands ([I]: the vendor's URDFs agree, no left hand was at hand).
 */
import { invariant } from "../../../core/errors.js";
import type { HandModel } from "../../../kinematics/allegro/hand.js";
import { INT16_MAX, INT16_MIN } from "./frames.js";

const RAD_PER_DEGREE = Math.PI / 180;

/**
 * [rad] for one count. V4: 333.3 degrees over 16 bits, so ±2.9086 rad in all. V5: 0.088 degrees, as its servos count.
 * Source: the vendor's drivers for each.
 */
export const RAD_PER_COUNT: Readonly<Record<HandModel, number>> = {
  v4: (333.3 / 65536) * RAD_PER_DEGREE,
  v5a: 0.088 * RAD_PER_DEGREE,
  v5b: 0.088 * RAD_PER_DEGREE,
};

/** [rad] of a count. */
export const radOfCounts = (model: HandModel, counts: number): number => counts * RAD_PER_COUNT[model];

/**
 * The nearest count to an angle [rad], cut to int16.
 * @throws a broken invariant for an angle that is not finite
 */
export function countsOfRad(model: HandModel, rad: number): number {
  invariant(Number.isFinite(rad), `an angle of ${rad} rad has no count`);
  return Math.min(INT16_MAX, Math.max(INT16_MIN, Math.round(rad / RAD_PER_COUNT[model])));
}
