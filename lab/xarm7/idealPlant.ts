/**
 * An arm without physics: it stands exactly where its setpoint is, or follows it with a first-order lag. For tests of
 * the protocol, where the mass behind the wire must have a closed-form answer.
 */
import type { ArmPlant } from "../plant.js";

export interface IdealPlantOptions {
  /** Where the arm stands at first [rad], base to tool. */
  readonly positionRad?: ArrayLike<number>;
  /** Time constant of the lag [s]; 0 follows exactly. */
  readonly lagS?: number;
  readonly gripperOpeningM?: number;
}

const JOINT_COUNT = 7;

export class IdealPlant implements ArmPlant {
  readonly positionRad: Float64Array;
  readonly velocityRadPerS = new Float64Array(JOINT_COUNT);
  readonly effortNm = new Float64Array(JOINT_COUNT);
  readonly #targetRad: Float64Array;
  readonly #lagS: number;
  #enabled = false;
  #freeDrive = false;
  #openingM: number;
  #openingTargetM: number;
  #openingSpeedMPerS = 0;
  #objectWidthM = 0;

  constructor(options: IdealPlantOptions = {}) {
    this.positionRad = Float64Array.from(options.positionRad ?? new Float64Array(JOINT_COUNT));
    this.#targetRad = Float64Array.from(this.positionRad);
    this.#lagS = options.lagS ?? 0;
    this.#openingM = options.gripperOpeningM ?? 0;
    this.#openingTargetM = this.#openingM;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  get freeDrive(): boolean {
    return this.#freeDrive;
  }

  gripperOpeningM(): number {
    return this.#openingM;
  }

  setTarget(positionRad: ArrayLike<number>): void {
    this.#targetRad.set(positionRad);
  }

  setEnabled(on: boolean): void {
    this.#enabled = on;
  }

  setFreeDrive(on: boolean): void {
    this.#freeDrive = on;
  }

  setGripper(openingM: number, speedMPerS: number): void {
    this.#openingTargetM = openingM;
    this.#openingSpeedMPerS = speedMPerS;
  }

  /** Puts a rigid object of this width between the fingers; 0 takes it away. */
  placeObject(widthM: number): void {
    this.#objectWidthM = widthM;
  }

  /** A person's hand: moves one joint by this much [rad], which only free drive allows. */
  push(joint: number, deltaRad: number): void {
    if (this.#freeDrive) this.positionRad[joint] = this.positionRad[joint]! + deltaRad;
  }

  /** Something stronger than the motors, or a hand while the brakes are open, moves one joint by this much [rad]. */
  displace(joint: number, deltaRad: number): void {
    this.positionRad[joint] = this.positionRad[joint]! + deltaRad;
  }

  /** x' = (target - x) / lag, solved exactly over the step; velocity is the mean over it. */
  advance(dtS: number): void {
    if (dtS <= 0) return;
    const follows = this.#enabled && !this.#freeDrive;
    const share = this.#lagS > 0 ? 1 - Math.exp(-dtS / this.#lagS) : 1;
    for (let joint = 0; joint < JOINT_COUNT; joint++) {
      const stepRad = follows ? share * (this.#targetRad[joint]! - this.positionRad[joint]!) : 0;
      this.positionRad[joint] = this.positionRad[joint]! + stepRad;
      this.velocityRadPerS[joint] = stepRad / dtS;
    }
    const wishM = Math.max(this.#openingTargetM, Math.min(this.#objectWidthM, this.#openingM));
    const reachM = this.#openingSpeedMPerS * dtS;
    this.#openingM += Math.min(reachM, Math.max(-reachM, wishM - this.#openingM));
  }
}
