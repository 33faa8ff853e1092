/** `policy inspect`: what a bundle says about itself, without running it. */
import { isHistoryBundle, loadAnyBundle } from "../../policies/anyBundle.js";
import type { Bundle } from "../../policies/bundle.js";
import type { EncoderArchitecture, GripperAction } from "../../policies/manifest.js";
import type { Gate, Variant } from "../../policies/variants.js";
import { passingVariants } from "../../policies/verify.js";
import { describeHistoryBundle } from "./historyInspect.js";
import { printer, writeJson } from "./output.js";

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH */
export async function policyInspect(directory: string, options: { json?: string } = {}): Promise<void> {
  const bundle = await loadAnyBundle(directory);
  const print = printer(options.json);
  for (const [label, value] of isHistoryBundle(bundle)
    ? describeHistoryBundle(bundle)
    : describeBundle(bundle))
    print(`${label.padEnd(16)} ${value}`);
  writeJson(options.json, {
    directory,
    manifest: bundle.manifest,
    fileBytes: Object.fromEntries(bundle.fileBytes),
    chosenPrecision: isHistoryBundle(bundle) ? "fp32" : passingVariants(bundle)[0]!.precision,
    goldenCases: bundle.goldens.cases.length,
  });
}

/** Rows of the table for people. */
export function describeBundle(bundle: Bundle): [label: string, value: string][] {
  const { manifest } = bundle;
  const { image, encoder, controller, action, start, provenance, gate } = manifest;
  const { crop, resize, mount } = image;
  const totalBytes = [...bundle.fileBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const sources = manifest.proprioception.map(({ name, source, unit }) =>
    source === "joint-position" ? name : `${name} (${source}, ${unit})`,
  );
  return [
    ["policy", `${manifest.name} (${manifest.kind}), task ${manifest.task}`],
    ["", manifest.description],
    ["robot", `${manifest.robot.device}: ${manifest.robot.joints.join(", ")}`],
    ["rate", `${manifest.rateHz} Hz; an action is valid for ${manifest.expiryMs} ms`],
    [
      "image",
      `${image.role}, ${image.widthPx} x ${image.heightPx} ${image.encoding}; ` +
        `crop ${crop.widthPx} x ${crop.heightPx} at ${crop.xPx}, ${crop.yPx}; ` +
        `to ${resize.widthPx} x ${resize.heightPx} ${resize.kernel}`,
    ],
    ["normalisation", `mean ${image.mean.join(" ")}, deviation ${image.std.join(" ")} of RGB / 255`],
    [
      "camera mount",
      `${mount.positionM.join(" ")} m in the ${mount.parentFrame} frame, quaternion xyzw ${mount.quatXyzw.join(" ")}, ` +
        `vertical field of view ${mount.fovYDeg} degrees`,
    ],
    ["state", sources.join(", ")],
    [
      "encoder",
      `${describeEncoder(encoder.architecture)}; pre-training ${encoder.pretraining}; feature ${encoder.feature}`,
    ],
    ["controller", `hidden ${controller.hidden.join(", ")}`],
    [
      "action",
      `${action.kind}, clipped at ${describeClips(action.clipRad)} ${action.unit} per joint and step`,
    ],
    ...(action.gripper === undefined ? [] : [["", describeGripper(action.gripper)] as [string, string]]),
    [
      "start pose",
      `${start.positionRad.join(" ")} rad` +
        (start.gripperOpeningM === undefined ? "" : `, gripper ${start.gripperOpeningM} m`),
    ],
    ...manifest.variants.map((variant): [string, string] => [
      `variant ${variant.precision}`,
      `feature cosine mean ${variant.featureCosineMean}, min ${variant.featureCosineMin} ` +
        `(gate ${gate.featureCosineMean}, ${gate.featureCosineMin})` +
        describeMeasured(variant, gate) +
        (variant.fusedFile === undefined ? "" : `; whole in ${variant.fusedFile}`),
    ]),
    ...(manifest.leftOut ?? []).map(({ precision, reason }): [string, string] => [`no ${precision}`, reason]),
    ["goldens", `${bundle.goldens.cases.length} cases`],
    [
      "trained by",
      `${provenance.trainer} on ${provenance.dataset.episodes} episodes, ${provenance.dataset.frames} frames`,
    ],
    ["notes", provenance.notes],
    ["files", `${bundle.fileBytes.size} with matching checksums, ${(totalBytes / 1e6).toFixed(1)} MB`],
  ];
}

const describeGripper = ({ minM, maxM, levelsM }: GripperAction) =>
  `gripper opening, absolute, ${levelsM === undefined ? `${minM} to ${maxM}` : `one of ${levelsM.join(", ")}`} m`;

function describeEncoder(encoder: EncoderArchitecture): string {
  if (encoder.family === "cnn")
    return `${encoder.name}, a place every ${encoder.patchPx} px, width ${encoder.width}`;
  const { patchPx, width, depth, heads, stem } = encoder;
  const cut = stem === undefined ? "" : `, stem ${stem.join("-")}`;
  return `ViT patch ${patchPx}${cut}, width ${width}, depth ${depth}, ${heads} heads`;
}

function describeMeasured({ measured }: Variant, { actionErrorShare }: Gate): string {
  if (measured === undefined) return "";
  const limit = actionErrorShare === undefined ? "" : ` (gate ${actionErrorShare})`;
  return (
    `; action off by at most ${measured.actionErrorMaxRad} rad, ${measured.actionErrorShare} of its clip${limit}, ` +
    `${measured.actionErrorRmsRad} of ${measured.actionRmsRad} rad in the mean square, on ${measured.frames} frames`
  );
}

/** Equal bounds in a row are told once. */
function describeClips(clipRad: number | readonly number[]): string {
  if (typeof clipRad === "number") return String(clipRad);
  const runs: { readonly rad: number; joints: number }[] = [];
  for (const rad of clipRad) {
    const last = runs.at(-1);
    if (last?.rad === rad) last.joints++;
    else runs.push({ rad, joints: 1 });
  }
  return runs.map(({ rad, joints }) => `${rad} (${joints} joints)`).join(", ");
}
