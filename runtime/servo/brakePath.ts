/**
 * Where the arm goes when it brakes to rest from a given motion, tick by tick, by the very rule that the interpolator
 * brakes with. So what is found good here is what will be sent when everything else is rejected from then on.
 */
import type { MotionLimits } from "./interpolator.js";
import { Axis, isRest } from "./jerkLimited.js";

/** Ticks beyond the time that the limits alone ask for: the last steps onto rest. */
const SPARE_TICKS = 16;

export class BrakePath {
  /** Ticks until rest, the start not counted; NaN when the motion does not end in time. */
  ticks = 0;
  /** Extremes of each joint along the way, start included [rad]. */
  readonly minRad: Float64Array;
  readonly maxRad: Float64Array;
  /** Largest step of each joint in one tick [rad]. */
  readonly stepMaxRad: Float64Array;
  /** Views of the joint angles at the start and after each tick; those beyond `ticks` are stale. */
  readonly atRad: readonly Float64Array[];
  readonly #limits: MotionLimits;
  readonly #periodS: number;
  readonly #restTicks: Int32Array;
  readonly #axis = new Axis();

  constructor(limits: MotionLimits, periodS: number) {
    const joints = limits.velocityMaxRadPerS.length;
    this.#limits = limits;
    this.#periodS = periodS;
    // Accelerating fully at full speed: the acceleration turns round, the speed goes, the acceleration goes.
    const longestS = Math.max(
      ...limits.velocityMaxRadPerS.map((velocity, joint) => {
        const acceleration = limits.accelerationMaxRadPerS2[joint]!;
        const rampS = acceleration / limits.jerkMaxRadPerS3[joint]!;
        return 4 * rampS + (velocity + acceleration * rampS) / acceleration;
      }),
    );
    const most = Math.ceil(longestS / periodS) + SPARE_TICKS;
    this.atRad = Array.from({ length: most + 1 }, () => new Float64Array(joints));
    this.minRad = new Float64Array(joints);
    this.maxRad = new Float64Array(joints);
    this.stepMaxRad = new Float64Array(joints);
    this.#restTicks = new Int32Array(joints);
    this.#axis.periodS = periodS;
  }

  follow(positionRad: Float64Array, velocityRadPerS: Float64Array, accelerationRadPerS2: Float64Array): void {
    this.ticks = 0;
    for (let joint = 0; joint < positionRad.length; joint++) {
      const axis = this.#axis;
      axis.distance = positionRad[joint]!;
      axis.velocity = velocityRadPerS[joint]!;
      axis.acceleration = accelerationRadPerS2[joint]!;
      const ticks = this.#followJoint(joint);
      this.#restTicks[joint] = ticks;
      this.ticks = Math.max(this.ticks, ticks);
    }
    if (this.ticks >= this.atRad.length) {
      this.ticks = Number.NaN;
      return;
    }
    for (let joint = 0; joint < positionRad.length; joint++) {
      const rest = this.#restTicks[joint]!;
      for (let tick = rest + 1; tick <= this.ticks; tick++)
        this.atRad[tick]![joint] = this.atRad[rest]![joint]!;
    }
  }

  /**
   * From the motion in `#axis`, with the position as its `distance`.
   * @returns ticks until this joint's rest; the number of kept ticks when it does not come to rest
   */
  #followJoint(joint: number): number {
    const axis = this.#axis;
    const T = this.#periodS;
    axis.accelerationMax = this.#limits.accelerationMaxRadPerS2[joint]!;
    axis.jerkMax = this.#limits.jerkMaxRadPerS3[joint]!;
    axis.velocityGoal = 0;
    let x = axis.distance;
    let min = x;
    let max = x;
    let stepMax = 0;
    let tick = 0;
    this.atRad[0]![joint] = x;
    while (!isRest(axis.velocity, axis.acceleration)) {
      if (++tick >= this.atRad.length) break;
      axis.seekVelocity();
      const { velocity: v, acceleration: a, next: y } = axis;
      const step = v * T + ((2 * a + y) * T * T) / 6;
      x += step;
      axis.velocity = v + ((a + y) * T) / 2;
      axis.acceleration = y;
      this.atRad[tick]![joint] = x;
      min = Math.min(min, x);
      max = Math.max(max, x);
      stepMax = Math.max(stepMax, Math.abs(step));
    }
    this.minRad[joint] = min;
    this.maxRad[joint] = max;
    this.stepMaxRad[joint] = stepMax;
    return tick;
  }
}
