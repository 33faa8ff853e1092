/** Opens a bundle for use: variant by the gate, fit to robot and camera, goldens through the real pipeline. */
import { readFile } from "node:fs/promises";
import { CerebellumError } from "../core/errors.js";
import { type Bundle, loadBundle } from "./bundle.js";
import { bundleInvalid, bundlePath } from "./bundleFolder.js";
import { bundleMismatch, compareGolden } from "./compare.js";
import { FusedPolicy } from "./fused.js";
import type { PolicyManifest } from "./manifest.js";
import { PolicyPipeline } from "./pipeline.js";
import { decodePng } from "./png.js";
import { passesGate, type Variant } from "./variants.js";

/** Largest differences between the camera as mounted and as trained with. */
export const MOUNT_LIMITS = { positionMm: 5, rotationDeg: 1, fovYDeg: 1 } as const;

/** The image camera as the cell declares it. */
export interface CameraExpectation {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly fovYDeg: number;
  readonly mount: {
    readonly parentFrame: PolicyManifest["image"]["mount"]["parentFrame"];
    readonly positionM: readonly number[];
    readonly quatXyzw: readonly number[];
  };
}

export interface OpenOptions {
  readonly intraOpThreads?: number;
  /** Compared when given: joint order of the robot that the policy will move. */
  readonly jointNames?: readonly string[];
  readonly camera?: CameraExpectation;
}

export interface GoldenResult {
  readonly image: string;
  readonly imageErrorMax: number;
  readonly actionErrorMaxRad: number;
}

export interface OpenedPolicy {
  readonly bundle: Bundle;
  readonly pipeline: PolicyPipeline;
  readonly goldens: readonly GoldenResult[];
  /** Variants that pass the gate but failed their goldens on this machine. */
  readonly rejected: readonly RejectedVariant[];
}

export interface RejectedVariant {
  readonly precision: Variant["precision"];
  readonly reason: string;
}

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH, POLICY_OUTPUT_INVALID, with found, expected and tolerance */
export async function openPolicy(directory: string, options: OpenOptions = {}): Promise<OpenedPolicy> {
  const bundle = await loadBundle(directory);
  const { manifest } = bundle;
  if (options.jointNames !== undefined) checkJoints(manifest, options.jointNames);
  if (options.camera !== undefined) checkCamera(manifest, options.camera);
  const variants = passingVariants(bundle);
  const rejected: RejectedVariant[] = [];
  for (const [index, variant] of variants.entries()) {
    try {
      return { bundle, ...(await openVariant(bundle, variant, options.intraOpThreads)), rejected };
    } catch (thrown) {
      // A quantised model can be right where it was exported and wrong on this CPU; the next variant may serve.
      const isLast = index === variants.length - 1;
      if (isLast || !(thrown instanceof CerebellumError) || thrown.code !== "BUNDLE_MISMATCH") throw thrown;
      rejected.push({ precision: variant.precision, reason: thrown.happened });
    }
  }
  throw noVariant(bundle);
}

/** One variant, its goldens replayed. @throws as `openPolicy` */
export async function openVariant(
  bundle: Bundle,
  variant: Variant,
  intraOpThreads?: number,
): Promise<{ pipeline: PolicyPipeline; goldens: GoldenResult[] }> {
  const pipeline = await PolicyPipeline.load(bundle, variant, intraOpThreads);
  try {
    return { pipeline, goldens: await replayGoldens(bundle, pipeline) };
  } catch (thrown) {
    await pipeline.release();
    throw thrown;
  }
}

/** Variants whose measurements pass the gate, most preferred first, at least one. */
export function passingVariants(bundle: Bundle): readonly Variant[] {
  const { gate, variants } = bundle.manifest;
  const passing = variants.filter((variant) => passesGate(variant, gate));
  if (passing.length === 0) throw noVariant(bundle);
  return passing;
}

function noVariant(bundle: Bundle): CerebellumError {
  const { gate, variants } = bundle.manifest;
  const found = variants.map(
    ({ precision, featureCosineMean, featureCosineMin, measured }) =>
      `${precision} mean ${featureCosineMean} min ${featureCosineMin}` +
      (measured === undefined ? "" : ` action error ${measured.actionErrorShare} of its clip`),
  );
  return bundleInvalid(
    bundle.directory,
    `no variant passes the gate (mean ${gate.featureCosineMean}, min ${gate.featureCosineMin}): ${found.join(", ")}`,
    "Export the bundle with its fp32 variant",
  );
}

function checkJoints(manifest: PolicyManifest, jointNames: readonly string[]): void {
  const { joints } = manifest.robot;
  if (joints.length === jointNames.length && joints.every((name, index) => name === jointNames[index]))
    return;
  throw bundleMismatch(
    `Policy ${manifest.name} moves joints ${joints.join(", ")}; the robot has ${jointNames.join(", ")}`,
    "Use a bundle that was trained for this robot",
  );
}

