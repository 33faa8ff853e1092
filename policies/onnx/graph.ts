/**
 * Writes ONNX models without any framework: for tests, and for benches that need a network of a given size but no
 * trained weights. Field numbers are those of onnx.proto (github.com/onnx/onnx, IR version 10).
 */
import { ProtoWriter } from "./protobuf.js";

const IR_VERSION = 10;
/** Gelu became an operator of its own in opset 20. */
const OPSET = 20;
const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
const ATTRIBUTE = { float: 1, integer: 2, integers: 7 } as const;

/** Integers are given as numbers, floats wrapped, so that 1.0 is not mistaken for an integer. */
export type Attribute = number | readonly number[] | { readonly float: number };

export class OnnxGraph {
  readonly #graph = new ProtoWriter();
  #names = 0;

  constructor(name: string) {
    this.#graph.text(2, name);
  }

  /** Declares a float32 input of fixed shape and returns its name. */
  input(name: string, shape: readonly number[]): string {
    this.#graph.message(11, valueInfo(name, shape));
    return name;
  }

  /** Declares a float32 output and lets `value` be it. */
  output(name: string, shape: readonly number[], value: string): void {
    this.#graph.message(1, nodeProto("Identity", [value], [name], {}));
    this.#graph.message(12, valueInfo(name, shape));
  }

  /** A constant; the element type follows from the array's. Returns its name. */
  constant(shape: readonly number[], data: Float32Array | Int8Array | BigInt64Array): string {
    const count = shape.reduce((product, size) => product * size, 1);
    if (count !== data.length) throw new RangeError(`shape [${shape}] holds ${count}, data ${data.length}`);
    const name = this.#nextName("constant");
    const tensor = new ProtoWriter();
    for (const size of shape) tensor.integer(1, size);
    tensor.integer(2, elementType(data)).text(8, name);
    tensor.data(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.#graph.message(5, tensor);
    return name;
  }

  /** An int64 vector, as shape arguments want it. */
  integers(values: readonly number[]): string {
    return this.constant([values.length], BigInt64Array.from(values, BigInt));
  }

  /** Adds an operator and returns the name of its first output. */
  node(operator: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.nodes(operator, inputs, 1, attributes)[0]!;
  }

  /** As `node`, for operators with several outputs. */
  nodes(
    operator: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: Record<string, Attribute> = {},
  ): string[] {
    const outputs = Array.from({ length: outputCount }, () => this.#nextName(operator));
    this.#graph.message(1, nodeProto(operator, inputs, outputs, attributes));
    return outputs;
  }

  /** The whole model file. */
  encode(): Uint8Array {
    const opset = new ProtoWriter().text(1, "").integer(2, OPSET);
    return new ProtoWriter()
      .integer(1, IR_VERSION)
      .text(2, "cerebellum")
      .message(7, this.#graph)
      .message(8, opset)
      .bytes();
  }

  #nextName(prefix: string): string {
    return `${prefix}_${this.#names++}`;
  }
}

function elementType(data: Float32Array | Int8Array | BigInt64Array): number {
  if (data instanceof Float32Array) return ELEMENT.float32;
  return data instanceof Int8Array ? ELEMENT.int8 : ELEMENT.int64;
}

function valueInfo(name: string, shape: readonly number[]): ProtoWriter {
  const dimensions = new ProtoWriter();
  for (const size of shape) dimensions.message(1, new ProtoWriter().integer(1, size));
  const tensor = new ProtoWriter().integer(1, ELEMENT.float32).message(2, dimensions);
  return new ProtoWriter().text(1, name).message(2, new ProtoWriter().message(1, tensor));
}

function nodeProto(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Record<string, Attribute>,
): ProtoWriter {
  const node = new ProtoWriter();
  for (const input of inputs) node.text(1, input);
  for (const output of outputs) node.text(2, output);
  node.text(4, operator);
  for (const [name, value] of Object.entries(attributes)) node.message(5, attributeProto(name, value));
  return node;
}

function attributeProto(name: string, value: Attribute): ProtoWriter {
  const attribute = new ProtoWriter().text(1, name);
  if (typeof value === "number") return attribute.integer(3, value).integer(20, ATTRIBUTE.integer);
  if ("float" in value) return attribute.float(2, value.float).integer(20, ATTRIBUTE.float);
  for (const item of value) attribute.integer(8, item);
  return attribute.integer(20, ATTRIBUTE.integers);
}
