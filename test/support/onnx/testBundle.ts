/** Writes a complete, valid, small policy bundle with random weights, so that tests need no trained one. */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import {
  type Goldens,
  type GripperAction,
  outputNames,
  type PolicyManifest,
} from "../../../policies/manifest.js";
import { writeController } from "../../../policies/onnx/controller.js";
import type { Precision } from "../../../policies/onnx/layers.js";
import { type VitShape, writeVit } from "../../../policies/onnx/vit.js";
import { PolicyPipeline } from "../../../policies/pipeline.js";

export interface TestBundleOptions {
  readonly seed?: number;
  readonly device?: PolicyManifest["robot"]["device"];
  readonly joints?: readonly string[];
  readonly rateHz?: number;
  readonly expiryMs?: number;
  readonly startRad?: readonly number[];
  readonly image?: Partial<PolicyManifest["image"]>;
  readonly vit?: {
    readonly patchPx: number;
    readonly width: number;
    readonly depth: number;
    readonly heads: number;
  };
  readonly feature?: "class-token" | "patch-tokens";
  /** The first is preferred; its cosines are `cosines` where that is given. */
  readonly precisions?: readonly Precision[];
  readonly cosines?: readonly { readonly mean: number; readonly min: number }[];
  /** Size of the random actions; 0.05 gives hundredths of a radian. */
  readonly actionGain?: number;
  /** The policy also moves the gripper, and knows its opening. */
  readonly gripper?: GripperAction;
  /** Applied to the manifest before it is written, to make it wrong on purpose. */
  readonly change?: (manifest: PolicyManifest) => unknown;
}

const SMALL_VIT = { patchPx: 16, width: 32, depth: 2, heads: 2 };
/** The reach pose and camera mount of the lab's cell. */
const START_RAD = [0, -0.1702, 0, 1.7195, 0, 1.8882, 0];
const IMAGE: PolicyManifest["image"] = {
  role: "wrist",
  widthPx: 640,
  heightPx: 480,
  encoding: "rgb8",
  crop: { xPx: 96, yPx: 32, widthPx: 448, heightPx: 448 },
  resize: { widthPx: 64, heightPx: 64, kernel: "bilinear-antialias" },
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  mount: {
    parentFrame: "flange",
    positionM: [0.075, 0, 0.025],
    quatXyzw: [-0.0739128, -0.0739128, 0.7032332, 0.7032332],
    fovYDeg: 42,
  },
};

