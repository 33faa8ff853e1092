/**
 * Judges the tracked fingers that are to lead a robot's: whether they are those of a hand at all, of the right hand, and
 * whether they live and move as fingers do. What `HandKeypoints` finds wrong with a single hand becomes the deadman's
 * code for it; what can only be told from two hands in a row is found here, in the frame of the hand, so that an arm
 * that moves about hides nothing.
 */
import type { HandPose, PoseMessage } from "../../core/teleop/pose.js";
import type { HandSide } from "../../kinematics/allegro/hand.js";
import { HandKeypoints, type HandVerdict, KEYPOINT_COUNT, TIPS } from "../../kinematics/allegro/keypoints.js";
import type { DeadmanConfig } from "./config.js";
import type { DeadmanCode } from "./deadmanFailures.js";
import type { HandJudge, Trouble } from "./poseWatch.js";

/** Rounding of joints to a micrometre makes half of it, and fingers never rest so well [m]. */
const FROZEN_M = 1e-5;
/** A tracker's noise between two poses [m], and the fastest that a person moves a fingertip against the palm [m/s]. */
const TIP_NOISE_M = 0.02;
const TIP_SPEED_M_PER_S = 3;

const CODES: Readonly<Record<Exclude<HandVerdict, "good">, DeadmanCode>> = {
  missing: "FINGERS_MISSING",
  notFinite: "FINGERS_NOT_FINITE",
  collapsed: "FINGERS_COLLAPSED",
  impossible: "FINGERS_IMPOSSIBLE",
};
const TIP_NAMES = Object.keys(TIPS) as (keyof typeof TIPS)[];

export class FingerJudge implements HandJudge {
  readonly #side: HandSide;
  readonly #config: Pick<DeadmanConfig, "frozenMsMax">;
  readonly #keypoints = new HandKeypoints();
  readonly #beforeM = new Float64Array(3 * KEYPOINT_COUNT);
  #beforeMs = Number.NaN;
  /** Where the fingers were when they last moved, and since when. */
  readonly #restM = new Float64Array(3 * KEYPOINT_COUNT);
  #restSinceMs = Number.NaN;

  /** @param side the robot's */
  constructor(side: HandSide, config: Pick<DeadmanConfig, "frozenMsMax">) {
    this.#side = side;
    this.#config = config;
  }

  reset(): void {
    this.#beforeMs = this.#restSinceMs = Number.NaN;
  }

  judge(hand: HandPose, { deviceTimeMs }: PoseMessage, receivedMs: number): Trouble | undefined {
    if (hand.hand !== this.#side)
      return {
        code: "FINGERS_OTHER_HAND",
        detail: `the ${hand.hand} hand leads, the robot's is a ${this.#side} one`,
      };
    if (hand.mode === "controller")
      return { code: "FINGERS_MISSING", detail: `the ${hand.hand} hand holds a controller` };
    const keypoints = this.#keypoints;
    if (!keypoints.read(hand.joints, this.#side)) {
      const verdict = keypoints.verdict as Exclude<HandVerdict, "good">;
      return { code: CODES[verdict], detail: keypoints.why };
    }
    return this.#jumped(deviceTimeMs) ?? this.#frozen(receivedMs);
  }

  /** By the source's clock: what was bunched up on its way has not moved faster for that. */
  #jumped(deviceTimeMs: number): Trouble | undefined {
    const { pointsM } = this.#keypoints;
    const periodS = (deviceTimeMs - this.#beforeMs) / 1000;
    const mostM = TIP_NOISE_M + TIP_SPEED_M_PER_S * Math.max(0, periodS);
    let trouble: Trouble | undefined;
    if (Number.isFinite(periodS))
      for (const name of TIP_NAMES) {
        const movedM = distance(pointsM, this.#beforeM, TIPS[name]);
        if (movedM > mostM)
          trouble ??= {
            code: "FINGERS_JUMP",
            detail: `the ${name} tip by ${movedM.toFixed(3)} m in ${(1000 * periodS).toFixed(0)} ms (limit ${mostM.toFixed(3)} m)`,
          };
      }
    this.#beforeM.set(pointsM);
    this.#beforeMs = deviceTimeMs;
    return trouble;
  }

  #frozen(receivedMs: number): Trouble | undefined {
    const { pointsM } = this.#keypoints;
    const { frozenMsMax } = this.#config;
    let rests = !Number.isNaN(this.#restSinceMs);
    for (let k = 1; k < KEYPOINT_COUNT && rests; k++) rests = distance(pointsM, this.#restM, k) <= FROZEN_M;
    if (!rests) {
      this.#restM.set(pointsM);
      this.#restSinceMs = receivedMs;
      return undefined;
    }
    const restsMs = receivedMs - this.#restSinceMs;
    if (restsMs <= frozenMsMax) return undefined;
    return { code: "FINGERS_FROZEN", detail: `${restsMs.toFixed(0)} ms (limit ${frozenMsMax} ms)` };
  }
}

/** Of one keypoint in two hands [m]. */
function distance(one: Float64Array, other: Float64Array, keypoint: number): number {
  const at = 3 * keypoint;
  return Math.hypot(one[at]! - other[at]!, one[at + 1]! - other[at + 1]!, one[at + 2]! - other[at + 2]!);
}
