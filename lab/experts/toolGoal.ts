/** Where a demonstrator wants the tool next, and when that is done. Base frame. */

export type Point = readonly [number, number, number];

/** A way down that keeps what is approached in the wrist camera's picture. */
export interface Funnel {
  /** Metres up for each metre of horizontal distance beyond `freeM`, at most `heightMaxM`. */
  readonly slope: number;
  readonly freeM: number;
  readonly heightMaxM: number;
}

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
  /** The tool is led there steadily, down this funnel, instead of by strokes. */
  readonly funnel?: Funnel;
}

/** Where the tool is to be led next: over the goal, until it is near. */
export function aimPointM({ toolM, funnel }: Pick<ToolGoal, "toolM" | "funnel">, [x, y]: Point): Point {
  if (funnel === undefined) return toolM;
  const lateralM = Math.hypot(toolM[0] - x, toolM[1] - y);
  const raiseM = Math.min(funnel.heightMaxM, Math.max(0, funnel.slope * (lateralM - funnel.freeM)));
  return [toolM[0], toolM[1], toolM[2] + raiseM];
}
