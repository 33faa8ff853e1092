/**
 * How a person's fingers lead those of a robot's hand while the eyes are on it: the index finger's tip steadily down to
 * what is to be touched, or two fingers closed under a cube until it has turned over, and opened again. Decides one frame
 * at a time from what is seen; seeded. Palm frame of the robot and frame of the person's hand have the same axes.
 */
import type { Finger } from "../../kinematics/allegro/hand.js";
import type { LabHandTruth } from "../../lab/control/protocol.js";
import { faceUp, fingersUnder, turnedRad } from "../../lab/experts/cubeFlip.js";
import { aimOverM, touchPointM } from "../../lab/experts/fingerReach.js";
import type { Point } from "../../lab/experts/toolGoal.js";
import type { Random } from "../../lab/world/random.js";
import { type Bend, type Bends, bent, type PersonHand } from "./personHand.js";
import { minus, plus, scaled } from "./stroke.js";
import { Wander } from "./wander.js";

export type HandLook = Pick<LabHandTruth, "tipsM" | "topM" | "centreM" | "quatXyzw">;

export interface FingerGuide {
  readonly phase: string;
  readonly isDone: boolean;
  /** Fingers that are about something; the others idle. */
  readonly leads: readonly Finger[];
  /** What the fingers do in a frame of `stepS`. */
  move(bends: Bends, seen: HandLook, stepS: number): Bends;
}

export interface GuideOptions {
  readonly person: PersonHand;
  readonly random: Random;
  /** Of this person, about 1. */
  readonly pace: number;
  /** Metres of the robot's hand for one of the person's. */
  readonly scale: number;
}

/** Of the robot's tip [m/s], and speed for each metre that is left [1/s]. */
const SPEED_M_PER_S = 0.09;
const GAIN_PER_S = 2.5;
/** Fingers take on another speed in so long [s]. */
const EASE_S = 0.12;
/** Wandering beside the way [m/s] and its memory [s]; less of it near the goal. */
const WANDER_M_PER_S = 0.035;
const WANDER_S = 0.4;
const WANDER_FADE_M = 0.08;
const WANDER_SHARE_MIN = 0.4;
/** Content when the ball is this near to where it would lie, and stays. */
const CONTENT_M = 0.008;
const GONE_FACTOR = 1.6;
const STAY_S = 2;

/** Leads the index finger's tip down to the middle of an object's upper side, and stays. */
export class TouchGuide implements FingerGuide {
  readonly phase = "reach";
  readonly leads = ["index"] as const;
  isDone = false;
  readonly #options: GuideOptions;
  readonly #wander: readonly Wander[];
  #speed: Point = [0, 0, 0];
  #nearS: number | undefined;

  constructor(options: GuideOptions) {
    this.#options = options;
    const wander = (axis: number) =>
      new Wander(options.random.fork(`wander${axis}`), WANDER_M_PER_S, WANDER_S);
    this.#wander = [0, 1, 2].map(wander);
  }

