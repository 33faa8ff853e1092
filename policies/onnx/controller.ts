/**
 * A controller with random weights as an ONNX model: image feature and joint state each projected to 128, then a
 * SELU network. With patch tokens the feature comes from attention pooling, which also returns where it looked.
 */
import { OnnxGraph } from "./graph.js";
import { type LayerContext, linear } from "./layers.js";
import { seededUniform } from "./random.js";

export interface ControllerShape {
  readonly feature: "class-token" | "patch-tokens";
  readonly width: number;
  /** Patches across and down; used with patch tokens. */
  readonly gridWidth: number;
  readonly gridHeight: number;
  readonly stateCount: number;
  readonly hidden: readonly number[];
  readonly actionCount: number;
  /** Deviation of the last layer's weights times sqrt(inputs); small, so that random actions are small. */
  readonly actionGain: number;
}

const PROJECTION = 128;
const QUERIES = 4;

/** Model file: `feature` and `state` to `action` float32 [1, actions]. */
export function writeController(shape: ControllerShape, seed: number): Uint8Array {
  const graph = new OnnxGraph("controller");
  const context: LayerContext = { graph, uniform: seededUniform(seed), precision: "fp32" };
  const { feature, inputs } =
    shape.feature === "class-token"
      ? { feature: graph.input("feature", [1, shape.width]), inputs: shape.width }
      : attentionPool(context, shape);
  const state = graph.input("state", [1, shape.stateCount]);
  let x = graph.node(
    "Concat",
    [linear(context, feature, inputs, PROJECTION), linear(context, state, shape.stateCount, PROJECTION)],
    { axis: 1 },
  );
  let width = 2 * PROJECTION;
  for (const hidden of shape.hidden) {
    x = graph.node("Selu", [linear(context, x, width, hidden)]);
    width = hidden;
  }
  const action = linear(context, x, width, shape.actionCount, shape.actionGain);
  graph.output("action", [1, shape.actionCount], action);
  return graph.encode();
}

/** Per query: the weighted mean of the tokens and of their image coordinates in -1..1, all in one row. */
function attentionPool(context: LayerContext, shape: ControllerShape) {
  const { graph } = context;
  const { width, gridWidth, gridHeight } = shape;
  const patches = gridWidth * gridHeight;
  const tokens = graph.input("feature", [1, patches, width]);
  const scores = linear(context, tokens, width, QUERIES);
  const weights = graph.node("Transpose", [graph.node("Softmax", [scores], { axis: 1 })], {
    perm: [0, 2, 1],
  });
  const coordinates = new Float32Array(2 * patches);
  for (let patch = 0; patch < patches; patch++) {
    coordinates[2 * patch] = (2 * ((patch % gridWidth) + 0.5)) / gridWidth - 1;
    coordinates[2 * patch + 1] = (2 * (Math.floor(patch / gridWidth) + 0.5)) / gridHeight - 1;
  }
  const means = graph.node("MatMul", [weights, tokens]);
  const places = graph.node("MatMul", [weights, graph.constant([patches, 2], coordinates)]);
  const inputs = QUERIES * (width + 2);
  const joined = graph.node("Concat", [means, places], { axis: 2 });
  return { feature: graph.node("Reshape", [joined, graph.integers([1, inputs])]), inputs };
}
