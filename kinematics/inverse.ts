/**
 * Inverse kinematics of the arm by damped least squares. Damping alone bounds no speed near singularities (measured
 * elsewhere: four thousand rad/s at 0.01), so the task error is clamped first and the joint step is scaled uniformly
 * to the joint speeds after; the null space pulls the redundant elbow towards a posture.
 * Source: Nakamura and Hanafusa, J. Dyn. Syst. Meas. Control 108(3), 1986.
 */
import { ArmChain } from "./chain.js";
import { taskError } from "./taskError.js";
import { XARM7_HOME_RAD, XARM7_JOINTS } from "./xarm7.js";

export interface StepOptions {
  /** Longest step of the tool point [m] asked for at once. */
  readonly linearStepMaxM: number;
  /** Largest rotation [rad] asked for at once. */
  readonly angularStepMaxRad: number;
  /** > 0, in metres: the weight of joint motion against task error. */
  readonly damping: number;
  /** Metres that one radian of rotation error is worth. */
  readonly rotationWeightM: number;
  /** Joint angles [rad] that the null space is drawn to, and the share of the way in one step. */
  readonly postureRad: ArrayLike<number>;
  readonly postureGain: number;
}

export const DEFAULT_STEP: StepOptions = {
  linearStepMaxM: 0.05,
  angularStepMaxRad: 0.5,
  damping: 0.03,
  rotationWeightM: 0.5,
  postureRad: XARM7_HOME_RAD,
  postureGain: 0.2,
};

export interface JointLimits {
  readonly positionMinRad: ArrayLike<number>;
  readonly positionMaxRad: ArrayLike<number>;
}

export interface ToolSolution {
  readonly positionRad: Float64Array;
  readonly positionErrorM: number;
  readonly rotationErrorRad: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/** Rotation of a tool that points straight down, turned by `yawRad` about the base's z; row-major. */
export function toolDownRotation(yawRad = 0): Float64Array {
  const [sin, cos] = [Math.sin(yawRad), Math.cos(yawRad)];
  return new Float64Array([cos, sin, 0, sin, -cos, 0, 0, 0, -1]);
}

export const XARM7_LIMITS: JointLimits = {
  positionMinRad: XARM7_JOINTS.map((joint) => joint.positionMinRad),
  positionMaxRad: XARM7_JOINTS.map((joint) => joint.positionMaxRad),
};

export class InverseKinematics {
  readonly chain: ArmChain;
  readonly #jacobian: Float64Array;
  readonly #posture: Float64Array;
  readonly #error = new Float64Array(6);
  readonly #normal = new Float64Array(36);
  readonly #solved = new Float64Array(6);

  constructor(chain = new ArmChain()) {
    this.chain = chain;
    this.#jacobian = new Float64Array(6 * chain.jointCount);
    this.#posture = new Float64Array(chain.jointCount);
  }

