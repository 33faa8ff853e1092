/**
 * The guided motion that calibrates a tracker, as a state machine over its poses: forward, left, up, each begun and ended
 * by a person. It looks on and never moves anything; whatever spoils a stroke (clutch, lost tracking, a jump, a pause of
 * the source) is said, and only that stroke is done again.
 */
import { CerebellumError } from "../core/errors.js";
import { STROKES } from "../core/gateway/library.js";
import type { HandPose, PoseMessage, PoseSpace } from "../core/teleop/pose.js";
import type { QuatXyzw } from "../kinematics/pose.js";
import type { Vector3 } from "../kinematics/xarm7.js";
import { type TrackerFrame, UNMEASURED } from "./trackerFrame.js";
import {
  type FrameFit,
  SOLVER_LIMITS,
  type StrokeName,
  solveTrackerFrame,
  strokeOf,
} from "./trackerSolver.js";

export const GUIDE_LIMITS = {
  /** Older poses say nothing about where the hand is. */
  poseAgeMsMax: 500,
  /** Of one stroke; at 90 poses a second these are 30 s. */
  samplesMax: 2700,
  strokeMsMax: 30_000,
  /** Farther between two poses: the tracker has jumped. */
  jumpMMax: 0.1,
  /** A clutch at least this far closed is held; as in teleoperation's default. */
  clutchHeld: 0.6,
} as const;

export interface GuideState {
  /** The one to do now; undefined when all are done. */
  readonly stroke: StrokeName | undefined;
  readonly isMoving: boolean;
  /** From where the present stroke began [m]. */
  readonly lengthM: number;
  readonly instruction: string;
  readonly fit: FrameFit | undefined;
  readonly problem: CerebellumError | undefined;
}

const WAYS: Readonly<Record<StrokeName, string>> = {
  forward: "away from the robot's base, along its x axis",
  left: "to the robot's own left, along its y axis",
  up: "straight up",
};

export class GuidedStrokes {
  readonly device: string;
  readonly #hand: HandPose["hand"];
  readonly #strokesM: Vector3[] = [];
  #pointsM: Vector3[] | undefined;
  #beganMs = 0;
  #newest: { readonly pose: PoseMessage; readonly hand: HandPose; readonly atMs: number } | undefined;
  #space: PoseSpace | undefined;
  #session = "";
  #fit: FrameFit | undefined;
  #problem: CerebellumError | undefined;

  /** @param hand that leads when the device has two; a device with one hand is taken as it is */
  constructor(device: string, hand: HandPose["hand"]) {
    this.device = device;
    this.#hand = hand;
  }

  get state(): GuideState {
    return {
      stroke: this.#stroke,
      isMoving: this.#pointsM !== undefined,
      lengthM: this.#lengthM,
      instruction: this.#instruction,
      fit: this.#fit,
      problem: this.#problem,
    };
  }

