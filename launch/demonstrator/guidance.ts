/**
 * How a hand leads a tool steadily to a goal, as people do who watch it all the way: towards where it is to go next, slower
 * as it comes near, never quite straight. Decides one frame at a time; seeded.
 */
import type { Pose } from "../../kinematics/pose.js";
import { multiplyQuat } from "../../kinematics/pose.js";
import type { Vector3 } from "../../kinematics/xarm7.js";
import { aimPointM, type ToolGoal } from "../../lab/experts/toolGoal.js";
import type { Random } from "../../lab/world/random.js";
import { minus, plus, quatOfVector, scaled } from "./stroke.js";

/** Of the hand while it leads [m/s] and [rad/s]. */
const SPEED_M_PER_S = 0.1;
const SPEED_RAD_PER_S = 0.4;
/** Speed for each metre, and each radian, that is left [1/s]: what an eye can follow through the arm's own lag. */
const GAIN_PER_S = 2.5;
/** A hand takes on another speed in so long [s]. */
const EASE_S = 0.15;
/** And comes to rest faster than that, to this speed [m/s]. */
const BRAKE_S = 0.07;
const REST_M_PER_S = 0.005;
/** Wandering beside the way: deviations [m/s] and [rad/s], and memory [s]; less of it near the goal. */
const WANDER_M_PER_S = 0.04;
const WANDER_RAD_PER_S = 0.12;
const WANDER_S = 0.4;
const WANDER_FADE_M = 0.1;
const WANDER_SHARE_MIN = 0.35;

const STILL: Vector3 = [0, 0, 0];

export class Guidance {
  readonly #random: Random;
  readonly #pace: number;
  #speed: Vector3 = STILL;
  #turn: Vector3 = STILL;
  #wander: Vector3 = STILL;
  #wanderTurn: Vector3 = STILL;

  /** @param pace of this person, about 1 */
  constructor(random: Random, pace: number) {
    this.#random = random;
    this.#pace = pace;
  }

  /** The hand stands: a clutch was pressed. */
  begin(): void {
    this.#speed = STILL;
    this.#turn = STILL;
  }

  /**
   * @param turnRad rotation vector from the tool to the goal, base frame
   * @param stepS time since the last frame [s]
   * @returns where the hand is now
   */
  move(hand: Pose, goal: ToolGoal, toolM: Vector3, turnRad: Vector3, scale: number, stepS: number): Pose {
    const leftM = minus(aimPointM(goal, toolM), toolM);
    this.#stray(stepS);
    const nearness = Math.hypot(...minus(goal.toolM, toolM)) / WANDER_FADE_M;
    const fade = Math.min(1, Math.max(WANDER_SHARE_MIN, nearness));
    const wanted = atMost(scaled(leftM, GAIN_PER_S), SPEED_M_PER_S * this.#pace);
    this.#ease(
      plus(wanted, scaled(this.#wander, fade)),
      plus(atMost(scaled(turnRad, GAIN_PER_S), SPEED_RAD_PER_S), scaled(this.#wanderTurn, fade)),
      stepS / EASE_S,
    );
    return this.#moved(hand, scale, stepS);
  }

  /** The hand comes to rest. */
  coast(hand: Pose, scale: number, stepS: number): Pose {
    this.#ease(STILL, STILL, stepS / BRAKE_S);
    return this.#moved(hand, scale, stepS);
  }

  get isAtRest(): boolean {
    return Math.hypot(...this.#speed) < REST_M_PER_S;
  }

  /** Where the hand would come to rest from here [m]. */
  restM(hand: Pose, scale: number): Vector3 {
    return plus(hand.positionM, scaled(this.#speed, BRAKE_S / scale));
  }

  #ease(speed: Vector3, turn: Vector3, steps: number): void {
    const share = Math.min(1, steps);
    this.#speed = plus(this.#speed, scaled(minus(speed, this.#speed), share));
    this.#turn = plus(this.#turn, scaled(minus(turn, this.#turn), share));
  }

  #moved(hand: Pose, scale: number, stepS: number): Pose {
    return {
      positionM: plus(hand.positionM, scaled(this.#speed, stepS / scale)),
      quatXyzw: multiplyQuat(quatOfVector(scaled(this.#turn, stepS)), hand.quatXyzw),
    };
  }

  #stray(stepS: number): void {
    this.#wander = this.#strayed(this.#wander, WANDER_M_PER_S, stepS);
    this.#wanderTurn = this.#strayed(this.#wanderTurn, WANDER_RAD_PER_S, stepS);
  }

  /** An Ornstein-Uhlenbeck process: the same deviation whatever the frame's length. */
  #strayed(wander: Vector3, deviation: number, stepS: number): Vector3 {
    const kept = Math.exp(-stepS / WANDER_S);
    const fresh = deviation * Math.sqrt(1 - kept * kept);
    const one = (axis: 0 | 1 | 2) => kept * wander[axis] + fresh * this.#random.normal();
    return [one(0), one(1), one(2)];
  }
}

function atMost(vector: Vector3, largest: number): Vector3 {
  const length = Math.hypot(...vector);
  return length <= largest ? vector : scaled(vector, largest / length);
}
