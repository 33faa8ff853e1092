/**
 * Runs a policy on a robot: guarded approach to the start pose, then steps on a fixed grid. A step takes the newest
 * frame, adds the actor's action to the joint positions measured at that frame's time, and commands the sum with an
 * expiry. Any doubt about a frame or a state gives no command, and the arm comes to a hold by itself.
 */
import {
  addNs,
  type Clock,
  type ClockMapping,
  type MonotonicNs,
  msToNs,
  nsToMs,
  toMonotonicNs,
} from "../../core/clock.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";
import type { Actor } from "./actor.js";
import { type ApproachPlan, approachPose } from "./approach.js";
import { type ActionBounds, decodeAction } from "./boundAction.js";
import { untilClockStep } from "./clockStep.js";
import { FrameGate } from "./frameGate.js";
import type { Frame, FrameSource } from "./frameSlots.js";
import { endedBy, refusalBeforeSending, StepLedger } from "./stepLedger.js";
import type { StepRecord, StepStatistics } from "./steps.js";

export interface RunnerOptions {
  readonly clock: Clock;
  readonly servo: ServoClient;
  readonly frames: FrameSource;
  readonly actor: Actor;
  readonly mapping: ClockMapping;
  /** Name under which the lease is held. */
  readonly name: string;
  readonly rateHz: number;
  /** Validity of one command from its step's start. */
  readonly expiryMs: number;
  /** Largest action in a step, and what the gripper may be asked for where the actor moves it. */
  readonly bounds: ActionBounds;
  readonly frameAgeMsMax: number;
  /** Left out: the run begins where the robot stands. */
  readonly approach?: ApproachPlan;
  /** Asked last before every command, for a stop that cannot wait for this thread's messages. */
  readonly cancelled?: () => boolean;
  /** Lets the thread's input in before a step, e.g. one turn of the event loop. */
  readonly letInputIn?: () => Promise<void>;
  readonly onPhase?: (phase: RunPhase) => void;
  /** Every step, in order, at the latest when the next one ends. */
  readonly onStep?: (record: StepRecord) => void;
}

/** Smaller changes of the opening are not asked for [m]. */
const GRIPPER_STEP_M = 0.001;

export type RunPhase = "approaching" | "running" | "ended";