/** @returns the manifest as written */
export async function makeTestBundle(
  directory: string,
  options: TestBundleOptions = {},
): Promise<PolicyManifest> {
  const manifest = describe(options);
  const { image, encoder } = manifest;
  const seed = options.seed ?? 1;
  const shape: VitShape = {
    ...(options.vit ?? SMALL_VIT),
    widthPx: image.resize.widthPx,
    heightPx: image.resize.heightPx,
  };
  await mkdir(join(directory, "goldens"), { recursive: true });
  for (const { precision, encoderFile } of manifest.variants) {
    await writeFile(join(directory, encoderFile), writeVit(shape, seed, precision));
  }
  const controller = writeController(
    {
      feature: encoder.feature,
      width: shape.width,
      gridWidth: shape.widthPx / shape.patchPx,
      gridHeight: shape.heightPx / shape.patchPx,
      stateCount: manifest.proprioception.length,
      hidden: manifest.controller.hidden,
      actionCount: outputNames(manifest).length,
      actionGain: options.actionGain ?? 0.05,
    },
    seed + 1,
  );
  await writeFile(join(directory, "controller.onnx"), controller);
  const goldens = await computeGoldens(directory, manifest);
  await writeFile(join(directory, "goldens/goldens.json"), JSON.stringify(goldens));
  for (const file of Object.keys(manifest.files)) {
    manifest.files[file] = sha256(await readFile(join(directory, file)));
  }
  const written = options.change?.(structuredClone(manifest)) ?? manifest;
  await writeFile(join(directory, "policy.json"), JSON.stringify(written, undefined, 2));
  return manifest;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function describe(options: TestBundleOptions): PolicyManifest {
  const joints = options.joints ?? Array.from({ length: 7 }, (_, index) => `joint${index + 1}`);
  const precisions = options.precisions ?? ["fp32"];
  const files = [
    ...precisions.map((precision) => `encoder.${precision}.onnx`),
    "controller.onnx",
    "goldens/goldens.json",
    "goldens/0.png",
    "goldens/1.png",
  ];
  return {
    schema: "cerebellum/policy@1",
    kind: "bc-mlp",
    name: "test-bundle",
    task: "reach-block",
    description: "Random weights, for tests only",
    robot: { device: options.device ?? "xarm7", joints: [...joints] },
    rateHz: options.rateHz ?? 5,
    expiryMs: options.expiryMs ?? 500,
    image: { ...IMAGE, ...options.image },
    proprioception: [
      ...joints.map((name) => ({ name, unit: "rad", source: "joint-position" }) as const),
      options.gripper === undefined
        ? { name: "gripper", unit: "none", source: "zero" }
        : { name: "gripper", unit: "m", source: "gripper-opening" },
    ],
    encoder: {
      architecture: options.vit ?? SMALL_VIT,
      input: "image",
      output: "tokens",
      feature: options.feature ?? "patch-tokens",
      pretraining: "none",
    },
    controller: { featureInput: "feature", stateInput: "state", output: "action", hidden: [32, 16] },
    action: {
      kind: "delta-joint-position",
      unit: "rad",
      clipRad: 0.15,
      ...(options.gripper === undefined ? {} : { gripper: options.gripper }),
    },
    start: {
      positionRad: [...(options.startRad ?? START_RAD)],
      ...((options.device ?? "xarm7") === "xarm7" && { gripperOpeningM: 0.08 }),
    },
    variants: precisions.map((precision, index) => ({
      precision,
      encoderFile: `encoder.${precision}.onnx`,
      controllerFile: "controller.onnx",
      featureCosineMean: options.cosines?.[index]?.mean ?? 1,
      featureCosineMin: options.cosines?.[index]?.min ?? 1,
    })),
    gate: { featureCosineMean: 0.999, featureCosineMin: 0.995 },
    goldens: { file: "goldens/goldens.json", toleranceImage: 1e-5, toleranceAction: 1e-5 },
    provenance: {
      trainer: "test",
      dataset: { episodes: 1, frames: 1, sha256: "0".repeat(64) },
      trainingParityMaxAbs: 0,
      notes: "Written by a test",
    },
    files: Object.fromEntries(files.map((file) => [file, "0".repeat(64)])),
  };
}

/** Two smooth test pictures; what the pipeline makes of them counts as truth here. */
async function computeGoldens(directory: string, manifest: PolicyManifest): Promise<Goldens> {
  const { widthPx, heightPx, resize } = manifest.image;
  const variant = manifest.variants.find((v) => v.precision === "fp32") ?? manifest.variants[0]!;
  const bundle = {
    directory,
    manifest,
    manifestSha256: "",
    goldens: { cases: [] },
    fileBytes: new Map(),
    sharedPaths: new Map(),
  };
  const pipeline = await PolicyPipeline.load(bundle, variant);
  const cases: Goldens["cases"] = [];
  for (const index of [0, 1]) {
    const file = `goldens/${index}.png`;
    const pixels = testPicture(widthPx, heightPx, index);
    await sharp(pixels, { raw: { width: widthPx, height: heightPx, channels: 3 } })
      .png()
      .toFile(join(directory, file));
    const image = pipeline.preprocess(pixels, "rgb8");
    const indices = Array.from(
      { length: 64 },
      (_, at) => (at * 7919) % (3 * resize.widthPx * resize.heightPx),
    );
    const values = indices.map((at) => image[at]!);
    const state = manifest.proprioception.map(
      (_, at) => (manifest.start.positionRad[at] ?? 0) + 0.01 * index,
    );
    await pipeline.encode();
    cases.push({
      image: file,
      state,
      preprocessed: { indices, values },
      action: [...(await pipeline.control(state))],
    });
  }
  await pipeline.release();
  return { cases };
}

/** A shaded plane with one red square, packed rgb8. */
export function testPicture(widthPx: number, heightPx: number, seed: number): Uint8Array {
  const pixels = new Uint8Array(widthPx * heightPx * 3);
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      const inSquare = Math.abs(x - widthPx * (0.3 + 0.2 * seed)) < 40 && Math.abs(y - heightPx / 2) < 40;
      const shade = Math.round((160 * x) / widthPx + (60 * y) / heightPx);
      pixels.set(inSquare ? [200, 30, 20] : [shade, shade, 220 - shade], (y * widthPx + x) * 3);
    }
  }
  return pixels;
}