  /** Of this device only. @param atMs monotonic, when it arrived */
  take(pose: PoseMessage, atMs: number): void {
    const hand = pose.hands.length === 1 ? pose.hands[0] : pose.hands.find((one) => one.hand === this.#hand);
    const before = this.#newest;
    this.#newest = hand === undefined ? undefined : { pose, hand, atMs };
    if (this.#pointsM === undefined) return;
    const spoiled = this.#spoiledBy(pose, hand, atMs, before?.atMs ?? atMs);
    if (spoiled !== undefined) this.#spoil(spoiled);
    else this.#pointsM.push([...hand!.pose!.positionM]);
  }

  /** What should have been a pose of this device. */
  malformed(why: string): void {
    if (this.#pointsM !== undefined) this.#spoil(`a pose was malformed (${why})`);
  }

  /** @throws CerebellumError CALIBRATION_INVALID when the hand is not seen, the clutch is held, or nothing is left to do */
  begin(nowMs: number): void {
    const stroke = this.#stroke;
    if (stroke === undefined) throw refused("All three strokes are done", "Keep the result, or start again");
    if (this.#pointsM !== undefined) throw refused(`The stroke ${stroke} has begun already`, "End it first");
    const newest = this.#newest;
    if (newest === undefined || nowMs - newest.atMs > GUIDE_LIMITS.poseAgeMsMax)
      throw refused(
        `No poses come from ${this.device}`,
        "Switch it on, check its bridge, then begin the stroke again",
      );
    const { pose, hand } = newest;
    if (!hand.tracked || hand.pose === null)
      throw refused(`${this.device} is not tracked`, "Bring it into view of its base stations or cameras");
    if (hand.clutch >= GUIDE_LIMITS.clutchHeld)
      throw refused("The clutch is held", "Release it: calibrating never moves the robot");
    const unmeasured = UNMEASURED[pose.space];
    if (unmeasured !== undefined) throw refused(`${this.device}: ${unmeasured.happened}`, unmeasured.remedy);
    if (this.#space !== undefined && this.#space !== pose.space)
      throw refused(
        `Its poses were in ${this.#space} and are in ${pose.space} now`,
        "Start the calibration again",
      );
    this.#space = pose.space;
    this.#session = pose.session;
    this.#beganMs = nowMs;
    this.#problem = undefined;
    this.#pointsM = [[...hand.pose.positionM]];
  }

  /** @throws CerebellumError CALIBRATION_INVALID when the stroke is no good: it is to be done again */
  end(): void {
    const stroke = this.#stroke;
    const pointsM = this.#pointsM;
    this.#pointsM = undefined;
    if (stroke === undefined || pointsM === undefined)
      throw this.#problem ?? refused("No stroke has begun", "Begin it, move the hand, then end it");
    try {
      this.#strokesM.push(strokeOf(stroke, pointsM));
    } catch (thrown) {
      if (thrown instanceof CerebellumError) this.#problem = thrown;
      throw thrown;
    }
    if (this.#strokesM.length === STROKES.length) this.#solve();
  }

  /** @throws CerebellumError CALIBRATION_INVALID while there is no result to keep */
  result(robot: string, nowEpochMs: number): TrackerFrame {
    if (this.#fit === undefined || this.#space === undefined) {
      throw (
        this.#problem ??
        refused(`The stroke ${this.#stroke ?? "up"} is still to be done`, "Do all three first")
      );
    }
    const { quatBaseTracker, residualDeg, tiltDeg } = this.#fit;
    const [x, y, z, w] = quatBaseTracker.map(round6) as unknown as QuatXyzw;
    return {
      schema: "cerebellum/tracker-frame@1",
      device: this.device,
      space: this.#space,
      quatBaseTracker: [x, y, z, w],
      residualDeg: round3(residualDeg),
      tiltDeg: round3(tiltDeg),
      strokesM: this.#strokesM.map(([sx, sy, sz]) => [round6(sx), round6(sy), round6(sz)]),
      createdEpochMs: nowEpochMs,
      robot,
    };
  }

  get #stroke(): StrokeName | undefined {
    return STROKES[this.#strokesM.length];
  }

  get #lengthM(): number {
    const [from, to] = [this.#pointsM?.[0], this.#pointsM?.at(-1)];
    return from === undefined || to === undefined
      ? 0
      : Math.hypot(to[0] - from[0], to[1] - from[1], to[2] - from[2]);
  }

  get #instruction(): string {
    const stroke = this.#stroke;
    if (stroke === undefined)
      return this.#fit === undefined
        ? "Start again: the strokes do not fit"
        : "Keep the result, or start again";
    const leastCm = 100 * SOLVER_LIMITS.lengthMinM;
    if (this.#pointsM === undefined)
      return `Hold the hand still, begin the stroke, then move it ${WAYS[stroke]}, 20 to 40 cm (at least ${leastCm.toFixed(0)})`;
    return `Move ${WAYS[stroke]}, in one straight line; then hold still and end the stroke`;
  }

  #solve(): void {
    try {
      this.#fit = solveTrackerFrame(this.#strokesM, this.#space!);
      this.#problem = undefined;
    } catch (thrown) {
      if (!(thrown instanceof CerebellumError)) throw thrown;
      this.#problem = thrown;
      this.#strokesM.length = 0;
      throw thrown;
    }
  }

  #spoiledBy(
    pose: PoseMessage,
    hand: HandPose | undefined,
    atMs: number,
    beforeMs: number,
  ): string | undefined {
    const { poseAgeMsMax, samplesMax, strokeMsMax, jumpMMax, clutchHeld } = GUIDE_LIMITS;
    if (hand === undefined || hand.pose === null || !hand.tracked) return "tracking was lost";
    if (hand.clutch >= clutchHeld) return "the clutch was pressed";
    if (pose.session !== this.#session) return "the source has started again";
    if (pose.space !== this.#space) return `its poses are in ${pose.space} now`;
    if (atMs - beforeMs > poseAgeMsMax) return `no pose came for ${(atMs - beforeMs).toFixed(0)} ms`;
    if (atMs - this.#beganMs > strokeMsMax || this.#pointsM!.length >= samplesMax)
      return `it took longer than ${strokeMsMax / 1000} s`;
    const [x, y, z] = this.#pointsM!.at(-1)!;
    const [nx, ny, nz] = hand.pose.positionM;
    const jumpM = Math.hypot(nx - x, ny - y, nz - z);
    return jumpM > jumpMMax ? `the tracker jumped by ${(100 * jumpM).toFixed(0)} cm` : undefined;
  }

  #spoil(why: string): void {
    this.#pointsM = undefined;
    this.#problem = refused(
      `The stroke ${this.#stroke ?? ""} was broken off: ${why}`,
      "Put the hand back, hold it still, and do this stroke again",
    );
  }
}

const refused = (happened: string, remedy: string) =>
  new CerebellumError("CALIBRATION_INVALID", happened, remedy);
const round6 = (value: number): number => Math.round(value * 1e6) / 1e6;
const round3 = (value: number): number => Math.round(value * 1e3) / 1e3;
