/**
 * What every runner of a policy does at the end of a step and of a run: the newest step waits to learn when its command left
 * for the device, a command that comes too late is not sent, and who ended the run is named.
 */
import type { MonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { Lease, ServoClient, ServoSnapshot } from "../servo/api.js";
import { StepCounters, type StepRecord, type StepRefusal, type StepStatistics } from "./steps.js";

/** What a record says besides, once its command has left. */
type SinceInput = Pick<StepRecord, "imageToWireMs" | "stateToWireMs">;

export class StepLedger {
  readonly #counters = new StepCounters();
  readonly #onStep: (record: StepRecord) => void;
  /** The newest step while it waits. */
  #pending: StepRecord | undefined;

  /** @param onStep told every step, in order, at the latest when the next one ends */
  constructor(onStep: ((record: StepRecord) => void) | undefined) {
    this.#onStep = onStep ?? (() => {});
  }

  statistics(): StepStatistics {
    return this.#counters.summary();
  }

  /** A step is over. One without a command has nothing to wait for. */
  put(record: StepRecord): void {
    this.flush();
    this.#pending = record;
    if (record.commandSeq === undefined) this.flush();
  }

  /** @param since how long it took, of a step whose command left at that moment */
  noteWire(
    snapshot: ServoSnapshot,
    since: (record: StepRecord, commandWireNs: MonotonicNs) => SinceInput,
  ): void {
    const pending = this.#pending;
    if (pending?.commandSeq === undefined || snapshot.commandSeq !== pending.commandSeq) return;
    const { commandWireNs } = snapshot;
    // Numbers begin anew with each lease: an equal one from before this step belongs to another command.
    if (commandWireNs < pending.startNs) return;
    this.#pending = { ...pending, commandWireNs, ...since(pending, commandWireNs) };
    this.flush();
  }

  /** Tells the step that waits, as far as it is known. */
  flush(): void {
    const record = this.#pending;
    if (record === undefined) return;
    this.#pending = undefined;
    this.#counters.add(record);
    this.#onStep(record);
  }
}

/** Asked last before every command. @param cancelled a stop that cannot wait for this thread's messages */
export function refusalBeforeSending(
  ended: AbortSignal,
  cancelled: (() => boolean) | undefined,
  nowNs: MonotonicNs,
  expiresNs: MonotonicNs,
): StepRefusal | undefined {
  if (ended.aborted || cancelled?.() === true) return "cancelled";
  return nowNs >= expiresNs ? "expired" : undefined;
}

/** Why a run ended that nobody here has ended. @param ready what the robot does when the policy may be started again */
export function endedBy(lease: Lease, servo: ServoClient, ready: "is holding" | "stands"): CerebellumError {
  const reason: unknown = servo.closed.aborted ? servo.closed.reason : lease.lost.reason;
  if (reason instanceof CerebellumError) return reason;
  return new CerebellumError(
    servo.closed.aborted ? "LINK_CLOSED" : "LEASE_REFUSED",
    `${servo.info.robot}: the servo ended the policy's command`,
    `\`./cerebellum why\` explains it; start the policy again when the robot ${ready}`,
  );
}
