/**
 * Runs a history policy on a robot on legs. The servo's snapshots are its clock: one in so many ticks, so that steps are
 * as far apart as in training whatever this thread does. Each is made from one snapshot and commanded with a validity
 * counted from it. Any doubt gives no command, and the servo ends in damping when the one before expires.
 */
import { addNs, type Clock, msToNs, nsToMs, sleepMs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import { createImpedanceTarget, type ImpedanceTarget } from "../../policies/history/action.js";
import type { HistoryManifest } from "../../policies/history/manifest.js";
import type { HistoryStep } from "../../policies/history/pipeline.js";
import { type BodyReading, toRecorded } from "../../policies/history/reading.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";
import type { RunPhase } from "./runner.js";
import { SnapshotMailbox } from "./snapshotMailbox.js";
import { checkStart } from "./standingStart.js";
import { endedBy, refusalBeforeSending, StepLedger } from "./stepLedger.js";
import type { StepRecord, StepStatistics } from "./steps.js";
import type { VelocityMailbox } from "./velocity.js";

/** What computes a step; `HistoryPipeline` is one. */
export interface HistoryActor {
  reset(): void;
  /** The answer is valid until the next call. */
  step(reading: BodyReading): Promise<HistoryStep>;
  /** Makes the next step quicker and changes nothing; called when one is due soon. */
  rehearse?(): Promise<void>;
}

export interface HistoryRunnerOptions {
  readonly clock: Clock;
  /** Sends one snapshot in `ticksPerStep` ticks. */
  readonly servo: ServoClient;
  readonly actor: HistoryActor;
  readonly manifest: HistoryManifest;
  readonly velocity: VelocityMailbox;
  /** Name under which the lease is held. */
  readonly name: string;
  /** Asked last before every command, for a stop that cannot wait for this thread's messages. */
  readonly cancelled?: () => boolean;
  readonly onPhase?: (phase: RunPhase) => void;
  /** Every step, in order, at the latest when the next one ends. */
  readonly onStep?: (record: StepRecord) => void;
}

/** Without a snapshot for so long the run ends; the servo has let go of the robot long before. */
const SILENCE_MS_MAX = 500;
/** How long before a snapshot is due a step is rehearsed, and when it is too late for that: it would keep the step waiting. */
const REHEARSAL = { beforeMs: 3.5, beforeMsMin: 2.5 } as const;

/** @throws BUNDLE_MISMATCH when the policy's rate is no whole part of the servo's */
export function ticksPerStep(manifest: HistoryManifest, servoRateHz: number): number {
  const ticks = servoRateHz / manifest.rateHz;
  if (Number.isInteger(ticks)) return ticks;
  throw new CerebellumError(
    "BUNDLE_MISMATCH",
    `Policy ${manifest.name} runs at ${manifest.rateHz} Hz, which is no whole part of the servo's ${servoRateHz} Hz`,
    "Set the servo's rateHz in the cell file to a multiple of the policy's",
  );
}

/** @throws COMMAND_REFUSED for a policy that may not move a robot */
export function checkMotion({ name, motion, motionReason }: HistoryManifest): void {
  if (motion === "allowed") return;
  throw new CerebellumError(
    "COMMAND_REFUSED",
    `Policy ${name} is refused for motion: ${motionReason}`,
    "Time or compare it with `./cerebellum policy verify` and `bench digit`; move the robot with another bundle",
  );
}

export class HistoryRunner {
  readonly #options: HistoryRunnerOptions;
  readonly #ledger: StepLedger;
  readonly #mailbox = new SnapshotMailbox();
  readonly #ticksPerStep: number;
  readonly #target: ImpedanceTarget;
  /** Where the servo held each joint when the run began. */
  readonly #standingRad: Float64Array;

  /** @throws BUNDLE_MISMATCH as `ticksPerStep` */
  constructor(options: HistoryRunnerOptions) {
    this.#options = options;
    this.#ledger = new StepLedger(options.onStep);
    this.#ticksPerStep = ticksPerStep(options.manifest, options.servo.info.rateHz);
    const jointCount = options.manifest.robot.joints.length;
    this.#target = createImpedanceTarget(jointCount);
    this.#standingRad = new Float64Array(jointCount);
  }

  statistics(): StepStatistics {
    return this.#ledger.statistics();
  }

  /**
   * Runs until `signal` aborts. The lease is given back in every case: upright and slow the robot stands on, else it is
   * let down in damping.
   *
   * @throws COMMAND_REFUSED for a policy that may not move a robot; NOT_ENABLED when the robot does not stand as the
   *   policy's start wants it; LEASE_REFUSED, LINK_CLOSED, LINK_SILENT, POLICY_INPUT_INVALID, POLICY_OUTPUT_INVALID
   */
  async run(signal: AbortSignal): Promise<void> {
    const { servo, manifest, onPhase } = this.#options;
    checkMotion(manifest);
    const lease = await servo.acquireLease(this.#options.name);
    const ended = AbortSignal.any([signal, lease.lost, servo.closed]);
    const unsubscribe = servo.onSnapshot((snapshot) => {
      this.#noteWire(snapshot);
      this.#mailbox.put(snapshot);
    });
    try {
      onPhase?.("running");
      await this.#steps(lease, ended);
      if (!signal.aborted) throw endedBy(lease, servo, "stands");
    } finally {
      unsubscribe();
      this.#ledger.flush();
      lease.release();
      onPhase?.("ended");
    }
  }

  async #steps(lease: Lease, ended: AbortSignal): Promise<void> {
    const { actor, manifest, servo } = this.#options;
    actor.reset();
    let first: ServoSnapshot | undefined;
    let before: ServoSnapshot | undefined;
    for (let step = 0; ; step++) {
      const snapshot = await this.#next(ended, before);
      if (snapshot === undefined) return;
      if (first === undefined) {
        checkStart(manifest, servo.info.robot, snapshot);
        first = snapshot;
        this.#standingRad.set(snapshot.sentRad);
      }
      const places = before === undefined ? 1 : (snapshot.tick - before.tick) / this.#ticksPerStep;
      before = snapshot;
      const timeS = (snapshot.tick - first.tick) / servo.info.rateHz;
      const record = await this.#step(lease, ended, snapshot, timeS, {
        step,
        skippedSteps: Math.max(0, Math.round(places) - 1),
      });
      this.#ledger.put(record);
    }
  }

  /** @throws LINK_SILENT */
  async #next(ended: AbortSignal, before: ServoSnapshot | undefined): Promise<ServoSnapshot | undefined> {
    const { clock, servo } = this.#options;
    if (before !== undefined) await this.#rehearse(ended, before);
    const found = new AbortController();
    const silent = sleepMs(clock, SILENCE_MS_MAX, AbortSignal.any([ended, found.signal])).then(
      () => "silent" as const,
    );
    const next = await Promise.race([this.#mailbox.next(ended), silent]);
    found.abort();
    if (next !== "silent" || ended.aborted) return next === "silent" ? undefined : next;
    throw new CerebellumError(
      "LINK_SILENT",
      `Servo of ${servo.info.robot} sent no state for ${SILENCE_MS_MAX} ms`,
      "Check with `./cerebellum status` that the robot is connected",
    );
  }

  /** A network that has rested for most of a period is slow at first: its weights lie in main memory again. */
  async #rehearse(ended: AbortSignal, before: ServoSnapshot): Promise<void> {
    const { clock, actor, servo } = this.#options;
    if (actor.rehearse === undefined) return;
    const dueNs = addNs(before.tickNs, msToNs((1000 * this.#ticksPerStep) / servo.info.rateHz));
    const leftMs = () => nsToMs(dueNs - clock.nowNs());
    const restMs = leftMs() - REHEARSAL.beforeMs;
    if (restMs > 0) await sleepMs(clock, restMs, ended);
    if (!ended.aborted && !this.#mailbox.isFull && leftMs() >= REHEARSAL.beforeMsMin) await actor.rehearse();
  }

  async #step(
    lease: Lease,
    ended: AbortSignal,
    snapshot: ServoSnapshot,
    timeS: number,
    place: { readonly step: number; readonly skippedSteps: number },
  ): Promise<StepRecord> {
    const { clock, manifest, actor, velocity } = this.#options;
    const startNs = clock.nowNs();
    const dueNs = snapshot.tickNs;
    const stateAgeMs = nsToMs(startNs - snapshot.stateNs);
    const record = {
      ...place,
      dueNs,
      startNs,
      startLatenessMs: nsToMs(startNs - dueNs),
      framesMissed: 0,
      stateNs: snapshot.stateNs,
      stateAgeMs,
    };
    const { base, positionRad, velocityRadPerS } = snapshot;
    if (base === undefined) return { ...record, refusal: "noJointState" };
    if (snapshot.state !== "holding" && snapshot.state !== "following") {
      return { ...record, refusal: "servoNotReady" };
    }
    // The servo is stricter (`servo.stateAgeMsMax`): this is for what it sent long ago.
    if (stateAgeMs > manifest.expiryMs) return { ...record, refusal: "stateOld" };
    const command = velocity.at(startNs, manifest.command?.staleMs ?? 0);
    const reading = { timeS, positionRad, velocityRadPerS, base, command };
    const answer = await actor.step(reading);
    const actedNs = clock.nowNs();
    const { target, output, clippedCount } = answer;
    blend(manifest, this.#standingRad, target, timeS, this.#target);
    const expiresNs = addNs(snapshot.tickNs, msToNs(manifest.expiryMs));
    const refusal = refusalBeforeSending(ended, this.#options.cancelled, actedNs, expiresNs);
    // Copied: the actor gives out the same memory at every step.
    const acted = () => ({
      ...record,
      reading: toRecorded(reading),
      positionRad: Array.from(positionRad),
      outputRad: Array.from(output),
      targetRad: Array.from(this.#target.positionRad),
      stiffnessNmPerRad: Array.from(this.#target.stiffnessNmPerRad),
      dampingNmSPerRad: Array.from(this.#target.dampingNmSPerRad),
      clippedCount,
      controlMs: nsToMs(actedNs - startNs),
    });
    if (refusal !== undefined) return { ...acted(), refusal };
    // First the robot, then the record.
    const commandSeq = lease.command({
      positionRad: this.#target.positionRad,
      gains: this.#target,
      expiresNs,
      inputAgeMs: nsToMs(clock.nowNs() - snapshot.stateNs),
    });
    const sendMs = nsToMs(clock.nowNs() - actedNs);
    return { ...acted(), commandSeq, sendMs };
  }

  #noteWire(snapshot: ServoSnapshot): void {
    this.#ledger.noteWire(snapshot, ({ stateNs }, commandWireNs) => ({
      stateToWireMs: nsToMs(commandWireNs - stateNs!),
    }));
  }
}

/** From what the servo held, by the gains of the start, to the policy's own: in equal shares of time. */
function blend(
  { start }: HistoryManifest,
  standingRad: ArrayLike<number>,
  own: ImpedanceTarget,
  timeS: number,
  into: ImpedanceTarget,
): void {
  const share = start.blendMs === 0 ? 1 : Math.min(1, (1000 * timeS) / start.blendMs);
  for (const field of ["positionRad", "stiffnessNmPerRad", "dampingNmSPerRad"] as const) {
    const from = field === "positionRad" ? standingRad : start[field];
    for (let joint = 0; joint < into[field].length; joint++) {
      // Exactly the policy's own once it has all of the share.
      into[field][joint] =
        share === 1 ? own[field][joint]! : from[joint]! + share * (own[field][joint]! - from[joint]!);
    }
  }
}
