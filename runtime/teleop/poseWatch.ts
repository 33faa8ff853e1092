/**
 * Judges the poses of one operator as they arrive: in order, whole, alive, and from where they came before. What is out
 * of order is dropped and counted; what is in doubt says why. A clutch counts only in poses without doubt: after any
 * doubt it must be seen open before it can be pressed.
 */
import type { HandPose, PoseMessage, PoseSource, TrackedPose } from "../../core/teleop/pose.js";
import type { DeadmanConfig } from "./config.js";
import type { DeadmanCode } from "./deadmanFailures.js";
import { SourceClock } from "./sourceClock.js";

/** Sources that hold their pose as a number may stand still; a hand never does. */
const STANDS_STILL: readonly PoseSource[] = ["keyboard", "spacemouse", "gamepad"];

export interface Trouble {
  readonly code: DeadmanCode;
  readonly detail: string;
}

export interface JudgedPose {
  /** Repeated or overtaken: it never happened, except that it is counted. */
  readonly isDropped: boolean;
  readonly trouble: Trouble | undefined;
  /** Its press; or that it is open, or held; unknown in between, and with any trouble. */
  readonly clutch: "pressed" | "open" | "held" | "unknown";
  /** The leading hand; undefined with any trouble. */
  readonly hand: HandPose | undefined;
}

/** What a robot needs of the leading hand beyond its pose: a robot's hand needs its fingers. */
export interface HandJudge {
  /** What came before belongs to something else. */
  reset(): void;
  judge(hand: HandPose, message: PoseMessage, receivedMs: number): Trouble | undefined;
}

export interface LeadRules {
  /**
   * Whose clutch counts: the leading hand's own, or the other's, where the fingers of the leading one are what leads. The
   * other hand must then be tracked like the leading one.
   */
  readonly clutchOf: "leading" | "other";
  readonly judge?: HandJudge;
}

export const LEAD_BY_POSE: LeadRules = { clutchOf: "leading" };

const DROPPED: JudgedPose = { isDropped: true, trouble: undefined, clutch: "unknown", hand: undefined };

export interface PoseCounters {
  accepted: number;
  /** Numbers missing in the sequence. */
  lost: number;
  /** Repeated or overtaken. */
  dropped: number;
}

export class PoseWatch {
  readonly counters: PoseCounters = { accepted: 0, lost: 0, dropped: 0 };
  /** Newest message that was not dropped, and when it arrived. */
  newest: PoseMessage | undefined;
  receivedMs = Number.NaN;
  #leading: HandPose["hand"];
  readonly #config: DeadmanConfig;
  #clock: SourceClock;
  /** Held until it is seen open. */
  #isClutchOpen = false;
  #pose: TrackedPose | undefined;
  #mode: HandPose["mode"] | undefined;
  #sameSinceMs = Number.NaN;
  readonly #rules: LeadRules;
  /** Of the hand that holds the clutch, where that is not the leading one. */
  #clutchPose: TrackedPose | undefined;
  #clutchMode: HandPose["mode"] | undefined;
  #clutchSameSinceMs = Number.NaN;

  constructor(config: DeadmanConfig, hand: HandPose["hand"], rules: LeadRules = LEAD_BY_POSE) {
    this.#config = config;
    this.#rules = rules;
    this.#clock = new SourceClock(config.poseAgeMsMax);
    this.#leading = hand;
  }

  get hand(): HandPose["hand"] {
    return this.#leading;
  }

  /** Another hand from now on: it may be anywhere, and its clutch must be seen open. */
  lead(hand: HandPose["hand"]): void {
    this.#leading = hand;
    this.#forgetPoses();
    this.distrustClutch();
  }

  /** The clutch must be seen open before the next press. */
  distrustClutch(): void {
    this.#isClutchOpen = false;
  }

