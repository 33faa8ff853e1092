/** From what a policy answers to where it wants the joints: the same on the robot and when an episode is computed anew. */
import { CerebellumError, invariant } from "../../core/errors.js";
import type { GripperAction } from "../../policies/manifest.js";

export interface BoundAction {
  /** The answer, each joint within the policy's bound [rad]. */
  readonly actionRad: readonly number[];
  /** Measured position + action [rad]. */
  readonly targetRad: readonly number[];
  /** Joints that were clipped. */
  readonly clippedCount: number;
}

export interface DecodedAction extends BoundAction {
  /** The joints' part of what the policy answered, to the last bit [rad]. */
  readonly outputRad: readonly number[];
  /** Opening as it was answered, and as it is asked for [m]; absent for a policy that leaves the gripper alone. */
  readonly gripperOutputM?: number;
  readonly gripperTargetM?: number;
}

/** A manifest's `action`. */
export interface ActionBounds {
  readonly clipRad: number | readonly number[];
  readonly gripper?: GripperAction | undefined;
}

/**
 * @param output the policy's numbers: a step of each joint [rad], then the opening [m] where `bounds` have a gripper
 * @throws CerebellumError POLICY_OUTPUT_INVALID when a value is not finite
 */
export function decodeAction(
  output: ArrayLike<number>,
  positionRad: ArrayLike<number>,
  { clipRad, gripper }: ActionBounds,
  jointNames: readonly string[],
): DecodedAction {
  const numbers = Array.from(output);
  if (gripper === undefined)
    return { outputRad: numbers, ...boundAction(numbers, positionRad, clipRad, jointNames) };
  const outputRad = numbers.slice(0, -1);
  const gripperOutputM = numbers.at(-1)!;
  return {
    outputRad,
    ...boundAction(outputRad, positionRad, clipRad, jointNames),
    gripperOutputM,
    gripperTargetM: boundOpening(gripperOutputM, gripper),
  };
}

/**
 * The opening to ask for [m]: within the policy's bounds, and one of its levels where it has some.
 * @throws CerebellumError POLICY_OUTPUT_INVALID when it is not finite
 */
export function boundOpening(outputM: number, { minM, maxM, levelsM }: GripperAction): number {
  if (!Number.isFinite(outputM)) throw notFinite("the gripper", outputM);
  const withinM = Math.min(maxM, Math.max(minM, outputM));
  if (levelsM === undefined) return withinM;
  return levelsM.reduce((best, level) =>
    Math.abs(level - withinM) < Math.abs(best - withinM) ? level : best,
  );
}

/**
 * @param outputRad steps relative to `positionRad` [rad], base to tool
 * @param clipRad largest step: of every joint, or of each
 * @param jointNames for the error
 * @throws CerebellumError POLICY_OUTPUT_INVALID when a value is not finite
 */
export function boundAction(
  outputRad: ArrayLike<number>,
  positionRad: ArrayLike<number>,
  clipRad: number | readonly number[],
  jointNames: readonly string[],
): BoundAction {
  const jointCount = positionRad.length;
  invariant(
    outputRad.length === jointCount,
    `action has ${outputRad.length} values for ${jointCount} joints`,
  );
  const [actionRad, targetRad]: [number[], number[]] = [[], []];
  let clippedCount = 0;
  for (let joint = 0; joint < jointCount; joint++) {
    const value = outputRad[joint]!;
    if (!Number.isFinite(value)) throw notFinite(jointNames[joint]!, value);
    const boundRad = typeof clipRad === "number" ? clipRad : clipRad[joint]!;
    const clipped = Math.min(boundRad, Math.max(-boundRad, value));
    if (clipped !== value) clippedCount++;
    actionRad.push(clipped);
    targetRad.push(positionRad[joint]! + clipped);
  }
  return { actionRad, targetRad, clippedCount };
}

const notFinite = (what: string, value: number) =>
  new CerebellumError(
    "POLICY_OUTPUT_INVALID",
    `Action of ${what} is ${value}`,
    "The policy is stopped; run `./cerebellum policy verify` on its bundle",
  );
