/**
 * One tracked hand leads an arm and the hand that it carries, as one robot of a servo group: the wrist leads the arm's
 * tool, relative as ever, and the fingers lead the fingers. Each part is bounded by its own mapping; the target is one
 * vector, the arm's joints first.
 */
import type { ArmLimits } from "../../core/arm.js";
import { invariant } from "../../core/errors.js";
import { HAND_JOINT_COUNT } from "../../kinematics/allegro/hand.js";
import type { AlignedHand, HandMapping, ToolMapping, ToolStep } from "./mapping.js";

/** Of a group's limits, those of the joints from `from` on and before `to`. */
export function partOfLimits(limits: ArmLimits, from: number, to?: number): ArmLimits {
  return {
    jointNames: limits.jointNames.slice(from, to),
    positionMinRad: limits.positionMinRad.slice(from, to),
    positionMaxRad: limits.positionMaxRad.slice(from, to),
    velocityMaxRadPerS: limits.velocityMaxRadPerS.slice(from, to),
    accelerationMaxRadPerS2: limits.accelerationMaxRadPerS2.slice(from, to),
    jerkMaxRadPerS3: limits.jerkMaxRadPerS3.slice(from, to),
    toolSpeedMaxMPerS: limits.toolSpeedMaxMPerS,
  };
}

/** @param armJoints how many of the group's joints are the arm's */
export function armAndFingers(arm: ToolMapping, fingers: HandMapping, armJoints: number): ToolMapping {
  return new ArmAndFingers(arm, fingers, armJoints);
}

class ArmAndFingers implements ToolMapping {
  readonly #arm: ToolMapping;
  readonly #fingers: HandMapping;
  readonly #armJoints: number;
  readonly #targetRad: Float64Array;
  readonly #armSentRad: Float64Array;
  readonly #fingersSentRad = new Float64Array(HAND_JOINT_COUNT);
  readonly #limitedBy: string[] = [];

  constructor(arm: ToolMapping, fingers: HandMapping, armJoints: number) {
    this.#arm = arm;
    this.#fingers = fingers;
    this.#armJoints = armJoints;
    this.#armSentRad = new Float64Array(armJoints);
    this.#targetRad = new Float64Array(armJoints + HAND_JOINT_COUNT);
  }

  get translationScale(): number {
    return this.#arm.translationScale;
  }
  set translationScale(scale: number) {
    this.#arm.translationScale = scale;
  }
  get rotationScale(): number {
    return this.#arm.rotationScale;
  }
  set rotationScale(scale: number) {
    this.#arm.rotationScale = scale;
  }

  /** The slower of both. */
  get filterMs(): number {
    return Math.max(this.#arm.filterMs, this.#fingers.filterMs);
  }

  engage(hand: AlignedHand, sentRad: ArrayLike<number>, nowMs: number): void {
    this.#split(sentRad);
    this.#arm.engage(hand, this.#armSentRad, nowMs);
    this.#fingers.engage(hand, this.#fingersSentRad, nowMs);
  }

  step(hand: AlignedHand, nowMs: number, sentRad?: ArrayLike<number>): ToolStep {
    if (sentRad !== undefined) this.#split(sentRad);
    const arm = this.#arm.step(hand, nowMs, sentRad && this.#armSentRad);
    const fingers = this.#fingers.step(hand, nowMs, sentRad && this.#fingersSentRad);
    this.#targetRad.set(arm.targetRad);
    this.#targetRad.set(fingers.targetRad, this.#armJoints);
    this.#limitedBy.length = 0;
    this.#limitedBy.push(...arm.limitedBy);
    for (const word of fingers.limitedBy) if (!this.#limitedBy.includes(word)) this.#limitedBy.push(word);
    return {
      targetRad: this.#targetRad,
      // Fingers are in the gripper's place.
      gripperM: Number.NaN,
      wanted: arm.wanted,
      gapM: arm.gapM,
      limitedBy: this.#limitedBy,
      warning: arm.warning,
    };
  }

  #split(sentRad: ArrayLike<number>): void {
    invariant(sentRad.length === this.#targetRad.length, "the group has the arm's joints and the hand's");
    for (let joint = 0; joint < this.#armJoints; joint++) this.#armSentRad[joint] = sentRad[joint]!;
    for (let joint = 0; joint < HAND_JOINT_COUNT; joint++)
      this.#fingersSentRad[joint] = sentRad[this.#armJoints + joint]!;
  }
}
