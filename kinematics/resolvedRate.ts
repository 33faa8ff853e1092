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
import { diagonalise } from "./symmetricEigen.js";
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
  /** Distances that are left [m]; negative inside. */
  readonly distancesM: Float64Array;
  /** Finds those that matter at these joint angles. */
  measure(positionRad: Float64Array): void;
}

/** Why the last step differs from what the wanted pose asks for. */
export const HELD = {
  singularity: 1,
  toolSpeed: 2,
  jointSpeed: 4,
  jointAcceleration: 8,
  clearance: 16,
} as const;

/** Singular values, of the weighted Jacobian [m/rad]: below, damping begins; the tool slows; and is slowest. */
const DAMPED_BELOW = 0.03;
const SLOW_BELOW = 0.06;
const SLOWEST_BELOW = 0.015;
const SLOWEST_SHARE = 0.2;
/** Directions that the arm cannot move in at all. */
const NONE_BELOW = 1e-7;
/** Errors are cut to this before they are asked for: linear models of more are no use [m, rad]. */
const ERROR_MAX_M = 0.1;
const ERROR_MAX_RAD = 0.5;
/** Of the squared error, for the damping. */
const ERROR_DAMPING = 0.5;
const SWEEPS = 12;
/** Of the accelerations, for the way in which the rest of a way is gone. */
const APPROACH_SHARE = 0.8;
/** Of the accelerations along a gradient, for braking before a clearance ends. */
const CLEARANCE_SHARE = 0.4;
const CLEARANCES_MAX = 24;
/** Corrections that are smaller were not in anybody's way [rad/s, m/s]. */
const NOTICED = 2e-3;
/** An error of so much [m] at a singularity means that the way is lost. */
const LOST_M = 0.01;
/** Of what the tool asks for, kept by damping: less is a singularity's doing. */
const DAMPED_SHARE = 0.8;

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
  /** Position limits; on a side on which the arm has started outside, where it has been since. */
  readonly #leastRad: Float64Array;
  readonly #mostRad: Float64Array;
  readonly #postureRad: Float64Array;
  readonly #jacobian: Float64Array;
  readonly #error = new Float64Array(6);
  readonly #drift = new Float64Array(6);
  readonly #square = new Float64Array(36);
  readonly #vectors = new Float64Array(36);
  /** Right singular vectors, one a row, and squared singular values with and without damping. */
  readonly #right: Float64Array;
  readonly #sigma2 = new Float64Array(6);
  readonly #damped2 = new Float64Array(6);
  readonly #way: Float64Array;
  readonly #lead: Float64Array;
  readonly #asked: Float64Array;
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #inverse: Float64Array;
  readonly #boxPush: Float64Array;
  readonly #rowPush = new Float64Array(CLEARANCES_MAX);
  readonly #rowInverse: Float64Array;
  readonly #rowSpeed = new Float64Array(CLEARANCES_MAX);
  #rows = 0;
  #smallestBefore = Number.POSITIVE_INFINITY;

  constructor(limits: RateLimits, options: RateOptions, chain = new ArmChain(), clearances?: Clearances) {
    const n = chain.jointCount;
    invariant(limits.positionMinRad.length === n, "limits and chain have the same joints");
    this.chain = chain;
    this.#limits = limits;
    this.#options = options;
    this.#clearances = clearances;
    const array = (length = n) => new Float64Array(length);
    this.positionRad = array();
    this.velocityRadPerS = array();
    this.atLimit = new Uint8Array(n);
    this.#leastRad = Float64Array.from(limits.positionMinRad);
    this.#mostRad = Float64Array.from(limits.positionMaxRad);
    this.#postureRad = array();
    this.#jacobian = array(6 * n);
    this.#right = array(6 * n);
    this.#way = array();
    this.#lead = array();
    this.#asked = array();
    this.#low = array();
    this.#high = array();
    this.#inverse = array(n * n);
    this.#boxPush = array();
    this.#rowInverse = array(n * CLEARANCES_MAX);
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
    const n = this.positionRad.length;
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
    this.#decompose();
    this.#solve(this.#error, this.#way);
    this.#solve(this.#drift, this.#lead);
    this.#noticeDamping();
    this.#askFor(periodS);
    this.#bound(periodS);
    this.#correct(periodS);
    this.#addPosture();
    for (let joint = 0; joint < n; joint++) {
      const velocity = this.#asked[joint]!;
      this.velocityRadPerS[joint] = velocity;
      const position = this.positionRad[joint]! + velocity * periodS;
      this.positionRad[joint] = Math.min(this.#mostRad[joint]!, Math.max(this.#leastRad[joint]!, position));
      // What has come back inside stays there.
      const least = Math.min(this.#limits.positionMinRad[joint]!, this.positionRad[joint]!);
      const most = Math.max(this.#limits.positionMaxRad[joint]!, this.positionRad[joint]!);
      if (least > this.#leastRad[joint]! && velocity >= 0) this.#leastRad[joint] = least;
      if (most < this.#mostRad[joint]! && velocity <= 0) this.#mostRad[joint] = most;
    }
    this.chain.update(this.positionRad);
  }

  /** Singular values and vectors of the weighted Jacobian, and the damping of each. */
  #decompose(): void {
    const n = this.positionRad.length;
    const jacobian = this.#jacobian;
    this.chain.jacobian(jacobian);
    for (let i = 3 * n; i < 6 * n; i++) jacobian[i]! *= this.#options.rotationWeightM;
    for (let a = 0; a < 6; a++) {
      for (let b = 0; b <= a; b++) {
        let sum = 0;
        for (let joint = 0; joint < n; joint++) sum += jacobian[a * n + joint]! * jacobian[b * n + joint]!;
        this.#square[6 * a + b] = this.#square[6 * b + a] = sum;
      }
    }
    diagonalise(this.#square, this.#vectors, 6);
    let errorSquare = 0;
    for (let row = 0; row < 6; row++) errorSquare += this.#error[row]! ** 2;
    let smallest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 6; i++) {
      const sigma2 = Math.max(0, this.#square[7 * i]!);
      const sigma = Math.sqrt(sigma2);
      smallest = Math.min(smallest, sigma);
      const near = Math.max(0, 1 - sigma / DAMPED_BELOW);
      this.#sigma2[i] = sigma2;
      this.#damped2[i] = sigma2 + (this.#options.damping * near) ** 2 + (ERROR_DAMPING * errorSquare) / 2;
      for (let joint = 0; joint < n; joint++) {
        let sum = 0;
        for (let row = 0; row < 6; row++) sum += jacobian[row * n + joint]! * this.#vectors[6 * row + i]!;
        this.#right[i * n + joint] = sigma > NONE_BELOW ? sum / sigma : 0;
      }
    }
    this.smallestSingular = smallest;
  }

  /** out = V S/(S² + damping²) U' task. */
  #solve(task: Float64Array, out: Float64Array): void {
    const n = out.length;
    out.fill(0);
    for (let i = 0; i < 6; i++) {
      let along = 0;
      for (let row = 0; row < 6; row++) along += this.#vectors[6 * row + i]! * task[row]!;
      const share = (along * Math.sqrt(this.#sigma2[i]!)) / this.#damped2[i]!;
      for (let joint = 0; joint < n; joint++) out[joint]! += share * this.#right[i * n + joint]!;
    }
  }

  /** Whether damping of a nearly singular direction keeps the tool from going where it should. */
  #noticeDamping(): void {
    let asked = 0;
    let lost = 0;
    for (let i = 0; i < 6; i++) {
      let along = 0;
      for (let row = 0; row < 6; row++) along += this.#vectors[6 * row + i]! * this.#error[row]!;
      asked += along * along;
      if (Math.sqrt(this.#sigma2[i]!) < DAMPED_BELOW)
        lost += (along * (1 - this.#sigma2[i]! / this.#damped2[i]!)) ** 2;
    }
    // A millimetre is nothing that anybody misses.
    if (lost > 1e-6 && lost > (1 - DAMPED_SHARE) ** 2 * asked) this.held |= HELD.singularity;
  }

  /** The velocity that the tool and the posture ask for, within speeds and accelerations. */
  #askFor(periodS: number): void {
    const n = this.positionRad.length;
    const asked = this.#asked;
    const { accelerationMaxRadPerS2, velocityMaxRadPerS } = this.#limits;
    const { linearSpeedMaxMPerS, angularSpeedMaxRadPerS, rotationWeightM } = this.#options;
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
    const slow = this.#slowNearSingularity();
    const linear = this.#taskSpeed(0);
    const angular = this.#taskSpeed(3) / rotationWeightM;
    const toolShare = Math.min(
      1,
      (slow * linearSpeedMaxMPerS) / Math.max(linear, 1e-12),
      (slow * angularSpeedMaxRadPerS) / Math.max(angular, 1e-12),
    );
    if (toolShare < 1) this.held |= slow < 1 ? HELD.singularity : HELD.toolSpeed;
    for (let joint = 0; joint < n; joint++) asked[joint]! *= toolShare;
    let jointShare = 1;
    for (let joint = 0; joint < n; joint++) {
      const speed = Math.abs(asked[joint]!);
      if (speed * jointShare > velocityMaxRadPerS[joint]!) jointShare = velocityMaxRadPerS[joint]! / speed;
    }
    if (jointShare < 1) this.held |= HELD.jointSpeed;
    let change = 1;
    for (let joint = 0; joint < n; joint++) {
      asked[joint]! *= jointShare;
      const step = Math.abs(asked[joint]! - this.velocityRadPerS[joint]!);
      const most = accelerationMaxRadPerS2[joint]! * periodS;
      if (step * change > most) change = most / step;
    }
    if (change < 0.5) this.held |= HELD.jointAcceleration;
    for (let joint = 0; joint < n; joint++) {
      const before = this.velocityRadPerS[joint]!;
      asked[joint] = before + change * (asked[joint]! - before);
    }
  }

  /** Only while the arm comes nearer to a singularity: whoever leaves one does so at full speed. */
  #slowNearSingularity(): number {
    const isNearing = this.smallestSingular < this.#smallestBefore;
    this.#smallestBefore = this.smallestSingular;
    if (!isNearing) return 1;
    const share = (this.smallestSingular - SLOWEST_BELOW) / (SLOW_BELOW - SLOWEST_BELOW);
    return SLOWEST_SHARE + (1 - SLOWEST_SHARE) * Math.min(1, Math.max(0, share));
  }

  /** Norm of three rows of J · asked, weighted as J is. */
  #taskSpeed(firstRow: number): number {
    const n = this.positionRad.length;
    let square = 0;
    for (let row = firstRow; row < firstRow + 3; row++) {
      let sum = 0;
      for (let joint = 0; joint < n; joint++) sum += this.#jacobian[row * n + joint]! * this.#asked[joint]!;
      square += sum * sum;
    }
    return Math.sqrt(square);
  }

  /**
   * What the null space can do for the posture without leaving a half-space. Where a singularity keeps the tool from its
   * way, the direction that is lost belongs to the null space too, and going to the posture leads out of it.
   */
  #addPosture(): void {
    const n = this.positionRad.length;
    const { postureGain, postureSpeedMaxRadPerS } = this.#options;
    const pull = this.#way;
    for (let joint = 0; joint < n; joint++) {
      const speed = postureGain * (this.#postureRad[joint]! - this.positionRad[joint]!);
      pull[joint] = Math.min(postureSpeedMaxRadPerS, Math.max(-postureSpeedMaxRadPerS, speed));
    }
    const lost = Math.min(1, norm(this.#error, 0) / LOST_M) ** 2;
    for (let i = 0; i < 6; i++) {
      let along = 0;
      for (let joint = 0; joint < n; joint++) along += this.#right[i * n + joint]! * pull[joint]!;
      along *= 1 - lost * (1 - this.#sigma2[i]! / Math.max(this.#damped2[i]!, 1e-12)) ** 4;
      for (let joint = 0; joint < n; joint++) pull[joint]! -= along * this.#right[i * n + joint]!;
    }
    let share = 1;
    for (let joint = 0; joint < n; joint++) {
      const speed = pull[joint]!;
      const room = (speed > 0 ? this.#high[joint]! : this.#low[joint]!) - this.#asked[joint]!;
      if (speed !== 0) share = Math.min(share, Math.max(0, room / speed));
    }
    for (let row = 0; row < this.#rows; row++) {
      const speed = this.#alongGradient(row, pull);
      const room = -this.#rowSpeed[row]! - this.#alongGradient(row, this.#asked);
      if (speed < 0) share = Math.min(share, Math.max(0, room / speed));
    }
    for (let joint = 0; joint < n; joint++) this.#asked[joint]! += share * pull[joint]!;
  }

  #alongGradient(row: number, velocity: Float64Array): number {
    const { gradients } = this.#clearances!;
    let sum = 0;
    for (let joint = 0; joint < velocity.length; joint++)
      sum += gradients[row * velocity.length + joint]! * velocity[joint]!;
    return sum;
  }

  /** Velocities that each joint may have: its speed, its acceleration, and the way that braking takes. */
  #bound(periodS: number): void {
    const { velocityMaxRadPerS, accelerationMaxRadPerS2 } = this.#limits;
    for (let joint = 0; joint < this.positionRad.length; joint++) {
      const a = accelerationMaxRadPerS2[joint]!;
      const before = this.velocityRadPerS[joint]!;
      const at = this.positionRad[joint]!;
      const fastest = velocityMaxRadPerS[joint]!;
      const up = brakingSpeed(this.#mostRad[joint]! - at, a, periodS);
      const down = brakingSpeed(at - this.#leastRad[joint]!, a, periodS);
      const high = Math.min(fastest, up, before + a * periodS);
      const low = Math.max(-fastest, -down, before - a * periodS);
      // Rounding alone can make them cross.
      this.#low[joint] = Math.min(low, Math.max(high, before - a * periodS));
      this.#high[joint] = Math.max(high, Math.min(low, before + a * periodS));
      if (this.#asked[joint]! > up + NOTICED || this.#asked[joint]! < -down - NOTICED)
        this.atLimit[joint] = 1;
    }
  }

  /** Leads `asked` into all half-spaces at least cost for the tool, and then into the box for certain. */
  #correct(periodS: number): void {
    const n = this.positionRad.length;
    const asked = this.#asked;
    this.#measureClearances(periodS);
    const rows = this.#rows;
    if (rows > 0 || !this.#isInBox()) {
      this.#invert();
      this.#boxPush.fill(0);
      this.#rowPush.fill(0);
      for (let row = 0; row < rows; row++) this.#prepareRow(row);
      for (let sweep = 0; sweep < SWEEPS; sweep++) {
        let moved = 0;
        for (let row = 0; row < rows; row++) moved = Math.max(moved, this.#pushRow(row));
        for (let joint = 0; joint < n; joint++) moved = Math.max(moved, this.#pushJoint(joint));
        if (moved < 1e-6) break;
      }
    }
    for (let joint = 0; joint < n; joint++)
      asked[joint] = Math.min(this.#high[joint]!, Math.max(this.#low[joint]!, asked[joint]!));
  }

  #isInBox(): boolean {
    for (let joint = 0; joint < this.positionRad.length; joint++)
      if (this.#asked[joint]! > this.#high[joint]! || this.#asked[joint]! < this.#low[joint]!) return false;
    return true;
  }

  /** (V (S² + damping²) V' + damping² N)⁻¹: what a change of each joint's velocity costs the tool. */
  #invert(): void {
    const n = this.positionRad.length;
    const free = 1 / this.#options.damping ** 2;
    const inverse = this.#inverse;
    inverse.fill(0);
    for (let joint = 0; joint < n; joint++) inverse[joint * n + joint] = free;
    for (let i = 0; i < 6; i++) {
      if (this.#sigma2[i]! <= NONE_BELOW ** 2) continue;
      const less = 1 / Math.max(this.#damped2[i]!, 1e-6) - free;
      for (let a = 0; a < n; a++) {
        const scaled = less * this.#right[i * n + a]!;
        for (let b = 0; b < n; b++) inverse[a * n + b]! += scaled * this.#right[i * n + b]!;
      }
    }
  }

  #pushJoint(joint: number): number {
    const n = this.positionRad.length;
    const asked = this.#asked;
    const own = this.#inverse[joint * n + joint]!;
    // One multiplier for both sides: positive pushes up from `low`, negative down from `high`.
    const free = asked[joint]! - own * this.#boxPush[joint]!;
    const target = Math.min(this.#high[joint]!, Math.max(this.#low[joint]!, free));
    const push = (target - free) / own;
    const change = push - this.#boxPush[joint]!;
    if (change === 0) return 0;
    this.#boxPush[joint] = push;
    for (let other = 0; other < n; other++) asked[other]! += this.#inverse[other * n + joint]! * change;
    return Math.abs(own * change);
  }

  #measureClearances(periodS: number): void {
    const clearances = this.#clearances;
    if (clearances === undefined) return;
    const n = this.positionRad.length;
    clearances.measure(this.positionRad);
    this.#rows = Math.min(CLEARANCES_MAX, clearances.count);
    for (let row = 0; row < this.#rows; row++) {
      let acceleration = 0;
      for (let joint = 0; joint < n; joint++)
        acceleration +=
          Math.abs(clearances.gradients[row * n + joint]!) * this.#limits.accelerationMaxRadPerS2[joint]!;
      const a = Math.max(1e-3, CLEARANCE_SHARE * acceleration);
      this.#rowSpeed[row] = brakingSpeed(clearances.distancesM[row]!, a, periodS);
    }
  }

  #prepareRow(row: number): void {
    const n = this.positionRad.length;
    const { gradients } = this.#clearances!;
    for (let a = 0; a < n; a++) {
      let sum = 0;
      for (let b = 0; b < n; b++) sum += this.#inverse[a * n + b]! * gradients[row * n + b]!;
      this.#rowInverse[row * n + a] = sum;
    }
  }

  #pushRow(row: number): number {
    const n = this.positionRad.length;
    const { gradients } = this.#clearances!;
    const speed = this.#alongGradient(row, this.#asked);
    let own = 1e-9;
    for (let joint = 0; joint < n; joint++)
      own += gradients[row * n + joint]! * this.#rowInverse[row * n + joint]!;
    const missing = -this.#rowSpeed[row]! - speed;
    const push = Math.max(0, this.#rowPush[row]! + missing / own);
    const change = push - this.#rowPush[row]!;
    if (change === 0) return 0;
    this.#rowPush[row] = push;
    for (let joint = 0; joint < n; joint++)
      this.#asked[joint]! += this.#rowInverse[row * n + joint]! * change;
    if (missing > NOTICED) this.held |= HELD.clearance;
    return Math.abs(own * change);
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
