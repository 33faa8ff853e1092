/**
 * The vendor's own controller that walks, as far as the lab has it: the torso is carried at the velocity that is asked for, and
 * the legs step beneath it. It shows what a client of the JSON interface and an observer of the robot see of a walk: modes,
 * statuses, velocities, odometry, joints. It shows nothing of balance: a torso that is carried cannot be pushed over.
 */
import { addSteps, STEP_PERIOD_S, type WalkVelocity } from "../../kinematics/digit/stepping.js";
import type { DigitBody } from "./body.js";

/** Assumed: how fast the velocity and the size of the steps follow what is asked for [m/s²], [rad/s²], [1/s]. */
const ACCELERATION_M_PER_S2 = 0.5;
const ACCELERATION_RAD_PER_S2 = 1;
const SHARE_PER_S = 2;
const STANDING: WalkVelocity = { forwardMPerS: 0, leftMPerS: 0, yawRateRadPerS: 0 };

export class VendorWalk {
  #wanted: WalkVelocity | undefined;
  #now = STANDING;
  /** Of the steps' size. */
  #share = 0;
  #phase = 0;

  /** Until it stands again, its last step done. */
  get isWalking(): boolean {
    return this.#wanted !== undefined || this.#share > 0;
  }

  /** To be walked at from now on; `undefined` comes to a stand. */
  ask(velocity: WalkVelocity | undefined): void {
    this.#wanted = velocity;
  }

  /** Control is somebody else's at once, in the middle of a step if need be. */
  end(body: DigitBody): void {
    if (!this.isWalking) return;
    this.#wanted = undefined;
    this.#now = STANDING;
    this.#share = 0;
    this.#phase = 0;
    body.carry(undefined);
  }

  /** Lets time pass. @param targetRad of the stand; changed in place */
  tick(body: DigitBody, targetRad: Float64Array, dtS: number): void {
    if (!this.isWalking) return;
    const wanted = this.#wanted ?? STANDING;
    this.#now = {
      forwardMPerS: towards(this.#now.forwardMPerS, wanted.forwardMPerS, dtS * ACCELERATION_M_PER_S2),
      leftMPerS: towards(this.#now.leftMPerS, wanted.leftMPerS, dtS * ACCELERATION_M_PER_S2),
      yawRateRadPerS: towards(this.#now.yawRateRadPerS, wanted.yawRateRadPerS, dtS * ACCELERATION_RAD_PER_S2),
    };
    const stands = this.#wanted === undefined && Object.values(this.#now).every((speed) => speed === 0);
    this.#share = towards(this.#share, stands ? 0 : 1, dtS * SHARE_PER_S);
    if (!this.isWalking) {
      this.#phase = 0;
      body.carry(undefined);
      return;
    }
    this.#phase = (this.#phase + dtS / STEP_PERIOD_S) % 1;
    body.carry(this.#now);
    addSteps(targetRad, this.#phase, this.#now, this.#share);
  }
}

const towards = (from: number, to: number, stepMax: number): number =>
  from + Math.max(-stepMax, Math.min(stepMax, to - from));
