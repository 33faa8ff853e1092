/**
 * Motion of an arm that follows a tool pose: resolved-rate control by damped least squares, with every limit inside of
 * it. One step turns the error between the commanded and the wanted pose into joint velocities:
 *
 *   1. J W = U S V' by eigenvectors of J J'. What the tool needs is V S/(S² + damping²) U' (error): damping acts on the
 *      directions that are nearly singular, and on all in proportion to the error that is left (Sugihara, IEEE Trans.
 *      Robotics 27(5), 2011), so that it neither leaves a residual at rest nor oscillates where the target is out of
 *      reach.
 *   2. The wanted pose's own motion is followed at once; what is left of the way is gone at a speed from which
 *      braking ends on the target. Tool and joint speeds scale the whole; near a singularity that the arm approaches
 *      the tool slows down, and leaves at full speed.
 *   3. The null space, all of it and nothing else, goes to a posture.
 *   4. The change of velocity is scaled to the accelerations as a whole. Limits of position (with the way that braking
 *      takes), velocity and acceleration, and clearances, are half-spaces; what violates them is corrected at least
 *      cost for the tool (Hildreth's method, a bounded number of sweeps), and the result is clamped.
 *
 * From any state that this class has led to, braking within the accelerations ends inside the position limits, so the
 * bounds of 4 never contradict each other. Allocates nothing after construction. Angles [rad], lengths [m], base frame.
 */
import { invariant } from "../core/errors.js";
import { ArmChain } from "./chain.js";
import { DAMPED_BELOW, DampedJacobian } from "./dampedJacobian.js";
import { HalfSpaces, ROWS_MAX } from "./halfSpaces.js";
import { taskError } from "./taskError.js";

export interface RateLimits {
  readonly positionMinRad: ArrayLike<number>;
  readonly positionMaxRad: ArrayLike<number>;
  readonly velocityMaxRadPerS: ArrayLike<number>;
  readonly accelerationMaxRadPerS2: ArrayLike<number>;
}

export interface RateOptions {
  /** Speeds of tool point and flange that the wanted pose is followed with. */
  readonly linearSpeedMaxMPerS: number;
  readonly angularSpeedMaxRadPerS: number;
  /** Metres that one radian of rotation error is worth. */
  readonly rotationWeightM: number;
  /** Of directions that are nearly singular, and the price of null-space motion in corrections [m]. */
  readonly damping: number;
  /** How fast the null space goes to the posture [1/s], and its fastest joint [rad/s]. */
  readonly postureGain: number;
  readonly postureSpeedMaxRadPerS: number;
}

/** Rows that say where else the arm may not go: for each, gradient · velocity >= -speed. */
export interface Clearances {
  readonly count: number;
  /** (count, n) of distance by joint angle [m/rad]. */
  readonly gradients: Float64Array;
  /** 1 where the distance is one between parts of the arm. */
  readonly isBetweenParts: Uint8Array;
  /** Distances that are left [m]; negative inside. */
  readonly distancesM: Float64Array;
  /** The arm stands here, inside or not. */
  startAt(positionRad: Float64Array): void;
  /** Finds those that matter at these joint angles. */
  measure(positionRad: Float64Array): void;
}

/** Why the last step differs from what the wanted pose asks for. */
export const HELD = {
  singularity: 1,
  toolSpeed: 2,
  jointSpeed: 4,
  jointAcceleration: 8,
  workspace: 16,
  selfCollision: 32,
} as const;

/** Nearing a singularity, the tool slows below the one singular value [m/rad] and is slowest from the other on. */
const SLOW_BELOW = 0.06;
const SLOWEST_BELOW = 0.015;
const SLOWEST_SHARE = 0.2;
/** Errors are cut to this before they are asked for: linear models of more are no use [m, rad]. */
const ERROR_MAX_M = 0.3;
const ERROR_MAX_RAD = 1.5;
/** Of the accelerations, for the way in which the rest of a way is gone. */
const APPROACH_SHARE = 0.8;
/** Of the accelerations along a gradient, for braking before a clearance ends. */
const CLEARANCE_SHARE = 0.4;
/** Corrections that are smaller were not in anybody's way [rad/s]. */
const NOTICED_RAD_PER_S = 2e-3;
/** What damping takes away counts as a singularity's doing above this share, for errors of at least a millimetre. */
const LOST_SHARE = 0.04;
const NOTICED_M = 1e-3;
/** Less change than this share of what was asked for is the accelerations' doing. */
const CHANGE_SHARE = 0.5;

