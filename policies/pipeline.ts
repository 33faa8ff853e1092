/** A loaded policy: camera image and joint state in, action out, in three parts on preallocated memory. */
import { CerebellumError, invariant } from "../core/errors.js";
import type { Bundle } from "./bundle.js";
import { bundlePath } from "./bundleFolder.js";
import { outputNames, type PolicyManifest } from "./manifest.js";
import { type PixelEncoding, Preprocessor } from "./preprocess.js";
import { OnnxModel } from "./session.js";
import type { Variant } from "./variants.js";

export class PolicyPipeline {
  readonly manifest: PolicyManifest;
  readonly variant: Variant;
  readonly #preprocessor: Preprocessor;
  readonly #encoder: OnnxModel;
  readonly #controller: OnnxModel;
  readonly #state: Float32Array;
  readonly #action: Float32Array;
  readonly #names: readonly string[];
  /** For each state element the joint it reads, or -1 for the gripper's opening, or -2 for zero. */
  readonly #stateSources: readonly number[];

  private constructor(
    manifest: PolicyManifest,
    variant: Variant,
    preprocessor: Preprocessor,
    encoder: OnnxModel,
    controller: OnnxModel,
    state: Float32Array,
    action: Float32Array,
  ) {
    this.manifest = manifest;
    this.variant = variant;
    this.#preprocessor = preprocessor;
    this.#encoder = encoder;
    this.#controller = controller;
    this.#state = state;
    this.#action = action;
    this.#names = outputNames(manifest);
    this.#stateSources = manifest.proprioception.map(({ name, source }) => {
      if (source === "joint-position") return manifest.robot.joints.indexOf(name);
      return source === "gripper-opening" ? -1 : -2;
    });
  }

  /** @throws BUNDLE_INVALID, BUNDLE_MISMATCH as `OnnxModel.load` */
  static async load(bundle: Bundle, variant: Variant, intraOpThreads = 1): Promise<PolicyPipeline> {
    const { manifest } = bundle;
    const { resize } = manifest.image;
    const { patchPx, width } = manifest.encoder.architecture;
    const patches = (resize.widthPx / patchPx) * (resize.heightPx / patchPx);
    const preprocessor = new Preprocessor(manifest.image);
    const tokens = new Float32Array((1 + patches) * width);
    const encoder = await OnnxModel.load(
      bundlePath(bundle, variant.encoderFile),
      [
        {
          name: manifest.encoder.input,
          shape: [1, 3, resize.heightPx, resize.widthPx],
          data: preprocessor.output,
        },
      ],
      [{ name: manifest.encoder.output, shape: [1, 1 + patches, width], data: tokens }],
      intraOpThreads,
    );
    const state = new Float32Array(manifest.proprioception.length);
    const action = new Float32Array(outputNames(manifest).length);
    const feature =
      manifest.encoder.feature === "class-token"
        ? { shape: [1, width], data: tokens.subarray(0, width) }
        : { shape: [1, patches, width], data: tokens.subarray(width) };
    try {
      const controller = await OnnxModel.load(
        bundlePath(bundle, variant.controllerFile),
        [
          { name: manifest.controller.featureInput, ...feature },
          { name: manifest.controller.stateInput, shape: [1, state.length], data: state },
        ],
        [{ name: manifest.controller.output, shape: [1, action.length], data: action }],
        intraOpThreads,
      );
      return new PolicyPipeline(manifest, variant, preprocessor, encoder, controller, state, action);
    } catch (thrown) {
      await encoder.release();
      throw thrown;
    }
  }

  /** @returns the normalised image, row-major [3, height, width], valid until the next call */
  preprocess(pixels: Uint8Array, encoding: PixelEncoding): Float32Array {
    return this.#preprocessor.run(pixels, encoding);
  }

  encode(): Promise<void> {
    return this.#encoder.run();
  }

  /**
   * The controller on the encoded image and a complete state vector.
   *
   * @param state in the manifest's order of `proprioception`
   * @returns joint steps [rad], one per joint, and behind them the opening to ask the gripper for [m] where the manifest
   *   has one; neither is clipped; valid until the next call
   * @throws POLICY_OUTPUT_INVALID when an output is not finite
   */
  async control(state: ArrayLike<number>): Promise<Float32Array> {
    invariant(
      state.length === this.#state.length,
      `state has ${state.length} of ${this.#state.length} values`,
    );
    this.#state.set(state);
    await this.#controller.run();
    for (let at = 0; at < this.#action.length; at++) {
      if (!Number.isFinite(this.#action[at])) {
        throw new CerebellumError(
          "POLICY_OUTPUT_INVALID",
          `Policy ${this.manifest.name} returned ${this.#action[at]} for ${this.#names[at]}`,
          "Run `./cerebellum policy verify` on the bundle; train again if its goldens pass",
        );
      }
    }
    return this.#action;
  }

  /**
   * Writes the state vector of the manifest.
   *
   * @param positionRad one per joint of the manifest, in its order
   * @param gripperOpeningM NaN without a gripper
   */
  assembleState(positionRad: ArrayLike<number>, gripperOpeningM: number, state: Float64Array): Float64Array {
    for (let index = 0; index < this.#stateSources.length; index++) {
      const source = this.#stateSources[index]!;
      if (source === -1) state[index] = gripperOpeningM;
      else state[index] = source === -2 ? 0 : positionRad[source]!;
    }
    return state;
  }

  async release(): Promise<void> {
    await this.#encoder.release();
    await this.#controller.release();
  }
}
