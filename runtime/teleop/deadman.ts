/**
 * The deadman's switch of a teleoperation session: states, poses and ages together, without clock, servo or client.
 * Whoever drives it carries out the action that each call answers with, at once.
 */
import type { Refusal, TeleopState } from "../../core/gateway/server.js";
import type { HandPose, PoseMessage } from "../../core/teleop/pose.js";
import type { DeadmanConfig } from "./config.js";
import { type DeadmanCode, describeFailure } from "./deadmanFailures.js";
import {
  type DeadmanAction,
  type DeadmanEvent,
  deadmanTransitions,
  followsHand,
  wantsRobot,
} from "./deadmanStates.js";
import { type JudgedPose, type LeadRules, type PoseCounters, PoseWatch } from "./poseWatch.js";

export interface ReceivedPose {
  readonly isDropped: boolean;
  readonly action: DeadmanAction;
  /** The leading hand of a pose that the arm may follow now; undefined in every other case. */
  readonly follow: HandPose | undefined;
}

export class Deadman {
  readonly #config: DeadmanConfig;
  readonly #rules: LeadRules | undefined;
  #watch: PoseWatch;
  #state: TeleopState = "off";
  #why: Refusal | undefined;
  #trouble: Refusal | undefined;
  /** Newest pose without any trouble. */
  #hand: HandPose | undefined;

  /** @param rules by the leading hand's pose and clutch when absent */
  constructor(config: DeadmanConfig, hand: HandPose["hand"], rules?: LeadRules) {
    this.#config = config;
    this.#rules = rules;
    this.#watch = new PoseWatch(config, hand, rules);
  }

  get state(): TeleopState {
    return this.#state;
  }

  /** What latched it, or what is wrong with the poses while the clutch is open; undefined when nothing is. */
  get why(): Refusal | undefined {
    return this.#why ?? this.#trouble;
  }

  /** The leading hand in the newest pose, if nothing is wrong with it. */
  get hand(): HandPose | undefined {
    return this.#hand;
  }

  get newest(): PoseMessage | undefined {
    return this.#watch.newest;
  }

  get counters(): Readonly<PoseCounters> {
    return this.#watch.counters;
  }

  /** Since the newest pose arrived [ms]; NaN before the first. */
  ageMs(nowMs: number): number {
    return nowMs - this.#watch.receivedMs;
  }

  /** A new operator: nothing of the former one counts any more, and the clutch must be seen open. */
  take(): DeadmanAction {
    this.#watch = new PoseWatch(this.#config, this.#watch.hand, this.#rules);
    this.#hand = undefined;
    this.#trouble = undefined;
    return this.#step("taken");
  }

  give(): DeadmanAction {
    const action = this.#step("given");
    this.#hand = undefined;
    this.#why = undefined;
    this.#trouble = undefined;
    return action;
  }

  /** Which hand leads from now on. */
  lead(hand: HandPose["hand"]): DeadmanAction {
    if (hand === this.#watch.hand) return "nothing";
    const action = wantsRobot(this.#state)
      ? this.fail("SOURCE_CHANGED", `the ${hand} hand leads now`)
      : "nothing";
    this.#watch.lead(hand);
    this.#hand = undefined;
    return action;
  }

  /** @param receivedMs monotonic time of the arrival */
  receive(message: PoseMessage, receivedMs: number): ReceivedPose {
    if (this.#state === "off") return { isDropped: true, action: "nothing", follow: undefined };
    const judged = this.#watch.receive(message, receivedMs, wantsRobot(this.#state));
    if (judged.isDropped) return { isDropped: true, action: "nothing", follow: undefined };
    this.#hand = judged.hand;
    const action = this.#answer(judged);
    return { isDropped: false, action, follow: followsHand(this.#state) ? this.#hand : undefined };
  }

  /** Called often: ends what nobody has renewed in time. */
  look(nowMs: number): DeadmanAction {
    if (!wantsRobot(this.#state)) return "nothing";
    const { poseAgeMsMax } = this.#config;
    const ageMs = this.ageMs(nowMs);
    if (ageMs <= poseAgeMsMax) return "nothing";
    return this.fail("POSE_OLD", `${ageMs.toFixed(0)} ms (limit ${poseAgeMsMax} ms)`);
  }

  /** The lease is ours and the arm stands. */
  grant(): DeadmanAction {
    return this.#step("granted");
  }

  /** A condition that others watch over does not hold. */
  fail(code: DeadmanCode, detail: string): DeadmanAction {
    if (this.#state !== "off" && this.#state !== "latched") this.#why = describeFailure(code, detail);
    this.#watch.distrustClutch();
    return this.#step("failed");
  }

  #answer({ trouble, clutch }: JudgedPose): DeadmanAction {
    if (trouble !== undefined) {
      if (wantsRobot(this.#state)) return this.fail(trouble.code, trouble.detail);
      this.#trouble = describeFailure(trouble.code, trouble.detail);
      return "nothing";
    }
    const doubted = this.#trouble;
    this.#trouble = undefined;
    if (clutch === "pressed") return this.#step("pressed");
    if (clutch === "held" && this.#state === "ready") return this.#refuseHeld(doubted);
    if (clutch !== "open") return "nothing";
    this.#why = undefined;
    return this.#step("released");
  }

  /** A press that came with a doubt, or before anybody looked, would otherwise be waited for in vain. */
  #refuseHeld(doubted: Refusal | undefined): DeadmanAction {
    const action = this.fail("CLUTCH_HELD", "");
    if (doubted !== undefined) this.#why = doubted;
    return action;
  }

  #step(event: DeadmanEvent): DeadmanAction {
    const { to, does } = deadmanTransitions[this.#state][event];
    this.#state = to;
    return does;
  }
}
