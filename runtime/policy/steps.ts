/** What is known about each policy step and what is counted over all of them. */
import type { EpochNs, MonotonicNs } from "../../core/clock.js";
import type { RecordedReading } from "../../policies/history/manifest.js";
import type { FrameRefusal } from "./frameGate.js";
import { DurationHistogram, type DurationSummary } from "./histogram.js";

/** Why a step gave no command. An arm then decelerates to a hold when the previous command expires, legs go limp. */
export type StepRefusal =
  | FrameRefusal
  | "noJointState"
  | "stateOld"
  | "servoNotReady"
  | "noGripper"
  | "expired"
  | "cancelled";

/** One step on the policy's grid. Durations [ms] are undefined where the step did not get so far. */
export interface StepRecord {
  readonly step: number;
  /** Its place on the grid, when it really began, and grid places skipped since the previous step. */
  readonly dueNs: MonotonicNs;
  readonly startNs: MonotonicNs;
  readonly startLatenessMs: number;
  readonly skippedSteps: number;
  readonly refusal?: StepRefusal;
  readonly frameSequence?: number;
  readonly framesMissed: number;
  readonly imageStampNs?: EpochNs;
  /** Image taken to step begun, and the last part of it: image received to step begun. */
  readonly imageAgeMs?: number;
  readonly queueMs?: number;
  readonly preprocessMs?: number;
  readonly encodeMs?: number;
  readonly controlMs?: number;
  /** Action known to command handed to the servo link. */
  readonly sendMs?: number;
  readonly commandSeq?: number;
  /** When the servo sent the first frame of this command to the device, and that moment since the image. */
  readonly commandWireNs?: MonotonicNs;
  readonly imageToWireMs?: number;
  /** What the actor was given beside the image: joints at the image's time [rad], base to tool; opening [m] or NaN. */
  readonly positionRad?: readonly number[];
  readonly gripperOpeningM?: number;
  /** The actor's answer to the last bit, the same clipped, and that added to the position [rad]. */
  readonly outputRad?: readonly number[];
  readonly actionRad?: readonly number[];
  readonly targetRad?: readonly number[];
  /** Of a policy that moves the gripper: the opening as it was answered to the last bit, and as it was asked for [m]. */
  readonly gripperOutputM?: number;
  readonly gripperTargetM?: number;
  /** Joints whose action was clipped. */
  readonly clippedCount?: number;
  /** Of a policy without pictures: when the state that it was made from was received, and its age then. */
  readonly stateNs?: MonotonicNs;
  readonly stateAgeMs?: number;
  readonly stateToWireMs?: number;
  /** All that it was given, and the gains that it commanded; its `outputRad` are the network's numbers. */
  readonly reading?: RecordedReading;
  readonly stiffnessNmPerRad?: readonly number[];
  readonly dampingNmSPerRad?: readonly number[];
}

export const STEP_PARTS = [
  "startLateness",
  "imageAge",
  "queue",
  "preprocess",
  "encode",
  "control",
  "send",
  "imageToWire",
  "stateAge",
  "stateToWire",
] as const;
export type StepPart = (typeof STEP_PARTS)[number];

export const partMs = (record: StepRecord, part: StepPart): number | undefined => record[`${part}Ms`];

export interface StepStatistics {
  readonly steps: number;
  readonly commands: number;
  readonly skippedSteps: number;
  readonly framesMissed: number;
  readonly clippedSteps: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly parts: Readonly<Record<StepPart, DurationSummary>>;
}

export class StepCounters {
  readonly #histograms = new Map(STEP_PARTS.map((part) => [part, new DurationHistogram()]));
  readonly #refusals = new Map<StepRefusal, number>();
  #steps = 0;
  #commands = 0;
  #skippedSteps = 0;
  #framesMissed = 0;
  #clippedSteps = 0;

  add(record: StepRecord): void {
    this.#steps++;
    this.#skippedSteps += record.skippedSteps;
    this.#framesMissed = record.framesMissed;
    if (record.refusal !== undefined) {
      this.#refusals.set(record.refusal, (this.#refusals.get(record.refusal) ?? 0) + 1);
    }
    if (record.commandSeq !== undefined) this.#commands++;
    if ((record.clippedCount ?? 0) > 0) this.#clippedSteps++;
    for (const [part, histogram] of this.#histograms) histogram.add(partMs(record, part) ?? Number.NaN);
  }

  summary(): StepStatistics {
    const parts = Object.fromEntries(
      [...this.#histograms].map(([part, histogram]) => [part, histogram.summary()]),
    ) as Record<StepPart, DurationSummary>;
    return {
      steps: this.#steps,
      commands: this.#commands,
      skippedSteps: this.#skippedSteps,
      framesMissed: this.#framesMissed,
      clippedSteps: this.#clippedSteps,
      refusals: Object.fromEntries(this.#refusals),
      parts,
    };
  }
}
