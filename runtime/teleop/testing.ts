/** Poses of a hand that a test moves, and a mapping and an alignment whose answers can be told by heart; for tests only. */
import type { HandPose, PoseMessage, TrackedPose } from "../../core/teleop/pose.js";
import type { AlignedHand, HandMapping, MappingStep } from "./mapping.js";
import type { HandAlignment, HandTurn } from "./session.js";

export const SESSION = "session-1";
/** 90 poses a second. */
export const POSE_MS = 1000 / 90;

export interface PoseChanges extends Partial<Omit<PoseMessage, "hands">> {
  readonly hand?: Partial<HandPose>;
  readonly atM?: TrackedPose["positionM"];
  readonly quatXyzw?: TrackedPose["quatXyzw"];
}

/** One right hand that is tracked, with an open clutch unless the change says otherwise. */
export function poseOf(changes: PoseChanges = {}): PoseMessage {
  const { hand = {}, atM = [0, 1, 0], quatXyzw = [0, 0, 0, 1], ...rest } = changes;
  return {
    v: 1,
    source: "webxr",
    device: "quest3",
    session: SESSION,
    seq: 0,
    deviceTimeMs: 0,
    space: "local-floor",
    visibility: "visible",
    head: null,
    hands: [
      {
        hand: "right",
        mode: "controller",
        tracked: true,
        pose: { positionM: atM, quatXyzw },
        clutch: 0,
        gripper: 0,
        buttons: { a: false, b: false, stick: false },
        stick: [0, 0],
        joints: null,
        ...hand,
      },
    ],
    ...rest,
  };
}

/** The device's clock is ahead of this computer's by so much [ms]. */
const DEVICE_AHEAD_MS = 5000;

/** A source whose messages rise as they should: a hand that trembles by a micrometre, and never stands quite still. */
export class PoseSource {
  seq = 0;
  session = SESSION;
  clutch = 0;
  atM: [number, number, number] = [0, 1, 0];
  changes: PoseChanges = {};

  next(nowMs: number, changes: PoseChanges = {}): PoseMessage {
    this.seq++;
    const [x, y, z] = this.atM;
    const merged = { ...this.changes, ...changes };
    return poseOf({
      session: this.session,
      seq: this.seq,
      deviceTimeMs: nowMs + DEVICE_AHEAD_MS,
      atM: [x + (this.seq % 2) * 1e-6, y, z],
      ...merged,
      hand: { clutch: this.clutch, ...this.changes.hand, ...changes.hand },
    });
  }
}

const JOINTS = 7;
/** Joint angle for each metre of the hand [rad/m]. */
export const RAD_PER_M = 2;
/** No step asks for more [rad]. */
const STEP_RAD_MAX = 0.08;

/** The first three joints follow the hand's three axes. */
export class FakeMapping implements HandMapping {
  translationScale = 1;
  rotationScale = 1;
  readonly filterMs = 12;
  limitedBy: string[] = [];
  warning = "";
  engagements = 0;
  /** What the newest step was told of the servo's setpoint. */
  sentRad: readonly number[] | undefined;
  readonly #targetRad = new Float64Array(JOINTS);
  #originRad = new Float64Array(JOINTS);
  #originM: readonly number[] = [0, 0, 0];

  engage({ pose }: AlignedHand, sentRad: ArrayLike<number>): void {
    this.engagements++;
    this.#originRad = Float64Array.from(sentRad);
    this.#targetRad.set(this.#originRad);
    this.#originM = [...pose.positionM];
  }

  step({ pose, gripper }: AlignedHand, _nowMs: number, sentRad?: ArrayLike<number>): MappingStep {
    this.sentRad = sentRad === undefined ? undefined : Array.from(sentRad);
    for (let axis = 0; axis < 3; axis++) {
      const movedM = this.translationScale * (pose.positionM[axis]! - this.#originM[axis]!);
      const wantedRad = this.#originRad[axis]! + RAD_PER_M * movedM;
      const before = this.#targetRad[axis]!;
      this.#targetRad[axis] = before + Math.min(STEP_RAD_MAX, Math.max(-STEP_RAD_MAX, wantedRad - before));
    }
    return {
      targetRad: this.#targetRad,
      gripperM: 0.08 * (1 - gripper),
      wanted: pose,
      gapM: 0,
      limitedBy: this.limitedBy,
      warning: this.warning,
    };
  }
}

export class FakeAlignment implements HandAlignment {
  isKnown = true;
  /** The source turns out to lie the other way round. */
  isReversed = false;
  recentred = 0;

  howKnown() {
    return this.isKnown ? ("recentred" as const) : ("none" as const);
  }
  turnOf(): HandTurn | undefined {
    if (!this.isKnown) return undefined;
    const sign = this.isReversed ? -1 : 1;
    return ({ positionM: [x, y, z], quatXyzw }) => ({ positionM: [sign * x, sign * y, z], quatXyzw });
  }
  recentre(): undefined {
    this.recentred++;
    this.isKnown = true;
    return undefined;
  }
}