  /** @param wantsRobot something follows these poses, or is about to */
  receive(message: PoseMessage, receivedMs: number, wantsRobot: boolean): JudgedPose {
    const before = this.newest;
    const isNewSession = before !== undefined && before.session !== message.session;
    if (before !== undefined && !isNewSession && message.seq <= before.seq) {
      this.counters.dropped++;
      return DROPPED;
    }
    if (before === undefined || isNewSession) this.#startAnew();
    else this.counters.lost += message.seq - before.seq - 1;
    const silentMs = receivedMs - this.receivedMs;
    this.counters.accepted++;
    this.newest = message;
    this.receivedMs = receivedMs;
    const trouble =
      (isNewSession ? { code: "SESSION_CHANGED" as const, detail: message.device } : undefined) ??
      this.#troubleOf(message, before, receivedMs, silentMs, wantsRobot);
    if (trouble !== undefined) {
      this.#isClutchOpen = false;
      this.#forgetPoses();
      return { isDropped: false, trouble, clutch: "unknown", hand: undefined };
    }
    const hand = message.hands.find((one) => one.hand === this.#leading)!;
    const clutching = this.#rules.clutchOf === "leading" ? hand : this.#otherHand(message)!;
    return { isDropped: false, trouble: undefined, clutch: this.#clutchOf(clutching), hand };
  }

  #startAnew(): void {
    this.#clock = new SourceClock(this.#config.poseAgeMsMax);
    this.#isClutchOpen = false;
    this.#forgetPoses();
    this.#mode = this.#clutchMode = undefined;
  }

  #forgetPoses(): void {
    this.#pose = this.#clutchPose = undefined;
    this.#rules.judge?.reset();
  }

  #otherHand({ hands }: PoseMessage): HandPose | undefined {
    return hands.find((one) => one.hand !== this.#leading);
  }

