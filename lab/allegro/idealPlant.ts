/**
 * Sixteen independent flywheels: the gear's inertia and damping, no links, no weight, no contact. For tests of the wire
 * and of drivers, where the motion must have a closed-form answer.
 */
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import { MOTOR, startRadOf } from "./model.js";
import type { HandPlant } from "./plant.js";

/** Counts of the wire end near ±2.9 rad; joints stop well before. */
const STOP_RAD = 2.5;

export class IdealHandPlant implements HandPlant {
  readonly positionRad: Float64Array;
  readonly velocityRadPerS = new Float64Array(HAND_JOINT_COUNT);
  readonly torqueNm = new Float64Array(HAND_JOINT_COUNT);
  readonly pushNm = new Float64Array(HAND_JOINT_COUNT);

  constructor(positionRad: ArrayLike<number> = startRadOf("v4", "right")) {
    this.positionRad = Float64Array.from(positionRad);
  }

  /** I v' = τ - b v, solved exactly over the step: v goes to τ/b with the time constant I/b. */
  step(dtS: number): void {
    if (dtS <= 0) return;
    const timeConstantS = MOTOR.armatureKgM2 / MOTOR.dampingNmSPerRad;
    const kept = Math.exp(-dtS / timeConstantS);
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const finalRadPerS = (this.torqueNm[joint]! + this.pushNm[joint]!) / MOTOR.dampingNmSPerRad;
      const excessRadPerS = this.velocityRadPerS[joint]! - finalRadPerS;
      const positionRad =
        this.positionRad[joint]! + finalRadPerS * dtS + excessRadPerS * timeConstantS * (1 - kept);
      this.positionRad[joint] = Math.min(STOP_RAD, Math.max(-STOP_RAD, positionRad));
      const isStopped = this.positionRad[joint] !== positionRad;
      this.velocityRadPerS[joint] = isStopped ? 0 : finalRadPerS + excessRadPerS * kept;
    }
  }
}
