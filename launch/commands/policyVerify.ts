/** `policy verify`: replays a bundle's goldens through the real preprocessing and engine. */
import { CerebellumError } from "../../core/errors.js";
import { takesHistory } from "../../policies/anyBundle.js";
import { openHistoryPolicy } from "../../policies/history/verify.js";
import { openPolicy } from "../../policies/verify.js";
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
  for (const { precision, reason } of opened.rejected) print(`  ${precision} is not usable here: ${reason}`);
  for (const golden of opened.goldens) {
    print(
      `  ${golden.image}: image off by at most ${golden.imageErrorMax.toExponential(1)} ` +
        `(tolerance ${manifest.goldens.toleranceImage}), action by ` +
        `${golden.actionErrorMaxRad.toExponential(1)} rad (tolerance ${manifest.goldens.toleranceAction})`,
    );
  }
  print(`Passed with precision ${variant.precision}`);
  return {
    policy: manifest.name,
    precision: variant.precision,
    rejectedVariants: opened.rejected,
    goldens: opened.goldens,
    toleranceImage: manifest.goldens.toleranceImage,
    toleranceActionRad: manifest.goldens.toleranceAction,
  };
};

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
