/**
 * Where the arm's body may not go, as distances with gradients by joint angle: elbow and tool point in a box, every part
 * that tilts above a height, parts that are not neighbours away from each other. Only what is near is listed, so that far
 * from everything nothing is computed but distances. An arm that starts inside may stay as deep as it is, or leave.
 * Allocates nothing after construction. Base frame, metres and radians.
 */
import type { ArmBody } from "./armBody.js";
import { ROWS_MAX } from "./halfSpaces.js";
import type { Clearances } from "./resolvedRate.js";

export interface ClearanceOptions {
  /** Box for tool point and elbow. */
  readonly minM: ArrayLike<number>;
  readonly maxM: ArrayLike<number>;
  /** Least height of every part that the second joint or a later one moves. */
  readonly floorM: number;
  /** Least distance between parts that are not neighbours. */
  readonly apartM: number;
  /** Kept beside all that: of the tool point and what the flange carries, and of the rest of the arm. */
  readonly toolMarginM: number;
  readonly armMarginM: number;
}

/** Further away than this nothing is listed. */
const NEAR_M = 0.08;
/** For gradients of distances between parts [rad]. */
const STEP_RAD = 1e-4;
/** Parts on earlier links keep their height. */
const FIRST_FRAME_THAT_TILTS = 2;
/** Joints that move the elbow. */
const ELBOW_FRAME = 3;
const FACES = 6;

export class ArmClearances implements Clearances {
  count = 0;
  readonly gradients: Float64Array;
  readonly distancesM = new Float64Array(ROWS_MAX);
  readonly isBetweenParts = new Uint8Array(ROWS_MAX);
  readonly #body: ArmBody;
  readonly #options: ClearanceOptions;
  readonly #n: number;
  readonly #frames: Int32Array;
  readonly #heightsM: Float64Array;
  readonly #pairsM: Float64Array;
  readonly #movedM: Float64Array;
  /** Of each distance, the least that must be kept: 0, or less where the arm has started inside. */
  readonly #keepM: Float64Array;
  readonly #nearPairs = new Int32Array(ROWS_MAX);
  readonly #atRad: Float64Array;
  #isStart = false;

