/**
 * How large a person's hand is, from 5 seconds of holding it flat: the median of each bone, and the scale at which the
 * flat hand reaches as far as the robot's straight fingers. Poses that are no hand, or not flat, are left out and counted;
 * a tracker that stretches the hand while it watches gives no scale. The result is a plain value to be kept with other
 * calibrations.
 */
import { z } from "zod";
import { HandChain } from "./fingertips.js";
import { WRIST_PALM_M } from "./geometry.js";
import { FINGERS, HAND_JOINT_COUNT, type HandModel, type HandSide } from "./hand.js";
import { type HandKeypoints, KEYPOINT_COUNT, KNUCKLES, PARENT_OF_KEYPOINT, TIPS } from "./keypoints.js";

const BONES = KEYPOINT_COUNT - 1;
const Length = z.number().positive().max(0.3);

export const HandScale = z.strictObject({
  scale: z.number().min(0.8).max(2.5).describe("Metres of the robot's hand per metre of the person's"),
  reachM: z
    .strictObject({ index: Length, middle: Length, ring: Length })
    .describe("The person's wrist to fingertip, hand flat"),
  boneLengthsM: z
    .array(Length)
    .length(BONES)
    .describe("To each keypoint but the wrist from the one before it, in the order of keypoints"),
  spread: z.number().min(0).describe("Of the bone that varied most: median deviation as share of its length"),
  usedCount: z.int().min(1).describe("Hands that were flat"),
  rejectedCount: z.int().min(0),
});
export type HandScale = z.infer<typeof HandScale>;

export type ScaleResult =
  | { readonly ok: true; readonly value: HandScale }
  | { readonly ok: false; readonly why: string };

export const CALIBRATION_S = 5;
/** Flat hands that are enough, and their least share of all. */
export const FLAT_MIN = 60;
const FLAT_SHARE_MIN = 0.5;
/** Knuckle to tip as share of the bones between: 0.97 is a finger bent by some 25 degrees in all. */
const STRAIGHT_MIN = 0.97;
/** Of a bone's length, as median deviation. */
const SPREAD_MAX = 0.08;
/** 5 s at 120 Hz; what comes faster is left out. */
const SAMPLES_MAX = 600;
/** Bone lengths, then three reaches. */
const NUMBERS = BONES + 3;
const MEASURED = ["index", "middle", "ring"] as const;

export class HandScaleCalibration {
  /** Hands that were left out: none at all, and not flat. */
  notHandCount = 0;
  bentCount = 0;
  usedCount = 0;
  /** Since the first hand [s]. */
  elapsedS = 0;
  readonly #samples = new Float64Array(SAMPLES_MAX * NUMBERS);
  readonly #robotReachM: readonly number[];

  /** @throws DEVICE_MISMATCH for a hand whose geometry is not known */
  constructor(model: HandModel, side: HandSide) {
    const chain = new HandChain(model, side);
    chain.update(new Float64Array(HAND_JOINT_COUNT));
    this.#robotReachM = MEASURED.map((name) => {
      const at = 3 * FINGERS.indexOf(name);
      return Math.hypot(...WRIST_PALM_M.map((wrist, axis) => chain.tipsM[at + axis]! - wrist));
    });
  }

  get isDone(): boolean {
    return this.elapsedS >= CALIBRATION_S;
  }

  /** Takes what was read last, good or not. @param periodS since the one before; 0 for the first */
  add(keypoints: HandKeypoints, periodS: number): void {
    if (this.isDone) return;
    if (periodS > 0) this.elapsedS += periodS;
    if (keypoints.verdict !== "good") {
      this.notHandCount++;
      return;
    }
    if (this.usedCount >= SAMPLES_MAX) return;
    const sample = this.#samples.subarray(this.usedCount * NUMBERS, (this.usedCount + 1) * NUMBERS);
    const points = keypoints.pointsM;
    for (let k = 1; k < KEYPOINT_COUNT; k++) sample[k - 1] = distance(points, k, PARENT_OF_KEYPOINT[k]!);
    for (const [i, name] of MEASURED.entries()) {
      const knuckle = KNUCKLES[name];
      const bones = sample[knuckle]! + sample[knuckle + 1]! + sample[knuckle + 2]!;
      if (distance(points, TIPS[name], knuckle) < STRAIGHT_MIN * bones) {
        this.bentCount++;
        return;
      }
      sample[BONES + i] = distance(points, TIPS[name], 0);
    }
    this.usedCount++;
  }

  /** What the hands so far give, or what is wrong with them. */
  result(): ScaleResult {
    const all = this.usedCount + this.bentCount + this.notHandCount;
    if (this.usedCount < FLAT_MIN || this.usedCount < FLAT_SHARE_MIN * all)
      return {
        ok: false,
        why:
          `${this.usedCount} of ${all} poses show a flat hand, at least ${FLAT_MIN} and half of all are needed ` +
          `(${this.bentCount} had bent fingers, ${this.notHandCount} were not tracked): hold the hand flat in view`,
      };
    const medians = Array.from({ length: NUMBERS }, (_, at) => median(this.#column(at)));
    const spreads = medians.map(
      (middle, at) => median(this.#column(at).map((v) => Math.abs(v - middle))) / middle,
    );
    const spread = Math.max(...spreads);
    if (spread > SPREAD_MAX)
      return {
        ok: false,
        why: `a bone's length varies by ${(100 * spread).toFixed(0)} %, at most ${100 * SPREAD_MAX} % is expected: light the hand better and keep it still`,
      };
    const reachM = medians.slice(BONES);
    const value = HandScale.safeParse({
      scale: median(this.#robotReachM.map((reach, i) => reach / reachM[i]!)),
      reachM: { index: reachM[0]!, middle: reachM[1]!, ring: reachM[2]! },
      boneLengthsM: medians.slice(0, BONES),
      spread,
      usedCount: this.usedCount,
      rejectedCount: this.bentCount + this.notHandCount,
    });
    if (value.success) return { ok: true, value: value.data };
    const [issue] = value.error.issues;
    return { ok: false, why: `the hand has no usable size: ${issue?.path.join(".")} ${issue?.message}` };
  }

  #column(at: number): number[] {
    return Array.from({ length: this.usedCount }, (_, sample) => this.#samples[sample * NUMBERS + at]!);
  }
}

function distance(points: Float64Array, one: number, other: number): number {
  const dx = points[3 * one]! - points[3 * other]!;
  const dy = points[3 * one + 1]! - points[3 * other + 1]!;
  const dz = points[3 * one + 2]! - points[3 * other + 2]!;
  return Math.sqrt(dx * dx + dy * dy + dz * dz);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
