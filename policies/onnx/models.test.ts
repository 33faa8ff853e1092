import { describe, expect, it } from "vitest";
import { OnnxModel } from "../session.js";
import { writeController } from "./controller.js";
import { OnnxGraph } from "./graph.js";
import { quantisePerChannel } from "./layers.js";
import { ProtoWriter } from "./protobuf.js";
import { randomWeights, seededUniform } from "./random.js";
import { patchCount, VIT_SHAPES, type VitShape, vitOperations, writeVit } from "./vit.js";

const SMALL: VitShape = { widthPx: 32, heightPx: 48, patchPx: 16, width: 64, depth: 3, heads: 4 };

async function runVit(shape: VitShape, model: Uint8Array, image: Float32Array): Promise<Float32Array> {
  const tokens = new Float32Array((1 + patchCount(shape)) * shape.width);
  const session = await OnnxModel.load(
    model,
    [{ name: "image", shape: [1, 3, shape.heightPx, shape.widthPx], data: image }],
    [{ name: "tokens", shape: [1, 1 + patchCount(shape), shape.width], data: tokens }],
  );
  await session.run();
  await session.release();
  return tokens;
}

const randomImage = (shape: VitShape, seed: number) =>
  randomWeights(seededUniform(seed), 3 * shape.widthPx * shape.heightPx, 1);

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, index) => {
    ab += value * b[index]!;
    aa += value * value;
    bb += b[index]! * b[index]!;
  });
  return ab / Math.sqrt(aa * bb);
}

describe("the protocol buffer writer", () => {
  it("writes the examples of the wire format's description", () => {
    expect([...new ProtoWriter().integer(1, 150).bytes()]).toEqual([0x08, 0x96, 0x01]);
    expect([...new ProtoWriter().text(2, "testing").bytes()]).toEqual([0x12, 7, ...Buffer.from("testing")]);
    expect([...new ProtoWriter().message(3, new ProtoWriter().integer(1, 150)).bytes()]).toEqual([
      0x1a, 3, 0x08, 0x96, 0x01,
    ]);
  });
});

describe("models written without a framework", () => {
  it("a linear layer computes what is computed by hand", async () => {
    const graph = new OnnxGraph("linear");
    const x = graph.input("x", [1, 2]);
    const product = graph.node("MatMul", [x, graph.constant([2, 2], Float32Array.of(1, 2, 3, 4))]);
    graph.output("y", [1, 2], graph.node("Add", [product, graph.constant([2], Float32Array.of(10, 20))]));
    const y = new Float32Array(2);
    const model = await OnnxModel.load(
      graph.encode(),
      [{ name: "x", shape: [1, 2], data: Float32Array.of(5, 6) }],
      [{ name: "y", shape: [1, 2], data: y }],
    );
    await model.run();
    await model.release();
    expect([...y]).toEqual([5 + 18 + 10, 10 + 24 + 20]);
  });

  it("an encoder is the same for the same seed and normalises its tokens", async () => {
    const image = randomImage(SMALL, 2);
    const tokens = await runVit(SMALL, writeVit(SMALL, 1, "fp32"), image);
    expect(tokens).toEqual(await runVit(SMALL, writeVit(SMALL, 1, "fp32"), image));
    expect(tokens).not.toEqual(await runVit(SMALL, writeVit(SMALL, 2, "fp32"), image));
    for (let token = 0; token < 7; token++) {
      const row = tokens.subarray(token * 64, (token + 1) * 64);
      const square = row.reduce((sum, value) => sum + value * value, 0) / 64;
      expect(square).toBeGreaterThan(0.7);
      expect(square).toBeLessThan(1.4);
    }
  });

  it("the int8 form is close to fp32, and closer than another image", async () => {
    const [image, other] = [randomImage(SMALL, 2), randomImage(SMALL, 3)];
    const fp32 = await runVit(SMALL, writeVit(SMALL, 1, "fp32"), image);
    const int8 = await runVit(SMALL, writeVit(SMALL, 1, "int8"), image);
    expect(int8).not.toEqual(fp32);
    expect(cosine(fp32, int8)).toBeGreaterThan(0.998);
    const otherTokens = await runVit(SMALL, writeVit(SMALL, 1, "fp32"), other);
    expect(cosine(fp32, otherTokens)).toBeLessThan(cosine(fp32, int8));
  });

  it("a controller looks at every patch and at the state", async () => {
    const model = writeController(
      {
        feature: "patch-tokens",
        width: 8,
        gridWidth: 3,
        gridHeight: 2,
        stateCount: 2,
        hidden: [16],
        actionCount: 3,
        actionGain: 1,
      },
      4,
    );
    const feature = new Float32Array(48);
    const state = new Float32Array(2);
    const action = new Float32Array(3);
    const session = await OnnxModel.load(
      model,
      [
        { name: "feature", shape: [1, 6, 8], data: feature },
        { name: "state", shape: [1, 2], data: state },
      ],
      [{ name: "action", shape: [1, 3], data: action }],
    );
    const answers = new Set<string>();
    for (const change of [
      () => {},
      ...[0, 1, 2, 3, 4, 5].map((p) => () => feature.fill(1, 8 * p, 8 * p + 8)),
    ]) {
      feature.fill(0);
      change();
      await session.run();
      answers.add(action.join());
    }
    state[1] = 1;
    await session.run();
    answers.add(action.join());
    await session.release();
    expect(answers.size).toBe(8);
  });

  it("reads a feature that is a part of another array", async () => {
    const whole = Float32Array.of(9, 9, 5, 6);
    const graph = new OnnxGraph("part");
    graph.output("y", [1, 2], graph.node("Relu", [graph.input("x", [1, 2])]));
    const y = new Float32Array(2);
    const model = await OnnxModel.load(
      graph.encode(),
      [{ name: "x", shape: [1, 2], data: whole.subarray(2) }],
      [{ name: "y", shape: [1, 2], data: y }],
    );
    await model.run();
    await model.release();
    expect([...y]).toEqual([5, 6]);
  });
});

describe("figures of the encoders", () => {
  it("quantised weights are within half a step of their column", () => {
    const weights = randomWeights(seededUniform(1), 12 * 5, 1);
    const { quantised, scales } = quantisePerChannel(weights, 12, 5);
    weights.forEach((weight, index) => {
      expect(Math.abs(quantised[index]! * scales[index % 5]! - weight)).toBeLessThanOrEqual(
        scales[index % 5]! * 0.5001,
      );
    });
  });
  it("the work of ViT-S and ViT-B is that of the literature, 9.2 and 35.1 GFLOP", () => {
    expect(vitOperations(VIT_SHAPES["ViT-S/16-224"]) / 1e9).toBeCloseTo(9.2, 1);
    expect(vitOperations(VIT_SHAPES["ViT-B/16-224"]) / 1e9).toBeCloseTo(35.1, 1);
  });
});
