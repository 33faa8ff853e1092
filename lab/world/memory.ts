/**
 * The memory that the physics thread shares with the emulated controller and the cameras. Commands go in and state
 * comes out without messages; each number is written whole. Who needs numbers of one and the same step takes a
 * `snapshot`, which a sequence counter guards.
 */
import { asEpochNs, asMonotonicNs, type EpochNs, type MonotonicNs } from "../../core/clock.js";
import type { WorldLayout } from "./layout.js";

const INTEGERS = 8;
const [SEQUENCE, ENABLED, FREE_DRIVE, SKIPPED, SCENE_SEED] = [0, 1, 2, 3, 4];
const BIG_INTEGERS = 2;

/** How many numbers each quantity has; they lie in this order. */
const floatsOf = ({ positionCount, armJoints, handJoints }: WorldLayout) => ({
  timeS: 1,
  qpos: positionCount,
  velocity: armJoints,
  effort: armJoints,
  openingM: 1,
  toolM: 3,
  target: armJoints,
  gripper: 2,
  push: 4,
  objectPush: 4,
  palm: handJoints === 0 ? 0 : 7,
  tipsM: handJoints === 0 ? 0 : 12,
});
type FloatName = keyof ReturnType<typeof floatsOf>;
const FLOAT_START = 4 * INTEGERS + 8 * BIG_INTEGERS;

/** The tool point, or the object on a palm. */
export type Pushed = "tool" | "object";

export interface WorldSnapshot {
  /** Whole steps since the start, as simulated time [s]. */
  timeS: number;
  atNs: MonotonicNs;
  epochNs: EpochNs;
  sceneSeed: number;
  readonly qpos: Float64Array;
  readonly toolM: Float64Array;
  /** Of a hand: its palm's position [m] and rotation x y z w in the base frame, and its fingertips [m] in the palm's. */
  readonly palm: Float64Array;
  readonly tipsM: Float64Array;
}

export function emptySnapshot(layout: WorldLayout): WorldSnapshot {
  const { qpos, palm, tipsM } = floatsOf(layout);
  return {
    timeS: 0,
    atNs: asMonotonicNs(0n),
    epochNs: asEpochNs(0n),
    sceneSeed: 0,
    qpos: new Float64Array(qpos),
    toolM: new Float64Array(3),
    palm: new Float64Array(palm),
    tipsM: new Float64Array(tipsM),
  };
}

/** About a millisecond of looking at an unfinished step: a write takes some ten microseconds. */
const SNAPSHOT_ATTEMPTS = 200_000;

export class WorldMemory {
  readonly #integers: Int32Array;
  readonly #times: BigInt64Array;
  readonly #timeS: Float64Array;
  readonly #gripper: Float64Array;
  readonly #pushes: Readonly<Record<Pushed, Float64Array>>;
  readonly qpos: Float64Array;
  /** Of the arm's joints [rad/s] and [N m]. */
  readonly velocityRadPerS: Float64Array;
  readonly effortNm: Float64Array;
  readonly openingM: Float64Array;
  readonly toolM: Float64Array;
  /** Setpoint of the arm's joints [rad]. */
  readonly targetRad: Float64Array;
  readonly palm: Float64Array;
  readonly tipsM: Float64Array;
  readonly buffer: SharedArrayBuffer;

  /** @param buffer of another thread's memory of the same layout; a new one when absent */
  constructor(
    readonly layout: WorldLayout,
    buffer?: SharedArrayBuffer,
  ) {
    const counts = floatsOf(layout);
    const count = Object.values(counts).reduce((sum, one) => sum + one, 0);
    this.buffer = buffer ?? new SharedArrayBuffer(FLOAT_START + 8 * count);
    this.#integers = new Int32Array(this.buffer, 0, INTEGERS);
    this.#times = new BigInt64Array(this.buffer, 4 * INTEGERS, BIG_INTEGERS);
    const floats = (name: FloatName): Float64Array => {
      let start = FLOAT_START;
      for (const [other, count] of Object.entries(counts)) {
        if (other === name) break;
        start += 8 * count;
      }
      return new Float64Array(this.buffer, start, counts[name]);
    };
    this.#timeS = floats("timeS");
    this.qpos = floats("qpos");
    this.velocityRadPerS = floats("velocity");
    this.effortNm = floats("effort");
    this.openingM = floats("openingM");
    this.toolM = floats("toolM");
    this.targetRad = floats("target");
    this.palm = floats("palm");
    this.tipsM = floats("tipsM");
    this.#gripper = floats("gripper");
    this.#pushes = { tool: floats("push"), object: floats("objectPush") };
  }

  get enabled(): boolean {
    return Atomics.load(this.#integers, ENABLED) === 1;
  }
  set enabled(on: boolean) {
    Atomics.store(this.#integers, ENABLED, on ? 1 : 0);
  }
  get freeDrive(): boolean {
    return Atomics.load(this.#integers, FREE_DRIVE) === 1;
  }
  set freeDrive(on: boolean) {
    Atomics.store(this.#integers, FREE_DRIVE, on ? 1 : 0);
  }
  /** Steps left out because the thread was too late to make up for them. */
  get skippedSteps(): number {
    return Atomics.load(this.#integers, SKIPPED);
  }
  set skippedSteps(count: number) {
    Atomics.store(this.#integers, SKIPPED, count);
  }
  get gripperTargetM(): number {
    return this.#gripper[0]!;
  }
  get gripperSpeedMPerS(): number {
    return this.#gripper[1]!;
  }
  setGripper(openingM: number, speedMPerS: number): void {
    this.#gripper[1] = speedMPerS;
    this.#gripper[0] = openingM;
  }

  /** Force [N] of a person's hand on something, base frame, until simulated time `untilS`. */
  pushN(on: Pushed): Float64Array {
    return this.#pushes[on].subarray(0, 3);
  }
  pushUntilS(on: Pushed): number {
    return this.#pushes[on][3]!;
  }
  push(on: Pushed, forceN: readonly [number, number, number], untilS: number): void {
    this.#pushes[on].set([...forceN, untilS]);
  }

  /** Physics thread only: writes one step's state as a whole. */
  publish(timeS: number, atNs: MonotonicNs, epochNs: EpochNs, sceneSeed: number, write: () => void): void {
    Atomics.add(this.#integers, SEQUENCE, 1);
    this.#timeS[0] = timeS;
    this.#times[0] = atNs;
    this.#times[1] = epochNs;
    Atomics.store(this.#integers, SCENE_SEED, sceneSeed);
    write();
    Atomics.add(this.#integers, SEQUENCE, 1);
  }

  /** Copies the newest whole step; false in the rare case that the writer was interrupted while it wrote. */
  snapshot(out: WorldSnapshot): boolean {
    for (let attempt = 0; attempt < SNAPSHOT_ATTEMPTS; attempt++) {
      const before = Atomics.load(this.#integers, SEQUENCE);
      if ((before & 1) !== 0) continue;
      out.timeS = this.#timeS[0]!;
      out.atNs = asMonotonicNs(this.#times[0]!);
      out.epochNs = asEpochNs(this.#times[1]!);
      out.sceneSeed = Atomics.load(this.#integers, SCENE_SEED);
      out.qpos.set(this.qpos);
      out.toolM.set(this.toolM);
      out.palm.set(this.palm);
      out.tipsM.set(this.tipsM);
      if (Atomics.load(this.#integers, SEQUENCE) === before) return true;
    }
    return false;
  }
}
