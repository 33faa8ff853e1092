/**
 * A scripted operator: looks at the tool, aims, moves the hand in smooth strokes, looks again and corrects, or leads the
 * tool steadily down to what it watches; holds the
 * clutch while the arm shall follow, and puts the hand back without it when the arm's own reach ends. Decides one
 * frame at a time from what can be seen; neither reads a clock nor sends anything. Poses have the axes of the robot's
 * base frame (x ahead of the person), from an origin of their own.
 */
import type { TeleopState } from "../../core/gateway/server.js";
import { conjugate, multiplyQuat, type Pose, quatFromRpy } from "../../kinematics/pose.js";
import type { Vector3 } from "../../kinematics/xarm7.js";
import type { ToolGoal } from "../../lab/experts/toolGoal.js";
import { Random } from "../../lab/world/random.js";
import { Guidance } from "./guidance.js";
import {
  minus,
  PEAK_OVER_MEAN,
  plus,
  poseOnStroke,
  quatOfVector,
  rotationVector,
  type Stroke,
  scaled,
} from "./stroke.js";
import { type Tremor, tremorOf } from "./tremor.js";

/** What the operator sees in one moment. */
export interface Seen {
  /** Measured tool point and flange rotation, base frame. */
  readonly tool: Pose;
  readonly state: TeleopState;
}

/** What the hand does in one frame. */
export interface HandFrame {
  readonly hand: Pose;
  /** 0 to 1, as a grip button and a trigger have it. */
  readonly clutch: number;
  readonly gripper: number;
}

export interface OperatorStyle {
  /** Peak speed of a long stroke [m/s] and [rad/s], before each person's own pace. */
  readonly speedMPerS: number;
  readonly speedRadPerS: number;
  /** A stroke misses by so much of its length (one deviation, each axis); a careful one by a third of that. */
  readonly missShare: number;
  /** A stroke is bent by so much of its length (one deviation, each axis). */
  readonly bendShare: number;
  /** From the resting hand to where the arm is stretched [m]. */
  readonly reachM: number;
  /** Metres of the tool for one of the hand. */
  readonly translationScale: number;
}

export const DEFAULT_STYLE: OperatorStyle = {
  speedMPerS: 0.22,
  speedRadPerS: 0.6,
  missShare: 0.08,
  bendShare: 0.06,
  reachM: 0.42,
  translationScale: 1,
};

/** A hand at rest, before the chest [m]. */
export const HAND_REST: Pose = { positionM: [0.35, -0.2, 1.1], quatXyzw: [0, 0, 0, 1] };

/** From a look to the start of a stroke [s]. */
const REACTION_S = [0.16, 0.3] as const;
const STROKE_S_MIN = 0.4;
/** A button goes down, or up, in so long [s]. */
const CLUTCH_S = 0.08;
const TRIGGER_S = 0.3;
/** The clutch stays open for so long before it is pressed [s]. */
const OPEN_S = 0.25;
/** An arm that does not follow the clutch by then is tried again, a bounded number of times. */
const ENGAGE_S_MAX = 1.5;
const ATTEMPTS_MAX = 5;
/** A stroke that would be shorter than this before the reach ends is not worth it [m]. */
const STROKE_M_MIN = 0.04;
/** The hand waits so much of the way behind rest, and never more stretched than this share of its reach. */
const READY_SHARE = [0.1, 0.5] as const;
const READY_REACH_SHARE = 0.6;
/** Two deviations are the farthest that anybody misses. */
const MISS_DEVIATIONS_MAX = 2;
/** Tolerances have to be exceeded by this much before a tool that has arrived counts as gone. */
const GONE_FACTOR = 1.6;

type Activity = "open" | "pressing" | "looking" | "stroke" | "guiding" | "releasing" | "returning" | "done";

