/**
 * The stand of a robot on legs that nobody commands. It begins where the robot is: first the gains change to those of the
 * stand, about the target that the joints have already, then the target moves to the pose, each joint in a straight line
 * and all of them arriving together.
 */
import type { ArmState } from "../../drivers/contract.js";
import type { LegServoConfig } from "./config.js";
import { copyImpedance, createImpedance, type Impedance } from "./legLimits.js";

export class LegStand {
  readonly #config: LegServoConfig["stand"];
  readonly #from: Impedance;
  readonly #now: Impedance;
  #beganMs = Number.NaN;
  #moveMs = 0;

  constructor(config: LegServoConfig["stand"]) {
    this.#config = config;
    const joints = config.poseRad.length;
    this.#from = createImpedance(joints);
    this.#now = createImpedance(joints);
  }

  /** From joints without stiffness, which are where they were measured. Damping is there at once. */
  beginLoose(positionRad: ArrayLike<number>): void {
    this.#from.positionRad.set(positionRad);
    this.#from.stiffnessNmPerRad.fill(0);
    this.#from.dampingNmSPerRad.set(this.#config.dampingNmSPerRad);
    this.#begin();
  }

  /** From what the motors are told now. */
  beginFrom(told: Impedance): void {
    copyImpedance(told, this.#from);
    this.#begin();
  }

  /** What the motors are to be told; the same object each time. Time counts from the first call after a beginning. */
  at(nowMs: number): Impedance {
    if (Number.isNaN(this.#beganMs)) this.#beganMs = nowMs;
    const { poseRad, stiffnessNmPerRad, dampingNmSPerRad, stiffenMs } = this.#config;
    const passedMs = nowMs - this.#beganMs;
    const gainShare = Math.min(1, passedMs / stiffenMs);
    const moveShare = this.#moveMs === 0 ? 1 : Math.min(1, Math.max(0, passedMs - stiffenMs) / this.#moveMs);
    const [from, now] = [this.#from, this.#now];
    for (let joint = 0; joint < poseRad.length; joint++) {
      now.positionRad[joint] = between(from.positionRad[joint]!, poseRad[joint]!, moveShare);
      now.stiffnessNmPerRad[joint] = between(
        from.stiffnessNmPerRad[joint]!,
        stiffnessNmPerRad[joint]!,
        gainShare,
      );
      now.dampingNmSPerRad[joint] = between(
        from.dampingNmSPerRad[joint]!,
        dampingNmSPerRad[joint]!,
        gainShare,
      );
    }
    return now;
  }

  #begin(): void {
    const { poseRad, speedMaxRadPerS } = this.#config;
    let farthestRad = 0;
    for (let joint = 0; joint < poseRad.length; joint++)
      farthestRad = Math.max(farthestRad, Math.abs(poseRad[joint]! - this.#from.positionRad[joint]!));
    this.#moveMs = (farthestRad / speedMaxRadPerS) * 1000;
    this.#beganMs = Number.NaN;
  }
}

/** Exactly `to` at the end. */
const between = (from: number, to: number, share: number): number =>
  share === 1 ? to : from + share * (to - from);

const STEADY: readonly {
  readonly what: string;
  readonly unit: string;
  readonly measure: (state: ArmState) => number;
  readonly limit: (limits: LegServoConfig["release"]) => number;
}[] = [
  {
    what: "leans by",
    unit: "rad",
    measure: ({ base }) => (base === undefined ? Number.NaN : tiltRad(base.quatWorldBaseXyzw)),
    limit: ({ tiltRadMax }) => tiltRadMax,
  },
  {
    what: "moves at",
    unit: "m/s",
    measure: ({ base }) => length(base?.linearVelocityBaseMPerS),
    limit: ({ speedMaxMPerS }) => speedMaxMPerS,
  },
  {
    what: "turns at",
    unit: "rad/s",
    measure: ({ base }) => length(base?.angularVelocityBaseRadPerS),
    limit: ({ turnRateMaxRadPerS }) => turnRateMaxRadPerS,
  },
  {
    what: "moves a joint at",
    unit: "rad/s",
    measure: ({ velocityRadPerS }) => velocityRadPerS.reduce((most, one) => Math.max(most, Math.abs(one)), 0),
    limit: ({ jointSpeedMaxRadPerS }) => jointSpeedMaxRadPerS,
  },
];

/** Why the robot could not be left standing; undefined when it could. What is not known is no reason to trust. */
export function whyUnsteady(state: ArmState, limits: LegServoConfig["release"]): string | undefined {
  for (const { what, unit, measure, limit } of STEADY) {
    const value = measure(state);
    if (!(value <= limit(limits)))
      return `it ${what} ${value.toFixed(2)} ${unit} (limit ${limit(limits)} ${unit})`;
  }
  return undefined;
}

/** Angle between the base's z axis and the world's [rad]. */
export function tiltRad([x, y]: ArrayLike<number> & Iterable<number>): number {
  return 2 * Math.asin(Math.min(1, Math.hypot(x!, y!)));
}

const length = (vector: Float64Array | undefined): number =>
  vector === undefined ? Number.NaN : Math.hypot(...vector);