  /** @param body its `farM` is changed; it belongs to this object from now on */
  constructor(body: ArmBody, options: ClearanceOptions) {
    this.#body = body;
    this.#options = options;
    this.#n = body.chain.jointCount;
    this.gradients = new Float64Array(ROWS_MAX * this.#n);
    this.#frames = Int32Array.from(body.capsules, ({ frame }) => frame);
    this.#heightsM = new Float64Array(body.capsules.length);
    this.#pairsM = new Float64Array(body.pairs.length);
    this.#movedM = new Float64Array(body.pairs.length);
    this.#keepM = new Float64Array(2 * FACES + body.capsules.length + body.pairs.length);
    this.#atRad = new Float64Array(this.#n);
    body.farM = NEAR_M + options.apartM + options.armMarginM;
  }

  startAt(positionRad: Float64Array): void {
    this.#keepM.fill(0);
    this.#isStart = true;
    this.measure(positionRad);
    this.#isStart = false;
  }

  measure(positionRad: Float64Array): void {
    const body = this.#body;
    this.count = 0;
    body.update(positionRad);
    for (let axis = 0; axis < 3; axis++) {
      this.#listFace(axis, body.toolM, this.#n, axis, this.#options.toolMarginM);
      this.#listFace(FACES + axis, body.elbowM, ELBOW_FRAME, axis, this.#options.armMarginM);
    }
    body.measureHeights(this.#heightsM);
    for (let part = 0; part < this.#frames.length; part++)
      if (this.#frames[part]! >= FIRST_FRAME_THAT_TILTS) this.#listHeight(part);
    body.measurePairs(this.#pairsM);
    this.#listPairs(positionRad);
  }

  /** A point from both faces of the box along an axis; `frame` joints move the point. */
  #listFace(slot: number, pointM: Float64Array, frame: number, axis: number, marginM: number): void {
    const at = pointM[axis]!;
    const fromMinM = at - this.#options.minM[axis]! - marginM;
    const fromMaxM = this.#options.maxM[axis]! - at - marginM;
    if (this.#takes(slot, fromMinM)) this.#listPoint(slot, fromMinM, pointM, 0, frame, axis, 1);
    if (this.#takes(slot + 3, fromMaxM)) this.#listPoint(slot + 3, fromMaxM, pointM, 0, frame, axis, -1);
  }

  /** The lower end of a capsule from the floor. */
  #listHeight(part: number): void {
    const slot = 2 * FACES + part;
    const isCarried = this.#frames[part] === this.#n;
    const marginM = isCarried ? this.#options.toolMarginM : this.#options.armMarginM;
    const heightM = this.#heightsM[part]! - this.#options.floorM - marginM;
    if (!this.#takes(slot, heightM)) return;
    const { endsM } = this.#body;
    const end = endsM[6 * part + 2]! <= endsM[6 * part + 5]! ? 6 * part : 6 * part + 3;
    this.#listPoint(slot, heightM, endsM, end, this.#frames[part]!, 2, 1);
  }

  #listPairs(positionRad: Float64Array): void {
    const first = 2 * FACES + this.#frames.length;
    const firstRow = this.count;
    let near = 0;
    for (let pair = 0; pair < this.#pairsM.length; pair++) {
      const distanceM = this.#pairsM[pair]! - this.#options.apartM - this.#options.armMarginM;
      if (!this.#takes(first + pair, distanceM)) continue;
      this.isBetweenParts[this.count] = 1;
      this.distancesM[this.count++] = distanceM - this.#keepM[first + pair]!;
      this.#nearPairs[near++] = pair;
    }
    if (near === 0) return;
    // By finite differences: which points of two parts are closest changes as they move.
    const body = this.#body;
    this.#atRad.set(positionRad);
    for (let joint = 0; joint < this.#n; joint++) {
      this.#atRad[joint]! += STEP_RAD;
      body.update(this.#atRad);
      body.measurePairs(this.#movedM);
      this.#atRad[joint] = positionRad[joint]!;
      for (let row = 0; row < near; row++) {
        const pair = this.#nearPairs[row]!;
        const slope = (this.#movedM[pair]! - this.#pairsM[pair]!) / STEP_RAD;
        this.gradients[(firstRow + row) * this.#n + joint] = slope;
      }
    }
    body.update(positionRad);
  }

  /** Whether a distance is near enough to be listed; at the start, it is remembered as what must be kept. */
  #takes(slot: number, distanceM: number): boolean {
    if (this.#isStart) {
      this.#keepM[slot] = Math.min(0, distanceM);
      return false;
    }
    // What the arm has left it does not enter again.
    const keepM = Math.max(this.#keepM[slot]!, Math.min(0, distanceM));
    this.#keepM[slot] = keepM;
    return distanceM - keepM < NEAR_M && this.count < ROWS_MAX;
  }

  /** Lists a distance that grows with `sign` times a point's coordinate; the first `frame` joints move the point. */
  #listPoint(
    slot: number,
    distanceM: number,
    pointsM: Float64Array,
    at: number,
    frame: number,
    axis: number,
    sign: number,
  ): void {
    const { jointOriginsM: origins, jointAxes: axes } = this.#body.chain;
    const row = this.count++;
    const y = (axis + 1) % 3;
    const z = (axis + 2) % 3;
    this.distancesM[row] = distanceM - this.#keepM[slot]!;
    this.isBetweenParts[row] = 0;
    for (let joint = 0; joint < this.#n; joint++) {
      const o = 3 * joint;
      const ry = pointsM[at + y]! - origins[o + y]!;
      const rz = pointsM[at + z]! - origins[o + z]!;
      this.gradients[row * this.#n + joint] =
        joint < frame ? sign * (axes[o + y]! * rz - axes[o + z]! * ry) : 0;
    }
  }
}
