/**
 * The arm as capsules that move with its joints: heights above a table and distances between its own parts. A body
 * owns its buffers and allocates nothing after construction, so the servo tick may use it; each thread needs its own.
 */
import { invariant } from "../core/errors.js";
import { ArmChain } from "./chain.js";
import { measureSegments } from "./segments.js";
import { type Joint, TOOL_POINT_FLANGE_M, type Vector3, XARM7_JOINTS } from "./xarm7.js";

/** All that is within `radiusM` of the segment between two points of a frame. */
export interface BodyCapsule {
  readonly name: string;
  /** 0 is the base, n the frame of joint n's child; what the flange carries is on the last. */
  readonly frame: number;
  readonly fromM: Vector3;
  readonly toM: Vector3;
  readonly radiusM: number;
}

/** Indices of two capsules that may not touch. */
export type CapsulePair = readonly [one: number, other: number];

export class ArmBody {
  readonly chain: ArmChain;
  readonly capsules: readonly BodyCapsule[];
  readonly pairs: readonly CapsulePair[];
  /** After `update`: both ends of every capsule's segment in the base frame [m], six numbers a capsule. */
  readonly endsM: Float64Array;
  /** After `update`: the tool point and the elbow (the joint between the two long links), base frame [m]. */
  readonly toolM: Float64Array;
  readonly elbowM: Float64Array;
  /** Per joint: how far [m] any point of the body, or the tool point, can be from its axis; a rad moves no more. */
  readonly reachM: Float64Array;
  readonly toolReachM: Float64Array;
  /** Beyond this distance pairs are not told apart [m]. */
  farM = Number.POSITIVE_INFINITY;
  /** What `measureToolStep` has found: the way of the tool point [m], to first order. */
  toolStepM = Number.NaN;
  readonly #frames: Int32Array;
  readonly #firstMoving: number;
  readonly #localM: Float64Array;
  readonly #radiusM: Float64Array;
  readonly #one: Int32Array;
  readonly #other: Int32Array;
  /** Per pair: both radii together [m], and those with half of both lengths. */
  readonly #radiiM: Float64Array;
  readonly #sizesM: Float64Array;
  readonly #middlesM: Float64Array;

