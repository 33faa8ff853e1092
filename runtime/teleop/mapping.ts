/**
 * What the session needs of a mapping from a hand to joint targets. Pure: it reads no clock, sends nothing, and gives
 * out the same memory at every call.
 */
import type { TrackedPose } from "../../core/teleop/pose.js";

/** A hand's pose in the robot's base frame's axes: rotated by the source's alignment; its origin means nothing. */
export interface AlignedHand {
  readonly pose: TrackedPose;
  /** 0 = open, 1 = closed. */
  readonly gripper: number;
  /** Its 25 joints in the source's own frame, flat as in core/teleop/pose.ts; null where the source tracks none. */
  readonly joints?: readonly number[] | null;
  /**
   * The source's own clock when the pose was measured [ms]: says better than arrival how far apart two poses are. Absent
   * where a source has none; then arrival counts.
   */
  readonly measuredMs?: number;
}

export interface MappingStep {
  /** Joint target [rad], in the servo's order; always within the limits. */
  readonly targetRad: Float64Array;
  /** Opening [m] to ask the gripper for; NaN = nothing new. */
  readonly gripperM: number;
  /** Wanted tool point and flange rotation, base frame, after filter, scale and leash; null where no tool is led. */
  readonly wanted: TrackedPose | null;
  /** From the wanted to the commanded tool point [m], after this step; of the worst fingertip where no tool is led. */
  readonly gapM: number;
  /** What held the step back: words for people, stable ("joint 4 limit", "reach", "singularity", "servo limits", ...). */
  readonly limitedBy: readonly string[];
  /** What the operator should know of the arm before it is in the way, for people; empty when there is nothing. */
  readonly warning: string;
}

export interface HandMapping {
  translationScale: number;
  rotationScale: number;
  /** What filter and lead add to the way from hand to target at the present speed [ms]; negative = a lead. */
  readonly filterMs: number;
  /**
   * The hand leads from now on: the next `step` with the same hand gives `sentRad` to the last bit.
   * @param sentRad setpoint that the servo stands at [rad]
   */
  engage(hand: AlignedHand, sentRad: ArrayLike<number>, nowMs: number): void;
  /**
   * @param nowMs rising, monotonic; a step never moves a joint by more than its speed times the
   *   time since the last, by the source's clock where it has one
   * @param sentRad where the servo's setpoint is by now [rad]; the target stays near it, so that nothing is wound up
   *   while the servo holds the arm back. Absent where it is not known
   */
  step(hand: AlignedHand, nowMs: number, sentRad?: ArrayLike<number>): MappingStep;
}

/** Of a mapping that leads a tool. */
export interface ToolStep extends MappingStep {
  readonly wanted: TrackedPose;
}

export interface ToolMapping extends HandMapping {
  step(hand: AlignedHand, nowMs: number, sentRad?: ArrayLike<number>): ToolStep;
}
