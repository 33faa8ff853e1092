/**
 * A scripted person whose fingers lead a robot's hand: shows every joint of one hand and pinches with the other, which is
 * the clutch; lets go and pinches again after a latch. Decides one frame at a time from what can be seen; neither reads a
 * clock nor sends anything. One seed is one person: size, pace, how the hand is held open, how it strays.
 */
import type { TeleopState } from "../../core/gateway/server.js";
import type { HandModel, HandSide } from "../../kinematics/allegro/hand.js";
import { HandKeypoints } from "../../kinematics/allegro/keypoints.js";
import type { HandLimits } from "../../kinematics/allegro/limits.js";
import { Retargeting } from "../../kinematics/allegro/retargeting.js";
import type { RetargetingConfig } from "../../kinematics/allegro/retargetingConfig.js";
import type { Pose } from "../../kinematics/pose.js";
import { Random } from "../../lab/world/random.js";
import type { HandTask } from "../tasks/handJudge.js";
import { type FingerGuide, type HandLook, TouchGuide, TurnGuide } from "./fingerGuide.js";
import { type Bends, bent, DIGITS, type Digit, OPEN_HAND, PersonHand } from "./personHand.js";
import { plus } from "./stroke.js";
import { type Tremor, tremorOf } from "./tremor.js";
import { Wander } from "./wander.js";

export interface SeenByFingers {
  readonly look: HandLook;
  readonly state: TeleopState;
}

export interface FingerFrame {
  /** Of the hand that leads: (25, 8) flat, headset's floor frame. */
  readonly joints: readonly number[];
  /** Whether the other hand pinches. */
  readonly pinch: boolean;
}

/** The hand before the chest, palm up, fingers ahead: its frame in the headset's (x right, y up, z backwards). */
const WRIST: Pose = { positionM: [0.2, 1.1, -0.4], quatXyzw: [Math.SQRT1_2, Math.SQRT1_2, 0, 0] };
/** People differ in size, and hold their hands differently [rad, one deviation]. */
const SIZES = [0.96, 1.04] as const;
const PACES = [0.8, 1.25] as const;
const HELD_RAD = 0.03;
const LED_HELD_RAD = 0.12;
/** Of the index finger that is about to come down on something. */
const RAISED = { knuckleRad: 0.35, middleRad: 0.5 } as const;
/** Digits that do nothing wander by so much [rad], with this memory [s]. */
const IDLE_RAD = 0.04;
const IDLE_S = 1.2;
/** The other hand stays open for so long before it pinches [s]. */
const OPEN_S = 0.4;
/** A hand that does not follow by then is tried again, a bounded number of times. */
const ENGAGE_S_MAX = 1.5;
const ATTEMPTS_MAX = 5;
/** Frames of a hand held open until retargeting rests. */
const SETTLING_FRAMES = 300;
const FRAME_S = 1 / 72;

type Activity = "open" | "pinching" | "leading" | "done";

export class FingerOperator {
  readonly #task: HandTask;
  readonly #random: Random;
  readonly #person: PersonHand;
  readonly #pace: number;
  readonly #scale: number;
  readonly #tremor: (atS: number) => Tremor;
  readonly #idle: Readonly<Record<Digit, Wander>>;
  readonly #open: Bends;
  #bends: Bends;
  #guide: FingerGuide | undefined;
  #activity: Activity = "open";
  #sinceS = Number.NaN;
  #lastS = Number.NaN;
  #attempts = 0;
  /** Why the operator has given up; undefined while all goes well. */
  failure: string | undefined;

