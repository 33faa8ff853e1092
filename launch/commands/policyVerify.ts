/** `policy verify`: replays a bundle's goldens through the real preprocessing and engine. */
import { CerebellumError } from "../../core/errors.js";
import { takesHistory } from "../../policies/anyBundle.js";
import type { Bundle } from "../../policies/bundle.js";
import { describeTolerance } from "../../policies/compare.js";
import { openHistoryPolicy } from "../../policies/history/verify.js";
import type { Variant } from "../../policies/variants.js";
import {
  actionTolerance,
  type GoldenResult,
  openPolicy,
  openVariant,
  passingVariants,
  replayFused,
} from "../../policies/verify.js";
import { printer, writeJson } from "./output.js";

/** @throws BUNDLE_INVALID, BUNDLE_MISMATCH, POLICY_OUTPUT_INVALID, after the JSON result was written */
export async function policyVerify(
  directory: string,
  options: { json?: string; intraOpThreads?: number } = {},
): Promise<void> {
  const print = printer(options.json);
  try {
    const result = await ((await takesHistory(directory)) ? verifyHistory : verifyPictures)(
      directory,
      options.intraOpThreads ?? 1,
      print,
    );
    writeJson(options.json, { passed: true, ...result });
  } catch (thrown) {
    if (thrown instanceof CerebellumError) {
      const { code, happened, remedy } = thrown;
      writeJson(options.json, { passed: false, error: { code, happened, remedy } });
    }
    throw thrown;
  }
}

type Verify = (
  directory: string,
  intraOpThreads: number,
  print: (line: string) => void,
) => Promise<Record<string, unknown>>;

const verifyPictures: Verify = async (directory, intraOpThreads, print) => {
  const opened = await openPolicy(directory, { intraOpThreads });
  const { manifest, variant } = opened.pipeline;
  await opened.pipeline.release();
  print(`${manifest.name}: ${opened.bundle.fileBytes.size} files match their checksums`);
  const rejected = [...opened.rejected];
  const variants = [await verifyVariant(opened.bundle, variant, opened.goldens, intraOpThreads, print)];
  for (const other of passingVariants(opened.bundle)) {
    if (other === variant || rejected.some(({ precision }) => precision === other.precision)) continue;
    try {
      const { pipeline, goldens } = await openVariant(opened.bundle, other, intraOpThreads);
      await pipeline.release();
      variants.push(await verifyVariant(opened.bundle, other, goldens, intraOpThreads, print));
    } catch (thrown) {
      if (!(thrown instanceof CerebellumError) || thrown.code !== "BUNDLE_MISMATCH") throw thrown;
      rejected.push({ precision: other.precision, reason: thrown.happened });
    }
  }
  for (const { precision, reason } of rejected) print(`  ${precision} is not usable here: ${reason}`);
  print(`Passed with precision ${variant.precision}`);
  return {
    policy: manifest.name,
    precision: variant.precision,
    rejectedVariants: rejected,
    goldens: opened.goldens,
    toleranceImage: manifest.goldens.toleranceImage,
    toleranceActionRad: actionTolerance(manifest, variant),
    variants,
  };
};

async function verifyVariant(
  bundle: Bundle,
  variant: Variant,
  goldens: readonly GoldenResult[],
  intraOpThreads: number,
  print: (line: string) => void,
): Promise<Record<string, unknown>> {
  const { precision, fusedFile } = variant;
  const tolerance = actionTolerance(bundle.manifest, variant);
  print(`  ${precision}`);
  for (const golden of goldens) {
    print(
      `    ${golden.image}: image off by at most ${golden.imageErrorMax.toExponential(1)} ` +
        `(tolerance ${bundle.manifest.goldens.toleranceImage}), action by ` +
        `${golden.actionErrorMaxRad.toExponential(1)} rad (tolerance ${describeTolerance(tolerance)})`,
    );
  }
  const fusedErrorMaxRad = await replayFused(bundle, variant, intraOpThreads);
  if (fusedErrorMaxRad !== undefined) {
    print(`    ${fusedFile}: action off by at most ${fusedErrorMaxRad.toExponential(1)} rad`);
  }
  return { precision, goldens, fusedErrorMaxRad };
}

const verifyHistory: Verify = async (directory, intraOpThreads, print) => {
  const opened = await openHistoryPolicy(directory, { intraOpThreads });
  const { manifest, fileBytes } = opened.bundle;
  await opened.pipeline.release();
  const { toleranceObservation, toleranceAction } = manifest.goldens;
  print(`${manifest.name}: ${fileBytes.size} files match their checksums`);
  print(
    `  ${manifest.observation.length} observation and ${manifest.action.slots.length} action slots are those that ` +
      "the network was exported with",
  );
  for (const [index, golden] of opened.goldens.entries()) {
    print(
      `  run ${index} of ${golden.steps} steps: observation off by at most ` +
        `${golden.observationErrorMax.toExponential(1)} (tolerance ${toleranceObservation}), action by ` +
        `${golden.actionErrorMax.toExponential(1)} (tolerance ${toleranceAction})`,
    );
  }
  print(`Passed with precision fp32; motion ${manifest.motion}: ${manifest.motionReason}`);
  return {
    policy: manifest.name,
    precision: "fp32",
    motion: manifest.motion,
    goldens: opened.goldens,
    toleranceObservation,
    toleranceAction,
  };
};
