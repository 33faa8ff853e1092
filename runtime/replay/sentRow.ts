/**
 * What a robot was sent in an episode, as one row of setpoints that left for the device. Ticks in which nothing left
 * (missed by the loop, or the device took nothing) did not move the arm's setpoint, so they have no place in the row.
 * Ticks that are only missing in the file did, and are filled.
 */
import { CerebellumError } from "../../core/errors.js";
import type { ServoTick } from "../../episodes/messages.js";
import { REASON_BITS } from "../servo/api.js";
import type { LimiterLimits } from "../servo/limits.js";
import { UNSENT_TICKS_TO_REST } from "../servo/motion.js";

export interface SentRow {
  readonly jointCount: number;
  /** Joint angles [rad], setpoint by setpoint, base to tool. */
  readonly positionRad: Float64Array;
  /** Gripper opening that was asked for by then [m]; NaN before the first. */
  readonly openingM: Float64Array;
  /**
   * Places of setpoints at which the arm stood because nothing left for a while: motion may end abruptly there, and
   * goes on from rest.
   */
  readonly standsAt: readonly number[];
  /** What is not as in the recording, and why. */
  readonly remarks: readonly string[];
  /** Every setpoint is one that was sent. */
  readonly isWhole: boolean;
}

const STREAMING = new Set(["holding", "following", "stopping"]);
/** Longer holes in a file are not filled. */
const FILLED_TICKS_MAX = 25;
/** Of the limits of acceleration and jerk, for differences of setpoints on both sides of a gap. */
const SMOOTH_SHARE = 1.02;

/** @throws CerebellumError EPISODE_INVALID when the ticks are not one motion, or a gap cannot be explained */
export function sentRow(ticks: readonly ServoTick[], limits: LimiterLimits, periodS: number): SentRow {
  const streamed = streamedTicks(ticks);
  const jointCount = limits.jointNames.length;
  const row = new RowBuilder(jointCount, limits, periodS);
  for (const [index, tick] of streamed.entries()) {
    if (tick.sentRad.length !== jointCount || !tick.sentRad.every(Number.isFinite))
      throw unusable(`tick ${tick.tick} holds no setpoint of ${jointCount} joints`, "Replay another episode");
    const before = streamed[index - 1];
    if (before !== undefined) row.pass(tick.tick - before.tick - 1, streamed, index);
    if ((tick.reasons & REASON_BITS.deviceNotReady) !== 0) row.leaveOut();
    else row.push(tick.sentRad, tick.gripperCommandM);
  }
  return row.finish();
}

/** The ticks in which setpoints went to the device: one stretch, or there is no one motion to replay. */
function streamedTicks(ticks: readonly ServoTick[]): readonly ServoTick[] {
  const first = ticks.findIndex(({ state }) => STREAMING.has(state));
  const last = ticks.findLastIndex(({ state }) => STREAMING.has(state));
  if (first < 0) throw unusable("the arm was never enabled in it", "Replay an episode in which it moves");
  const streamed = ticks.slice(first, last + 1);
  const broken = streamed.findIndex(
    ({ state, tick }, i) => !STREAMING.has(state) || (i > 0 && tick <= streamed[i - 1]!.tick),
  );
  if (broken < 0) return streamed;
  const atS = (Number(streamed[broken]!.stampNs - ticks[0]!.stampNs) / 1e9).toFixed(2);
  throw unusable(
    `the arm was ${streamed[broken]!.state} ${atS} s after the first tick: no one motion leads through that`,
    "Keep one side of it with `./cerebellum episodes trim`",
  );
}

class RowBuilder {
  readonly #jointCount: number;
  readonly #secondMaxRad: readonly number[];
  readonly #thirdMaxRad: readonly number[];
  readonly #positions: Float64Array[] = [];
  readonly #openings: number[] = [];
  readonly #standsAt: number[] = [];
  /** Ticks in a row in which nothing left. */
  #unsent = 0;
  #untaken = 0;
  #missed = 0;
  #filled = 0;

  constructor(jointCount: number, limits: LimiterLimits, periodS: number) {
    this.#jointCount = jointCount;
    this.#secondMaxRad = limits.accelerationMaxRadPerS2.map((max) => max * periodS ** 2 * SMOOTH_SHARE);
    this.#thirdMaxRad = limits.jerkMaxRadPerS3.map((max) => max * periodS ** 3 * SMOOTH_SHARE);
  }

  /** A tick that left nothing for the device. */
  leaveOut(): void {
    this.#untaken++;
    this.#unsent++;
  }

