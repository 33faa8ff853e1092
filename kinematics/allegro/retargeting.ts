/**
 * A person's hand to joint angles of an Allegro Hand, one step for each tracked hand. Two objectives, those of
 * dex_retargeting (Qin et al., AnyTeleop, RSS 2023; Handa et al., DexPilot, ICRA 2020):
 *
 *   vector    wrist to each fingertip, as the person's times a scale
 *   dexPilot  these, ten times heavier, and tip to tip; pairs that pinch want a gap instead and weigh 200 or 400
 *
 * A step minimises the objective from where the last one ended (a bounded number of Newton steps, `boundedNewton.ts`),
 * inside the joint limits and inside what each joint's fastest speed allows since then; a low-pass follows. So: angles are
 * never outside the limits, never jump however the hand does, and rest when it rests. The thumb needs no rule of its own:
 * opposition is in the vectors between tips.
 *
 * The low-pass delays by `delayS(periodS)`, 0.025 s at 90 Hz by default, on top of the source's own delay.
 * After construction it makes no object; V8 boxes some numbers of a step (0.2 kB). Angles [rad], lengths [m].
 */
import { invariant } from "../../core/errors.js";
import { BoundedNewton } from "./boundedNewton.js";
import { HandChain } from "./fingertips.js";
import { FINGERS, HAND_JOINT_COUNT, type HandModel, type HandSide } from "./hand.js";
import { HandObjective, type HandVector } from "./handObjective.js";
import { KEYPOINT_COUNT, TIPS } from "./keypoints.js";
import { type HandLimits, limitsOf } from "./limits.js";
import { PAIRS, Pinches } from "./pinches.js";
import type { RetargetingConfig } from "./retargetingConfig.js";

/** What the two objectives differ in; `tipWeight` and `pairWeight` are shares of the whole. */
const OBJECTIVES = {
  vector: { huberM: 0.02, tipWeight: 1 / 4, pairWeight: 0 },
  dexPilot: { huberM: 0.03, tipWeight: 10 / 10, pairWeight: 1 / 10 },
} as const;

/** A step takes 2 to 6 when the hand moves; more are only a bound on time. */
const ITERATIONS_MAX = 12;
/** Of the objective's gradient [1/rad]: leaves less than 1e-5 rad where only `stillness` counts. */
const TOLERANCE = 1e-7;
/** A longer gap between two hands counts as this: angles do not leap to where a hand has gone meanwhile [s]. */
const PERIOD_MAX_S = 0.1;

const WRIST_VECTORS: readonly HandVector[] = FINGERS.map((_, to) => ({ from: "wrist", to }));
/** The person's tip of each finger of the robot; the little finger leads none. */
const TIP_KEYPOINTS = FINGERS.map((finger) => TIPS[finger]);

export interface RetargetedHand {
  readonly model: HandModel;
  readonly side: HandSide;
  /** Instead of the known limits. */
  readonly limits?: HandLimits;
  /** Tips are this much beyond the balls' centres [m]; 0 unless said. */
  readonly tipExtraM?: number;
}

export class Retargeting {
  /** What the hand should do: limits kept, smoothed, wire order. */
  readonly positionRad = new Float64Array(HAND_JOINT_COUNT);
  /** The same before the low-pass. */
  readonly solvedRad = new Float64Array(HAND_JOINT_COUNT);
  readonly limits: HandLimits;
  readonly pinches: Pinches;

  readonly #config: RetargetingConfig;
  readonly #chain: HandChain;
  readonly #objective: HandObjective;
  readonly #solver = new BoundedNewton(HAND_JOINT_COUNT, ITERATIONS_MAX, TOLERANCE);
  readonly #low = new Float64Array(HAND_JOINT_COUNT);
  readonly #high = new Float64Array(HAND_JOINT_COUNT);
  readonly #pairM = new Float64Array(3 * PAIRS.length);
  readonly #pairDistancesM = new Float64Array(PAIRS.length);
  readonly #hasPairs: boolean;

