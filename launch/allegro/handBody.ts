/**
 * A hand as the servo's zones see it: nothing that could leave the workspace, touch the table or touch itself. The zones are
 * made for an arm on a table; a hand's palm stands, or is moved by another robot, and where its fingers may be is said
 * by their joint limits. Fingers that press on each other are not told from fingers that grip.
 */

import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import type { ServoConfig } from "../../runtime/servo/config.js";
import type { MovingBody } from "../../runtime/servo/zones.js";

export class HandBody implements MovingBody {
  /** In the middle of the workspace, for good. */
  readonly toolM: Float64Array;
  readonly elbowM: Float64Array;
  readonly capsules = [];
  readonly pairs = [];
  readonly reachM = new Float64Array(HAND_JOINT_COUNT);
  readonly toolReachM = new Float64Array(HAND_JOINT_COUNT);
  farM = 0;
  readonly toolStepM = 0;

  constructor({ minM, maxM }: ServoConfig["workspace"]) {
    this.toolM = Float64Array.from(minM, (min, axis) => (min + maxM[axis]!) / 2);
    this.elbowM = Float64Array.from(this.toolM);
  }

  update(): void {}
  measureHeights(): void {}
  measurePairs(): void {}
  measureToolStep(): void {}
}