export class ScriptedOperator {
  readonly #goals: readonly ToolGoal[];
  readonly #style: OperatorStyle;
  readonly #random: Random;
  readonly #tremor: (atS: number) => Tremor;
  readonly #pace: number;
  readonly #guidance: Guidance;
  #activity: Activity = "open";
  #sinceS = Number.NaN;
  #lastS = Number.NaN;
  #waitS = OPEN_S;
  #hand: Pose = HAND_REST;
  #stroke: Stroke | undefined;
  #clutch = 0;
  #gripper = 0;
  #goal = 0;
  #arrivedS: number | undefined;
  #attempts = 0;
  /** Strokes and hand returns so far. */
  strokes = 0;
  reclutches = 0;
  /** Why the operator has given up; undefined while all goes well. */
  failure: string | undefined;

  constructor(goals: readonly ToolGoal[], seed: number, style: Partial<OperatorStyle> = {}) {
    this.#goals = goals;
    this.#style = { ...DEFAULT_STYLE, ...style };
    this.#random = new Random(seed).fork("operator");
    this.#tremor = tremorOf(this.#random.fork("tremor"));
    this.#pace = this.#random.uniform(0.8, 1.25);
    this.#guidance = new Guidance(this.#random.fork("guidance"), this.#pace);
  }

  /** All goals are reached and the clutch is open again, or the operator has given up. */
  get isDone(): boolean {
    return this.#activity === "done";
  }

  /** Of the goal that is being pursued; the last one's at the end. */
  get phase(): string {
    return this.#goals[Math.min(this.#goal, this.#goals.length - 1)]!.phase;
  }