export class ResolvedRate {
  readonly chain: ArmChain;
  /** The commanded joint angles [rad] and their velocities [rad/s]. */
  readonly positionRad: Float64Array;
  readonly velocityRadPerS: Float64Array;
  /** After a step: bits of `HELD`, and 1 for every joint whose position limit was in the way. */
  held = 0;
  readonly atLimit: Uint8Array;
  /** After a step: smallest singular value [m/rad], and distances from the wanted pose before it [m, rad]. */
  smallestSingular = Number.NaN;
  errorM = Number.NaN;
  errorRad = Number.NaN;

  readonly #limits: RateLimits;
  readonly #options: RateOptions;
  readonly #clearances: Clearances | undefined;
  readonly #jacobian: DampedJacobian;
  readonly #halfSpaces: HalfSpaces;
  /** Position limits; on a side on which the arm has started outside, where it has been since. */
  readonly #leastRad: Float64Array;
  readonly #mostRad: Float64Array;
  readonly #postureRad: Float64Array;
  /** Tasks: what is left of the way, and how the wanted pose moves; and what the joints do for them. */
  readonly #error = new Float64Array(6);
  readonly #drift = new Float64Array(6);
  readonly #way: Float64Array;
  readonly #lead: Float64Array;
  readonly #asked: Float64Array;
  readonly #inverse: Float64Array;
  readonly #extra: Float64Array;
  #smallestBefore = Number.POSITIVE_INFINITY;

  constructor(limits: RateLimits, options: RateOptions, chain = new ArmChain(), clearances?: Clearances) {
    const n = chain.jointCount;
    invariant(limits.positionMinRad.length === n, "limits and chain have the same joints");
    this.chain = chain;
    this.#limits = limits;
    this.#options = options;
    this.#clearances = clearances;
    this.#jacobian = new DampedJacobian(n, options.rotationWeightM, options.damping);
    this.#halfSpaces = new HalfSpaces(n);
    this.positionRad = new Float64Array(n);
    this.velocityRadPerS = new Float64Array(n);
    this.atLimit = new Uint8Array(n);
    this.#leastRad = Float64Array.from(limits.positionMinRad);
    this.#mostRad = Float64Array.from(limits.positionMaxRad);
    this.#postureRad = new Float64Array(n);
    this.#way = new Float64Array(n);
    this.#lead = new Float64Array(n);
    this.#asked = new Float64Array(n);
    this.#inverse = new Float64Array(n * n);
    this.#extra = new Float64Array(n);
  }