  /** @param scale metres of the robot's hand for one of the person's */
  constructor(task: HandTask, seed: number, side: HandSide, scale: number) {
    this.#task = task;
    this.#random = new Random(seed).fork("fingers");
    this.#person = new PersonHand(side, this.#random.uniform(...SIZES));
    this.#pace = this.#random.uniform(...PACES);
    this.#scale = scale;
    this.#tremor = tremorOf(this.#random.fork("tremor"));
    const idle = DIGITS.map((digit) => [digit, new Wander(this.#random.fork(digit), IDLE_RAD, IDLE_S)]);
    this.#idle = Object.fromEntries(idle) as Record<Digit, Wander>;
    this.#open = this.#held();
    this.#bends = this.#open;
  }

  get isDone(): boolean {
    return this.#activity === "done";
  }
  get phase(): string {
    return this.#guide?.phase ?? "not begun";
  }
  get attempts(): number {
    return this.#attempts;
  }

  /** Where the robot's hand is led by this person's open hand [rad]: there it should stand before. */
  startRad(
    hand: { readonly model: HandModel; readonly side: HandSide; readonly limits: HandLimits },
    config: RetargetingConfig,
  ): Float64Array {
    const retargeting = new Retargeting(hand, config);
    const keypoints = new HandKeypoints();
    keypoints.read(this.#person.joints(this.#open, WRIST), hand.side);
    for (let frame = 0; frame < SETTLING_FRAMES; frame++) retargeting.step(keypoints.pointsM, FRAME_S);
    return Float64Array.from(retargeting.positionRad);
  }

  /** @param nowS rising [s] */
  frame(nowS: number, { look, state }: SeenByFingers): FingerFrame {
    const stepS = Number.isNaN(this.#lastS) ? 0 : nowS - this.#lastS;
    this.#lastS = nowS;
    if (Number.isNaN(this.#sinceS)) this.#sinceS = nowS;
    this.#act(nowS, stepS, look, state);
    return { joints: this.#shown(nowS, stepS), pinch: ["pinching", "leading"].includes(this.#activity) };
  }

  #act(nowS: number, stepS: number, look: HandLook, state: TeleopState): void {
    const forS = nowS - this.#sinceS;
    switch (this.#activity) {
      case "open":
        // A latch is undone by an open clutch; pressing before it has cleared would only latch again.
        if (forS >= OPEN_S && state === "ready") this.#begin("pinching", nowS);
        return;
      case "pinching":
        if (state === "engaged") {
          this.#attempts = 0;
          this.#guide ??= this.#newGuide(look);
          this.#begin("leading", nowS);
        } else if (forS > ENGAGE_S_MAX || state === "latched") this.#tryAgain(nowS, state);
        return;
      case "leading":
        if (state === "engaged") {
          this.#bends = this.#guide!.move(this.#bends, look, stepS);
          if (this.#guide!.isDone) this.#begin("done", nowS);
        } else this.#tryAgain(nowS, state);
        return;
      case "done":
        return;
    }
  }

  #begin(activity: Activity, nowS: number): void {
    this.#activity = activity;
    this.#sinceS = nowS;
  }

  /** The robot's hand does not follow: let go, and pinch again. */
  #tryAgain(nowS: number, state: TeleopState): void {
    if (++this.#attempts > ATTEMPTS_MAX)
      this.failure = `the robot's hand did not follow the person's (${state})`;
    this.#begin(this.failure === undefined ? "open" : "done", nowS);
  }

  #newGuide(look: HandLook): FingerGuide {
    const random = this.#random.fork("guide");
    const options = { person: this.#person, random, pace: this.#pace, scale: this.#scale };
    return this.#task === "finger-reach" ? new TouchGuide(options) : new TurnGuide(options, look, this.#open);
  }

  /** This person's open hand. */
  #held(): Bends {
    const isReach = this.#task === "finger-reach";
    const held = DIGITS.map((digit) => {
      const isLed = isReach && digit === "index";
      const base = isLed ? { ...OPEN_HAND[digit], ...RAISED } : OPEN_HAND[digit];
      const deviation = isLed ? LED_HELD_RAD : HELD_RAD;
      const off = (angle: string) => deviation * this.#random.normal() * (angle.startsWith("s") ? 0.5 : 1);
      return [digit, bent(base, (angle) => base[angle] + (angle === "leanRad" ? 0 : off(angle)))] as const;
    });
    return Object.fromEntries(held) as Record<Digit, Bends[Digit]>;
  }

  #shown(nowS: number, stepS: number): readonly number[] {
    const leads: readonly Digit[] = this.#guide?.leads ?? [];
    const shown = DIGITS.map((digit) => {
      const bend = this.#bends[digit];
      const idleRad = this.#idle[digit].step(stepS);
      if (this.#guide === undefined || leads.includes(digit)) return [digit, bend] as const;
      return [digit, bent(bend, (angle) => bend[angle] + (angle === "knuckleRad" ? idleRad : 0))] as const;
    });
    const positionM = plus(WRIST.positionM, this.#tremor(nowS).offsetM);
    return this.#person.joints(Object.fromEntries(shown) as Record<Digit, Bends[Digit]>, {
      ...WRIST,
      positionM,
    });
  }
}
