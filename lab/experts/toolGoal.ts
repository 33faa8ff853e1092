/** Where a demonstrator wants the tool next, and when that is done. Base frame. */

export type Point = readonly [number, number, number];

export interface ToolGoal<Phase extends string = string> {
  readonly phase: Phase;
  readonly toolM: Point;
  /** Turn of a tool that points down, about the base's z axis [rad]; the fingers close across it. */
  readonly yawRad: number;
  readonly isGripperClosed: boolean;
  /** Done when the tool has been this near for so long. */
  readonly toleranceM: number;
  readonly toleranceRad: number;
  readonly dwellS: number;
  /** The way there wants care: a hand that aims as well as it can. */
  readonly isCareful: boolean;
}
