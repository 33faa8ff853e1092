/** One clean joint step of an expert towards where it wants its tool, and what is done with a demonstrator's tremor. */
import { DEFAULT_STEP, InverseKinematics, toolDownRotation } from "../../kinematics/inverse.js";
import type { Random } from "../world/random.js";
import type { Point } from "./toolGoal.js";

const LINEAR_STEP_MAX_M = 0.04;
/** Of an expert's step: all joints are slowed down together. */
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

  /** Tool point at joint angles [m], base frame. */
  toolM(positionRad: ArrayLike<number>): Point {
    const { chain } = this.#inverse;
    chain.update(positionRad);
    const [x, y, z] = chain.toolM as unknown as [number, number, number];
    return [x, y, z];
  }

  /**
   * Of a tool that points down and does not turn.
   * @param wantedM where the tool is wanted, base frame
   * @param doneM where it is led; elsewhere during a mistake
   * @param share of the tremor
   */
  step(positionRad: ArrayLike<number>, wantedM: Point, doneM: Point, share: number): ToolStep {
    const stepTo = (toolM: Point) =>
      toolStep(this.#inverse, positionRad, { toolM, yawRad: 0 }, LINEAR_STEP_MAX_M, this.#postureRad);
    const cleanRad = stepTo(wantedM);
    const ledRad = doneM === wantedM ? cleanRad : stepTo(doneM);
    const executedRad = ledRad.map((step, joint) => {
      const fresh = this.#random.uniform() < NOISE_SHARE ? this.#random.normal(0, NOISE_RAD) : 0;
      this.#noise[joint] = NOISE_MEMORY * this.#noise[joint]! + fresh;
      return step + share * this.#noise[joint]!;
    });
    return { cleanRad, executedRad };
  }
}

/**
 * Joint step [rad] of a tool that points down, turned by `yawRad`.
 * @param linearStepMaxM how far the tool point moves at most
 * @param postureRad that the elbow is drawn to
 */
export function toolStep(
  inverse: InverseKinematics,
  positionRad: ArrayLike<number>,
  { toolM, yawRad }: { readonly toolM: Point; readonly yawRad: number },
  linearStepMaxM: number,
  postureRad: Float64Array,
): Float64Array {
  const stepRad = new Float64Array(7);
  const options = { ...DEFAULT_STEP, linearStepMaxM, postureRad };
  inverse.step(positionRad, toolM, toolDownRotation(yawRad), options, stepRad);
  const largestRad = Math.max(...stepRad.map(Math.abs));
  return largestRad > JOINT_STEP_MAX_RAD
    ? stepRad.map((step) => (step * JOINT_STEP_MAX_RAD) / largestRad)
    : stepRad;
}