function checkCamera(manifest: PolicyManifest, camera: CameraExpectation): void {
  const { image } = manifest;
  const who = `Policy ${manifest.name}, camera ${image.role}`;
  if (camera.widthPx !== image.widthPx || camera.heightPx !== image.heightPx) {
    throw bundleMismatch(
      `${who}: images are ${camera.widthPx} x ${camera.heightPx}, expected ${image.widthPx} x ${image.heightPx}`,
      "Set the camera's size in the cell file to the one the policy was trained with",
    );
  }
  if (camera.mount.parentFrame !== image.mount.parentFrame) {
    throw bundleMismatch(
      `${who}: fixed to the ${camera.mount.parentFrame}, expected the ${image.mount.parentFrame}`,
      "Name the camera that the policy was trained with as `policy.camera` of the cell file",
    );
  }
  const positionMm = 1000 * distance(camera.mount.positionM, image.mount.positionM);
  const rotationDeg = angleDeg(camera.mount.quatXyzw, image.mount.quatXyzw);
  const fovYDeg = Math.abs(camera.fovYDeg - image.mount.fovYDeg);
  if (
    !(
      positionMm <= MOUNT_LIMITS.positionMm &&
      rotationDeg <= MOUNT_LIMITS.rotationDeg &&
      fovYDeg <= MOUNT_LIMITS.fovYDeg
    )
  ) {
    throw bundleMismatch(
      `${who}: mounted ${positionMm.toFixed(1)} mm (limit ${MOUNT_LIMITS.positionMm}), ` +
        `${rotationDeg.toFixed(2)} degrees (limit ${MOUNT_LIMITS.rotationDeg}) and ` +
        `${fovYDeg.toFixed(2)} degrees of field of view (limit ${MOUNT_LIMITS.fovYDeg}) away from where it was trained`,
      "Mount the camera as trained and calibrate, or train a policy for this mount",
    );
  }
}

const distance = (a: readonly number[], b: readonly number[]): number =>
  Math.hypot(...a.map((value, axis) => value - b[axis]!));

/** Angle between two rotations given as quaternions of any length and sign [degrees]. */
function angleDeg(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, value, axis) => sum + value * b[axis]!, 0);
  const cosine = Math.min(1, Math.abs(dot) / (Math.hypot(...a) * Math.hypot(...b)));
  return (2 * Math.acos(cosine) * 180) / Math.PI;
}

async function replayGoldens(bundle: Bundle, pipeline: PolicyPipeline): Promise<GoldenResult[]> {
  const { toleranceImage } = bundle.manifest.goldens;
  const toleranceAction = actionTolerance(bundle.manifest, pipeline.variant);
  const results: GoldenResult[] = [];
  for (const [index, golden] of bundle.goldens.cases.entries()) {
    const pixels = await readGoldenImage(bundle, golden.image);
    const { indices, values } = golden.preprocessed;
    const label = `golden case ${index} (${golden.image})`;
    const image = pipeline.preprocess(pixels, "rgb8");
    const sampled = indices.map((at) => image[at]!);
    const imageErrorMax = compareGolden(
      bundle.directory,
      `${label} image`,
      sampled,
      values,
      toleranceImage,
      (at) => indices[at]!,
    );
    await pipeline.encode();
    const action = await pipeline.control(golden.state);
    const actionErrorMaxRad = compareGolden(
      bundle.directory,
      `${label} action`,
      action,
      golden.action,
      toleranceAction,
    );
    results.push({ image: golden.image, imageErrorMax, actionErrorMaxRad });
  }
  return results;
}

/**
 * How far an action may be from the golden one: fp32's own tolerance, or what the gate leaves a coarser precision.
 * A quantised model answers a little differently on each kind of CPU, so the gate is applied on this one again.
 */
export function actionTolerance(
  { gate, goldens, action, robot }: PolicyManifest,
  { precision }: Variant,
): number | number[] {
  const share = gate.actionErrorShare;
  if (precision === "fp32" || share === undefined) return goldens.toleranceAction;
  const { clipRad, gripper } = action;
  const clips = robot.joints.map((_, joint) => (typeof clipRad === "number" ? clipRad : clipRad[joint]!));
  if (gripper !== undefined) clips.push(gripper.maxM - gripper.minM);
  return clips.map((clip) => share * clip);
}

/**
 * Replays the goldens through the variant's fused file.
 *
 * @returns the largest difference of an action [rad]; undefined without such a file
 * @throws BUNDLE_INVALID, BUNDLE_MISMATCH
 */
export async function replayFused(
  bundle: Bundle,
  variant: Variant,
  intraOpThreads?: number,
): Promise<number | undefined> {
  const { fusedFile } = variant;
  if (fusedFile === undefined) return undefined;
  const policy = await FusedPolicy.load(bundle, fusedFile, intraOpThreads);
  try {
    let worst = 0;
    for (const [index, golden] of bundle.goldens.cases.entries()) {
      const action = await policy.answer(await readGoldenImage(bundle, golden.image), "rgb8", golden.state);
      const error = compareGolden(
        bundle.directory,
        `${fusedFile}, golden case ${index} (${golden.image}) action`,
        action,
        golden.action,
        actionTolerance(bundle.manifest, variant),
      );
      worst = Math.max(worst, error);
    }
    return worst;
  } finally {
    await policy.release();
  }
}

async function readGoldenImage(bundle: Bundle, file: string): Promise<Uint8Array> {
  const decoded = decodePng(await readFile(bundlePath(bundle, file)));
  if (typeof decoded === "string") throw bundleInvalid(bundle.directory, `${file}: ${decoded}`);
  const { widthPx, heightPx } = bundle.manifest.image;
  if (decoded.widthPx !== widthPx || decoded.heightPx !== heightPx) {
    throw bundleInvalid(
      bundle.directory,
      `${file} is ${decoded.widthPx} x ${decoded.heightPx}, expected ${widthPx} x ${heightPx}`,
    );
  }
  return decoded.pixels;
}
