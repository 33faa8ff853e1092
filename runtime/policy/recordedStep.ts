/** A policy's step as an episode keeps it. */
import { asEpochNs, type ClockMapping, type MonotonicNs, toEpochNs } from "../../core/clock.js";
import type { PolicyStep } from "../../episodes/messages.js";
import type { StepRecord } from "./steps.js";

export interface StepOrigin {
  /** Name of the bundle, or of whatever acted in its place. */
  readonly policy: string;
  /** Camera that the images came from; empty for a policy without pictures. */
  readonly camera: string;
  /** What a teacher wanted at this step [rad], base to tool, and its phase of the task; policies have neither. */
  readonly labelRad?: ArrayLike<number>;
  readonly phase?: string;
  /** The opening that it wanted to ask for [m]; NaN, or left out, where nobody wanted one. */
  readonly gripperLabelM?: number;
}

const NONE = asEpochNs(0n);

/** @param mapping of the episode: all of its stamps follow one mapping, though each run measures its own */
export function toPolicyStep(record: StepRecord, mapping: ClockMapping, origin: StepOrigin): PolicyStep {
  const epochNs = (atNs: MonotonicNs | undefined) => (atNs === undefined ? NONE : toEpochNs(mapping, atNs));
  const vector = (values: ArrayLike<number> = []) => Float64Array.from(values);
  const orNaN = (value = Number.NaN) => value;
  return {
    stampNs: epochNs(record.startNs),
    policy: origin.policy,
    step: record.step,
    skippedSteps: record.skippedSteps,
    refusal: record.refusal ?? "",
    camera: origin.camera,
    imageStampNs: record.imageStampNs ?? NONE,
    positionRad: vector(record.positionRad),
    gripperOpeningM: orNaN(record.gripperOpeningM),
    outputRad: vector(record.outputRad),
    actionRad: vector(record.actionRad),
    targetRad: vector(record.targetRad),
    labelRad: vector(origin.labelRad),
    phase: origin.phase ?? "",
    commandSeq: record.commandSeq ?? 0,
    wireStampNs: epochNs(record.commandWireNs),
    startLatenessMs: record.startLatenessMs,
    imageAgeMs: orNaN(record.imageAgeMs),
    preprocessMs: orNaN(record.preprocessMs),
    encodeMs: orNaN(record.encodeMs),
    controlMs: orNaN(record.controlMs),
    sendMs: orNaN(record.sendMs),
    gripperOutputM: orNaN(record.gripperOutputM),
    gripperTargetM: orNaN(record.gripperTargetM),
    gripperLabelM: orNaN(origin.gripperLabelM),
  };
}
