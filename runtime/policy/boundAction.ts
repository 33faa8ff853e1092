/** From what a policy answers to where it wants the joints: the same on the robot and when an episode is computed anew. */
import { CerebellumError, invariant } from "../../core/errors.js";

export interface BoundAction {
  /** The answer, each joint within the policy's bound [rad]. */
  readonly actionRad: readonly number[];
  /** Measured position + action [rad]. */
  readonly targetRad: readonly number[];
  /** Joints that were clipped. */
  readonly clippedCount: number;
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
    if (!Number.isFinite(value)) {
      throw new CerebellumError(
        "POLICY_OUTPUT_INVALID",
        `Action of ${jointNames[joint]} is ${value}`,
        "The policy is stopped; run `./cerebellum policy verify` on its bundle",
      );
    }
    const boundRad = typeof clipRad === "number" ? clipRad : clipRad[joint]!;
    const clipped = Math.min(boundRad, Math.max(-boundRad, value));
    if (clipped !== value) clippedCount++;
    actionRad.push(clipped);
    targetRad.push(positionRad[joint]! + clipped);
  }
  return { actionRad, targetRad, clippedCount };
}
