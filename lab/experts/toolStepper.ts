/** One clean joint step of an expert towards where it wants its tool, and the same with a demonstrator's tremor. */
import { DEFAULT_STEP, InverseKinematics, toolDownRotation } from "../../kinematics/inverse.js";
import type { Random } from "../world/random.js";
import type { Point } from "./toolGoal.js";

const LINEAR_STEP_MAX_M = 0.04;
const JOINT_STEP_MAX_RAD = 0.15;
/** Correlated normal noise on each joint. */
const NOISE_RAD = 0.012;
const NOISE_MEMORY = 0.6;
const NOISE_SHARE = 0.7;

export interface ToolStep {
  /** What a demonstrator without tremor would do; the label to learn [rad]. */
  readonly cleanRad: Float64Array;
  /** What is executed. */
  readonly executedRad: Float64Array;
}

export class ToolStepper {
  readonly #inverse = new InverseKinematics();
  readonly #random: Random;
  readonly #postureRad: Float64Array;
  readonly #noise = new Float64Array(7);

  /** @param postureRad that the elbow is drawn to */
  constructor(random: Random, postureRad: Float64Array) {
    this.#random = random;
    this.#postureRad = postureRad;
  }

  /** Tool point [m] and the tool's turn about the base's z axis [rad] at joint angles. */
  toolAt(positionRad: ArrayLike<number>): { readonly toolM: Point; readonly yawRad: number } {
    const { chain } = this.#inverse;
    chain.update(positionRad);
    const [x, y, z] = chain.toolM as unknown as [number, number, number];
    return { toolM: [x, y, z], yawRad: Math.atan2(chain.flangeRotation[3]!, chain.flangeRotation[0]!) };
  }

  /** @param share of the tremor */
  step(positionRad: ArrayLike<number>, toolM: Point, yawRad: number, share: number): ToolStep {
    const cleanRad = new Float64Array(7);
    this.#inverse.step(
      positionRad,
      toolM,
      toolDownRotation(yawRad),
      { ...DEFAULT_STEP, linearStepMaxM: LINEAR_STEP_MAX_M, postureRad: this.#postureRad },
      cleanRad,
    );
    const largestRad = Math.max(...cleanRad.map(Math.abs));
    if (largestRad > JOINT_STEP_MAX_RAD)
      for (let joint = 0; joint < 7; joint++) cleanRad[joint]! *= JOINT_STEP_MAX_RAD / largestRad;
    const executedRad = cleanRad.map((step, joint) => {
      const fresh = this.#random.uniform() < NOISE_SHARE ? this.#random.normal(0, NOISE_RAD) : 0;
      this.#noise[joint] = NOISE_MEMORY * this.#noise[joint]! + fresh;
      return step + share * this.#noise[joint]!;
    });
    return { cleanRad, executedRad };
  }
}
