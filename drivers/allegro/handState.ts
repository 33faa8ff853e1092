/**
 * Finger frames into complete position sets, and those into the one ArmState object that the servo tick reads. A set is
 * complete when each of the four fingers has come since the last one. Positions are as measured; velocity is that of
 * the filter, which lags as `JointFilter` says; effort is what was last commanded, because the hand measures none.
 */
import { HAND_JOINT_COUNT, type HandModel, JOINTS_PER_FINGER } from "../../kinematics/allegro/hand.js";
import type { ArmState } from "../contract.js";
import { JointFilter, radOfCounts } from "./protocol/index.js";

const ALL_FINGERS = 0x0f;
/**
 * The frames of one set come in one go. One that came so much earlier than the last [periods] is of the period before:
 * after a lost frame of the first finger every set would go on being made of two periods, for good.
 */
const SET_PERIODS_MAX = 0.75;
/**
 * Between two frames of one finger a joint turns no further than this [rad]: about ten times its nominal speed
 * (7 rad/s) over 3 ms. Whatever shows more is an encoder that has lost itself, or another device.
 */
const JUMP_RAD_MAX = 0.25;
/** A pause in the stream makes a large step believable. */
const JUMP_PERIODS = 4;

export class HandState {
  readonly state: ArmState = {
    sequence: 0,
    receivedMs: 0,
    deviceTimeUs: 0,
    positionRad: new Float64Array(HAND_JOINT_COUNT),
    velocityRadPerS: new Float64Array(HAND_JOINT_COUNT),
    effortNm: new Float64Array(HAND_JOINT_COUNT),
    toolPoseBase: new Float64Array(6),
    ready: false,
    errorCode: 0,
    warningCode: 0,
    deviceMode: 0,
    deviceState: 0,
    gripper: undefined,
  };
  readonly filter = new JointFilter();
  /** Sets that were begun anew because a finger came twice before another had come. */
  incomplete = 0;
  /** The joint that has jumped last, and how far; -1 for none. */
  jumpedJoint = -1;
  jumpRad = 0;
  readonly #model: HandModel;
  readonly #periodMs: number;
  readonly #newestRad = new Float64Array(HAND_JOINT_COUNT);
  readonly #cameMs = new Float64Array(4);
  #mask = 0;
  #newestFinger = -1;

  constructor(model: HandModel, periodMs: number) {
    this.#model = model;
    this.#periodMs = periodMs;
  }

  /** Bit per finger that has come since the last complete set. */
  get mask(): number {
    return this.#mask;
  }

  /** The next complete set seeds the filter: what it remembers is of another time. */
  restart(): void {
    this.#mask = 0;
    this.filter.reset();
    this.jumpedJoint = -1;
    this.#cameMs.fill(Number.NEGATIVE_INFINITY);
  }

  /**
   * @param counts sixteen, of which those of `finger` are new
   * @returns whether the set is complete; look at `jumpedJoint` first
   */
  take(finger: number, counts: Int16Array, nowMs: number): boolean {
    const bit = 1 << finger;
    const sinceMs = nowMs - this.#cameMs[finger]!;
    // A copy of a frame begins no new set: where every frame came twice, none would ever be complete. It follows its
    // original; sets that were held up on the way follow each other as closely, finger by finger.
    const isCopy = finger === this.#newestFinger && sinceMs <= this.#periodMs / 2;
    this.#newestFinger = finger;
    if (this.#mask & bit && !isCopy) {
      this.incomplete++;
      this.#mask = 0;
    }
    const isClose = sinceMs < JUMP_PERIODS * this.#periodMs;
    this.#cameMs[finger] = nowMs;
    for (let i = 0; i < JOINTS_PER_FINGER; i++) {
      const joint = JOINTS_PER_FINGER * finger + i;
      const positionRad = radOfCounts(this.#model, counts[joint]!);
      const stepRad = positionRad - this.#newestRad[joint]!;
      if (isClose && !(Math.abs(stepRad) <= JUMP_RAD_MAX)) {
        this.jumpedJoint = joint;
        this.jumpRad = stepRad;
      }
      this.#newestRad[joint] = positionRad;
    }
    this.#mask |= bit;
    if (this.#mask !== ALL_FINGERS) return false;
    for (let other = 0; other < this.#cameMs.length; other++)
      if (nowMs - this.#cameMs[other]! > SET_PERIODS_MAX * this.#periodMs) this.#mask &= ~(1 << other);
    if (this.#mask !== ALL_FINGERS) {
      this.incomplete++;
      return false;
    }
    this.#mask = 0;
    this.#complete(nowMs);
    return true;
  }

  #complete(nowMs: number): void {
    const { state, filter } = this;
    // The hand paces its stream, so sets that were held up on the way lie one period apart, however they arrive.
    const periods = Math.max(1, Math.round((nowMs - state.receivedMs) / this.#periodMs));
    filter.update(this.#newestRad, (periods * this.#periodMs) / 1000);
    state.positionRad.set(this.#newestRad);
    state.velocityRadPerS.set(filter.velocityRadPerS);
    state.receivedMs = nowMs;
    state.sequence++;
  }
}
