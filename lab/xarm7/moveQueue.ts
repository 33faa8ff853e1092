/**
 * The controller's queue of planned moves. Moves run one after another; a blended one lets its successor start while
 * it brakes, and the two displacements add up. The blending radius itself is not honoured.
 */
import { JOINT_COUNT } from "../../drivers/xarm7/protocol/index.js";
import { type Profile, pause, trapezoid } from "./profile.js";

/** Outcome of a move, as in a feedback frame. */
export const OUTCOME = { done: 0, failed: 1, discarded: 2 } as const;

/** Commands beyond this many are refused with warning 11. */
export const QUEUE_MAX = 1024;

export interface Move {
  /** Joint positions [rad] at even shares of the way, start and end included; at least two. */
  readonly waypointsRad: readonly Float64Array[];
  readonly profile: Profile;
  readonly blended: boolean;
  readonly started?: () => void;
  readonly finished?: (outcome: number) => void;
}

interface ActiveMove {
  readonly move: Move;
  elapsedS: number;
}

export class MoveQueue {
  #waiting: Move[] = [];
  #active: ActiveMove[] = [];
  /** Where all finished moves together have led. */
  readonly #anchorRad = new Float64Array(JOINT_COUNT);
  readonly #endRad = new Float64Array(JOINT_COUNT);

  get count(): number {
    return this.#waiting.length + this.#active.length;
  }

  /** End of the newest queued move, or where `standAt` put the arm: where the next move starts. */
  get endRad(): Float64Array {
    return this.#endRad;
  }

  /** Tells the queue where the setpoint is; only while it is empty. */
  standAt(positionRad: ArrayLike<number>): void {
    this.#anchorRad.set(positionRad);
    this.#endRad.set(positionRad);
  }

  /** Returns the number of moves in the queue, or undefined when it is full. */
  add(move: Move): number | undefined {
    if (this.count >= QUEUE_MAX) return undefined;
    this.#waiting.push(move);
    this.#endRad.set(move.waypointsRad.at(-1)!);
    return this.count;
  }

  clear(): void {
    const dropped = [...this.#active.map(({ move }) => move), ...this.#waiting];
    this.#active = [];
    this.#waiting = [];
    for (const move of dropped) move.finished?.(OUTCOME.discarded);
  }

  /** Moves `setpointRad` on by `dtS`. */
  step(dtS: number, setpointRad: Float64Array): void {
    for (const active of this.#active) active.elapsedS += dtS;
    let first = this.#active[0];
    while (first !== undefined && first.elapsedS >= first.move.profile.durationS) {
      this.#active.shift();
      addDisplacement(this.#anchorRad, first.move, first.move.waypointsRad.at(-1)!);
      first.move.finished?.(OUTCOME.done);
      first = this.#active[0];
    }
    const last = this.#active.at(-1);
    const lastBrakes = last?.move.blended && last.elapsedS >= last.move.profile.brakingS;
    const next = last === undefined || lastBrakes ? this.#waiting.shift() : undefined;
    if (next !== undefined) {
      this.#active.push({ move: next, elapsedS: 0 });
      next.started?.();
    }
    setpointRad.set(this.#anchorRad);
    for (const { move, elapsedS } of this.#active) {
      addDisplacement(setpointRad, move, positionAt(move.waypointsRad, move.profile.shareAt(elapsedS)));
    }
  }
}

function addDisplacement(positionRad: Float64Array, move: Move, reachedRad: Float64Array): void {
  const startRad = move.waypointsRad[0]!;
  for (let joint = 0; joint < JOINT_COUNT; joint++) {
    positionRad[joint] = positionRad[joint]! + reachedRad[joint]! - startRad[joint]!;
  }
}

function positionAt(waypointsRad: readonly Float64Array[], share: number): Float64Array {
  const place = share * (waypointsRad.length - 1);
  const before = Math.min(Math.floor(place), waypointsRad.length - 2);
  const [from, to] = [waypointsRad[before]!, waypointsRad[before + 1]!];
  return from.map((value, joint) => value + (place - before) * (to[joint]! - value));
}

/** Point to point: the joint with the longest way has this speed and acceleration, the others arrive with it. */
export function jointProfile(
  fromRad: ArrayLike<number>,
  toRad: ArrayLike<number>,
  speedRadPerS: number,
  accelerationRadPerS2: number,
): Profile {
  let longest = 0;
  for (let joint = 0; joint < JOINT_COUNT; joint++) {
    longest = Math.max(longest, Math.abs(toRad[joint]! - fromRad[joint]!));
  }
  return trapezoid(longest, clamp(speedRadPerS, 1e-4, Math.PI), clamp(accelerationRadPerS2, 0.01, 20));
}

export function sleepMove(atRad: ArrayLike<number>, durationS: number): Move {
  const standing = Float64Array.from(atRad);
  return { waypointsRad: [standing, standing], profile: pause(Math.max(0, durationS)), blended: false };
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