  /**
   * @param elbowJoint index of the joint whose origin is the elbow
   */
  constructor(
    capsules: readonly BodyCapsule[],
    pairs: readonly CapsulePair[],
    joints: readonly Joint[] = XARM7_JOINTS,
    toolPointFlangeM: Vector3 = TOOL_POINT_FLANGE_M,
    elbowJoint = 3,
  ) {
    this.chain = new ArmChain(joints, toolPointFlangeM);
    this.capsules = capsules;
    this.pairs = pairs;
    this.toolM = this.chain.toolM;
    this.elbowM = this.chain.jointOriginsM.subarray(3 * elbowJoint, 3 * elbowJoint + 3);
    for (const [index, { name, frame, radiusM }] of capsules.entries()) {
      invariant(
        frame >= (capsules[index - 1]?.frame ?? 0),
        `capsules are listed from the base on, ${name} too`,
      );
      invariant(frame >= 0 && frame <= joints.length && radiusM > 0, `${name} is a capsule on the arm`);
    }
    this.#frames = Int32Array.from(capsules, ({ frame }) => frame);
    this.#firstMoving = capsules.filter(({ frame }) => frame === 0).length;
    this.#localM = Float64Array.from(capsules.flatMap(({ fromM, toM }) => [...fromM, ...toM]));
    this.endsM = this.#localM.slice();
    this.#radiusM = Float64Array.from(capsules, ({ radiusM }) => radiusM);
    this.#one = Int32Array.from(pairs, ([one]) => one);
    this.#other = Int32Array.from(pairs, ([, other]) => other);
    this.#middlesM = new Float64Array(3 * capsules.length);
    this.#radiiM = Float64Array.from(
      pairs,
      ([one, other]) => capsules[one]!.radiusM + capsules[other]!.radiusM,
    );
    const lengthM = capsules.map(({ fromM, toM }) => Math.hypot(...fromM.map((x, axis) => x - toM[axis]!)));
    this.#sizesM = this.#radiiM.map((radiiM, pair) => {
      const [one, other] = pairs[pair]!;
      return radiiM + (lengthM[one]! + lengthM[other]!) / 2;
    });
    // The links between stretched out, then the farthest end on the last of them; radii move with their segments.
    const reachM = (joint: number, frame: number, pointM: Vector3) =>
      joints.slice(joint + 1, frame).reduce((sum, { originM }) => sum + Math.hypot(...originM), 0) +
      Math.hypot(...pointM);
    this.toolReachM = Float64Array.from(joints, (_, joint) => reachM(joint, joints.length, toolPointFlangeM));
    this.reachM = this.toolReachM.map((toolReachM, joint) =>
      Math.max(
        toolReachM,
        ...capsules.flatMap(({ frame, fromM, toM }) =>
          frame > joint ? [reachM(joint, frame, fromM), reachM(joint, frame, toM)] : [],
        ),
      ),
    );
  }

  /** Moves every capsule to joint angles [rad], base to tool. */
  update(positionRad: ArrayLike<number>): void {
    this.chain.update(positionRad);
    const { jointOriginsM: origins, linkRotations: rotations } = this.chain;
    const { endsM } = this;
    const locals = this.#localM;
    // What is on the base stays where the constructor has put it.
    for (let capsule = this.#firstMoving; capsule < this.#frames.length; capsule++) {
      const joint = this.#frames[capsule]! - 1;
      const o = 3 * joint;
      const m = 9 * joint;
      for (let end = 6 * capsule; end < 6 * capsule + 6; end += 3) {
        const x = locals[end]!;
        const y = locals[end + 1]!;
        const z = locals[end + 2]!;
        endsM[end] = origins[o]! + rotations[m]! * x + rotations[m + 1]! * y + rotations[m + 2]! * z;
        endsM[end + 1] =
          origins[o + 1]! + rotations[m + 3]! * x + rotations[m + 4]! * y + rotations[m + 5]! * z;
        endsM[end + 2] =
          origins[o + 2]! + rotations[m + 6]! * x + rotations[m + 7]! * y + rotations[m + 8]! * z;
      }
    }
  }

  /** Finds `toolStepM` for small joint steps [rad] from where the last `update` put the arm. */
  measureToolStep(stepRad: ArrayLike<number>): void {
    const { jointOriginsM: origins, jointAxes: axes } = this.chain;
    let x = 0;
    let y = 0;
    let z = 0;
    for (let joint = 0; joint < this.reachM.length; joint++) {
      const o = 3 * joint;
      const rx = this.toolM[0]! - origins[o]!;
      const ry = this.toolM[1]! - origins[o + 1]!;
      const rz = this.toolM[2]! - origins[o + 2]!;
      const step = stepRad[joint]!;
      x += step * (axes[o + 1]! * rz - axes[o + 2]! * ry);
      y += step * (axes[o + 2]! * rx - axes[o]! * rz);
      z += step * (axes[o]! * ry - axes[o + 1]! * rx);
    }
    this.toolStepM = Math.sqrt(x * x + y * y + z * z);
  }

  /**
   * Height of every capsule's lowest point in the base frame [m].
   * @param outM one number a capsule
   */
  measureHeights(outM: Float64Array): void {
    for (let capsule = 0; capsule < outM.length; capsule++)
      outM[capsule] =
        Math.min(this.endsM[6 * capsule + 2]!, this.endsM[6 * capsule + 5]!) - this.#radiusM[capsule]!;
  }

  /**
   * Distances between the surfaces of all pairs [m], negative where they overlap. Those that are certainly further apart
   * than `farM` are given as `farM`.
   * @param outM one number a pair
   */
  measurePairs(outM: Float64Array): void {
    const { endsM, farM } = this;
    const mid = this.#middlesM;
    const ones = this.#one;
    const others = this.#other;
    const sizes = this.#sizesM;
    for (let from = 0, to = 0; to < mid.length; from += 6, to += 3) {
      mid[to] = (endsM[from]! + endsM[from + 3]!) / 2;
      mid[to + 1] = (endsM[from + 1]! + endsM[from + 4]!) / 2;
      mid[to + 2] = (endsM[from + 2]! + endsM[from + 5]!) / 2;
    }
    for (let pair = 0; pair < ones.length; pair++) {
      const one = 3 * ones[pair]!;
      const other = 3 * others[pair]!;
      const x = mid[one]! - mid[other]!;
      const y = mid[one + 1]! - mid[other + 1]!;
      const z = mid[one + 2]! - mid[other + 2]!;
      const nearM = sizes[pair]! + farM;
      if (x * x + y * y + z * z > nearM * nearM) outM[pair] = farM;
      else {
        measureSegments(endsM, 2 * one, 2 * other, outM, pair);
        outM[pair]! -= this.#radiiM[pair]!;
      }
    }
  }
}
