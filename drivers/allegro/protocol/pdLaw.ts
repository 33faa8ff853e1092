/** The PD law of the vendor's controllers, from angles to commands that are inside of every limit. */
import { invariant } from "../../../core/errors.js";
import { HAND_JOINT_COUNT, type HandModel } from "../../../kinematics/allegro/hand.js";
import type { PdGains } from "./gains.js";
import { commandOfTorque } from "./torque.js";

/**
 * `torque = clip(kp * clip(desired - position, errorMax), kd * velocityMax) - kd * velocity`, then feedforward is added,
 * then `commandOfTorque` cuts. Without the two optional limits of the gains this is the vendor's own law; with
 * `velocityMax` it is that of its velocity saturation node, written without the division.
 */
export class PdLaw {
  readonly #model: HandModel;
  readonly #kp: Float64Array;
  readonly #kd: Float64Array;
  readonly #errorMaxRad: number;
  readonly #velocityMaxRadPerS: number;
  readonly #torque = new Float64Array(HAND_JOINT_COUNT);

  /** @throws a broken invariant unless gains are sixteen finite numbers from 0 and limits are above 0 */
  constructor(model: HandModel, gains: PdGains) {
    this.#model = model;
    this.#kp = Float64Array.from(gains.kp);
    this.#kd = Float64Array.from(gains.kd);
    this.#errorMaxRad = gains.errorMaxRad ?? Number.POSITIVE_INFINITY;
    this.#velocityMaxRadPerS = gains.velocityMaxRadPerS ?? Number.POSITIVE_INFINITY;
    for (const list of [this.#kp, this.#kd])
      invariant(
        list.length === HAND_JOINT_COUNT && list.every((gain) => Number.isFinite(gain) && gain >= 0),
        `gains ${[...list].join(" ")} are not 16 finite numbers from 0`,
      );
    invariant(this.#errorMaxRad > 0 && this.#velocityMaxRadPerS > 0, "limits of a PD law are above 0");
  }

  /**
   * Torques before any limit of the hand. All lists are sixteen in wire order; `out` may be none of the others.
   * @param desired [rad], @param position [rad], @param velocity [rad/s] both filtered (`JointFilter`)
   * @param feedforward torque that is added, e.g. what holds the fingers' weight
   */
  torque(
    desired: ArrayLike<number>,
    position: ArrayLike<number>,
    velocity: ArrayLike<number>,
    out: Float64Array,
    feedforward?: ArrayLike<number>,
  ): void {
    const errorMaxRad = this.#errorMaxRad;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const kd = this.#kd[joint] ?? 0;
      const difference = (desired[joint] ?? Number.NaN) - (position[joint] ?? Number.NaN);
      // Infinity would come out of the clips as an ordinary number.
      const errorRad = Number.isFinite(difference) ? difference : Number.NaN;
      const pull = (this.#kp[joint] ?? 0) * Math.min(errorMaxRad, Math.max(-errorMaxRad, errorRad));
      const pullMax = kd * this.#velocityMaxRadPerS;
      // Without damping there is no speed at which it would hold back.
      const held = kd > 0 ? Math.min(pullMax, Math.max(-pullMax, pull)) : pull;
      const added = feedforward === undefined ? 0 : (feedforward[joint] ?? Number.NaN);
      out[joint] = held - kd * (velocity[joint] ?? Number.NaN) + added;
    }
  }

  /**
   * `torque` as commands for the wire. Allocates nothing.
   * @param out sixteen int16, all zero when the answer is false
   * @returns false when anything that went in is missing or not finite: the caller's fault to raise
   */
  command(
    desired: ArrayLike<number>,
    position: ArrayLike<number>,
    velocity: ArrayLike<number>,
    out: Int16Array,
    feedforward?: ArrayLike<number>,
  ): boolean {
    this.torque(desired, position, velocity, this.#torque, feedforward);
    return commandOfTorque(this.#model, this.#torque, out);
  }
}
