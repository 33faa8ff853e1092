/**
 * A torso that is carried: where it is after a while at a velocity, upright and at one height. It begins where and as the torso
 * is; what it leans fades, so that nothing jumps.
 */
import type { WalkVelocity } from "../../kinematics/digit/stepping.js";
import { quatFromRpy } from "../../kinematics/pose.js";

/** In which two thirds of a lean are gone [s]. */
const UPRIGHT_S = 0.2;

export class Carriage {
  /** World frame. */
  readonly positionM = new Float64Array(3);
  readonly quatXyzw = new Float64Array(4);
  readonly linearMPerS = new Float64Array(3);
  /** In the base frame, whose z is nearly the world's. */
  readonly angularBaseRadPerS = new Float64Array(3);
  velocity: WalkVelocity;
  #yawRad: number;
  /** Roll and pitch [rad]. */
  #lean: readonly [number, number];

  constructor(
    velocity: WalkVelocity,
    positionM: ArrayLike<number>,
    [x, y, z, w]: readonly [number, number, number, number],
  ) {
    this.velocity = velocity;
    this.positionM.set(positionM);
    this.#yawRad = Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
    this.#lean = [
      Math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
      Math.asin(Math.max(-1, Math.min(1, 2 * (w * y - z * x)))),
    ];
    this.move(0);
  }

  move(dtS: number): void {
    const { forwardMPerS, leftMPerS, yawRateRadPerS } = this.velocity;
    this.#yawRad += dtS * yawRateRadPerS;
    const [sin, cos] = [Math.sin(this.#yawRad), Math.cos(this.#yawRad)];
    this.linearMPerS.set([cos * forwardMPerS - sin * leftMPerS, sin * forwardMPerS + cos * leftMPerS, 0]);
    this.angularBaseRadPerS.set([0, 0, yawRateRadPerS]);
    for (let axis = 0; axis < 3; axis++) this.positionM[axis]! += dtS * this.linearMPerS[axis]!;
    const keeps = Math.exp(-dtS / UPRIGHT_S);
    this.#lean = [keeps * this.#lean[0], keeps * this.#lean[1]];
    this.quatXyzw.set(quatFromRpy(...this.#lean, this.#yawRad));
  }
}
