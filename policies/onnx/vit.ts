/**
 * A vision transformer encoder with random weights as an ONNX model: pre-norm blocks, class token first, final norm,
 * the layout of MAE's encoders. For tests and benches; trained encoders come from the trainer.
 */
import { OnnxGraph } from "./graph.js";
import { type LayerContext, layerNorm, linear, type Precision } from "./layers.js";
import { randomWeights, seededUniform } from "./random.js";

export interface VitShape {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly patchPx: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

export const VIT_SHAPES = {
  "ViT-S/16-224": { widthPx: 224, heightPx: 224, patchPx: 16, width: 384, depth: 12, heads: 12 },
  "ViT-B/16-224": { widthPx: 224, heightPx: 224, patchPx: 16, width: 768, depth: 12, heads: 12 },
} as const satisfies Record<string, VitShape>;

const MLP_RATIO = 4;

export const patchCount = (shape: VitShape): number =>
  Math.floor(shape.widthPx / shape.patchPx) * Math.floor(shape.heightPx / shape.patchPx);

/** Work of one image, counted as two operations per multiply-add of all matrix products. */
export function vitOperations(shape: VitShape): number {
  const tokens = 1 + patchCount(shape);
  const { width, depth, patchPx } = shape;
  const perBlock = tokens * width * width * (4 + 2 * MLP_RATIO) + 2 * tokens * tokens * width;
  return 2 * (depth * perBlock + patchCount(shape) * width * 3 * patchPx * patchPx);
}

/** Model file: `image` float32 [1, 3, height, width] to `tokens` float32 [1, 1 + patches, width]. */
export function writeVit(shape: VitShape, seed: number, precision: Precision): Uint8Array {
  const graph = new OnnxGraph("vit");
  const context: LayerContext = { graph, uniform: seededUniform(seed), precision };
  const tokens = 1 + patchCount(shape);
  let x = embedPatches(context, shape);
  for (let block = 0; block < shape.depth; block++) {
    x = graph.node("Add", [x, attention(context, layerNorm(context, x, shape.width), shape, tokens)]);
    x = graph.node("Add", [x, mlp(context, layerNorm(context, x, shape.width), shape.width)]);
  }
  graph.output("tokens", [1, tokens, shape.width], layerNorm(context, x, shape.width));
  return graph.encode();
}

function embedPatches({ graph, uniform }: LayerContext, shape: VitShape): string {
  const { widthPx, heightPx, patchPx, width } = shape;
  const image = graph.input("image", [1, 3, heightPx, widthPx]);
  const inputs = 3 * patchPx * patchPx;
  const kernel = randomWeights(uniform, width * inputs, 1 / Math.sqrt(inputs));
  const patches = graph.node(
    "Conv",
    [
      image,
      graph.constant([width, 3, patchPx, patchPx], kernel),
      graph.constant([width], randomWeights(uniform, width, 0.02)),
    ],
    { kernel_shape: [patchPx, patchPx], strides: [patchPx, patchPx] },
  );
  const flat = graph.node("Reshape", [patches, graph.integers([1, width, patchCount(shape)])]);
  const classToken = graph.constant([1, 1, width], randomWeights(uniform, width, 0.5));
  const sequence = graph.node("Concat", [classToken, graph.node("Transpose", [flat], { perm: [0, 2, 1] })], {
    axis: 1,
  });
  const tokens = 1 + patchCount(shape);
  const positions = graph.constant([1, tokens, width], randomWeights(uniform, tokens * width, 0.5));
  return graph.node("Add", [sequence, positions]);
}

function attention(context: LayerContext, x: string, shape: VitShape, tokens: number): string {
  const { graph } = context;
  const { width, heads } = shape;
  const headWidth = width / heads;
  const qkv = linear(context, x, width, 3 * width);
  const split = graph.node("Reshape", [qkv, graph.integers([1, tokens, 3, heads, headWidth])]);
  const stacked = graph.node("Transpose", [split], { perm: [2, 0, 3, 1, 4] });
  const [query, key, value] = graph
    .nodes("Split", [stacked], 3, { axis: 0, num_outputs: 3 })
    .map((part) => graph.node("Squeeze", [part, graph.integers([0])]));
  const scale = graph.constant([1], Float32Array.of(1 / Math.sqrt(headWidth)));
  const scores = graph.node("MatMul", [
    graph.node("Mul", [query!, scale]),
    graph.node("Transpose", [key!], { perm: [0, 1, 3, 2] }),
  ]);
  const mixed = graph.node("MatMul", [graph.node("Softmax", [scores], { axis: 3 }), value!]);
  const joined = graph.node("Reshape", [
    graph.node("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
    graph.integers([1, tokens, width]),
  ]);
  return linear(context, joined, width, width);
}

function mlp(context: LayerContext, x: string, width: number): string {
  const hidden = context.graph.node("Gelu", [linear(context, x, width, MLP_RATIO * width)]);
  return linear(context, hidden, MLP_RATIO * width, width);
}
