/**
 * One operator, one robot: poses in, commands out. A pose that the deadman passes becomes a command at once, with the
 * deadman's age as its expiry; there is no timer and no queue in between, so nothing runs on that nobody renews. The
 * lease is held only while the clutch is.
 */
import type { ArmLimits } from "../../core/arm.js";
import {
  addNs,
  asMonotonicNs,
  type Clock,
  type MonotonicNs,
  msToNs,
  nsToMs,
  sleepMs,
} from "../../core/clock.js";
import { errorText } from "../../core/errors.js";
import type { Refusal, TeleopState, TeleopStatus } from "../../core/gateway/server.js";
import type { HandPose, PoseMessage, TrackedPose } from "../../core/teleop/pose.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";
import type { TeleopConfig } from "./config.js";
import { Deadman } from "./deadman.js";
import type { DeadmanCode } from "./deadmanFailures.js";
import { type DeadmanAction, followsHand, wantsRobot } from "./deadmanStates.js";
import { ContactWatch, PulseGate, type PulseName } from "./haptics.js";
import { LatencyMeter } from "./latency.js";
import type { AlignedHand, HandMapping, MappingStep } from "./mapping.js";
import type { LeadRules } from "./poseWatch.js";
import { RobotLink } from "./robotLink.js";

/** Fine enough that an age is found out within a tenth of its limit. */
const LOOK_MS = 10;
/** A servo that says nothing for so long is not to be commanded. */
const SERVO_SILENT_MS_MAX = 250;
/** Where it was longer ago says nothing about how far a target may be ahead of it. */
const SETPOINT_MS_MAX = 50;
/** From the pressed clutch to an arm that stands and is ours; braking takes less. */
const ENGAGE_MS_MAX = 2000;

/** A source's pose in the base frame's axes. */
export type HandTurn = (pose: TrackedPose) => TrackedPose;

/** How the poses of a source lie to the robot's base frame. */
export interface HandAlignment {
  howKnown(message: PoseMessage): TeleopStatus["alignment"];
  /** As it is known now; undefined where the source's frame is not known. */
  turnOf(message: PoseMessage): HandTurn | undefined;
  /** The operator faces along the robot's x axis now. @returns why it cannot be, or undefined */
  recentre(message: PoseMessage, hand: TrackedPose | null): Refusal | undefined;
}

export interface TeleopScales {
  readonly translationScale: number;
  readonly rotationScale: number;
}

/** One pose and what became of it. */
export interface SessionInput {
  readonly message: PoseMessage;
  readonly receivedNs: MonotonicNs;
  readonly state: TeleopState;
  readonly why: string;
  readonly step: MappingStep | undefined;
  readonly commandSeq: number;
}

export interface SessionOptions {
  readonly clock: Clock;
  readonly config: TeleopConfig;
  readonly robot: string;
  readonly operator: string;
  readonly hand: HandPose["hand"];
  readonly scales: TeleopScales;
  readonly connect: () => Promise<ServoClient>;
  readonly createMapping: (limits: ArmLimits) => HandMapping;
  /** Whose clutch counts and what else is asked of the leading hand; its own clutch and nothing when absent. */
  readonly rules?: LeadRules;
  readonly alignment: HandAlignment;
  /** State or reason has changed. */
  readonly onChange: () => void;
  readonly onPulse: (name: PulseName, why: string) => void;
  readonly onInput: (input: SessionInput) => void;
}

export class TeleopSession {
  readonly #options: SessionOptions;
  readonly #deadman: Deadman;
  readonly #link: RobotLink;
  readonly #latency = new LatencyMeter();
  readonly #pulses = new PulseGate();
  readonly #contact = new ContactWatch();
  readonly #closing = new AbortController();
  #mapping: HandMapping | undefined;
  #scales: TeleopScales;
  #lease: Lease | undefined;
  /** The one of the engage: what is calibrated meanwhile counts from the next on. */
  #turn: HandTurn | undefined;
  #hand: HandPose["hand"];
  #step: MappingStep | undefined;
  #stepMs = 0;
  #gripperM = Number.NaN;
  #engagingSinceMs = 0;
  #arrivalsMs: number[] = [];
  #told = "";

