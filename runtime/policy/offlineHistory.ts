/**
 * Computes the recorded steps of a history policy anew from the readings that the episode holds, and compares to the last
 * bit. A step depends on all before it, so only runs that were recorded from their first step on can be compared.
 */
import { CerebellumError } from "../../core/errors.js";
import type { EpisodeReader } from "../../episodes/episodeReader.js";
import {
  POLICY_READING_TOPIC,
  POLICY_STEP_TOPIC,
  type PolicyStep,
  readPolicyStep,
} from "../../episodes/messages.js";
import type { HistoryBundle } from "../../policies/history/bundle.js";
import type { RecordedReading } from "../../policies/history/manifest.js";
import { HistoryPipeline } from "../../policies/history/pipeline.js";
import { fromRecorded } from "../../policies/history/reading.js";
import { actionId } from "../../policies/history/slots.js";
import { DIFFERENCES_MAX, identityOf, type OfflineReplay, type StepDifference } from "./offlineReplay.js";
import { readPolicyReading } from "./recordedReading.js";

/**
 * @throws CerebellumError EPISODE_INVALID when no step of this policy has an output, BUNDLE_MISMATCH when the bundle
 *   cannot take the readings, POLICY_INPUT_INVALID, POLICY_OUTPUT_INVALID
 */
export async function replayHistoryOffline(
  reader: EpisodeReader,
  bundle: HistoryBundle,
): Promise<OfflineReplay> {
  const threads = Number(reader.start.software.policyThreads ?? 1);
  const pipeline = await HistoryPipeline.load(bundle, threads);
  try {
    const judge = new Judge(pipeline, reader.file);
    let newest: { step: number; reading: RecordedReading } | undefined;
    for await (const message of reader.messages({ topics: [POLICY_READING_TOPIC, POLICY_STEP_TOPIC] })) {
      if (message.topic === POLICY_READING_TOPIC) newest = readPolicyReading(reader.decode(message));
      else {
        const step = readPolicyStep(reader.decode(message));
        if (step.policy !== bundle.manifest.name) continue;
        await judge.take(step, newest?.step === step.step ? newest.reading : undefined);
      }
    }
    if (judge.steps === 0) {
      throw new CerebellumError(
        "EPISODE_INVALID",
        `${reader.file} has no step that policy ${bundle.manifest.name} computed`,
        "Choose an episode of a rollout, or name the bundle that ran with --bundle",
      );
    }
    const { steps, compared, identical, differences } = judge;
    return {
      policy: bundle.manifest.name,
      steps,
      compared,
      identical,
      skipped: { imageMissing: 0, imageLossy: 0, imageUnusable: 0, historyMissing: steps - compared },
      differences,
      gripperDifferences: [],
      identity: identityOf(reader, bundle.manifestSha256, "fp32", threads),
      passed: compared > 0 && identical === compared,
    };
  } finally {
    await pipeline.release();
  }
}

class Judge {
  steps = 0;
  compared = 0;
  identical = 0;
  readonly differences: StepDifference[] = [];
  readonly #pipeline: HistoryPipeline;
  readonly #file: string;
  /** Number of the step that continues what was computed; undefined until a run begins. */
  #next: number | undefined;

  constructor(pipeline: HistoryPipeline, file: string) {
    this.#pipeline = pipeline;
    this.#file = file;
  }

  async take(step: PolicyStep, reading: RecordedReading | undefined): Promise<void> {
    if (step.step === 0) {
      this.#pipeline.reset();
      this.#next = 0;
    }
    const continues = step.step === this.#next;
    this.#next = continues ? step.step + 1 : undefined;
    // Refused before it was computed: no token came of it.
    if (step.outputRad.length === 0) return;
    this.steps++;
    if (!continues || reading === undefined) {
      this.#next = undefined;
      return;
    }
    const { slots } = this.#pipeline.manifest.action;
    const { joints, passiveJoints } = this.#pipeline.manifest.robot;
    if (
      step.outputRad.length !== slots.length ||
      reading.positionRad.length !== joints.length ||
      reading.passivePositionRad.length !== passiveJoints.length
    ) {
      throw new CerebellumError(
        "BUNDLE_MISMATCH",
        `${this.#file}: step ${step.step} has ${reading.positionRad.length} joints and ${step.outputRad.length} outputs; ` +
          `policy ${this.#pipeline.manifest.name} has ${joints.length} and ${slots.length}`,
        "Name the bundle that ran with --bundle",
      );
    }
    const { output } = await this.#pipeline.step(fromRecorded(reading));
    this.compared++;
    const at = output.findIndex((computed, slot) => !Object.is(computed, step.outputRad[slot]));
    if (at < 0) this.identical++;
    else if (this.differences.length < DIFFERENCES_MAX) {
      this.differences.push({
        step: step.step,
        stampNs: step.stampNs,
        field: "outputRad",
        joint: actionId(slots[at]!),
        recordedRad: step.outputRad[at]!,
        computedRad: output[at]!,
        differenceMaxRad: output.reduce(
          (most, computed, slot) => Math.max(most, Math.abs(computed - step.outputRad[slot]!)),
          0,
        ),
      });
    }
  }
}