  /**
   * Starts at the middle of every joint; `startAt` says where the hand is.
   * @throws DEVICE_MISMATCH for a hand whose geometry or limits are not known
   */
  constructor(hand: RetargetedHand, config: RetargetingConfig) {
    const { huberM, tipWeight } = OBJECTIVES[config.objective];
    this.limits = limitsOf(hand.model, hand.side, hand.limits);
    this.pinches = new Pinches(config.pinch);
    this.#config = config;
    this.#hasPairs = config.objective === "dexPilot";
    this.#chain = new HandChain(hand.model, hand.side, hand.tipExtraM ?? 0);
    this.#objective = new HandObjective(
      this.#chain,
      this.#hasPairs ? [...WRIST_VECTORS, ...PAIRS] : WRIST_VECTORS,
      config.huberM ?? huberM,
      tipWeight * config.stillness,
      tipWeight * config.posture,
    );
    const middle = this.limits.positionMinRad.map(
      (min, joint) => (min + this.limits.positionMaxRad[joint]!) / 2,
    );
    this.#objective.restRad.set(middle);
    this.startAt(middle);
  }

  /** The hand is here, e.g. measured at engage; what is outside of a limit starts at it. */
  startAt(positionRad: ArrayLike<number>): void {
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const at = positionRad[joint]!;
      invariant(Number.isFinite(at), "retargeting starts at joint angles that are numbers");
      this.solvedRad[joint] = Math.min(
        this.limits.positionMaxRad[joint]!,
        Math.max(this.limits.positionMinRad[joint]!, at),
      );
    }
    this.positionRad.set(this.solvedRad);
    this.pinches.reset();
  }

  /** What the last step's vectors cost, without stillness and posture: the reference's objective. */
  get value(): number {
    return this.#objective.vectorsValue;
  }

  /** Newton steps of the last step. */
  get iterations(): number {
    return this.#solver.iterations;
  }

  /** Distance of finger's tip (index of `FINGERS`) from where the person's wants it, after the last step [m]. */
  tipErrorM(finger: number): number {
    return this.#objective.distancesM[finger]!;
  }

  /** By how much a slow motion of the joints is late because of the low-pass [s]. */
  delayS(periodS: number): number {
    const share = this.#smoothingShare(periodS);
    return (periodS * (1 - share)) / share;
  }

  /**
   * Moves on by one tracked hand.
   * @param keypointsM (21, 3) in the frame of the hand, as `HandKeypoints` gives them
   * @param periodS since the last one
   * @returns false, and nothing has moved, where a number is not finite or no time has passed
   */
  step(keypointsM: Float64Array, periodS: number): boolean {
    if (!(periodS > 0 && periodS < Number.POSITIVE_INFINITY) || !isHand(keypointsM)) return false;
    const forS = Math.min(periodS, PERIOD_MAX_S);
    this.#setTips(keypointsM);
    if (this.#hasPairs) this.#setPairs(keypointsM, forS);
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const at = this.solvedRad[joint]!;
      const most = this.limits.velocityMaxRadPerS[joint]! * forS;
      this.#low[joint] = Math.max(this.limits.positionMinRad[joint]!, at - most);
      this.#high[joint] = Math.min(this.limits.positionMaxRad[joint]!, at + most);
    }
    this.#objective.lastRad.set(this.solvedRad);
    this.#solver.minimise(this.#objective, this.solvedRad, this.#low, this.#high);
    // The last thing tried need not be the best: values and tips are those of the answer.
    this.#objective.evaluate(this.solvedRad);
    const share = this.#smoothingShare(forS);
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++) {
      const at = this.positionRad[joint]!;
      const next = at + share * (this.solvedRad[joint]! - at);
      this.positionRad[joint] = Math.min(
        this.limits.positionMaxRad[joint]!,
        Math.max(this.limits.positionMinRad[joint]!, next),
      );
    }
    return true;
  }

  #smoothingShare(periodS: number): number {
    const { smoothingS } = this.#config;
    return smoothingS > 0 ? 1 - Math.exp(-periodS / smoothingS) : 1;
  }

  #setTips(keypointsM: Float64Array): void {
    const { targetsM, weights } = this.#objective;
    const { tipWeight } = OBJECTIVES[this.#config.objective];
    for (let finger = 0; finger < FINGERS.length; finger++) {
      weights[finger] = tipWeight;
      for (let axis = 0; axis < 3; axis++)
        targetsM[3 * finger + axis] =
          this.#config.scale * (keypointsM[3 * TIP_KEYPOINTS[finger]! + axis]! - keypointsM[axis]!);
    }
  }

  #setPairs(keypointsM: Float64Array, periodS: number): void {
    const { targetsM, weights } = this.#objective;
    const { pairWeight } = OBJECTIVES[this.#config.objective];
    for (let pair = 0; pair < PAIRS.length; pair++) {
      const from = 3 * TIP_KEYPOINTS[PAIRS[pair]!.from]!;
      const to = 3 * TIP_KEYPOINTS[PAIRS[pair]!.to]!;
      let square = 0;
      for (let axis = 0; axis < 3; axis++) {
        const way = keypointsM[to + axis]! - keypointsM[from + axis]!;
        this.#pairM[3 * pair + axis] = way;
        square += way * way;
      }
      this.#pairDistancesM[pair] = Math.sqrt(square);
    }
    this.pinches.update(this.#pairDistancesM, this.#config.scale, periodS);
    for (let pair = 0; pair < PAIRS.length; pair++) {
      const vector = FINGERS.length + pair;
      const factor = this.pinches.factors[pair]!;
      weights[vector] = pairWeight * this.pinches.weights[pair]!;
      for (let axis = 0; axis < 3; axis++)
        targetsM[3 * vector + axis] = factor * this.#pairM[3 * pair + axis]!;
    }
  }
}

function isHand(keypointsM: Float64Array): boolean {
  if (keypointsM.length !== 3 * KEYPOINT_COUNT) return false;
  for (let i = 0; i < keypointsM.length; i++)
    if (!(Math.abs(keypointsM[i]!) < Number.POSITIVE_INFINITY)) return false;
  return true;
}
