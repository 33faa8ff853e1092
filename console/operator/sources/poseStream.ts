/**
 * A virtual hand that is driven by speeds: while the clutch is held it moves, and its pose goes to the daemon 60 times a
 * second as that of any headset would. Whatever ends the hold is said once, with the clutch open; nothing follows it.
 */
import type { PoseMessage, PoseSource } from "../../../core/teleop/pose.js";
import type { PageClock } from "../../link/pageClock.js";
import {
  type AT_REST,
  type DriveSource,
  SPEEDS,
  type SpeedName,
  STANDPOINTS,
  type Standpoint,
  turnAboutZ,
} from "./driveInput.js";

export const STREAM_HZ = 60;
/** A page that stood still for longer lets go: the person cannot have seen what would follow. */
export const STALL_MS_MAX = 90;
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
  #isHeld = false;
  #lastMs = 0;
  #sentMs = Number.NEGATIVE_INFINITY;
  #stop: (() => void) | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#positionM = [...options.startM];
    this.gripper = options.gripper;
    this.hand = options.hand;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  get source(): PoseSource {
    return this.#options.source;
  }

  start(): void {
    this.#stop ??= this.#options.clock.every(1000 / STREAM_HZ, () => this.tick());
  }

  close(): void {
    this.release("the source was closed");
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Ends the hold now, and tells the daemon so. */
  release(why: string): void {
    this.#options.input.release();
    this.#letGo(why);
  }

  toggleGripper(): void {
    this.gripper = this.gripper < 0.5 ? 1 : 0;
  }

  tick(): void {
    const nowMs = this.#options.clock.nowMs();
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (this.#isHeld && elapsedMs > STALL_MS_MAX) {
      this.release(`the page stood still for ${Math.round(elapsedMs)} ms; press again`);
      return;
    }
    const input = this.#options.input.read();
    if (!input.isHeld) {
      this.#letGo("released");
      return;
    }
    if (this.#isHeld) this.#move(input, elapsedMs);
    else {
      this.#isHeld = true;
      if (!(nowMs - this.#sentMs <= REST_MS)) {
        this.#positionM = [...this.#options.startM];
        this.#quat = [0, 0, 0, 1];
      }
      // The daemon counts a press only after it has seen the clutch open in this place.
      this.#send(nowMs, 0);
      this.#options.onChange?.(true, "");
    }
    if (!this.#send(nowMs, 1)) this.release("the connection does not take poses");
  }

  #letGo(why: string): void {
    this.#linear = [0, 0, 0];
    this.#angular = [0, 0, 0];
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#send(this.#options.clock.nowMs(), 0);
    this.#options.onChange?.(false, why);
  }

  #move(input: typeof AT_REST, elapsedMs: number): void {
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