  /** The first condition that does not hold. */
  #troubleOf(
    message: PoseMessage,
    before: PoseMessage | undefined,
    receivedMs: number,
    silentMs: number,
    wantsRobot: boolean,
  ): Trouble | undefined {
    const { poseAgeMsMax } = this.#config;
    // Judged in any case, so that it knows the source's clock whatever else is wrong.
    const late = this.#clock.judge(message.deviceTimeMs, receivedMs, wantsRobot);
    if (wantsRobot && silentMs > poseAgeMsMax)
      return { code: "POSE_OLD", detail: `${silentMs.toFixed(0)} ms (limit ${poseAgeMsMax} ms)` };
    const moved = before === undefined ? undefined : changedOrigin(before, message);
    if (moved !== undefined) return { code: "SOURCE_CHANGED", detail: moved };
    if (late !== undefined) return late;
    if (message.visibility !== "visible") return { code: "NOT_VISIBLE", detail: message.visibility };
    const hand = message.hands.find((one) => one.hand === this.#leading);
    if (hand === undefined) return { code: "HAND_GONE", detail: `${this.#leading} hand` };
    if (!hand.tracked || hand.pose === null) return { code: "NOT_TRACKED", detail: `${this.#leading} hand` };
    // A source may rest while nobody wants anything; what it says after is no jump.
    if (!wantsRobot && silentMs > poseAgeMsMax) this.#forgetPoses();
    return (
      this.#troubleOfPose(message.source, hand, hand.pose, receivedMs) ??
      this.#troubleOfClutch(message, receivedMs) ??
      this.#rules.judge?.judge(hand, message, receivedMs)
    );
  }

  /** A pinch whose end nobody would see must not count. */
  #troubleOfClutch(message: PoseMessage, receivedMs: number): Trouble | undefined {
    if (this.#rules.clutchOf === "leading") return undefined;
    const hand = this.#otherHand(message);
    if (hand === undefined || !hand.tracked || hand.pose === null)
      return { code: "CLUTCH_HAND_GONE", detail: `${this.#leading === "right" ? "left" : "right"} hand` };
    if (!Number.isFinite(hand.clutch)) return { code: "MALFORMED", detail: "a number is not finite" };
    const [before, mode] = [this.#clutchPose, this.#clutchMode];
    this.#clutchPose = hand.pose;
    this.#clutchMode = hand.mode;
    if (mode !== undefined && mode !== hand.mode)
      return { code: "SOURCE_CHANGED", detail: `${hand.hand} ${mode} before, ${hand.mode} now` };
    if (before === undefined || !isSame(before, hand.pose)) this.#clutchSameSinceMs = receivedMs;
    const sameMs = receivedMs - this.#clutchSameSinceMs;
    const { frozenMsMax } = this.#config;
    if (!STANDS_STILL.includes(message.source) && sameMs > frozenMsMax)
      return {
        code: "POSE_FROZEN",
        detail: `${hand.hand} hand, ${sameMs.toFixed(0)} ms (limit ${frozenMsMax} ms)`,
      };
    return undefined;
  }

  #troubleOfPose(
    source: PoseSource,
    hand: HandPose,
    pose: TrackedPose,
    receivedMs: number,
  ): Trouble | undefined {
    if (![...pose.positionM, ...pose.quatXyzw, hand.clutch, hand.gripper].every(Number.isFinite))
      return { code: "MALFORMED", detail: "a number is not finite" };
    const [before, mode] = [this.#pose, this.#mode];
    this.#pose = pose;
    this.#mode = hand.mode;
    if (before === undefined) {
      this.#sameSinceMs = receivedMs;
      return undefined;
    }
    if (mode !== hand.mode) return { code: "SOURCE_CHANGED", detail: `${mode} before, ${hand.mode} now` };
    const { jumpMMax, jumpRadMax, frozenMsMax } = this.#config;
    const jumpM = distanceM(before, pose);
    if (!(jumpM <= jumpMMax))
      return { code: "POSE_JUMP", detail: `${jumpM.toFixed(3)} m between two poses (limit ${jumpMMax} m)` };
    const jumpRad = angleRad(before, pose);
    if (!(jumpRad <= jumpRadMax))
      return {
        code: "POSE_JUMP",
        detail: `${jumpRad.toFixed(2)} rad between two poses (limit ${jumpRadMax} rad)`,
      };
    if (!isSame(before, pose)) this.#sameSinceMs = receivedMs;
    const sameMs = receivedMs - this.#sameSinceMs;
    if (!STANDS_STILL.includes(source) && sameMs > frozenMsMax)
      return { code: "POSE_FROZEN", detail: `${sameMs.toFixed(0)} ms (limit ${frozenMsMax} ms)` };
    return undefined;
  }

  #clutchOf({ clutch }: HandPose): JudgedPose["clutch"] {
    const { clutchOn, clutchOff } = this.#config;
    if (clutch <= Math.min(clutchOff, clutchOn)) {
      this.#isClutchOpen = true;
      return "open";
    }
    if (this.#isClutchOpen && clutch >= clutchOn) {
      this.#isClutchOpen = false;
      return "pressed";
    }
    if (this.#isClutchOpen) return "open";
    return clutch >= clutchOn ? "held" : "unknown";
  }
}

function changedOrigin(before: PoseMessage, now: PoseMessage): string | undefined {
  for (const field of ["device", "source", "space"] as const)
    if (before[field] !== now[field]) return `${field} ${before[field]} before, ${now[field]} now`;
  return undefined;
}

const distanceM = (one: TrackedPose, other: TrackedPose): number =>
  Math.hypot(...one.positionM.map((value, axis) => value - other.positionM[axis]!));

/** Of the rotation between two orientations [rad]; both signs of a quaternion are the same one. */
function angleRad({ quatXyzw: p }: TrackedPose, { quatXyzw: q }: TrackedPose): number {
  const dot = Math.abs(p[0] * q[0] + p[1] * q[1] + p[2] * q[2] + p[3] * q[3]);
  const norms = Math.hypot(...p) * Math.hypot(...q);
  return 2 * Math.acos(Math.min(1, dot / norms));
}

const isSame = (one: TrackedPose, other: TrackedPose): boolean =>
  one.positionM.every((value, axis) => value === other.positionM[axis]) &&
  one.quatXyzw.every((value, part) => value === other.quatXyzw[part]);
