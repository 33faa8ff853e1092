/**
 * A loaded history policy: what the robot feels in, joint targets with their gains out, step by step, on preallocated
 * memory. The same steps from the same start give the same bits.
 */
import { CerebellumError } from "../../core/errors.js";
import { ActionDecoder, createImpedanceTarget, type ImpedanceTarget } from "./action.js";
import { BODIES } from "./bodies.js";
import { type HistoryBundle, historyModelFiles } from "./bundle.js";
import type { HistoryManifest } from "./manifest.js";
import { loadNetwork, type Network } from "./networks.js";
import { ObservationBuilder } from "./observation.js";
import type { BodyReading } from "./reading.js";
import { observationId } from "./slots.js";

/** Answer to one step: the same memory every time. */
export interface HistoryStep {
  readonly observation: Float32Array;
  /** Of the network. */
  readonly output: Float32Array;
  readonly target: ImpedanceTarget;
  /** Numbers of the output beyond their slots' clip. */
  clippedCount: number;
}

export class HistoryPipeline {
  readonly manifest: HistoryManifest;
  readonly #observer: ObservationBuilder;
  readonly #decoder: ActionDecoder;
  readonly #network: Network;
  /** Observation, then the action before it. */
  readonly #token: Float32Array;
  readonly #clipped: Float32Array;
  readonly #answer: HistoryStep;
  #isFirst = true;

  private constructor(
    manifest: HistoryManifest,
    token: Float32Array,
    output: Float32Array,
    network: Network,
  ) {
    this.manifest = manifest;
    this.#observer = new ObservationBuilder(manifest);
    this.#decoder = new ActionDecoder(manifest);
    this.#network = network;
    this.#token = token;
    this.#clipped = new Float32Array(output.length);
    this.#answer = {
      observation: token.subarray(0, manifest.observation.length),
      output,
      target: createImpedanceTarget(BODIES[manifest.robot.device].joints.length),
      clippedCount: 0,
    };
  }

  /** @throws BUNDLE_INVALID, BUNDLE_MISMATCH as `OnnxModel.load` */
  static async load(bundle: HistoryBundle, intraOpThreads = 1): Promise<HistoryPipeline> {
    const { manifest } = bundle;
    const token = new Float32Array(manifest.observation.length + manifest.action.slots.length);
    const output = new Float32Array(manifest.action.slots.length);
    const [file, embedFile] = historyModelFiles(bundle);
    const network = await loadNetwork({ manifest, file, embedFile, token, output, intraOpThreads });
    return new HistoryPipeline(manifest, token, output, network);
  }

  /** The next step is a run's first: what went before is forgotten. */
  reset(): void {
    this.#isFirst = true;
    this.#observer.reset();
  }

  /**
   * @returns valid until the next call
   * @throws POLICY_INPUT_INVALID, POLICY_OUTPUT_INVALID naming the first slot that is not finite
   */
  async step(reading: BodyReading): Promise<HistoryStep> {
    const { observation, action, history } = this.manifest;
    this.#observer.observe(reading, this.#token);
    const badInput = firstNotFinite(this.#answer.observation);
    if (badInput >= 0) {
      throw new CerebellumError(
        "POLICY_INPUT_INVALID",
        `Policy ${this.manifest.name} was given ${this.#token[badInput]} for observation slot ${badInput} ` +
          `(${observationId(observation[badInput]!)})`,
        "Look for the same joint or sensor in `./cerebellum status`; the robot reports it",
      );
    }
    if (this.#isFirst) this.#token.set(history.defaultAction, observation.length);
    await this.#network.step(this.#isFirst);
    this.#isFirst = false;
    const { output, target } = this.#answer;
    const badOutput = firstNotFinite(output);
    if (badOutput >= 0) {
      const { quantity, joint } = action.slots[badOutput]!;
      throw new CerebellumError(
        "POLICY_OUTPUT_INVALID",
        `Policy ${this.manifest.name} returned ${output[badOutput]} for ${quantity} of ${joint}`,
        "Run `./cerebellum policy verify` on the bundle; train again if its goldens pass",
      );
    }
    this.#answer.clippedCount = this.#decoder.decode(output, this.#clipped, target);
    const previous = history.previousAction === "clipped" ? this.#clipped : output;
    this.#token.set(previous, observation.length);
    return this.#answer;
  }

  /** Before a step is due: see `Network.rehearse`. Changes nothing; without a step before it, does nothing. */
  async rehearse(): Promise<void> {
    if (!this.#isFirst) await this.#network.rehearse();
  }

  release(): Promise<void> {
    return this.#network.release();
  }
}

const firstNotFinite = (values: Float32Array): number => values.findIndex((value) => !Number.isFinite(value));
