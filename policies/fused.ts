/** A bundle's policy as one graph, image and state to action: written for other programs, held to the same goldens. */
import type { Bundle } from "./bundle.js";
import { bundlePath } from "./bundleFolder.js";
import { outputNames } from "./manifest.js";
import { type PixelEncoding, Preprocessor } from "./preprocess.js";
import { OnnxModel } from "./session.js";
import type { Variant } from "./variants.js";

export class FusedPolicy {
  readonly #preprocessor: Preprocessor;
  readonly #model: OnnxModel;
  readonly #state: Float32Array;
  readonly #action: Float32Array;

  private constructor(
    preprocessor: Preprocessor,
    model: OnnxModel,
    state: Float32Array,
    action: Float32Array,
  ) {
    this.#preprocessor = preprocessor;
    this.#model = model;
    this.#state = state;
    this.#action = action;
  }

  /** @throws BUNDLE_INVALID, BUNDLE_MISMATCH as `OnnxModel.load` */
  static async load(
    bundle: Bundle,
    fusedFile: NonNullable<Variant["fusedFile"]>,
    intraOpThreads = 1,
  ): Promise<FusedPolicy> {
    const { image, encoder, controller, proprioception } = bundle.manifest;
    const preprocessor = new Preprocessor(image);
    const state = new Float32Array(proprioception.length);
    const action = new Float32Array(outputNames(bundle.manifest).length);
    const model = await OnnxModel.load(
      bundlePath(bundle, fusedFile),
      [
        {
          name: encoder.input,
          shape: [1, 3, image.resize.heightPx, image.resize.widthPx],
          data: preprocessor.output,
        },
        { name: controller.stateInput, shape: [1, state.length], data: state },
      ],
      [{ name: controller.output, shape: [1, action.length], data: action }],
      intraOpThreads,
    );
    return new FusedPolicy(preprocessor, model, state, action);
  }

  /** @returns the action, not clipped, valid until the next call */
  async answer(pixels: Uint8Array, encoding: PixelEncoding, state: ArrayLike<number>): Promise<Float32Array> {
    this.#preprocessor.run(pixels, encoding);
    this.#state.set(state);
    await this.#model.run();
    return this.#action;
  }

  release(): Promise<void> {
    return this.#model.release();
  }
}
