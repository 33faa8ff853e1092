/**
 * Trials of a hand in simulated time, in this process and as fast as it goes: HandRig, and the policy's own pipeline. Left
 * out are ROS, processes, the CAN wire and the real clock; in their place stands one constant delay from image to command.
 */

import { Random } from "../../lab/world/random.js";
import type { PolicyPipeline } from "../../policies/pipeline.js";
import { openPolicy } from "../../policies/verify.js";
import { boundAction } from "../../runtime/policy/boundAction.js";
import { pictureCamera } from "../../runtime/policy/config.js";
import type { CellConfig } from "../cell/schema.js";
import { HAND_TASKS, type HandTask } from "./handJudge.js";
import { HandRig } from "./handRig.js";
import type { HandTrial, HandTrialResult } from "./handTrials.js";
import type { HandSample } from "./handTruth.js";

/** From an image's stamp to the first setpoint that its step leads to; as for the arm (docs/decisions/0034). */
const IMAGE_TO_WIRE_MS = 52;
const SAMPLE_MS = 50;
/** The hand comes to its start pose from another one, each joint so far off at most [rad]. */
const CAME_FROM_RAD = 0.2;

export class LockstepHandCell {
  readonly #rig: HandRig;
  readonly #pipeline: PolicyPipeline;

  /**
   * @param bundle folder of the policy to try
   * @throws CerebellumError CONFIG_INVALID for a cell without a simulated hand, and what opening the bundle throws
   */
  static async open(cell: CellConfig, bundle: string): Promise<LockstepHandCell> {
    const rig = await HandRig.open(cell);
    const camera = cell.cameras[pictureCamera(cell.policy!)]!;
    try {
      const { pipeline } = await openPolicy(bundle, { jointNames: rig.limits.jointNames, camera });
      return new LockstepHandCell(rig, pipeline);
    } catch (thrown) {
      rig.dispose();
      throw thrown;
    }
  }

  private constructor(rig: HandRig, pipeline: PolicyPipeline) {
    this.#rig = rig;
    this.#pipeline = pipeline;
  }

  get policyName(): string {
    return this.#pipeline.manifest.name;
  }
  get side(): "right" | "left" {
    return this.#rig.hand.side;
  }

  /** @throws CerebellumError POLICY_OUTPUT_INVALID */
  async run(task: HandTask, trial: HandTrial): Promise<HandTrialResult> {
    const rig = this.#rig;
    const { rateHz, start } = this.#pipeline.manifest;
    const { trialS, judge } = HAND_TASKS[task];
    const { index, seed, object, placeM, yawRad, light } = trial;
    rig.begin({ seed, object, placeM, yawRad, light }, start.positionRad, this.#somewhere(seed));
    const samples: HandSample[] = [];
    let command: { readonly atMs: number; readonly targetRad: Float64Array } | undefined;
    let [sampleMs, policyMs, steps] = [0, 0, 0];
    while (rig.timeMs <= 1000 * trialS) {
      if (rig.timeMs >= sampleMs) {
        samples.push({ ...rig.truth(), atS: rig.timeMs / 1000 });
        sampleMs += SAMPLE_MS;
      }
      if (rig.timeMs >= policyMs) {
        command = { atMs: rig.timeMs + IMAGE_TO_WIRE_MS, targetRad: await this.#decide() };
        steps++;
        policyMs += 1000 / rateHz;
      }
      if (command !== undefined && rig.timeMs >= command.atMs) {
        rig.follow(command.targetRad);
        command = undefined;
      }
      rig.tick();
    }
    return { index, seed, object, placeM, yawRad, ...judge(samples, true), steps, heldSteps: 0 };
  }

  async close(): Promise<void> {
    await this.#pipeline.release();
    this.#rig.dispose();
  }

  /** A pose near the start pose, inside the joints' limits [rad]. */
  #somewhere(seed: number): number[] {
    const random = new Random(seed).fork("came-from");
    const { positionMinRad, positionMaxRad } = this.#rig.limits;
    return this.#pipeline.manifest.start.positionRad.map((rad, joint) => {
      const fromRad = rad + random.uniform(-CAME_FROM_RAD, CAME_FROM_RAD);
      return Math.min(positionMaxRad[joint]!, Math.max(positionMinRad[joint]!, fromRad));
    });
  }

  async #decide(): Promise<Float64Array> {
    const pipeline = this.#pipeline;
    const { robot, action, proprioception } = pipeline.manifest;
    const positionRad = this.#rig.positionRad;
    pipeline.preprocess(this.#rig.picture(), "rgb8");
    await pipeline.encode();
    const state = pipeline.assembleState(positionRad, Number.NaN, new Float64Array(proprioception.length));
    const output = await pipeline.control(state);
    return Float64Array.from(boundAction(output, positionRad, action.clipRad, robot.joints).targetRad);
  }
}