  move(bends: Bends, { tipsM, topM }: HandLook, stepS: number): Bends {
    const { person, pace, scale } = this.#options;
    const tipM = tipsM[0]!;
    const goalM = touchPointM(topM);
    const leftM = Math.hypot(...minus(goalM, tipM));
    this.#judge(leftM, stepS);
    const wanted = atMost(scaled(minus(aimOverM(goalM, tipM), tipM), GAIN_PER_S), SPEED_M_PER_S * pace);
    const fade = Math.min(1, Math.max(WANDER_SHARE_MIN, leftM / WANDER_FADE_M));
    const strayed = this.#wander.map((one) => fade * one.step(stepS)) as unknown as Point;
    const share = Math.min(1, stepS / EASE_S);
    this.#speed = plus(this.#speed, scaled(minus(plus(wanted, strayed), this.#speed), share));
    const ownTipM = plus(person.tipM("index", bends.index), scaled(this.#speed, stepS / scale));
    return { ...bends, index: person.reach("index", ownTipM, bends.index) };
  }

  #judge(leftM: number, stepS: number): void {
    const isNear = leftM <= CONTENT_M * (this.#nearS === undefined ? 1 : GONE_FACTOR);
    this.#nearS = isNear ? (this.#nearS ?? 0) + stepS : undefined;
    this.isDone ||= this.#nearS !== undefined && this.#nearS > STAY_S;
  }
}

/** Share of the way from open to closed [1/s]. */
const CLOSE_PER_S = 0.55;
const CLOSED: Pick<Bend, "knuckleRad" | "middleRad"> = { knuckleRad: 1.5, middleRad: 0.25 };
/** Each finger goes by itself a little [share], with this memory [s]. */
const UNEVEN = 0.05;
const UNEVEN_S = 0.5;
/** Seen as turned over from here on [rad], after so long [s]. */
const TURNED_RAD = 1.25;
const SEEING_S = 0.25;
/** A cube that has not turned over by then is let down, and tried again [s]. */
const PATIENCE_S = 2.5;
const REST_S = 1.5;

/** Closes the two fingers under a cube until another of its faces is up, and opens the hand again. */
export class TurnGuide implements FingerGuide {
  phase: "close" | "open" | "rest" = "close";
  isDone = false;
  readonly #options: GuideOptions;
  readonly #wander: Readonly<Record<Finger, Wander>>;
  readonly #open: Bends;
  readonly #face: Point;
  readonly leads: readonly Finger[];
  #share = 0;
  #forS = 0;
  #turnedS = 0;

  /** @param first the cube before anything moves */
  constructor(options: GuideOptions, first: HandLook, open: Bends) {
    this.#options = options;
    this.#open = open;
    this.#face = faceUp(first.quatXyzw);
    this.leads = fingersUnder(first.centreM);
    const wander = (finger: Finger) => new Wander(options.random.fork(finger), UNEVEN, UNEVEN_S);
    this.#wander = {
      index: wander("index"),
      middle: wander("middle"),
      ring: wander("ring"),
      thumb: wander("thumb"),
    };
  }

  move(bends: Bends, { quatXyzw }: HandLook, stepS: number): Bends {
    this.#forS += stepS;
    const isTurned = turnedRad(this.#face, quatXyzw) > TURNED_RAD;
    this.#turnedS = isTurned ? this.#turnedS + stepS : 0;
    this.#decide(isTurned);
    const towards = this.phase === "close" ? 1 : -1;
    const stepped = this.#share + towards * CLOSE_PER_S * this.#options.pace * stepS;
    this.#share = Math.min(1, Math.max(0, stepped));
    const next = { ...bends };
    for (const finger of this.leads) {
      const uneven = this.#wander[finger].step(stepS) * Math.min(1, 4 * this.#share);
      const share = Math.max(0, leastJerkShare(this.#share) + uneven);
      const from = this.#open[finger];
      next[finger] = bent(from, (angle) =>
        angle === "knuckleRad" || angle === "middleRad"
          ? from[angle] + share * (CLOSED[angle] - from[angle])
          : from[angle],
      );
    }
    return next;
  }

  #decide(isTurned: boolean): void {
    switch (this.phase) {
      case "close":
        if (this.#turnedS > SEEING_S || this.#forS > PATIENCE_S / this.#options.pace + 1 / CLOSE_PER_S)
          this.#begin("open");
        return;
      case "open":
        if (this.#share === 0) this.#begin(isTurned ? "rest" : "close");
        return;
      case "rest":
        if (!isTurned) this.#begin("close");
        else if (this.#forS > REST_S) this.isDone = true;
    }
  }

  #begin(phase: TurnGuide["phase"]): void {
    this.phase = phase;
    this.#forS = 0;
  }
}

/** Slow at both ends. */
const leastJerkShare = (share: number): number => share * share * (3 - 2 * share);

function atMost(vector: Point, largest: number): Point {
  const length = Math.hypot(...vector);
  return length <= largest ? vector : scaled(vector, largest / length);
}