export class PolicyRunner {
  readonly #options: RunnerOptions;
  readonly #gate: FrameGate;
  readonly #ledger: StepLedger;
  readonly #periodNs: bigint;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#ledger = new StepLedger(options.onStep);
    this.#gate = new FrameGate(options.frameAgeMsMax, options.mapping);
    this.#periodNs = msToNs(1000 / options.rateHz);
  }

  statistics(): StepStatistics {
    return this.#ledger.statistics();
  }

  /**
   * Runs until `signal` aborts. The lease is given back in every case.
   *
   * @throws LEASE_REFUSED when the lease is not granted or lost, LINK_CLOSED, TIMED_OUT on the approach,
   *   POLICY_OUTPUT_INVALID, CLOCK_STEPPED, and whatever the actor throws
   */
  async run(signal: AbortSignal): Promise<void> {
    const { servo, clock, approach, onPhase } = this.#options;
    const lease = await servo.acquireLease(this.#options.name);
    const over = new AbortController();
    const clockStepped = new AbortController();
    void untilClockStep(clock, this.#options.mapping, over.signal).then(
      (error) => error !== undefined && clockStepped.abort(error),
    );
    const ended = AbortSignal.any([signal, lease.lost, servo.closed, clockStepped.signal]);
    const unsubscribe = servo.onSnapshot((snapshot) => this.#noteWire(snapshot));
    try {
      if (approach !== undefined) {
        onPhase?.("approaching");
        await approachPose(clock, servo, lease, approach, ended, this.#options.cancelled);
      }
      if (!ended.aborted) {
        onPhase?.("running");
        await this.#steps(lease, ended);
      }
      if (!signal.aborted) throw clockStepped.signal.reason ?? endedBy(lease, servo, "is holding");
    } finally {
      over.abort();
      unsubscribe();
      this.#ledger.flush();
      lease.release();
      onPhase?.("ended");
    }
  }

  /** The grid begins now and never shifts; places that were missed are skipped and counted. */
  async #steps(lease: Lease, ended: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let dueNs = clock.nowNs();
    let skippedSteps = 0;
    for (let step = 0; ; step++) {
      await clock.sleepUntil(dueNs, ended);
      await this.#options.letInputIn?.();
      if (ended.aborted) return;
      const record = await this.#step(lease, ended, step, dueNs, skippedSteps);
      this.#ledger.put(record);
      const latenessNs = clock.nowNs() - dueNs;
      skippedSteps = latenessNs >= this.#periodNs ? Number(latenessNs / this.#periodNs) : 0;
      dueNs = addNs(dueNs, BigInt(skippedSteps + 1) * this.#periodNs);
    }
  }

  async #step(
    lease: Lease,
    ended: AbortSignal,
    step: number,
    dueNs: MonotonicNs,
    skippedSteps: number,
  ): Promise<StepRecord> {
    const { clock, servo, frames, actor } = this.#options;
    const startNs = clock.nowNs();
    const frame = frames.newest();
    const frameRefusal = this.#gate.check(frame, startNs);
    const record = {
      step,
      dueNs,
      startNs,
      startLatenessMs: nsToMs(startNs - dueNs),
      skippedSteps,
      framesMissed: frames.missedCount,
      ...(frame === undefined ? {} : this.#describe(frame, startNs)),
    };
    if (frame === undefined || frameRefusal !== undefined)
      return { ...record, refusal: frameRefusal ?? "noFrame" };
    const imageNs = toMonotonicNs(this.#options.mapping, frame.stampNs);
    const positionRad = servo.positionAt(imageNs);
    const snapshot = servo.latest();
    if (positionRad === undefined || snapshot === undefined) return { ...record, refusal: "noJointState" };
    if (snapshot.state !== "holding" && snapshot.state !== "following") {
      return { ...record, refusal: "servoNotReady" };
    }
    const { gripperOpeningM, gripperCommandM } = snapshot;
    const { bounds } = this.#options;
    if (bounds.gripper !== undefined && !Number.isFinite(gripperOpeningM))
      return { ...record, refusal: "noGripper" };
    // Copied at once: an actor may give out the same memory at every step.
    const output = Array.from(await actor.act({ frame, positionRad, gripperOpeningM }));
    const actedNs = clock.nowNs();
    const decoded = decodeAction(output, positionRad, bounds, servo.info.limits.jointNames);
    const acted = {
      ...record,
      ...actor.parts,
      positionRad: [...positionRad],
      gripperOpeningM,
      ...decoded,
    };
    const expiresNs = addNs(startNs, msToNs(this.#options.expiryMs));
    const refusal = refusalBeforeSending(ended, this.#options.cancelled, actedNs, expiresNs);
    if (refusal !== undefined) return { ...acted, refusal };
    const inputAgeMs = nsToMs(clock.nowNs() - imageNs);
    const commandSeq = lease.command({ positionRad: decoded.targetRad, expiresNs, inputAgeMs });
    const { gripperTargetM } = decoded;
    if (gripperTargetM !== undefined && isNews(gripperTargetM, gripperCommandM))
      lease.gripper(gripperTargetM, expiresNs);
    return { ...acted, commandSeq, sendMs: nsToMs(clock.nowNs() - actedNs) };
  }

  #describe(frame: Frame, startNs: MonotonicNs) {
    return {
      frameSequence: frame.sequence,
      imageStampNs: frame.stampNs,
      imageAgeMs: this.#gate.ageMs(frame, startNs),
      queueMs: nsToMs(startNs - frame.receivedNs),
    };
  }

  #noteWire(snapshot: ServoSnapshot): void {
    this.#ledger.noteWire(snapshot, ({ imageStampNs }, commandWireNs) => ({
      imageToWireMs: nsToMs(commandWireNs - toMonotonicNs(this.#options.mapping, imageStampNs!)),
    }));
  }
}

/** An opening that is asked for anew takes the place of a setpoint on its way to the device. */
const isNews = (openingM: number, askedM: number): boolean => !(Math.abs(openingM - askedM) < GRIPPER_STEP_M);
