/**
 * The stand of a robot on legs that nobody commands. It begins where the robot is. One that was just enabled is held there
 * already, stiffly, by its driver: rising from slack joints it would fall first. One that was given back keeps its target
 * while its gains change to those of the stand. Then the target moves to the pose, each joint in a straight line and all of
 * them arriving together.
 */
import type { ArmState } from "../../drivers/contract.js";
import type { LegServoConfig } from "./config.js";
import { copyImpedance, createImpedance, type Impedance } from "./legLimits.js";

export class LegStand {
  readonly #config: LegServoConfig["stand"];
  readonly #from: Impedance;
  readonly #now: Impedance;
  /** The pose, as far as the joints are not left as they were found. */
  readonly #goalRad: Float64Array;
  #beganMs = Number.NaN;
  #stiffenMs = 0;
  #moveMs = 0;

  constructor(config: LegServoConfig["stand"]) {
    this.#config = config;
    const joints = config.poseRad.length;
    this.#from = createImpedance(joints);
    this.#now = createImpedance(joints);
    this.#goalRad = Float64Array.from(config.poseRad);
  }

  /** From joints that are held where they were measured: no torque jumps, because no joint is away from its target. */
  beginHeld(positionRad: ArrayLike<number>): void {
    const { poseRad, asFoundRadMax, stiffnessNmPerRad, dampingNmSPerRad } = this.#config;
    this.#from.positionRad.set(positionRad);
    for (let joint = 0; joint < poseRad.length; joint++) {
      const foundRad = positionRad[joint]! - poseRad[joint]!;
      const keptRad = Math.max(-asFoundRadMax[joint]!, Math.min(asFoundRadMax[joint]!, foundRad));
      this.#goalRad[joint] = poseRad[joint]! + keptRad;
    }
    this.#from.stiffnessNmPerRad.set(stiffnessNmPerRad);
    this.#from.dampingNmSPerRad.set(dampingNmSPerRad);
    this.#begin(0);
  }

  /** From what the motors are told now. */
  beginFrom(told: Impedance): void {
    copyImpedance(told, this.#from);
    this.#begin(this.#config.stiffenMs);
  }

  /** What the motors are to be told; the same object each time. Time counts from the first call after a beginning. */
  at(nowMs: number): Impedance {
    if (Number.isNaN(this.#beganMs)) this.#beganMs = nowMs;
    const { stiffnessNmPerRad, dampingNmSPerRad } = this.#config;
    const goalRad = this.#goalRad;
    const stiffenMs = this.#stiffenMs;
    const passedMs = nowMs - this.#beganMs;
    const gainShare = stiffenMs === 0 ? 1 : Math.min(1, passedMs / stiffenMs);
    const moveShare = this.#moveMs === 0 ? 1 : Math.min(1, Math.max(0, passedMs - stiffenMs) / this.#moveMs);
    const [from, now] = [this.#from, this.#now];
    for (let joint = 0; joint < goalRad.length; joint++) {
      now.positionRad[joint] = between(from.positionRad[joint]!, goalRad[joint]!, moveShare);
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

  #begin(stiffenMs: number): void {
    this.#stiffenMs = stiffenMs;
    const { speedMaxRadPerS } = this.#config;
    const goalRad = this.#goalRad;
    let farthestRad = 0;
    for (let joint = 0; joint < goalRad.length; joint++)
      farthestRad = Math.max(farthestRad, Math.abs(goalRad[joint]! - this.#from.positionRad[joint]!));
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
