/** Opens a history bundle for use: fit to the robot, goldens through the real observation, history, network, action. */
import { bundleMismatch, compareGolden } from "../compare.js";
import { type HistoryBundle, loadHistoryBundle } from "./bundle.js";
import { HistoryPipeline } from "./pipeline.js";
import { fromRecorded } from "./reading.js";
import { actionId, observationId } from "./slots.js";

export interface HistoryOpenOptions {
  readonly intraOpThreads?: number;
  /** Compared when given: the joints of the robot that the policy will move, in its order. */
  readonly jointNames?: readonly string[];
}

export interface HistoryGoldenResult {
  readonly steps: number;
  readonly observationErrorMax: number;
  /** Over outputs, targets [rad] and gains. */
  readonly actionErrorMax: number;
}

export interface OpenedHistoryPolicy {
  readonly bundle: HistoryBundle;
  readonly pipeline: HistoryPipeline;
  readonly goldens: readonly HistoryGoldenResult[];
}

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH, POLICY_OUTPUT_INVALID, with found, expected and the slot's name */
export async function openHistoryPolicy(
  directory: string,
  { intraOpThreads = 1, jointNames }: HistoryOpenOptions = {},
): Promise<OpenedHistoryPolicy> {
  const bundle = await loadHistoryBundle(directory);
  const { name, robot } = bundle.manifest;
  const differs = jointNames?.findIndex((joint, at) => joint !== robot.joints[at]) ?? -1;
  if (jointNames !== undefined && (differs >= 0 || jointNames.length !== robot.joints.length)) {
    const at = differs >= 0 ? differs : jointNames.length;
    throw bundleMismatch(
      `Policy ${name}: joint ${at} is ${robot.joints[at] ?? "missing"}, the robot's is ${jointNames[at] ?? "missing"} ` +
        `(${robot.joints.length} joints, the robot has ${jointNames.length})`,
      "Use a bundle that was trained for this robot",
    );
  }
  const pipeline = await HistoryPipeline.load(bundle, intraOpThreads);
  try {
    return { bundle, pipeline, goldens: await replayGoldens(bundle, pipeline) };
  } catch (thrown) {
    await pipeline.release();
    throw thrown;
  }
}

async function replayGoldens(
  { directory, manifest, goldens }: HistoryBundle,
  pipeline: HistoryPipeline,
): Promise<HistoryGoldenResult[]> {
  const { toleranceObservation, toleranceAction } = manifest.goldens;
  const observationName = (at: number) => `${at} ${observationId(manifest.observation[at]!)}`;
  const actionName = (at: number) => `${at} ${actionId(manifest.action.slots[at]!)}`;
  const jointName = (at: number) => manifest.robot.joints[at]!;
  const results: HistoryGoldenResult[] = [];
  for (const [index, { steps }] of goldens.cases.entries()) {
    pipeline.reset();
    let observationErrorMax = 0;
    let actionErrorMax = 0;
    for (const [at, golden] of steps.entries()) {
      const { observation, output, target } = await pipeline.step(fromRecorded(golden.reading));
      const compare = (
        what: string,
        found: ArrayLike<number>,
        expected: ArrayLike<number>,
        tolerance: number,
        name: (at: number) => string,
      ) =>
        compareGolden(directory, `golden case ${index} step ${at} ${what}`, found, expected, tolerance, name);
      observationErrorMax = Math.max(
        observationErrorMax,
        compare("observation", observation, golden.observation, toleranceObservation, observationName),
      );
      actionErrorMax = Math.max(
        actionErrorMax,
        compare("output", output, golden.output, toleranceAction, actionName),
        compare("target", target.positionRad, golden.positionRad, toleranceAction, jointName),
        // Gains are tens to hundreds: of their size.
        compare(
          "stiffness",
          target.stiffnessNmPerRad,
          golden.stiffnessNmPerRad,
          toleranceAction * Math.max(1, ...golden.stiffnessNmPerRad),
          jointName,
        ),
        compare(
          "damping",
          target.dampingNmSPerRad,
          golden.dampingNmSPerRad,
          toleranceAction * Math.max(1, ...golden.dampingNmSPerRad),
          jointName,
        ),
      );
    }
    results.push({ steps: steps.length, observationErrorMax, actionErrorMax });
  }
  pipeline.reset();
  return results;
}
