/**
 * One ONNX model on preallocated tensors. `run()` of onnxruntime-node holds its calling thread to the end, so
 * this belongs in a worker; and a process that exits during a run aborts, so workers are stopped cooperatively.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { CerebellumError, errorText } from "../core/errors.js";

export interface TensorBinding {
  readonly name: string;
  readonly shape: readonly number[];
  /** Read (input) or overwritten (output) by every run; row-major. */
  readonly data: Float32Array;
}

/** Tensors made beforehand: which memory a run reads or writes. */
export type TensorSet = Readonly<Record<string, Tensor>>;

export class OnnxModel {
  readonly #session: InferenceSession;
  readonly #feeds: TensorSet;
  readonly #fetches: TensorSet;

  private constructor(
    session: InferenceSession,
    inputs: readonly TensorBinding[],
    outputs: readonly TensorBinding[],
  ) {
    this.#session = session;
    this.#feeds = tensors(inputs);
    this.#fetches = tensors(outputs);
  }

  /**
   * @param model path of the file, or the file itself
   * @throws BUNDLE_INVALID when the engine cannot load it, BUNDLE_MISMATCH when names, types or shapes differ
   */
  static async load(
    model: string | Uint8Array,
    inputs: readonly TensorBinding[],
    outputs: readonly TensorBinding[],
    intraOpThreads = 1,
  ): Promise<OnnxModel> {
    const label = typeof model === "string" ? model : "model in memory";
    const options: InferenceSession.SessionOptions = {
      executionProviders: ["cpu"],
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
    };
    let session: InferenceSession;
    try {
      session = await (typeof model === "string"
        ? InferenceSession.create(model, options)
        : InferenceSession.create(model, options));
    } catch (cause) {
      throw new CerebellumError(
        "BUNDLE_INVALID",
        `ONNX Runtime cannot load ${label}: ${errorText(cause)}`,
        "Export the model at opset 20 or lower, without external data",
        cause,
      );
    }
    try {
      checkTensors(label, "input", session.inputMetadata, inputs);
      checkTensors(label, "output", session.outputMetadata, outputs);
    } catch (thrown) {
      await session.release();
      throw thrown;
    }
    return new OnnxModel(session, inputs, outputs);
  }

  /**
   * Computes the outputs in place. The thread's event loop stands still meanwhile.
   *
   * @param feeds inputs of the same names and shapes in other memory
   */
  async run(feeds: TensorSet = this.#feeds, fetches: TensorSet = this.#fetches): Promise<void> {
    await this.#session.run(feeds, fetches);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

export function tensors(bindings: readonly TensorBinding[]): TensorSet {
  return Object.fromEntries(
    bindings.map(({ name, data, shape }) => [name, new Tensor("float32", data, shape)] as const),
  );
}

function checkTensors(
  label: string,
  side: "input" | "output",
  found: readonly InferenceSession.ValueMetadata[],
  expected: readonly TensorBinding[],
): void {
  const wanted = expected.map((tensor) => `${tensor.name} float32 [${tensor.shape.join(", ")}]`);
  const present = found.map((value) =>
    value.isTensor ? `${value.name} ${value.type} [${value.shape.join(", ")}]` : `${value.name} (no tensor)`,
  );
  const fits =
    found.length === expected.length &&
    expected.every((tensor) =>
      found.some((value) => value.name === tensor.name && value.isTensor && fitsShape(value, tensor.shape)),
    );
  if (!fits) {
    throw new CerebellumError(
      "BUNDLE_MISMATCH",
      `${label} has ${side} ${present.join(", ")}; the manifest says ${wanted.join(", ")}`,
      "Export model and manifest together",
    );
  }
}

/** A named (free) dimension fits any size. */
function fitsShape(value: InferenceSession.TensorValueMetadata, shape: readonly number[]): boolean {
  return (
    value.type === "float32" &&
    value.shape.length === shape.length &&
    value.shape.every((size, axis) => typeof size === "string" || size === shape[axis])
  );
}