  /** Stands still at these joint angles, inside of the limits or not. */
  startAt(positionRad: ArrayLike<number>, postureRad: ArrayLike<number> = positionRad): void {
    this.positionRad.set(positionRad);
    this.#postureRad.set(postureRad);
    this.velocityRadPerS.fill(0);
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      this.#leastRad[joint] = Math.min(this.#limits.positionMinRad[joint]!, positionRad[joint]!);
      this.#mostRad[joint] = Math.max(this.#limits.positionMaxRad[joint]!, positionRad[joint]!);
    }
    this.#clearances?.startAt(this.positionRad);
    this.#smallestBefore = Number.POSITIVE_INFINITY;
    this.held = 0;
    this.atLimit.fill(0);
    this.chain.update(this.positionRad);
  }

  /**
   * Moves on by `periodS` > 0. Afterwards `chain` is where the arm is commanded to be.
   * @param wantedM (3,) tool point [m]
   * @param wantedRotation (9,) of the flange, row-major
   * @param movedM (3,) and movedRad (3,): how far the wanted pose has moved since the last step, base frame
   */
  step(
    wantedM: ArrayLike<number>,
    wantedRotation: ArrayLike<number>,
    movedM: ArrayLike<number>,
    movedRad: ArrayLike<number>,
    periodS: number,
  ): void {
    const weight = this.#options.rotationWeightM;
    this.held = 0;
    this.atLimit.fill(0);
    taskError(this.chain, wantedM, wantedRotation, this.#error);
    this.errorM = norm(this.#error, 0);
    this.errorRad = norm(this.#error, 3);
    clampNorm(this.#error, 0, ERROR_MAX_M);
    clampNorm(this.#error, 3, ERROR_MAX_RAD);
    for (let axis = 0; axis < 3; axis++) {
      this.#error[3 + axis]! *= weight;
      this.#drift[axis] = movedM[axis]! / periodS;
      this.#drift[3 + axis] = (weight * movedRad[axis]!) / periodS;
    }
    this.#jacobian.update(this.chain, this.#error);
    this.smallestSingular = this.#jacobian.smallest;
    this.#jacobian.solve(this.#error, this.#way);
    this.#jacobian.solve(this.#drift, this.#lead);
    if (this.errorM > NOTICED_M && this.#jacobian.lostShare(this.#error) > LOST_SHARE)
      this.held |= HELD.singularity;
    this.#askFor(periodS);
    this.#boundJoints(periodS);
    this.#boundClearances(periodS);
    this.#addPosture();
    this.#changeWithin(periodS);
    this.#correct();
    this.#moveOn(periodS);
  }

  /** The velocity that the tool asks for: the wanted pose's own, and what closes the rest of the way; within speeds. */
  #askFor(periodS: number): void {
    const n = this.positionRad.length;
    const asked = this.#asked;
    const { accelerationMaxRadPerS2, velocityMaxRadPerS } = this.#limits;
    let share = 1 / periodS;
    for (let joint = 0; joint < n; joint++) {
      const way = Math.abs(this.#way[joint]! - this.#lead[joint]! * periodS);
      if (way === 0) continue;
      const a = accelerationMaxRadPerS2[joint]! * APPROACH_SHARE;
      const speed = a * (Math.sqrt((periodS * periodS) / 4 + (2 * way) / a) - periodS / 2);
      share = Math.min(share, speed / way);
    }
    for (let joint = 0; joint < n; joint++)
      asked[joint] = this.#lead[joint]! + share * (this.#way[joint]! - this.#lead[joint]! * periodS);
    const toolShare = this.#toolShare();
    for (let joint = 0; joint < n; joint++) asked[joint]! *= toolShare;
    let jointShare = 1;
    for (let joint = 0; joint < n; joint++) {
      const speed = Math.abs(asked[joint]!);
      if (speed * jointShare > velocityMaxRadPerS[joint]!) jointShare = velocityMaxRadPerS[joint]! / speed;
    }
    if (jointShare < 1) this.held |= HELD.jointSpeed;
    for (let joint = 0; joint < n; joint++) asked[joint]! *= jointShare;
  }

  /** Share of the asked velocity that the tool may have. Whoever leaves a singularity does so at full speed. */
  #toolShare(): number {
    const isNearing = this.smallestSingular < this.#smallestBefore;
    this.#smallestBefore = this.smallestSingular;
    const room = (this.smallestSingular - SLOWEST_BELOW) / (SLOW_BELOW - SLOWEST_BELOW);
    const slow = isNearing ? SLOWEST_SHARE + (1 - SLOWEST_SHARE) * Math.min(1, Math.max(0, room)) : 1;
    const { linearSpeedMaxMPerS, angularSpeedMaxRadPerS, rotationWeightM } = this.#options;
    const linear = this.#jacobian.taskSpeed(this.#asked, 0);
    const angular = this.#jacobian.taskSpeed(this.#asked, 3) / rotationWeightM;
    const share = Math.min(
      (slow * linearSpeedMaxMPerS) / Math.max(linear, 1e-12),
      (slow * angularSpeedMaxRadPerS) / Math.max(angular, 1e-12),
    );
    if (share >= 1) return 1;
    this.held |= slow < 1 ? HELD.singularity : HELD.toolSpeed;
    return share;
  }

  /** Velocities that each joint may have: its speed, and what braking before its position limit allows. */
  #boundJoints(periodS: number): void {
    const { velocityMaxRadPerS, accelerationMaxRadPerS2 } = this.#limits;
    const { low, high } = this.#halfSpaces;
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      const a = accelerationMaxRadPerS2[joint]!;
      const at = this.positionRad[joint]!;
      const up = brakingSpeed(this.#mostRad[joint]! - at, a, periodS);
      const down = brakingSpeed(at - this.#leastRad[joint]!, a, periodS);
      low[joint] = -Math.min(velocityMaxRadPerS[joint]!, down);
      high[joint] = Math.min(velocityMaxRadPerS[joint]!, up);
      const asked = this.#asked[joint]!;
      if (asked > up + NOTICED_RAD_PER_S || asked < -down - NOTICED_RAD_PER_S) this.atLimit[joint] = 1;
    }
  }

  /** Speeds towards what the arm may not enter. */
  #boundClearances(periodS: number): void {
    const clearances = this.#clearances;
    if (clearances === undefined) return;
    const n = this.positionRad.length;
    const spaces = this.#halfSpaces;
    clearances.measure(this.positionRad);
    spaces.rowCount = Math.min(ROWS_MAX, clearances.count);
    spaces.gradients = clearances.gradients;
    for (let row = 0; row < spaces.rowCount; row++) {
      let acceleration = 0;
      for (let joint = 0; joint < n; joint++)
        acceleration +=
          Math.abs(clearances.gradients[row * n + joint]!) * this.#limits.accelerationMaxRadPerS2[joint]!;
      const a = Math.max(1e-3, CLEARANCE_SHARE * acceleration);
      spaces.least[row] = -brakingSpeed(clearances.distancesM[row]!, a, periodS);
    }
  }

  /** Scales the change of velocity, as a whole, to what the accelerations allow, which bound each joint from now on. */
  #changeWithin(periodS: number): void {
    const n = this.positionRad.length;
    const asked = this.#asked;
    const { low, high } = this.#halfSpaces;
    let change = 1;
    for (let joint = 0; joint < n; joint++) {
      const step = Math.abs(asked[joint]! - this.velocityRadPerS[joint]!);
      const most = this.#limits.accelerationMaxRadPerS2[joint]! * periodS;
      if (step * change > most) change = most / step;
    }
    if (change < CHANGE_SHARE) this.held |= HELD.jointAcceleration;
    for (let joint = 0; joint < n; joint++) {
      const before = this.velocityRadPerS[joint]!;
      const most = this.#limits.accelerationMaxRadPerS2[joint]! * periodS;
      asked[joint] = before + change * (asked[joint]! - before);
      // Only rounding can make them cross.
      const least = Math.min(Math.max(low[joint]!, before - most), before + most);
      high[joint] = Math.max(least, Math.min(high[joint]!, before + most));
      low[joint] = least;
    }
  }

  #correct(): void {
    const spaces = this.#halfSpaces;
    if (spaces.has(this.#asked)) return;
    this.#jacobian.invert(this.#inverse);
    spaces.correct(this.#asked, this.#inverse);
    for (let row = 0; row < spaces.rowCount; row++) {
      if (spaces.rowPush[row]! <= 0) continue;
      this.held |= this.#clearances?.isBetweenParts[row] === 1 ? HELD.selfCollision : HELD.workspace;
    }
  }

  /**
   * What the null space can do for the posture without leaving a half-space. In a singularity it has no direction of its
   * own, and gets nothing.
   */
  #addPosture(): void {
    const { postureGain, postureSpeedMaxRadPerS } = this.#options;
    const pull = this.#extra;
    const share = Math.min(1, this.smallestSingular / DAMPED_BELOW);
    for (let joint = 0; joint < pull.length; joint++) {
      const speed = share * postureGain * (this.#postureRad[joint]! - this.positionRad[joint]!);
      pull[joint] = Math.min(postureSpeedMaxRadPerS, Math.max(-postureSpeedMaxRadPerS, speed));
    }
    this.#jacobian.projectToNull(pull);
    this.#halfSpaces.addWithin(this.#asked, pull);
  }

  #moveOn(periodS: number): void {
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      const velocity = this.#asked[joint]!;
      const position = this.positionRad[joint]! + velocity * periodS;
      this.velocityRadPerS[joint] = velocity;
      const inside = Math.min(this.#mostRad[joint]!, Math.max(this.#leastRad[joint]!, position));
      this.positionRad[joint] = inside;
      // What has come back inside of a limit stays there.
      const { positionMinRad, positionMaxRad } = this.#limits;
      if (velocity >= 0)
        this.#leastRad[joint] = Math.max(this.#leastRad[joint]!, Math.min(positionMinRad[joint]!, inside));
      if (velocity <= 0)
        this.#mostRad[joint] = Math.min(this.#mostRad[joint]!, Math.max(positionMaxRad[joint]!, inside));
    }
    this.chain.update(this.positionRad);
  }
}

/**
 * Speed at which `roomRad` still suffices for a step of `periodS` and for braking after it, whatever the later steps
 * take: v T + v²/(2 a) = room.
 */
function brakingSpeed(roomRad: number, accelerationMax: number, periodS: number): number {
  if (!(roomRad > 0)) return 0;
  const gained = accelerationMax * periodS;
  return Math.sqrt(gained * gained + 2 * accelerationMax * roomRad) - gained;
}

const norm = (vector: Float64Array, start: number): number =>
  Math.sqrt(vector[start]! ** 2 + vector[start + 1]! ** 2 + vector[start + 2]! ** 2);

function clampNorm(vector: Float64Array, start: number, largest: number): void {
  const length = norm(vector, start);
  if (length <= largest) return;
  for (let i = start; i < start + 3; i++) vector[i]! *= largest / length;
}