  push(sentRad: Float64Array, openingM: number): void {
    if (this.#unsent >= UNSENT_TICKS_TO_REST && this.#positions.length > 0)
      this.#standsAt.push(this.#positions.length - 1);
    this.#unsent = 0;
    this.#positions.push(sentRad);
    this.#openings.push(openingM);
  }

  /** Explains `missing` ticks right before the one at `index`. */
  pass(missing: number, ticks: readonly ServoTick[], index: number): void {
    if (missing === 0) return;
    const after = ticks.slice(index, index + 3).map(({ sentRad }) => sentRad);
    const before = this.#positions.slice(-3);
    const stood = before.slice(-1).flatMap((last) => [last, last, last]);
    const mayStand = this.#unsent + missing >= UNSENT_TICKS_TO_REST;
    if (this.#isSmooth(before, after) || (mayStand && this.#isSmooth(stood, after))) {
      this.#missed += missing;
      this.#unsent += missing;
      return;
    }
    const where = `${missing} ticks are missing before tick ${ticks[index]!.tick}`;
    if (missing > FILLED_TICKS_MAX || before.length < 3 || after.length < 3)
      throw unusable(
        `${where}, in motion: too many to fill (at most ${FILLED_TICKS_MAX}), and the arm did not just stand there`,
        "Keep one side of them with `./cerebellum episodes trim`",
      );
    const opening = this.#openings.at(-1)!;
    for (let k = 1; k <= missing; k++)
      this.push(between(before, after, k / (missing + 1), missing + 1), opening);
    this.#filled += missing;
  }

  /** Whether setpoints follow each other as if no tick were missing between them. */
  #isSmooth(before: readonly Float64Array[], after: readonly Float64Array[]): boolean {
    const positions = [...before, ...after];
    const seam = before.length;
    for (let joint = 0; joint < this.#jointCount; joint++) {
      const x = (i: number) => positions[i]![joint]!;
      for (let i = 2; i < positions.length; i++) {
        if (i < seam || i - 2 >= seam) continue;
        if (Math.abs(x(i) - 2 * x(i - 1) + x(i - 2)) > this.#secondMaxRad[joint]!) return false;
      }
      for (let i = 3; i < positions.length; i++) {
        if (i < seam || i - 3 >= seam) continue;
        const third = x(i) - 3 * x(i - 1) + 3 * x(i - 2) - x(i - 3);
        if (Math.abs(third) > this.#thirdMaxRad[joint]!) return false;
      }
    }
    return true;
  }

  finish(): SentRow {
    const remarks: string[] = [];
    if (this.#missed > 0)
      remarks.push(
        `${this.#missed} ticks are not in it because nothing was sent in them, or the arm stood: the replay is so much shorter`,
      );
    if (this.#untaken > 0)
      remarks.push(
        `${this.#untaken} ticks left nothing for the device, which was busy: they are not repeated`,
      );
    if (this.#filled > 0)
      remarks.push(`${this.#filled} ticks were not recorded and are filled in: they are not what was sent`);
    const positionRad = new Float64Array(this.#positions.length * this.#jointCount);
    for (const [tick, position] of this.#positions.entries())
      positionRad.set(position, tick * this.#jointCount);
    return {
      jointCount: this.#jointCount,
      positionRad,
      openingM: Float64Array.from(this.#openings),
      standsAt: this.#standsAt,
      remarks,
      isWhole: this.#filled === 0,
    };
  }
}

/**
 * A point on the quintic that leaves the last of `before` and meets the first of `after` with their velocities and
 * accelerations, three setpoints on each side telling these.
 * @param share of the way in time @param ticks that the whole way takes
 */
function between(
  before: readonly Float64Array[],
  after: readonly Float64Array[],
  share: number,
  ticks: number,
): Float64Array {
  return before[2]!.map((from, joint) => {
    const start = motionAtEnd(before.map((position) => position[joint]!));
    const end = motionAtEnd(after.map((position) => position[joint]!).reverse());
    // In units of the whole way's time; seen backwards, velocity turns its sign.
    const [v0, a0] = [start.step * ticks, start.bend * ticks ** 2];
    const [v1, a1] = [-end.step * ticks, end.bend * ticks ** 2];
    const way = after[0]![joint]! - from - v0 - a0 / 2;
    const velocity = v1 - v0 - a0;
    const acceleration = a1 - a0;
    const c3 = 10 * way - 4 * velocity + acceleration / 2;
    const c4 = -15 * way + 7 * velocity - acceleration;
    const c5 = 6 * way - 3 * velocity + acceleration / 2;
    return from + share * (v0 + share * (a0 / 2 + share * (c3 + share * (c4 + share * c5))));
  });
}

/** Velocity and acceleration at the last of three positions, per tick. */
function motionAtEnd([x0, x1, x2]: readonly number[]): { step: number; bend: number } {
  const bend = x2! - 2 * x1! + x0!;
  return { step: x2! - x1! + bend / 2, bend };
}

export const unusable = (what: string, remedy: string) =>
  new CerebellumError("EPISODE_INVALID", `The episode cannot be replayed: ${what}`, remedy);
