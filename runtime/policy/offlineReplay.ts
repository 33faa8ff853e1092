/**
 * Computes a recorded policy's steps anew from what the episode holds of their inputs, through the same pipeline as on
 * the robot, and compares to the last bit: a regression test for every change of preprocessing, engine or bundle.
 */
import type { Clock, EpochNs } from "../../core/clock.js";
import { asMonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { EpisodeMessage, EpisodeReader } from "../../episodes/episodeReader.js";
import {
  POLICY_STEP_TOPIC,
  type PolicyStep,
  policyInputTopic,
  readPolicyStep,
} from "../../episodes/messages.js";
import type { Bundle } from "../../policies/bundle.js";
import { engineIdentity } from "../../policies/engine.js";
import { PolicyPipeline } from "../../policies/pipeline.js";
import type { Variant } from "../../policies/variants.js";
import { passingVariants } from "../../policies/verify.js";
import { PolicyActor } from "./actor.js";
import { type DecodedAction, decodeAction } from "./boundAction.js";
import { losslessImage, type Pixels } from "./losslessImage.js";

/** Why a step could not be computed: its image is not in the file, or only with loss, or not as a policy sees it. */
type ImageProblem = "imageMissing" | "imageLossy" | "imageUnusable";
/** Or a step before it, or what it was given, is not in the file. */
export type SkipReason = ImageProblem | "historyMissing";

export interface StepDifference {
  readonly step: number;
  readonly stampNs: EpochNs;
  /** First that differs: the answer, the clipped answer, or the joints asked for. */
  readonly field: "outputRad" | "actionRad" | "targetRad";
  readonly joint: string;
  readonly recordedRad: number;
  readonly computedRad: number;
  /** Largest over the field's joints. */
  readonly differenceMaxRad: number;
}

/** The same of the opening that a policy asked its gripper for. */
export interface GripperDifference {
  readonly step: number;
  readonly stampNs: EpochNs;
  readonly field: "gripperOutputM" | "gripperTargetM";
  /** NaN where the recording, or the bundle, has none. */
  readonly recordedM: number;
  readonly computedM: number;
}

/** One fact of what computed the outputs, then and now. */
export interface IdentityDifference {
  readonly name: string;
  /** Undefined when the episode does not say. */
  readonly recorded: string | undefined;
  readonly found: string;
}

export interface OfflineReplay {
  readonly policy: string;
  /** Steps of this policy that computed an output. */
  readonly steps: number;
  readonly compared: number;
  readonly identical: number;
  readonly skipped: Readonly<Record<SkipReason, number>>;
  /** In order, the first 20 of them. */
  readonly differences: readonly StepDifference[];
  readonly gripperDifferences: readonly GripperDifference[];
  readonly identity: readonly IdentityDifference[];
  /** No step differs, and at least one was compared. */
  readonly passed: boolean;
}

export const DIFFERENCES_MAX = 20;

/**
 * @param bundle the one that ran, or another one that is to be compared with it
 * @throws CerebellumError EPISODE_INVALID when no step of this policy has an output or the file is damaged,
 *   BUNDLE_MISMATCH when the bundle cannot take the episode's inputs, POLICY_OUTPUT_INVALID, CAMERA_MISMATCH
 */
export async function replayOffline(
  reader: EpisodeReader,
  bundle: Bundle,
  clock: Clock,
): Promise<OfflineReplay> {
  const steps = await computedSteps(reader, bundle);
  const { software } = reader.start;
  const threads = Number(software.policyThreads ?? 1);
  const variant = recordedVariant(bundle, software.policyPrecision);
  const pipeline = await PolicyPipeline.load(bundle, variant, threads);
  try {
    const judge = new Judge(bundle, new PolicyActor(pipeline, clock));
    const images = new StepImages(reader, steps);
    // In the order in which they ran: whatever the pipeline remembers from step to step is then the same.
    for await (const [step, image] of images.paired()) await judge.take(step, image);
    return judge.result(steps.length, identityOf(reader, bundle.manifestSha256, variant.precision, threads));
  } finally {
    await pipeline.release();
  }
}

async function computedSteps(reader: EpisodeReader, { manifest }: Bundle): Promise<PolicyStep[]> {
  const steps: PolicyStep[] = [];
  const others = new Set<string>();
  for await (const message of reader.messages({ topics: [POLICY_STEP_TOPIC] })) {
    const step = readPolicyStep(reader.decode(message));
    if (step.policy !== manifest.name) others.add(step.policy);
    else if (step.outputRad.length > 0) steps.push(step);
  }
  const jointCount = manifest.robot.joints.length;
  const wrong = steps.find((step) => [step.positionRad, step.outputRad].some((v) => v.length !== jointCount));
  if (wrong !== undefined) {
    throw new CerebellumError(
      "BUNDLE_MISMATCH",
      `${reader.file}: step ${wrong.step} has ${wrong.positionRad.length} joints and ${wrong.outputRad.length} outputs; ` +
        `policy ${manifest.name} has ${jointCount}`,
      "Name the bundle that ran with --bundle",
    );
  }
  if (steps.length > 0) return steps.sort((a, b) => Number(a.stampNs - b.stampNs));
  const found = others.size === 0 ? "no policy ran" : `steps are of ${[...others].join(", ")}`;
  throw new CerebellumError(
    "EPISODE_INVALID",
    `${reader.file} has no step that policy ${manifest.name} computed (${found})`,
    "Choose an episode of a rollout, or name the bundle that ran with --bundle",
  );
}

/** The variant that ran; where the episode does not say, the one that would run now. */
function recordedVariant(bundle: Bundle, precision: string | undefined): Variant {
  if (precision === undefined) return passingVariants(bundle)[0]!;
  const variant = bundle.manifest.variants.find((candidate) => candidate.precision === precision);
  if (variant !== undefined) return variant;
  throw new CerebellumError(
    "BUNDLE_MISMATCH",
    `Policy bundle ${bundle.directory} has no variant ${precision}, which ran`,
    "Name the bundle that ran with --bundle",
  );
}

/** Gives each step with its image, in the order of the steps, reading the file once more and keeping little of it. */
class StepImages {
  readonly #reader: EpisodeReader;
  readonly #steps: readonly PolicyStep[];
  /** By camera, the topics that may hold its images without loss, the better one first. */
  readonly #topics = new Map<string, string[]>();
  readonly #lossyTopics = new Set<string>();

  constructor(reader: EpisodeReader, steps: readonly PolicyStep[]) {
    this.#reader = reader;
    this.#steps = steps;
    for (const camera of new Set(steps.map((step) => step.camera))) {
      const recorded = reader.start.cameras[camera];
      this.#topics.set(camera, [policyInputTopic(camera), ...(recorded ? [recorded.imageTopic] : [])]);
      if (recorded?.storage === "jpeg") this.#lossyTopics.add(recorded.imageTopic);
    }
  }

  async *paired(): AsyncGenerator<[PolicyStep, Pixels | ImageProblem]> {
    const sources = await this.#sources();
    const wanted = new Set([...sources.values()].filter((source) => !this.#lossyTopics.has(topicOf(source))));
    const found = new Map<string, EpisodeMessage>();
    let next = 0;
    const sourceOf = (step: PolicyStep) => sources.get(key(step.camera, step.imageStampNs));
    const ready = () => {
      const step = this.#steps[next];
      if (step === undefined) return false;
      const source = sourceOf(step);
      return source === undefined || !wanted.has(source) || found.has(source);
    };
    const take = (): [PolicyStep, Pixels | ImageProblem] => {
      const step = this.#steps[next++]!;
      const source = sourceOf(step);
      if (source === undefined) return [step, "imageMissing"];
      const message = found.get(source);
      if (message === undefined) return [step, "imageLossy"];
      // The first step of a run may use the image that the last one of the run before has used.
      const after = this.#steps[next];
      if (after === undefined || sourceOf(after) !== source) found.delete(source);
      const image = losslessImage(message, (inner) => this.#reader.decode(inner));
      return [step, typeof image === "string" ? "imageUnusable" : image];
    };
    const topics = [...new Set([...wanted].map(topicOf))];
    if (topics.length > 0)
      for await (const message of this.#reader.messages({ topics })) {
        const source = key(message.topic, message.publishNs);
        if (wanted.has(source)) found.set(source, message);
        while (ready()) yield take();
      }
    while (next < this.#steps.length) yield take();
  }

  /** For each image that a step used, by camera and stamp, the best topic that has it. */
  async #sources(): Promise<Map<string, string>> {
    const needed = new Set(this.#steps.map((step) => key(step.camera, step.imageStampNs)));
    const cameraOf = new Map([...this.#topics].flatMap(([camera, topics]) => topics.map((t) => [t, camera])));
    const best = new Map<string, string>();
    for await (const { topic, publishNs } of this.#reader.messages({ topics: [...cameraOf.keys()] })) {
      const camera = cameraOf.get(topic)!;
      const image = key(camera, publishNs);
      if (!needed.has(image)) continue;
      if (!best.has(image) || topic === policyInputTopic(camera)) best.set(image, key(topic, publishNs));
    }
    return best;
  }
}

const key = (name: string, stampNs: EpochNs): string => `${stampNs} ${name}`;
const topicOf = (source: string): string => source.slice(source.indexOf(" ") + 1);

class Judge {
  readonly #bundle: Bundle;
  readonly #actor: PolicyActor;
  readonly #skipped: Record<SkipReason, number> = {
    imageMissing: 0,
    imageLossy: 0,
    imageUnusable: 0,
    historyMissing: 0,
  };
  readonly #differences: StepDifference[] = [];
  readonly #gripperDifferences: GripperDifference[] = [];
  #compared = 0;
  #identical = 0;

  constructor(bundle: Bundle, actor: PolicyActor) {
    this.#bundle = bundle;
    this.#actor = actor;
  }

  async take(step: PolicyStep, image: Pixels | ImageProblem): Promise<void> {
    if (typeof image === "string") {
      this.#skipped[image]++;
      return;
    }
    const { manifest } = this.#bundle;
    const { positionRad, gripperOpeningM, imageStampNs } = step;
    const frame = { ...image, sequence: step.step, stampNs: imageStampNs, receivedNs: asMonotonicNs(0n) };
    const output = await this.#actor.act({ frame, positionRad, gripperOpeningM });
    const joints = manifest.robot.joints;
    const computed = decodeAction(output, positionRad, manifest.action, joints);
    this.#compared++;
    const difference = differenceOf(step, computed, joints);
    if (difference !== undefined) keep(this.#differences, difference);
    const gripper = gripperDifference(step, computed);
    if (gripper !== undefined) keep(this.#gripperDifferences, gripper);
    if (difference === undefined && gripper === undefined) this.#identical++;
  }

  result(steps: number, identity: readonly IdentityDifference[]): OfflineReplay {
    return {
      policy: this.#bundle.manifest.name,
      steps,
      compared: this.#compared,
      identical: this.#identical,
      skipped: this.#skipped,
      differences: this.#differences,
      gripperDifferences: this.#gripperDifferences,
      identity,
      passed: this.#compared > 0 && this.#identical === this.#compared,
    };
  }
}

function keep<T>(differences: T[], difference: T): void {
  if (differences.length < DIFFERENCES_MAX) differences.push(difference);
}

function differenceOf(
  step: PolicyStep,
  computed: DecodedAction,
  joints: readonly string[],
): StepDifference | undefined {
  for (const field of ["outputRad", "actionRad", "targetRad"] as const) {
    const difference = firstDifference(step, field, computed[field], joints);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function gripperDifference(step: PolicyStep, computed: DecodedAction): GripperDifference | undefined {
  for (const field of ["gripperOutputM", "gripperTargetM"] as const) {
    const [recordedM, computedM] = [step[field], computed[field] ?? Number.NaN];
    if (!Object.is(recordedM, computedM))
      return { step: step.step, stampNs: step.stampNs, field, recordedM, computedM };
  }
  return undefined;
}

function firstDifference(
  step: PolicyStep,
  field: StepDifference["field"],
  computed: ArrayLike<number>,
  joints: readonly string[],
): StepDifference | undefined {
  const recorded = step[field];
  const at = joints.findIndex((_, joint) => !Object.is(recorded[joint], computed[joint]));
  if (at < 0) return undefined;
  return {
    step: step.step,
    stampNs: step.stampNs,
    field,
    joint: joints[at]!,
    recordedRad: recorded[at]!,
    computedRad: computed[at]!,
    differenceMaxRad: Math.max(...joints.map((_, joint) => Math.abs(recorded[joint]! - computed[joint]!))),
  };
}

/** What computed the outputs then and computes them now, where it is not the same. */
export function identityOf(
  { start }: EpisodeReader,
  manifestSha256: string,
  precision: Variant["precision"],
  threads: number,
): IdentityDifference[] {
  const recorded: Record<string, string> =
    start.bundle === null ? {} : { manifestSha256: start.bundle.manifestSha256 };
  return [
    ...differences(recorded, { manifestSha256 }),
    ...differences(start.software, engineIdentity(precision, threads)),
  ];
}

const differences = (
  recorded: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): IdentityDifference[] =>
  Object.entries(found)
    .filter(([name, value]) => recorded[name] !== value)
    .map(([name, value]) => ({ name, recorded: recorded[name], found: value }));
