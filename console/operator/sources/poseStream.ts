/**
 * A virtual hand that is driven by speeds: while the clutch is held it moves, and its pose goes to the daemon 60 times a
 * second as that of any headset would. Whatever ends the hold is said once, with the clutch open; nothing follows it.
 */
import type { PoseMessage, PoseSource } from "../../../core/teleop/pose.js";
import type { PageClock } from "../../link/pageClock.js";
import {
  type DriveInput,
  type DriveSource,
  SPEEDS,
  type SpeedName,
  STANDPOINTS,
  type Standpoint,
  turnAboutZ,
} from "./driveInput.js";
import { HoldLoop } from "./holdLoop.js";

export const STREAM_HZ = 60;
const STALL_MS_MAX = 90;
/** Speeds rise to what is asked for within this; they fall at once. */
const RISE_MS = 120;
/** After such a rest the hand may start elsewhere; sooner that would be a jump. */
const REST_MS = 1000;
/** Far inside the range of the schema; the daemon uses differences only. */
const RANGE_M = 5;

export interface StreamOptions {
  readonly clock: PageClock;
  readonly send: (pose: PoseMessage) => boolean;
  /** Random and new with each stream. */
  readonly session: string;
  readonly source: PoseSource;
  readonly device: string;
  readonly input: DriveSource;
  readonly hand: "left" | "right";
  /** Where the hand starts: the tool point when it is known. */
  readonly startM: readonly [number, number, number];
  /** 0 = open, 1 = closed: as the gripper stands, so that the first engage does not move it. */
  readonly gripper: number;
  readonly onChange?: (isHeld: boolean, why: string) => void;
}

type Vector = [number, number, number];
type Quat = [number, number, number, number];

export class PoseStream {
  speed: SpeedName = "normal";
  standpoint: Standpoint = "behind";
  gripper: number;
  hand: "left" | "right";
  readonly #options: StreamOptions;
  #positionM: Vector;
  #quat: Quat = [0, 0, 0, 1];
  #linear: Vector = [0, 0, 0];
  #angular: Vector = [0, 0, 0];
  #seq = 0;
  #sentMs = Number.NEGATIVE_INFINITY;
  readonly #hold: HoldLoop;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#positionM = [...options.startM];
    this.gripper = options.gripper;
    this.hand = options.hand;
    const { clock, input, onChange } = options;
    this.#hold = new HoldLoop({
      clock,
      rateHz: STREAM_HZ,
      stallMsMax: STALL_MS_MAX,
      input,
      begin: (nowMs) => this.#begin(nowMs),
      move: (moved, elapsedMs) => this.#move(moved, elapsedMs),
      rest: () => {
        this.#linear = [0, 0, 0];
        this.#angular = [0, 0, 0];
      },
      say: (nowMs, isHeld) => this.#send(nowMs, isHeld ? 1 : 0),
      onChange,
    });
  }

  get isHeld(): boolean {
    return this.#hold.isHeld;
  }

  get source(): PoseSource {
    return this.#options.source;
  }

  start(): void {
    this.#hold.start();
  }

  close(): void {
    this.#hold.close();
  }

  /** Ends the hold now, and tells the daemon so. */
  release(why: string): void {
    this.#hold.release(why);
  }

  toggleGripper(): void {
    this.gripper = this.gripper < 0.5 ? 1 : 0;
  }

  #begin(nowMs: number): void {
    if (!(nowMs - this.#sentMs <= REST_MS)) {
      this.#positionM = [...this.#options.startM];
      this.#quat = [0, 0, 0, 1];
    }
    // The daemon counts a press only after it has seen the clutch open in this place.
    this.#send(nowMs, 0);
  }

  #move(input: DriveInput, elapsedMs: number): void {
    const { linearMPerS, angularRadPerS } = SPEEDS[this.speed];
    const { yawRad } = STANDPOINTS[this.standpoint];
    const share = Math.min(1, elapsedMs / RISE_MS);
    this.#linear = approach(this.#linear, turnAboutZ(input.linear, yawRad), share);
    this.#angular = approach(this.#angular, turnAboutZ(input.angular, yawRad), share);
    const seconds = elapsedMs / 1000;
    for (let axis = 0; axis < 3; axis++) {
      const nextM = this.#positionM[axis]! + this.#linear[axis]! * linearMPerS * seconds;
      this.#positionM[axis] = Math.min(RANGE_M, Math.max(-RANGE_M, nextM));
    }
    const [x, y, z] = this.#angular;
    this.#quat = turned(this.#quat, [x, y, z], angularRadPerS * seconds);
  }

  #send(nowMs: number, clutch: 0 | 1): boolean {
    const { source, device, session, send } = this.#options;
    this.#sentMs = nowMs;
    return send({
      v: 1,
      source,
      device,
      session,
      seq: this.#seq++,
      deviceTimeMs: nowMs,
      space: "base",
      visibility: "visible",
      head: null,
      hands: [
        {
          hand: this.hand,
          mode: "controller",
          tracked: true,
          pose: { positionM: [...this.#positionM], quatXyzw: [...this.#quat] },
          clutch,
          gripper: this.gripper,
          buttons: { a: false, b: false, stick: false },
          stick: [0, 0],
          joints: null,
        },
      ],
    });
  }
}

/** Towards the wanted share of speed: up slowly, down at once. */
const approach = (now: Vector, wanted: readonly [number, number, number], share: number): Vector =>
  now.map((value, axis) => {
    const goal = wanted[axis]!;
    const isRising = Math.abs(goal) > Math.abs(value) && goal * value >= 0;
    return isRising ? value + Math.sign(goal) * Math.min(share, Math.abs(goal - value)) : goal;
  }) as Vector;

/** `quat` after a turn about an axis of the base frame: angle = |axis| * scaleRad. */
function turned(quat: Quat, axis: Vector, scaleRad: number): Quat {
  const length = Math.hypot(...axis);
  if (length === 0) return quat;
  const half = (length * scaleRad) / 2;
  const [ax, ay, az] = axis.map((value) => (value / length) * Math.sin(half)) as Vector;
  const aw = Math.cos(half);
  const [bx, by, bz, bw] = quat;
  const result: Quat = [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
  const norm = Math.hypot(...result);
  return result.map((value) => value / norm) as Quat;
}
