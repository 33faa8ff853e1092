/**
 * Trials in simulated time, in this process and as fast as it goes: the arm's cell of lockstepArm.ts and the policy's own
 * pipeline. Left out are ROS, processes, the vendor's wire and the real clock; in their place stands one constant delay
 * from image to command. The same bundle and seed give the same trials.
 */
import { invariant } from "../../core/errors.js";
import type { TableName } from "../../lab/world/scene.js";
import type { PolicyPipeline } from "../../policies/pipeline.js";
import { openPolicy } from "../../policies/verify.js";
import { type DecodedAction, decodeAction } from "../../runtime/policy/boundAction.js";
import { pictureCamera } from "../../runtime/policy/config.js";
import type { CellConfig } from "../cell/schema.js";
import type { LabTask } from "./labTaskNames.js";
import { LAB_TASK_ROWS } from "./labTasks.js";
import { LockstepArm, type Seen, type Wanted } from "./lockstepArm.js";
import type { Trial, TrialResult } from "./trial.js";
import type { TruthSample } from "./truth.js";

export class LockstepCell {
  readonly #arm: LockstepArm;
  readonly #pipeline: PolicyPipeline;

  /**
   * @param bundle folder of the policy to try
   * @param world of the tasks that it is tried at
   * @throws CerebellumError CONFIG_INVALID for a cell that is no lab with a policy, and what opening the bundle throws
   */
  static async open(
    cell: CellConfig,
    bundle: string,
    world: TableName = "reach-block",
  ): Promise<LockstepCell> {
    const arm = await LockstepArm.open(cell, world);
    try {
      const camera = cell.cameras[pictureCamera(cell.policy!)]!;
      const { pipeline } = await openPolicy(bundle, { jointNames: arm.limits.jointNames, camera });
      return new LockstepCell(arm, pipeline);
    } catch (thrown) {
      arm.dispose();
      throw thrown;
    }
  }

  private constructor(arm: LockstepArm, pipeline: PolicyPipeline) {
    this.#arm = arm;
    this.#pipeline = pipeline;
  }

  get policyName(): string {
    return this.#pipeline.manifest.name;
  }

  /** @throws CerebellumError POLICY_OUTPUT_INVALID */
  async run(task: LabTask, trial: Trial): Promise<TrialResult> {
    const { manifest } = this.#pipeline;
    const { world, trialS, judge } = LAB_TASK_ROWS[task];
    invariant(world === this.#arm.world, `${task} is tried in the world ${world}`);
    const { light, ...what } = trial;
    const { seed, blockM, object } = trial;
    this.#arm.begin({ seed, blockM, object, light }, manifest.start);
    const samples: TruthSample[] = [];
    let steps = 0;
    await this.#arm.run({
      endMs: 1000 * trialS,
      periodMs: 1000 / manifest.rateHz,
      decide: async (seen) => {
        steps++;
        return commandOf(await decide(this.#pipeline, seen));
      },
      onSample: (sample) => samples.push(sample),
    });
    return { ...what, ...judge(samples, true), steps, heldSteps: 0 };
  }

  async close(): Promise<void> {
    await this.#pipeline.release();
    this.#arm.dispose();
  }
}

/** What a policy wants of the arm. @throws CerebellumError POLICY_OUTPUT_INVALID */
export async function decide(
  pipeline: PolicyPipeline,
  { positionRad, openingM, pixels }: Seen,
): Promise<DecodedAction> {
  const { robot, action, proprioception } = pipeline.manifest;
  pipeline.preprocess(pixels, "rgb8");
  await pipeline.encode();
  const state = new Float64Array(proprioception.length);
  const output = await pipeline.control(pipeline.assembleState(positionRad, openingM, state));
  return decodeAction(output, positionRad, action, robot.joints);
}

/** As a command of its own memory. */
export const commandOf = ({ targetRad, gripperTargetM }: DecodedAction): Wanted => ({
  targetRad: Float64Array.from(targetRad),
  openingM: gripperTargetM,
});