  constructor(options: SessionOptions) {
    this.#options = options;
    const { config, clock, robot, hand, connect } = options;
    this.#hand = hand;
    this.#scales = options.scales;
    this.#deadman = new Deadman(config.deadman, hand, options.rules);
    this.#link = new RobotLink({
      clock,
      robot,
      connect,
      onUp: ({ limits }) => {
        this.#mapping = options.createMapping(limits);
      },
      onSnapshot: (snapshot) => this.#onSnapshot(snapshot),
      onStanding: (lease, sentRad) => this.#engage(lease, sentRad),
      onFailed: (code, detail) => {
        if (wantsRobot(this.state)) this.#fail(code, detail);
      },
    });
  }

  /** The operator's poses count from now on. */
  open(): void {
    this.#do(this.#deadman.take());
    this.#link.open();
    void this.#watch();
  }

  /** Whatever is engaged ends; a new session is another object. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#do(this.#deadman.give());
    await this.#link.close();
  }

  get state(): TeleopState {
    return this.#deadman.state;
  }

  get why(): Refusal | undefined {
    return this.#deadman.why;
  }

  /** How far the tool goes for each metre and each radian of the hand, from the next engagement on. */
  scale(scales: TeleopScales): void {
    this.#scales = scales;
  }

  lead(hand: HandPose["hand"]): void {
    this.#hand = hand;
    this.#do(this.#deadman.lead(hand));
  }

  /** Only with an open clutch, because it turns the way in which the hand leads. */
  recentre(): Refusal | undefined {
    const { newest } = this.#deadman;
    if (wantsRobot(this.state))
      return refusal("The clutch is held", "Release it, face along the robot's x axis, then recentre");
    if (
      newest === undefined ||
      this.#deadman.ageMs(this.#nowMs()) > this.#options.config.deadman.poseAgeMsMax
    )
      return refusal("No fresh pose is there to recentre by", "Put the headset on, or wake the tracker");
    return this.#options.alignment.recentre(newest, this.#deadman.hand?.pose ?? null);
  }

  receive(message: PoseMessage, receivedNs: MonotonicNs): void {
    const receivedMs = nsToMs(receivedNs);
    const { isDropped, action, follow } = this.#deadman.receive(message, receivedMs);
    if (isDropped) return;
    this.#arrivalsMs.push(receivedMs);
    if (this.#arrivalsMs.length > 256) this.#arrivalsMs.shift();
    this.#do(action);
    // It may have been on its way within this process for too long.
    this.#do(this.#deadman.look(this.#nowMs()));
    const commandSeq = follow === undefined ? 0 : this.#follow(message, follow, receivedNs);
    this.#options.onInput({
      message,
      receivedNs,
      state: this.state,
      why: this.why?.code ?? "",
      step: commandSeq === 0 ? undefined : this.#step,
      commandSeq,
    });
  }

  malformed(why: string): void {
    this.#fail("MALFORMED", why);
  }

  /** Which hand leads. */
  get hand(): HandPose["hand"] {
    return this.#hand;
  }

  status(): Omit<TeleopStatus, OthersFields> & { readonly latency: LatencyFigures } {
    const { robot, operator, alignment } = this.#options;
    const { newest, counters } = this.#deadman;
    const nowMs = this.#nowMs();
    const step = this.state === "engaged" ? this.#step : undefined;
    while (this.#arrivalsMs.length > 0 && nowMs - this.#arrivalsMs[0]! > 1000) this.#arrivalsMs.shift();
    return {
      state: this.state,
      robot,
      operator,
      source: newest?.source ?? null,
      device: newest?.device ?? "",
      hand: this.#hand,
      why: this.why ?? null,
      limitedBy: [...(step?.limitedBy ?? [])],
      warning: step?.warning ?? "",
      rateHz: newest === undefined ? null : this.#arrivalsMs.length,
      lost: counters.lost,
      poseAgeMs: newest === undefined ? null : this.#deadman.ageMs(nowMs),
      target: step?.wanted == null ? null : copyOf(step.wanted),
      leashM: step?.gapM ?? null,
      translationScale: this.#scales.translationScale,
      rotationScale: this.#scales.rotationScale,
      alignment: newest === undefined ? "none" : alignment.howKnown(newest),
      latency: { ...this.#latency.figures(), filterMs: this.#mapping?.filterMs ?? null },
    };
  }

  /** @returns the command's number, or 0 when there was none */
  #follow(message: PoseMessage, hand: HandPose, receivedNs: MonotonicNs): number {
    const lease = this.#lease;
    const mapping = this.#mapping;
    if (this.state !== "engaged" || lease === undefined || mapping === undefined) return 0;
    const step = this.#map(mapping, message, hand, nsToMs(receivedNs));
    if (step === undefined) return 0;
    this.#step = step;
    const { poseAgeMsMax } = this.#options.config.deadman;
    const sentMs = this.#nowMs();
    const seq = lease.command({
      positionRad: step.targetRad,
      expiresNs: addNs(receivedNs, msToNs(poseAgeMsMax)),
      inputAgeMs: sentMs - nsToMs(receivedNs),
    });
    this.#latency.commanded(seq, nsToMs(receivedNs), sentMs);
    if (Number.isFinite(step.gripperM) && step.gripperM !== this.#gripperM) {
      this.#gripperM = step.gripperM;
      lease.gripper(step.gripperM);
    }
    if (step.limitedBy.length > 0) this.#pulse("limit", step.limitedBy.join(", "));
    return seq;
  }

  /** A step of the mapping, or a failure. */
  #map(
    mapping: HandMapping,
    message: PoseMessage,
    hand: HandPose,
    receivedMs: number,
  ): MappingStep | undefined {
    const aligned = alignedBy(this.#turn, message, hand);
    if (aligned === undefined) {
      this.#fail("NOT_ALIGNED", message.device);
      return undefined;
    }
    this.#stepMs = Math.max(this.#stepMs, receivedMs);
    try {
      const step = mapping.step(aligned, this.#stepMs, this.#sentRad());
      if (step.targetRad.every(Number.isFinite)) return step;
      this.#fail("MAPPING_FAILED", "a joint target is not finite");
    } catch (thrown) {
      this.#fail("MAPPING_FAILED", errorText(thrown).replace(/\.$/, ""));
    }
    return undefined;
  }

  /** The setpoint that our lease has led the servo to, if it is known well enough. */
  #sentRad(): Float64Array | undefined {
    const { snapshot } = this.#link;
    const isOurs = snapshot !== undefined && snapshot.epoch === this.#lease?.epoch;
    return isOurs && this.#link.silentMs(this.#nowMs()) <= SETPOINT_MS_MAX ? snapshot.sentRad : undefined;
  }

  #acquire(): void {
    const { newest } = this.#deadman;
    this.#engagingSinceMs = this.#nowMs();
    if (newest === undefined || this.#options.alignment.turnOf(newest) === undefined)
      this.#fail("NOT_ALIGNED", newest?.device ?? "");
    else this.#link.acquire(`teleop ${this.#options.operator}`.slice(0, 64));
  }

  /** The arm stands and is ours: the hand is where the tool is, and the first command asks for where the arm stands. */
  #engage(lease: Lease, sentRad: Float64Array): void {
    const { newest, hand } = this.#deadman;
    const turn = newest === undefined ? undefined : this.#options.alignment.turnOf(newest);
    const aligned = newest === undefined ? undefined : alignedBy(turn, newest, hand);
    const mapping = this.#mapping;
    if (mapping === undefined || aligned === undefined) {
      this.#fail("NOT_ALIGNED", newest?.device ?? "");
      return;
    }
    const nowMs = this.#nowMs();
    try {
      mapping.translationScale = this.#scales.translationScale;
      mapping.rotationScale = this.#scales.rotationScale;
      mapping.engage(aligned, sentRad, nowMs);
    } catch (thrown) {
      this.#fail("MAPPING_FAILED", errorText(thrown).replace(/\.$/, ""));
      return;
    }
    this.#lease = lease;
    this.#turn = turn;
    this.#stepMs = nowMs;
    this.#step = undefined;
    this.#gripperM = Number.NaN;
    this.#contact.reset();
    this.#latency.startLease();
    this.#do(this.#deadman.grant());
    if (!followsHand(this.state)) return;
    const expiresNs = asMonotonicNs(this.#options.clock.nowNs() + msToNs(this.#leftMs(nowMs)));
    lease.command({ positionRad: sentRad, expiresNs, inputAgeMs: this.#deadman.ageMs(nowMs) });
  }

  /** Until the newest pose is too old [ms]; a command needs at least the time of its way. */
  #leftMs(nowMs: number): number {
    return Math.max(1, this.#options.config.deadman.poseAgeMsMax - this.#deadman.ageMs(nowMs));
  }

  #onSnapshot(snapshot: ServoSnapshot): void {
    const lease = this.#lease;
    if (lease === undefined || snapshot.epoch !== lease.epoch) return;
    this.#latency.left(snapshot.commandSeq, nsToMs(snapshot.commandWireNs));
    if (this.#contact.begins(snapshot, nsToMs(snapshot.tickNs))) this.#pulse("contact", "contact");
  }

  /** Ages grow while nothing arrives. */
  async #watch(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleepMs(clock, LOOK_MS, signal);
      if (signal.aborted) return;
      this.look();
    }
  }

  look(): void {
    const nowMs = this.#nowMs();
    this.#do(this.#deadman.look(nowMs));
    if (!wantsRobot(this.state)) return;
    const silentMs = this.#link.silentMs(nowMs);
    if (silentMs > SERVO_SILENT_MS_MAX && Number.isFinite(silentMs))
      this.#fail("SERVO_SILENT", `${silentMs.toFixed(0)} ms (limit ${SERVO_SILENT_MS_MAX} ms)`);
    else if (this.state === "engaging" && nowMs - this.#engagingSinceMs > ENGAGE_MS_MAX)
      this.#fail("ROBOT_MOVES", `within ${ENGAGE_MS_MAX} ms`);
  }

  #fail(code: DeadmanCode, detail: string): void {
    this.#do(this.#deadman.fail(code, detail));
  }

  /** Carries out what the deadman has answered, then tells of the change. */
  #do(action: DeadmanAction): void {
    if (action === "letGo") this.#letGo();
    this.#tell();
    if (action === "acquire") this.#acquire();
  }

  #letGo(): void {
    this.#lease = undefined;
    this.#turn = undefined;
    this.#step = undefined;
    this.#link.letGo();
  }

  #tell(): void {
    const { state, why } = this;
    const now = `${state} ${why?.code ?? ""}`;
    if (now === this.#told) return;
    const before = this.#told.split(" ")[0];
    this.#told = now;
    if (state !== before && (state === "engaged" || state === "latched"))
      this.#pulse(state, why?.happened ?? "engaged");
    this.#options.onChange();
  }

  #pulse(name: PulseName, why: string): void {
    if (this.#pulses.pass(name, this.#nowMs())) this.#options.onPulse(name, why);
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}

/** What the session does not know. */
type OthersFields = "recording" | "latency" | "leads" | "carriesHand" | "handSize";
type LatencyFigures = ReturnType<LatencyMeter["figures"]> & { readonly filterMs: number | null };

function alignedBy(
  turn: HandTurn | undefined,
  { deviceTimeMs }: PoseMessage,
  hand: HandPose | undefined,
): AlignedHand | undefined {
  if (turn === undefined || hand === undefined || hand.pose === null) return undefined;
  const { gripper, joints } = hand;
  return { pose: turn(hand.pose), gripper, joints, measuredMs: deviceTimeMs };
}

const refusal = (happened: string, remedy: string): Refusal => ({ code: "TELEOP_REFUSED", happened, remedy });

const copyOf = ({ positionM, quatXyzw }: TrackedPose): TrackedPose => ({
  positionM: [...positionM],
  quatXyzw: [...quatXyzw],
});
