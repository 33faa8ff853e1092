/**
 * What Digit's motors are told. Each drive gives torque + damping (velocity - measured velocity); the stiffness runs here,
 * on the newest observation, the damping in the drive itself, which has no delay. Both stay within what the robot announced.
 */
import type { ImpedanceGains } from "../contract.js";
import { createCommand, type DigitCommand, type DigitLimits, type FallbackMode } from "./protocol/index.js";

/** Share of each motor's damping limit where nothing but damping is wanted; the vendor calls a fifth reasonable. */
export const DAMPING_SHARE = 0.2;
/** Without the robot's own limits: what a public driver sends while it has no command [N·m·s/rad]. */
const DAMPING_UNKNOWN_NM_S_PER_RAD = 5;

export class DigitDrive {
  readonly command: DigitCommand = createCommand();
  /** Motors' torques and dampings that were cut to their limits. */
  readonly cut = { torques: 0, dampings: 0 };
  readonly #fallback: FallbackMode;

  constructor(fallback: FallbackMode) {
    this.#fallback = fallback;
    this.idle();
  }

  /** Keeps the link alive and moves nothing. */
  idle(): void {
    this.#clear(false);
  }

  /** No torque at all. */
  limp(): void {
    this.#clear(true);
  }

  /** The motors resist motion and nothing else. */
  damp(limits: DigitLimits | undefined): void {
    this.#clear(true);
    const { dampingNmSPerRad } = this.command;
    for (let motor = 0; motor < dampingNmSPerRad.length; motor++)
      dampingNmSPerRad[motor] =
        limits === undefined ? DAMPING_UNKNOWN_NM_S_PER_RAD : DAMPING_SHARE * limits.dampingNmSPerRad[motor]!;
  }

  /**
   * Torque = stiffness (target - measured), damping about standstill.
   * @returns false, with nothing changed, when a number is none
   */
  hold(
    targetRad: ArrayLike<number>,
    { stiffnessNmPerRad, dampingNmSPerRad }: ImpedanceGains,
    measuredRad: Float64Array,
    limits: DigitLimits,
  ): boolean {
    const { command } = this;
    const motors = measuredRad.length;
    for (let motor = 0; motor < motors; motor++) {
      const torqueNm = stiffnessNmPerRad[motor]! * (targetRad[motor]! - measuredRad[motor]!);
      // NaN and infinities fail the comparison.
      if (!(Math.abs(torqueNm) < Number.POSITIVE_INFINITY) || !(dampingNmSPerRad[motor]! >= 0)) return false;
    }
    for (let motor = 0; motor < motors; motor++) {
      const torqueNm = stiffnessNmPerRad[motor]! * (targetRad[motor]! - measuredRad[motor]!);
      const torqueMaxNm = limits.torqueNm[motor]!;
      const dampingMax = limits.dampingNmSPerRad[motor]!;
      if (Math.abs(torqueNm) > torqueMaxNm) this.cut.torques++;
      if (dampingNmSPerRad[motor]! > dampingMax) this.cut.dampings++;
      command.torqueNm[motor] = Math.max(-torqueMaxNm, Math.min(torqueMaxNm, torqueNm));
      command.velocityRadPerS[motor] = 0;
      command.dampingNmSPerRad[motor] = Math.min(dampingMax, dampingNmSPerRad[motor]!);
    }
    command.apply = true;
    command.fallback = this.#fallback;
    return true;
  }

  #clear(apply: boolean): void {
    const { command } = this;
    command.torqueNm.fill(0);
    command.velocityRadPerS.fill(0);
    command.dampingNmSPerRad.fill(0);
    command.apply = apply;
    command.fallback = this.#fallback;
  }
}
