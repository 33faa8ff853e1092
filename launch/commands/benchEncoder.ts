/**
 * `bench encoder`: how fast this machine runs the usual vision encoders, with random weights, and PyTorch beside it in
 * the same run where the trainer is installed.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { type Clock, nsToMs } from "../../core/clock.js";
import { repositoryRootUrl } from "../../core/entry.js";
import { errorText } from "../../core/errors.js";
import type { Precision } from "../../policies/onnx/layers.js";
import { randomWeights, seededUniform } from "../../policies/onnx/random.js";
import { patchCount, VIT_SHAPES, type VitShape, vitOperations, writeVit } from "../../policies/onnx/vit.js";
import { OnnxModel } from "../../policies/session.js";
import { systemClock } from "../systemClock.js";
import { printer, writeJson } from "./output.js";
import { summariseMs } from "./statistics.js";

const WARM_UP_IMAGES = 2;
const IMAGES_MIN = 5;
const THREADS = [1, 2] as const;
const PRECISIONS: readonly Precision[] = ["fp32", "int8"];
/** Time that PyTorch may take beside its measurements, to import and build. */
const TORCH_RESERVE_S = 120;

const EncoderBench = z.strictObject({
  model: z.string(),
  engine: z.string(),
  precision: z.enum(["fp32", "int8"]),
  intraOpThreads: z.int(),
  images: z.int(),
  medianMs: z.number(),
  p99Ms: z.number(),
  gflopPerS: z.number().describe("Two operations per multiply-add; for int8 these are integer operations"),
});
export type EncoderBench = z.infer<typeof EncoderBench>;
const TorchOutput = z.array(EncoderBench.omit({ gflopPerS: true }));

export interface BenchEncoderOptions {
  /** Time for all measurements together. */
  readonly seconds?: number;
  readonly json?: string;
  readonly models?: Readonly<Record<string, VitShape>>;
  readonly clock?: Clock;
  readonly withTorch?: boolean;
}

export async function benchEncoder(options: BenchEncoderOptions = {}): Promise<readonly EncoderBench[]> {
  const { seconds = 60, models = VIT_SHAPES, clock = systemClock } = options;
  const print = printer(options.json);
  const torchPython = fileURLToPath(new URL(".trainer/venv/bin/python", repositoryRootUrl()));
  const withTorch = (options.withTorch ?? true) && existsSync(torchPython);
  const caseCount = Object.keys(models).length * THREADS.length * (PRECISIONS.length + (withTorch ? 1 : 0));
  const secondsEach = seconds / caseCount;
  const cpu = cpus()[0]?.model ?? "unknown";
  print(`${cpu}, ${cpus().length} CPUs; random weights; ${secondsEach.toFixed(1)} s for each row`);
  const results: EncoderBench[] = [];
  for (const [model, shape] of Object.entries(models)) {
    for (const precision of PRECISIONS) {
      const file = writeVit(shape, 1, precision);
      for (const intraOpThreads of THREADS) {
        const samplesMs = await timeImages(file, shape, intraOpThreads, secondsEach, clock);
        const { count, p50Ms, p99Ms } = summariseMs(samplesMs)!;
        const gflopPerS = vitOperations(shape) / p50Ms / 1e6;
        const measured = { images: count, medianMs: p50Ms, p99Ms, gflopPerS };
        const result = { model, engine: "onnxruntime-node", precision, intraOpThreads, ...measured };
        results.push(result);
        print(describeRow(result));
      }
    }
  }
  if (withTorch) {
    for (const result of await benchTorch(torchPython, models, secondsEach, print)) {
      results.push(result);
      print(describeRow(result));
    }
  } else print("PyTorch: not measured, the trainer is not installed");
  writeJson(options.json, { cpu, cpuCount: cpus().length, seconds, results });
  return results;
}

const describeRow = (r: EncoderBench): string =>
  `${r.model.padEnd(13)} ${r.engine.padEnd(17)} ${r.precision} ${r.intraOpThreads} thread${r.intraOpThreads > 1 ? "s" : " "}  ` +
  `median ${r.medianMs.toFixed(1).padStart(7)} ms  p99 ${r.p99Ms.toFixed(1).padStart(7)} ms  ` +
  `${r.gflopPerS.toFixed(0).padStart(4)} GFLOP/s  (${r.images} images)`;

async function timeImages(
  file: Uint8Array,
  shape: VitShape,
  intraOpThreads: number,
  seconds: number,
  clock: Clock,
): Promise<number[]> {
  const image = randomWeights(seededUniform(2), 3 * shape.widthPx * shape.heightPx, 1);
  const tokenCount = 1 + patchCount(shape);
  const model = await OnnxModel.load(
    file,
    [{ name: "image", shape: [1, 3, shape.heightPx, shape.widthPx], data: image }],
    [
      {
        name: "tokens",
        shape: [1, tokenCount, shape.width],
        data: new Float32Array(tokenCount * shape.width),
      },
    ],
    intraOpThreads,
  );
  for (let index = 0; index < WARM_UP_IMAGES; index++) await model.run();
  const samplesMs: number[] = [];
  const startNs = clock.nowNs();
  while (samplesMs.length < IMAGES_MIN || nsToMs(clock.nowNs() - startNs) < 1000 * seconds) {
    const beforeNs = clock.nowNs();
    await model.run();
    samplesMs.push(nsToMs(clock.nowNs() - beforeNs));
  }
  await model.release();
  return samplesMs;
}

/** @returns nothing, with a line that says why, when PyTorch does not run here */
async function benchTorch(
  python: string,
  models: Readonly<Record<string, VitShape>>,
  secondsEach: number,
  print: (line: string) => void,
): Promise<EncoderBench[]> {
  const script = fileURLToPath(new URL("launch/commands/benchEncoderTorch.py", repositoryRootUrl()));
  const request = {
    models,
    secondsEach,
    threads: THREADS,
    warmUpImages: WARM_UP_IMAGES,
    imagesMin: IMAGES_MIN,
  };
  const timeoutMs = 1000 * (TORCH_RESERVE_S + 3 * secondsEach * THREADS.length * Object.keys(models).length);
  try {
    const { stdout } = await promisify(execFile)(python, [script, JSON.stringify(request)], {
      timeout: timeoutMs,
    });
    return TorchOutput.parse(JSON.parse(stdout)).map((row) => ({
      ...row,
      gflopPerS: vitOperations(models[row.model]!) / row.medianMs / 1e6,
    }));
  } catch (thrown) {
    print(`PyTorch: not measured (${errorText(thrown)})`);
    return [];
  }
}