  /**
   * One step towards a tool pose in the base frame; allocates nothing.
   * @param positionRad (n,) present joint angles [rad]
   * @param targetM (3,) tool point [m]
   * @param targetRotation (9,) rotation of the flange, row-major
   * @param out (n,) joint step [rad]: J'(JJ' + damping² I)⁻¹ (e - J z) + z with z = postureGain (posture - q)
   */
  step(
    positionRad: ArrayLike<number>,
    targetM: ArrayLike<number>,
    targetRotation: ArrayLike<number>,
    options: StepOptions,
    out: Float64Array,
  ): void {
    const n = this.chain.jointCount;
    const jacobian = this.#jacobian;
    this.chain.update(positionRad);
    this.chain.jacobian(jacobian);
    taskError(this.chain, targetM, targetRotation, this.#error);
    clampNorm(this.#error, 0, options.linearStepMaxM);
    clampNorm(this.#error, 3, options.angularStepMaxRad);
    for (let joint = 0; joint < n; joint++) {
      this.#posture[joint] = options.postureGain * (options.postureRad[joint]! - positionRad[joint]!);
    }
    for (let row = 0; row < 6; row++) {
      const weight = row < 3 ? 1 : options.rotationWeightM;
      let drift = 0;
      for (let joint = 0; joint < n; joint++) {
        jacobian[row * n + joint]! *= weight;
        drift += jacobian[row * n + joint]! * this.#posture[joint]!;
      }
      this.#error[row] = weight * this.#error[row]! - drift;
    }
    for (let a = 0; a < 6; a++) {
      for (let b = 0; b <= a; b++) {
        let sum = a === b ? options.damping ** 2 : 0;
        for (let joint = 0; joint < n; joint++) sum += jacobian[a * n + joint]! * jacobian[b * n + joint]!;
        this.#normal[6 * a + b] = sum;
      }
    }
    solveCholesky(this.#normal, this.#error, this.#solved);
    for (let joint = 0; joint < n; joint++) {
      let sum = this.#posture[joint]!;
      for (let row = 0; row < 6; row++) sum += jacobian[row * n + joint]! * this.#solved[row]!;
      out[joint] = sum;
    }
  }

  /**
   * Joint angles [rad] whose tool point and flange rotation are the given ones, found from a seed by repeated steps
   * inside the limits. Never throws: an unreachable target gives the nearest found, with `converged` false.
   */
  solveTool(
    targetM: ArrayLike<number>,
    targetRotation: ArrayLike<number> = toolDownRotation(),
    request: {
      readonly seedRad?: ArrayLike<number>;
      readonly limits?: JointLimits;
      readonly step?: Partial<StepOptions>;
      readonly iterationsMax?: number;
      readonly toleranceM?: number;
      readonly toleranceRad?: number;
    } = {},
  ): ToolSolution {
    const seedRad = request.seedRad ?? XARM7_HOME_RAD;
    const limits = request.limits ?? XARM7_LIMITS;
    const options: StepOptions = { ...DEFAULT_STEP, postureRad: seedRad, ...request.step };
    const { iterationsMax = 300, toleranceM = 1e-5, toleranceRad = 1e-4 } = request;
    const positionRad = Float64Array.from(seedRad);
    const stepRad = new Float64Array(positionRad.length);
    const error = new Float64Array(6);
    for (let iterations = 0; ; iterations++) {
      this.chain.update(positionRad);
      taskError(this.chain, targetM, targetRotation, error);
      const positionErrorM = Math.hypot(error[0]!, error[1]!, error[2]!);
      const rotationErrorRad = Math.hypot(error[3]!, error[4]!, error[5]!);
      const converged = positionErrorM <= toleranceM && rotationErrorRad <= toleranceRad;
      if (converged || iterations === iterationsMax) {
        return { positionRad, positionErrorM, rotationErrorRad, iterations, converged };
      }
      this.step(
        positionRad,
        targetM,
        targetRotation,
        { ...options, ...narrowing(iterations, options) },
        stepRad,
      );
      for (let joint = 0; joint < positionRad.length; joint++) {
        const next = positionRad[joint]! + stepRad[joint]!;
        positionRad[joint] = Math.min(
          limits.positionMaxRad[joint]!,
          Math.max(limits.positionMinRad[joint]!, next),
        );
      }
    }
  }
}

/**
 * Scales a joint step [rad] in place by one factor, so that its direction stays and no joint is faster than its
 * limit over `periodS`. Returns the factor, at most 1.
 */
export function scaleToSpeed(
  stepRad: Float64Array,
  periodS: number,
  velocityMaxRadPerS: ArrayLike<number>,
): number {
  let factor = 1;
  for (let joint = 0; joint < stepRad.length; joint++) {
    const limitRad = velocityMaxRadPerS[joint]! * periodS;
    const sizeRad = Math.abs(stepRad[joint]!);
    if (sizeRad * factor > limitRad) factor = limitRad / sizeRad;
  }
  for (let joint = 0; joint < stepRad.length; joint++) stepRad[joint]! *= factor;
  return factor;
}

/** Late iterations trade posture and damping for precision: both keep a fixed residual otherwise. */
const narrowing = (iterations: number, options: StepOptions): { postureGain: number; damping: number } => ({
  postureGain: options.postureGain * Math.max(0, 1 - iterations / 60),
  damping: options.damping * Math.max(0.1, 1 - iterations / 100),
});

function clampNorm(vector: Float64Array, start: number, largest: number): void {
  const norm = Math.hypot(vector[start]!, vector[start + 1]!, vector[start + 2]!);
  if (norm <= largest) return;
  for (let i = start; i < start + 3; i++) vector[i]! *= largest / norm;
}

/** Solves A x = b for a symmetric positive definite 6 x 6 A given by its lower triangle, which is overwritten. */
function solveCholesky(a: Float64Array, b: Float64Array, x: Float64Array): void {
  for (let i = 0; i < 6; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[6 * i + j]!;
      for (let k = 0; k < j; k++) sum -= a[6 * i + k]! * a[6 * j + k]!;
      a[6 * i + j] = i === j ? Math.sqrt(sum) : sum / a[6 * j + j]!;
    }
  }
  for (let i = 0; i < 6; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= a[6 * i + k]! * x[k]!;
    x[i] = sum / a[6 * i + i]!;
  }
  for (let i = 5; i >= 0; i--) {
    let sum = x[i]!;
    for (let k = i + 1; k < 6; k++) sum -= a[6 * k + i]! * x[k]!;
    x[i] = sum / a[6 * i + i]!;
  }
}