  /** @param nowS rising [s] */
  frame(nowS: number, seen: Seen): HandFrame {
    const stepS = Number.isNaN(this.#lastS) ? 0 : nowS - this.#lastS;
    this.#lastS = nowS;
    if (Number.isNaN(this.#sinceS)) {
      this.#sinceS = nowS;
      this.#hand = this.#readyFor(seen.tool);
    }
    this.#act(nowS, stepS, seen);
    const wantsClutch = !["open", "releasing", "returning", "done"].includes(this.#activity);
    this.#clutch = towards(this.#clutch, wantsClutch ? 1 : 0, stepS / CLUTCH_S);
    const isClosed = this.#goals[Math.min(this.#goal, this.#goals.length - 1)]!.isGripperClosed;
    this.#gripper = towards(this.#gripper, isClosed ? 1 : 0, stepS / TRIGGER_S);
    const { offsetM, turnRad } = this.#tremor(nowS);
    return {
      hand: {
        positionM: plus(this.#hand.positionM, offsetM),
        quatXyzw: multiplyQuat(quatOfVector(turnRad), this.#hand.quatXyzw),
      },
      clutch: this.#clutch,
      gripper: this.#gripper,
    };
  }

  #act(nowS: number, stepS: number, seen: Seen): void {
    const forS = nowS - this.#sinceS;
    const isFollowed = seen.state === "engaged";
    switch (this.#activity) {
      case "open":
        // A latch is undone by an open clutch; pressing before it has cleared would only latch again.
        if (forS >= this.#waitS && seen.state === "ready") this.#press(nowS);
        return;
      case "pressing":
        if (isFollowed) {
          this.#attempts = 0;
          this.#pursue(nowS);
        } else if (forS > ENGAGE_S_MAX || seen.state === "latched") this.#tryAgain(nowS, seen.state);
        return;
      case "looking":
        if (!isFollowed) this.#tryAgain(nowS, seen.state);
        else this.#watch(nowS, forS, seen.tool);
        return;
      case "guiding":
        if (!isFollowed) this.#tryAgain(nowS, seen.state);
        else this.#guide(nowS, stepS, seen.tool);
        return;
      case "stroke":
        if (!isFollowed) this.#tryAgain(nowS, seen.state);
        else if (this.#moveOn(forS)) this.#look(nowS);
        return;
      case "releasing":
        this.#hand = this.#guidance.coast(this.#hand, this.#style.translationScale, stepS);
        if (this.#clutch > 0 || !this.#guidance.isAtRest) return;
        if (this.#goal >= this.#goals.length || this.failure !== undefined) this.#begin("done", nowS);
        else this.#strokeTo(this.#readyFor(seen.tool), 0, nowS, "returning");
        return;
      case "returning":
        if (this.#moveOn(forS)) this.#open(nowS);
        return;
      case "done":
        return;
    }
  }

  #begin(activity: Activity, nowS: number): void {
    this.#activity = activity;
    this.#sinceS = nowS;
  }

  #open(nowS: number): void {
    this.#waitS = OPEN_S + this.#random.uniform(0, 0.2);
    this.#begin("open", nowS);
  }

  #press(nowS: number): void {
    this.#begin("pressing", nowS);
  }

  #look(nowS: number): void {
    this.#waitS = this.#random.uniform(...REACTION_S);
    this.#begin("looking", nowS);
  }

  /** The arm does not follow: let go, and press again. */
  #tryAgain(nowS: number, state: TeleopState): void {
    this.#arrivedS = undefined;
    if (++this.#attempts > ATTEMPTS_MAX) this.failure = `the arm did not follow the hand (${state})`;
    this.#begin("releasing", nowS);
  }

  /** Rests at a goal, or aims anew once what is seen has sunk in. */
  #watch(nowS: number, forS: number, tool: Pose): void {
    const goal = this.#goals[this.#goal]!;
    const { offM, turnRad, distanceM, angleRad } = errorTo(goal, tool);
    const slack = this.#arrivedS === undefined ? 1 : GONE_FACTOR;
    if (distanceM <= slack * goal.toleranceM && angleRad <= slack * goal.toleranceRad) {
      this.#arrivedS ??= nowS;
      if (nowS - this.#arrivedS < goal.dwellS) return;
      this.#arrivedS = undefined;
      if (++this.#goal === this.#goals.length) this.#begin("releasing", nowS);
      else this.#pursue(nowS);
      return;
    }
    if (forS < this.#waitS) return;
    this.#arrivedS = undefined;
    this.#aim(nowS, goal, offM, turnRad);
  }

  /** By strokes with a look before each, or steadily. */
  #pursue(nowS: number): void {
    if (this.#goals[this.#goal]!.funnel === undefined) this.#look(nowS);
    else {
      this.#guidance.begin();
      this.#begin("guiding", nowS);
    }
  }

  /** Leads the tool on until it has stayed at the goal; puts the hand back when its arm is stretched. */
  #guide(nowS: number, stepS: number, tool: Pose): void {
    const goal = this.#goals[this.#goal]!;
    const { turnRad, distanceM, angleRad } = errorTo(goal, tool);
    const slack = this.#arrivedS === undefined ? 1 : GONE_FACTOR;
    const isThere = distanceM <= slack * goal.toleranceM && angleRad <= slack * goal.toleranceRad;
    this.#arrivedS = isThere ? (this.#arrivedS ?? nowS) : undefined;
    if (this.#arrivedS !== undefined && nowS - this.#arrivedS >= goal.dwellS) {
      this.#arrivedS = undefined;
      if (++this.#goal === this.#goals.length) this.#begin("releasing", nowS);
      else this.#pursue(nowS);
      return;
    }
    const { reachM, translationScale } = this.#style;
    const restM = this.#guidance.restM(this.#hand, translationScale);
    if (Math.hypot(...minus(restM, HAND_REST.positionM)) > reachM) {
      this.reclutches++;
      this.#begin("releasing", nowS);
      this.#hand = this.#guidance.coast(this.#hand, translationScale, stepS);
      return;
    }
    this.#hand = this.#guidance.move(this.#hand, goal, tool.positionM, turnRad, translationScale, stepS);
  }

  #aim(nowS: number, goal: ToolGoal, offM: Vector3, turnRad: Vector3): void {
    const { missShare, bendShare, translationScale } = this.#style;
    const wayM = scaled(offM, 1 / translationScale);
    const lengthM = Math.hypot(...wayM);
    const care = goal.isCareful ? 1 / 3 : 1;
    const missM = this.#vector(care * missShare * lengthM);
    const whole = plus(wayM, missM);
    const share = this.#shareWithinReach(whole);
    if (share < 1 && share * lengthM < STROKE_M_MIN) {
      this.reclutches++;
      this.#begin("releasing", nowS);
      return;
    }
    const to: Pose = {
      positionM: plus(this.#hand.positionM, scaled(whole, share)),
      quatXyzw: multiplyQuat(quatOfVector(scaled(turnRad, share)), this.#hand.quatXyzw),
    };
    this.strokes++;
    this.#strokeTo(to, care * bendShare * share * lengthM, nowS, "stroke");
  }

  /** How much of a way [m] the hand can go from where it is before the arm is stretched, 0 to 1. */
  #shareWithinReach(wayM: Vector3): number {
    const fromM = minus(this.#hand.positionM, HAND_REST.positionM);
    const a = dot(wayM, wayM);
    const b = dot(fromM, wayM);
    const c = dot(fromM, fromM) - this.#style.reachM ** 2;
    if (a < 1e-12) return 1;
    const root = b * b - a * c;
    return root <= 0 ? 0 : Math.min(1, Math.max(0, (-b + Math.sqrt(root)) / a));
  }

  /** With the clutch open people put the hand on the far side of rest from where they want to go. */
  #readyFor(tool: Pose): Pose {
    const goal = this.#goals[Math.min(this.#goal, this.#goals.length - 1)]!;
    const wayM = scaled(errorTo(goal, tool).offM, 1 / this.#style.translationScale);
    const backM = this.#random.uniform(...READY_SHARE) * Math.hypot(...wayM);
    const keptM = Math.min(backM, READY_REACH_SHARE * this.#style.reachM);
    const share = keptM / Math.max(1e-9, Math.hypot(...wayM));
    return { ...HAND_REST, positionM: plus(HAND_REST.positionM, scaled(wayM, -share)) };
  }

  #strokeTo(to: Pose, bendM: number, nowS: number, activity: "stroke" | "returning"): void {
    const from = this.#hand;
    const lengthM = Math.hypot(...minus(to.positionM, from.positionM));
    const angleRad = Math.hypot(...rotationVector(multiplyQuat(to.quatXyzw, conjugate(from.quatXyzw))));
    const { speedMPerS, speedRadPerS } = this.#style;
    const longest = Math.max(lengthM / speedMPerS, angleRad / speedRadPerS);
    const durationS =
      STROKE_S_MIN + (PEAK_OVER_MEAN * longest) / (this.#pace * this.#random.uniform(0.9, 1.1));
    this.#stroke = { from, to, bowM: this.#vector(bendM), waveM: this.#vector(bendM / 2), durationS };
    this.#begin(activity, nowS);
  }

  /** True at the stroke's end. */
  #moveOn(forS: number): boolean {
    const stroke = this.#stroke!;
    this.#hand = poseOnStroke(stroke, forS);
    return forS >= stroke.durationS;
  }

  /** Normal in each axis, bounded. */
  #vector(deviation: number): Vector3 {
    const one = () =>
      deviation * Math.min(MISS_DEVIATIONS_MAX, Math.max(-MISS_DEVIATIONS_MAX, this.#random.normal()));
    return [one(), one(), one()];
  }
}

/** From the tool to its goal: translation [m] and rotation vector [rad], base frame. */
export function errorTo(goal: ToolGoal, tool: Pose) {
  const offM = minus(goal.toolM, tool.positionM);
  const wanted = multiplyQuat(quatFromRpy(0, 0, goal.yawRad), POINTING_DOWN);
  const turnRad = rotationVector(multiplyQuat(wanted, conjugate(tool.quatXyzw)));
  return { offM, turnRad, distanceM: Math.hypot(...offM), angleRad: Math.hypot(...turnRad) };
}

/** Half a turn about x: the flange's z points down, its x ahead. */
const POINTING_DOWN = [1, 0, 0, 0] as const;

const towards = (value: number, goal: number, step: number): number =>
  value < goal ? Math.min(goal, value + step) : Math.max(goal, value - step);

const dot = (a: Vector3, b: Vector3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
