/** Layers that models are put together from; each adds its nodes and random weights to a graph. */
import type { OnnxGraph } from "./graph.js";
import { randomWeights } from "./random.js";

export type Precision = "fp32" | "int8";

export interface LayerContext {
  readonly graph: OnnxGraph;
  readonly uniform: () => number;
  readonly precision: Precision;
}

/**
 * Largest quantised weight: 7 bits, because CPUs without VNNI add two products uint8 x int8 in 16 bits, and with 8 bits
 * that saturates (measured: 17 % error in one layer).
 */
const WEIGHT_MAX = 63;
/** Casting to float32 in ONNX's numbering of element types. */
const TO_FLOAT32 = 1;

/** y = x W + b with x [..., inputs]; weights have deviation gain / sqrt(inputs). int8 quantises x on the fly. */
export function linear(context: LayerContext, x: string, inputs: number, outputs: number, gain = 1): string {
  const { graph, uniform } = context;
  const weights = randomWeights(uniform, inputs * outputs, gain / Math.sqrt(inputs));
  const bias = graph.constant([outputs], randomWeights(uniform, outputs, 0.02));
  const product =
    context.precision === "fp32"
      ? graph.node("MatMul", [x, graph.constant([inputs, outputs], weights)])
      : quantisedProduct(graph, x, weights, inputs, outputs);
  return graph.node("Add", [product, bias]);
}

export function layerNorm({ graph, uniform }: LayerContext, x: string, width: number): string {
  const gain = randomWeights(uniform, width, 0.05).map((value) => 1 + value);
  const bias = graph.constant([width], randomWeights(uniform, width, 0.05));
  return graph.node("LayerNormalization", [x, graph.constant([width], gain), bias], {
    epsilon: { float: 1e-6 },
  });
}

/**
 * The pattern that ONNX Runtime fuses: x to uint8 with one scale and zero point measured at run time, weights to
 * symmetric 7-bit integers per output channel, product in int32, then back by both scales.
 */
function quantisedProduct(
  graph: OnnxGraph,
  x: string,
  weights: Float32Array,
  inputs: number,
  outputs: number,
): string {
  const { quantised, scales } = quantisePerChannel(weights, inputs, outputs);
  const [x8, xScale, xZero] = graph.nodes("DynamicQuantizeLinear", [x], 3);
  const zeros = graph.constant([outputs], new Int8Array(outputs));
  const weights8 = graph.constant([inputs, outputs], quantised);
  const product = graph.node("MatMulInteger", [x8!, weights8, xZero!, zeros]);
  const scale = graph.node("Mul", [xScale!, graph.constant([outputs], scales)]);
  return graph.node("Mul", [graph.node("Cast", [product], { to: TO_FLOAT32 }), scale]);
}

/** Symmetric per-column quantisation of a row-major [inputs, outputs] matrix; a value is int8 x scale of its column. */
export function quantisePerChannel(weights: Float32Array, inputs: number, outputs: number) {
  const scales = new Float32Array(outputs);
  for (let row = 0; row < inputs; row++) {
    for (let column = 0; column < outputs; column++) {
      const magnitude = Math.abs(weights[row * outputs + column]!);
      if (magnitude > scales[column]!) scales[column] = magnitude;
    }
  }
  for (let column = 0; column < outputs; column++) scales[column] = (scales[column]! || 1) / WEIGHT_MAX;
  const quantised = new Int8Array(weights.length);
  for (let row = 0; row < inputs; row++) {
    for (let column = 0; column < outputs; column++) {
      const index = row * outputs + column;
      quantised[index] = Math.round(weights[index]! / scales[column]!);
    }
  }
  return { quantised, scales };
}
