/**
 * Where the arm may not be, as one list of distances [m] that must not be negative: tool point and elbow from each face
 * of the workspace box, the tool point and every moving part from the table's margin, and every pair of parts from the
 * margin for self-collision. Each is judged alone, so that being outside of one excuses nothing else. Base frame.
 *
 * An arm that starts inside of a zone may stay as deep as it is or leave, and what it has left for good it does not
 * enter again: every zone remembers the best distance that a way to rest has kept. As it is never compared with the
 * tick before, it cannot creep.
 */
import { REASON_BITS } from "./api.js";
import type { LimiterLimits } from "./limits.js";

/** The arm's shape, see `ArmBody`; `update` and what follows it must not allocate. */
export interface MovingBody {
  update(positionRad: ArrayLike<number>): void;
  readonly toolM: Float64Array;
  readonly elbowM: Float64Array;
  readonly capsules: readonly { readonly frame: number }[];
  readonly pairs: readonly unknown[];
  readonly reachM: Float64Array;
  readonly toolReachM: Float64Array;
  /** Beyond this distance pairs need not be told apart [m]. */
  farM: number;
  /** What `measureToolStep` has found [m]. */
  toolStepM: number;
  measureHeights(outM: Float64Array): void;
  measurePairs(outM: Float64Array): void;
  measureToolStep(stepRad: ArrayLike<number>): void;
}

/** Parts that are further apart than this and the margin need no exact distance. */
const FAR_M = 0.05;
/** The first joint turns its link about the upright, so parts on it and on the base keep their height. */
const FIRST_FRAME_THAT_TILTS = 2;
const FACES = 6;
/** Further away than this is free of a zone for good. */
export const CLEAR_M = 4e-4;
/**
 * What a target, a look at a way of braking, and a setpoint may lose of the best distance [m]. Between two looks the way
 * can bend towards a zone by a tenth of a millimetre or two; only beyond that is a setpoint cut.
 */
export const LOSS = { target: 0, plan: 1, sent: 2 } as const;
const LOSSES_M = Float64Array.of(1e-4, 2e-4, 5e-4);

export class Zones {
  readonly body: MovingBody;
  /** What `look` has found: how far the arm is from the nearest zone [m], negative inside. */
  nearestM = Number.NaN;
  readonly #limits: Pick<LimiterLimits, "workspace" | "selfCollisionMarginM">;
  readonly #tilting: Int32Array;
  readonly #reasonBits: Int32Array;
  /** Negative inside; those of far pairs are lower bounds. */
  readonly #distancesM: Float64Array;
  /** The pairs' part of them, and the heights of all capsules. */
  readonly #pairsM: Float64Array;
  readonly #heightsM: Float64Array;
  readonly #bestM: Float64Array;
  readonly #wayM: Float64Array;

  constructor(body: MovingBody, limits: Pick<LimiterLimits, "workspace" | "selfCollisionMarginM">) {
    this.body = body;
    this.#limits = limits;
    this.#tilting = Int32Array.from(
      body.capsules.flatMap(({ frame }, capsule) => (frame >= FIRST_FRAME_THAT_TILTS ? [capsule] : [])),
    );
    this.#reasonBits = Int32Array.from([
      ...Array<number>(2 * FACES).fill(REASON_BITS.workspace),
      ...Array<number>(1 + this.#tilting.length).fill(REASON_BITS.tablePlane),
      ...body.pairs.map(() => REASON_BITS.selfCollision),
    ]);
    this.#distancesM = new Float64Array(this.#reasonBits.length);
    this.#pairsM = this.#distancesM.subarray(this.#distancesM.length - body.pairs.length);
    this.#heightsM = new Float64Array(body.capsules.length);
    body.farM = FAR_M + limits.selfCollisionMarginM;
    this.#bestM = new Float64Array(this.#reasonBits.length);
    this.#wayM = new Float64Array(this.#reasonBits.length);
  }

  /** The arm stands here, wherever that is. */
  startAt(positionRad: ArrayLike<number>): void {
    this.look(positionRad);
    for (let zone = 0; zone < this.#bestM.length; zone++)
      this.#bestM[zone] = Math.min(CLEAR_M, this.#distancesM[zone]!);
  }

  /** Measures the distance from every zone, and finds `nearestM`. */
  look(positionRad: ArrayLike<number>): void {
    const { body } = this;
    const { minM, maxM, tableM, tableMarginM } = this.#limits.workspace;
    const distances = this.#distancesM;
    const floorM = tableM + tableMarginM;
    body.update(positionRad);
    for (let axis = 0; axis < 3; axis++) {
      distances[axis] = body.toolM[axis]! - minM[axis]!;
      distances[3 + axis] = maxM[axis]! - body.toolM[axis]!;
      distances[FACES + axis] = body.elbowM[axis]! - minM[axis]!;
      distances[FACES + 3 + axis] = maxM[axis]! - body.elbowM[axis]!;
    }
    let zone = 2 * FACES;
    distances[zone++] = body.toolM[2]! - floorM;
    body.measureHeights(this.#heightsM);
    for (let part = 0; part < this.#tilting.length; part++)
      distances[zone++] = this.#heightsM[this.#tilting[part]!]! - floorM;
    const marginM = this.#limits.selfCollisionMarginM;
    body.measurePairs(this.#pairsM);
    for (; zone < distances.length; zone++) distances[zone]! -= marginM;
    let nearestM = Number.POSITIVE_INFINITY;
    for (zone = 0; zone < distances.length; zone++) nearestM = Math.min(nearestM, distances[zone]!);
    this.nearestM = nearestM;
  }

  /**
   * 0 when the arm may be at these joint angles, having lost no more than that of the best distances; else reason bits.
   * @param loss one of `LOSS`
   */
  reasonsAt(positionRad: ArrayLike<number>, loss: number): number {
    this.look(positionRad);
    if (this.nearestM >= CLEAR_M) return 0;
    const lossM = LOSSES_M[loss]!;
    let reasons = 0;
    for (let zone = 0; zone < this.#bestM.length; zone++) {
      // Written so that not-a-number is no excuse.
      if (!(this.#distancesM[zone]! >= this.#bestM[zone]! - lossM)) reasons |= this.#reasonBits[zone]!;
    }
    return reasons;
  }

  /** A way to rest begins; `passWay` after every look at it. */
  startWay(): void {
    this.#wayM.fill(CLEAR_M);
  }

  passWay(): void {
    if (this.nearestM >= CLEAR_M) return;
    for (let zone = 0; zone < this.#wayM.length; zone++)
      this.#wayM[zone] = Math.min(this.#wayM[zone]!, this.#distancesM[zone]!);
  }

  /** The way is good: from now on the arm has it, so no zone needs to be entered deeper than it does. */
  keepWay(): void {
    for (let zone = 0; zone < this.#bestM.length; zone++)
      this.#bestM[zone] = Math.max(this.#bestM[zone]!, this.#wayM[zone]!);
  }
}
