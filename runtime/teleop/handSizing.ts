/**
 * The measurement of the hand that leads a robot's fingers: the operator holds it flat, fingers spread, for five seconds
 * in view of the headset, and the daemon watches. It ends by itself, with a size or with what was wrong.
 */
import type { HandSizeStatus } from "../../core/gateway/server.js";
import type { HandPose, PoseMessage } from "../../core/teleop/pose.js";
import type { HandModel, HandSide } from "../../kinematics/allegro/hand.js";
import { CALIBRATION_S, type HandScale, HandScaleCalibration } from "../../kinematics/allegro/handScale.js";
import { HandKeypoints } from "../../kinematics/allegro/keypoints.js";

/** From the request to the first flat hand, so that a person has time to show it [ms]. */
const PREPARE_MS_MAX = 10_000;
/** Poses stop coming: nobody measures any more [ms]. */
const SILENT_MS_MAX = 2000;

export type SizingEnd =
  | { readonly ok: true; readonly size: HandScale }
  | { readonly ok: false; readonly why: string };

export class HandSizing {
  /** Told once; afterwards this object is of no more use. */
  end: SizingEnd | undefined;
  readonly #keypoints = new HandKeypoints();
  readonly #side: HandSide;
  readonly #calibration: HandScaleCalibration;
  readonly #startedMs: number;
  #heardMs: number;
  #measuredMs = Number.NaN;
  /** The first good hand has begun it. */
  #hasBegun = false;

  /** @throws DEVICE_MISMATCH for a hand whose geometry is not known */
  constructor(model: HandModel, side: HandSide, nowMs: number) {
    this.#side = side;
    this.#calibration = new HandScaleCalibration(model, side);
    this.#startedMs = this.#heardMs = nowMs;
  }

  /** @param hand the leading one, as it came, tracked or not */
  take(hand: HandPose | undefined, { deviceTimeMs, visibility }: PoseMessage, nowMs: number): void {
    if (this.end !== undefined) return;
    this.#heardMs = nowMs;
    const isSeen = visibility === "visible" && hand?.tracked === true;
    const isHand = this.#keypoints.read(isSeen ? hand.joints : null, this.#side);
    if (!this.#hasBegun && !isHand) {
      this.look(nowMs);
      return;
    }
    const periodS = this.#hasBegun ? Math.max(0, (deviceTimeMs - this.#measuredMs) / 1000) : 0;
    this.#hasBegun = true;
    this.#measuredMs = deviceTimeMs;
    this.#calibration.add(this.#keypoints, periodS);
    if (!this.#calibration.isDone) return;
    const result = this.#calibration.result();
    this.end = result.ok ? { ok: true, size: result.value } : { ok: false, why: result.why };
  }

  /** Called often: ends what nobody shows a hand to. */
  look(nowMs: number): void {
    if (this.end !== undefined) return;
    if (nowMs - this.#heardMs > SILENT_MS_MAX)
      this.end = { ok: false, why: `no pose came for ${SILENT_MS_MAX / 1000} s` };
    else if (!this.#hasBegun && nowMs - this.#startedMs > PREPARE_MS_MAX)
      this.end = {
        ok: false,
        why: `no hand was shown within ${PREPARE_MS_MAX / 1000} s (${this.#keypoints.why})`,
      };
  }

  cancel(why: string): void {
    this.end ??= { ok: false, why };
  }

  get progress(): NonNullable<HandSizeStatus["measuring"]> {
    const { elapsedS, usedCount, bentCount, notHandCount } = this.#calibration;
    return {
      share: this.#hasBegun ? Math.min(1, elapsedS / CALIBRATION_S) : 0,
      flatCount: usedCount,
      bentCount,
      unseenCount: notHandCount,
      advice: this.#advice(),
    };
  }

  #advice(): string {
    const show = `Hold your ${this.#side} hand flat before you, fingers straight and spread`;
    const { usedCount, bentCount, notHandCount } = this.#calibration;
    if (!this.#hasBegun || notHandCount > usedCount) return `${show}, in view of the headset`;
    return bentCount > usedCount ? `${show}: straighten your fingers` : `${show}, and keep it still`;
  }
}
